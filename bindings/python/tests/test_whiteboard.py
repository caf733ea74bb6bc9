"""The chat with a whiteboard: remote calls both ways, and a board that many change and a killed server does not lose."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from test_examples import start

PAINTERS = 50
CHANGES = 10_000


@contextmanager
def serving(directory: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    server = start("whiteboard_server", "--listen", "127.0.0.1:0", "--directory", directory)
    try:
        assert server.stdout is not None
        address = server.stdout.readline().removeprefix("listening on ").strip()
        yield server, f"rtmp://{address}/whiteboard/room"
    finally:
        server.kill()
        server.communicate()


def paint(url: str, painters: int, changes: int, *options: str) -> tuple[int, str]:
    """Version and digest of the board that all painters see at the end."""
    client = start("whiteboard_client", url, "--painters", painters, "--changes", changes, *options)
    out, err = client.communicate(timeout=50)
    assert (client.returncode, err) == (0, "")
    _, version, _, digest = out.split()
    return int(version), digest


def test_many_painters_see_one_board_and_a_killed_server_loses_nothing_flushed(tmp_path: Path) -> None:
    with serving(tmp_path) as (server, url):
        version, digest = paint(url, PAINTERS, CHANGES, "--save")
        assert version > PAINTERS
        server.send_signal(signal.SIGKILL)
        server.wait(timeout=10)
    with serving(tmp_path) as (server, url):
        assert paint(url, 3, 0) == (version, digest)
        # Killed again while somebody paints what nobody saved.
        saved, _ = paint(url, 5, 100, "--save")
        painter = start("whiteboard_client", url, "--painters", 5, "--changes", 1_000_000)
        lines = start("whiteboard_client", url)
        assert lines.stdout is not None
        while " is " not in lines.stdout.readline():
            pass
        server.send_signal(signal.SIGKILL)
        server.wait(timeout=10)
        _, err = painter.communicate(timeout=40)
        assert painter.returncode == 1 and err.startswith("whiteboard_client: ")
        lines.kill()
        lines.communicate()
    with serving(tmp_path) as (server, url):
        assert paint(url, 1, 0)[0] >= saved > version


def test_people_talk_and_paint(tmp_path: Path) -> None:
    with serving(tmp_path) as (server, url):
        ann = start("whiteboard_client", url, "--name", "Ann")
        bob = None
        try:
            assert ann.stdout is not None and ann.stdin is not None
            heard = iter(ann.stdout.readline, "")
            until(heard, "here are Ann")
            bob = start("whiteboard_client", url, "--name", "Bob")
            assert bob.stdin is not None
            until(heard, "Bob entered")
            bob.stdin.write("1 2 red\nhello everybody\n/save\n")
            bob.stdin.flush()
            # What is painted and what is said come on ways of their own.
            until(heard, "1,2 is red", "Bob: hello everybody")
            out, err = bob.communicate(timeout=40)
            assert err == "" and "here are Ann Bob\n" in out and "saved version" in out
            until(heard, "Bob left")
            ann.stdin.close()
            assert ann.wait(timeout=40) == 0
        finally:
            for person in filter(None, (ann, bob)):
                person.kill()
                person.wait()


def until(heard: Iterator[str], *lines: str) -> None:
    """Takes lines until all of these have come, in any order."""
    missing = set(lines)
    while missing:
        line = next(heard, None)
        assert line is not None, missing
        missing.discard(line.strip())
