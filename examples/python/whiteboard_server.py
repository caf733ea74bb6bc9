"""A chat with a whiteboard: remote calls both ways, and a shared object that survives the server.

python examples/python/whiteboard_server.py --listen 127.0.0.1:1935 --directory boards

Every room (`rtmp://HOST/whiteboard/ROOM`) has a board: the persistent shared object `board`, whose slots `X,Y` hold the
colours of its squares. Clients may call

    enter() -> names     who is in the room; the server asks the client back: name() -> str
    say(text)            tells everybody: said(name, text)
    save() -> version    returns once the board is on disk
    version() -> version

and are told entered(name) and left(name).
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import threading
from types import FrameType

import rtmpkit


class Whiteboard(rtmpkit.Application):
    def __init__(self, directory: str) -> None:
        super().__init__("whiteboard", shared_objects_directory=directory, autocommit=5)
        self.boards: dict[str, rtmpkit.SharedObject] = {}
        self.names: dict[rtmpkit.Peer, str] = {}

    def on_instance_start(self, room: rtmpkit.Instance) -> None:
        self.boards[room.name] = room.shared_object("board", persistent=True)

    def on_disconnect(self, peer: rtmpkit.Peer, why: rtmpkit.Status) -> None:
        name = self.names.pop(peer, None)
        if name is not None:
            peer.instance.broadcast("left", name)

    @rtmpkit.method
    async def enter(self, peer: rtmpkit.Peer) -> list[str]:
        self.names[peer] = str(await peer.call_async("name"))
        peer.instance.broadcast("entered", self.names[peer])
        return sorted(self.names[other] for other in peer.instance.peers if other in self.names)

    @rtmpkit.method
    def say(self, peer: rtmpkit.Peer, text: str) -> None:
        peer.instance.broadcast("said", self.names.get(peer, "somebody"), text)

    @rtmpkit.method
    async def save(self, peer: rtmpkit.Peer) -> int | None:
        return await asyncio.to_thread(self.boards[peer.instance.name].flush)

    @rtmpkit.method
    def version(self, peer: rtmpkit.Peer) -> int:
        return self.boards[peer.instance.name].version


def main() -> int:
    parser = argparse.ArgumentParser(description="Serves a chat with a whiteboard.")
    parser.add_argument("--listen", default="127.0.0.1:1935", metavar="HOST:PORT")
    parser.add_argument("--directory", default="boards", help="where the boards are kept")
    args = parser.parse_args()

    stop = threading.Event()

    def ended(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, ended)
    signal.signal(signal.SIGTERM, ended)
    with rtmpkit.Server(args.listen, [Whiteboard(args.directory)]) as server:
        print(f"listening on {server.address[0]}:{server.port}", flush=True)
        stop.wait()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except rtmpkit.Error as error:
        sys.exit(f"whiteboard_server: {error}")
