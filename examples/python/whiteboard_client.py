"""Sits at a whiteboard: a line `X Y COLOUR` paints a square, `/save` stores the board, any other line is said.

python examples/python/whiteboard_client.py rtmp://127.0.0.1/whiteboard/ROOM --name Ann

With `--painters 50 --changes 10000` it is that many clients painting that much between them. They end when all of them
see the same board, and print its version and a digest of it.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import sys
from collections.abc import Mapping
from typing import Any

import rtmpkit
import rtmpkit.aio

SIZE = 20
COLOURS = ("black", "red", "green", "blue", "white")


def say(line: str) -> None:
    """Prints a line in one piece: the board and the calls come on another thread than the answers."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Board(rtmpkit.SharedObject):
    """Prints what others paint."""

    def on_sync(self, changes: list[rtmpkit.SlotChange]) -> None:
        for change in changes:
            if change.kind in ("change", "delete"):
                say(f"{change.name} is {change.new_value or 'blank'}")


def sit_down(url: str, name: str) -> None:
    def on_call(method: str, args: list[Any]) -> Any:
        match method, args:
            case "name", []:
                return name
            case "said", [who, text]:
                say(f"{who}: {text}")
            case ("entered" | "left"), [who]:
                say(f"{who} {method}")
            case _:
                return NotImplemented

    with rtmpkit.NetConnection(url, on_call=on_call) as nc:
        say(" ".join(["here are", *nc.call("enter")]))
        with nc.shared_object("board", persistent=True, cls=Board) as board:
            for line in sys.stdin:
                match line.split():
                    case [x, y, colour] if x.isdecimal() and y.isdecimal():
                        board[f"{x},{y}"] = None if colour == "blank" else colour
                    case ["/save"]:
                        say(f"saved version {nc.call('save')}")
                    case []:
                        pass
                    case _:
                        nc.call("say", line.strip())


async def paint(nc: rtmpkit.aio.NetConnection, board: rtmpkit.aio.SharedObject, changes: int, seed: int) -> None:
    """Paints at random, some squares one by one and some at once, all over those of the others."""
    chance = random.Random(seed)
    while changes > 0:
        batch = min(changes, chance.choice((1, 1, 10)))
        with board.locked():
            for _ in range(batch):
                square = f"{chance.randrange(SIZE)},{chance.randrange(SIZE)}"
                await board.set(square, chance.choice(COLOURS))
        changes -= batch
        await nc.call("version")  # The others' changes come meanwhile.


async def seen(board: rtmpkit.aio.SharedObject, version: int) -> None:
    """Returns when a copy has reached a version."""
    changed = asyncio.Event()
    board.on_sync(lambda changes: changed.set())
    while board.version < version:
        await changed.wait()
        changed.clear()


async def paint_together(url: str, painters: int, changes: int, save: bool) -> tuple[int, Mapping[str, Any]]:
    """Has `painters` clients make `changes` changes between them; the version and the board that all of them see."""
    clients = [rtmpkit.aio.NetConnection(url, timeout=60) for _ in range(painters)]
    try:
        await asyncio.gather(*(client.connect() for client in clients))
        boards = await asyncio.gather(*(client.shared_object("board", persistent=True) for client in clients))
        shares = [changes // painters + (number < changes % painters) for number in range(painters)]
        await asyncio.gather(*map(paint, clients, boards, shares, range(painters)))
        version: int = await clients[0].call("save" if save else "version")
        await asyncio.gather(*(seen(board, version) for board in boards))
        pictures = [dict(board) for board in boards]
        if any(picture != pictures[0] for picture in pictures):
            raise rtmpkit.Error("the painters see different boards")
        return version, pictures[0]
    finally:
        await asyncio.gather(*(client.close() for client in clients))


def main() -> int:
    parser = argparse.ArgumentParser(description="Sits at a whiteboard.")
    parser.add_argument("url", metavar="URL", help="rtmp://host[:port]/whiteboard/room")
    parser.add_argument("--name", default="somebody")
    parser.add_argument("--painters", type=int, metavar="N")
    parser.add_argument("--changes", type=int, default=10_000, metavar="N")
    parser.add_argument("--save", action="store_true", help="have the painters' board stored")
    args = parser.parse_args()
    if not args.painters:
        sit_down(args.url, args.name)
        return 0
    version, board = asyncio.run(paint_together(args.url, args.painters, args.changes, args.save))
    digest = hashlib.sha256(json.dumps(dict(board), sort_keys=True).encode()).hexdigest()
    print(f"version {version} digest {digest[:16]}", flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (rtmpkit.Error, OSError) as error:
        sys.exit(f"whiteboard_client: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
