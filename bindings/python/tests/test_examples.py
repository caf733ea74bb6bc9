"""The example programs, together."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import rtmpkit
from media import METADATA, media, write_flv

EXAMPLES = Path(__file__).parents[3] / "examples" / "python"


def start(name: str, *args: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *map(str, args)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_a_file_goes_through_two_servers_unchanged(tmp_path: Path) -> None:
    server = start("server", "--listen", "127.0.0.1:0", "--workers", 2)
    assert server.stdout is not None
    listening = server.stdout.readline()
    assert listening.startswith("listening on 127.0.0.1:")
    first = f"rtmp://{listening.split()[-1]}/live/first"
    second = f"rtmp://{listening.split()[-1]}/live/second"
    sent = write_flv(tmp_path / "in.flv", 15, step=20)

    player = start("player", second, tmp_path / "out.flv")
    assert "plays second" in server.stdout.readline()
    relay = start("relay", first, second)
    assert "plays first" in server.stdout.readline()
    publisher = start("publisher", tmp_path / "in.flv", first)
    for process in (publisher, relay, player):
        _, err = process.communicate(timeout=40)
        assert (process.returncode, err) == (0, "")
    with rtmpkit.flv.Reader(tmp_path / "out.flv") as reader:
        got = list(reader)
    # The relay joins a publisher that has begun: the configurations come in an order of their own.
    assert sorted(media(got)) == sorted(media(sent))
    [metadata] = [frame for frame in got if frame.metadata]
    assert metadata.values()[1].items() >= METADATA.items()

    server.send_signal(signal.SIGTERM)
    _, err = server.communicate(timeout=40)
    assert (server.returncode, err) == (0, "")


def test_a_player_ends_after_its_seconds_and_tells_what_is_wrong(tmp_path: Path) -> None:
    with rtmpkit.Server("127.0.0.1:0") as server:
        url = f"rtmp://127.0.0.1:{server.port}/live/nothing"
        player = start("player", url, tmp_path / "out.flv", "--seconds", "0.1")
        assert player.communicate(timeout=40) == ("", "") and player.returncode == 0
    player = start("player", url, tmp_path / "out.flv")
    _, err = player.communicate(timeout=40)
    assert player.returncode == 1 and err.startswith("player: ")
