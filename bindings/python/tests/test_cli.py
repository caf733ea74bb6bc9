"""The command line, as a user runs it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import rtmpkit
from media import METADATA, media, write_flv

Process = subprocess.Popen[str]
_running: list[Process] = []


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    yield
    while _running:
        # Leaving the context closes the pipes and waits.
        with _running.pop() as process:
            process.kill()


def start(*args: object) -> Process:
    command = [sys.executable, "-m", "rtmpkit", *map(str, args)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    _running.append(process)
    return process


def finish(process: Process) -> str:
    out, err = process.communicate(timeout=40)
    assert process.returncode == 0, err
    assert err == ""
    return out


def line(process: Process) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


@pytest.fixture
def serving() -> tuple[Process, str]:
    process = start("serve", "--listen", "127.0.0.1:0", "--app", "live", "--workers", 1)
    listening = line(process)
    assert listening.startswith("listening on 127.0.0.1:")
    return process, f"rtmp://{listening.removeprefix('listening on ')}/live"


def test_serve_publish_and_play(serving: tuple[Process, str], tmp_path: Path) -> None:
    server, url = serving
    sent = write_flv(tmp_path / "in.flv", 10, step=20)
    playing = start("play", f"{url}/cam", "--out", tmp_path / "out.flv")
    assert line(playing).startswith("playing")
    assert "connected from 127.0.0.1" in line(server)
    assert line(server).endswith("plays cam")

    published = finish(start("publish", tmp_path / "in.flv", f"{url}/cam"))
    assert "publishing: 23 frames" in published
    assert "playing: " in finish(playing)
    with rtmpkit.flv.Reader(tmp_path / "out.flv") as reader:
        metadata, *got = reader
    assert metadata.values()[1].items() >= METADATA.items()
    assert media(got) == media(sent)

    server.send_signal(signal.SIGTERM)
    log = finish(server)
    assert "publishes cam" in log and "stopped publishing cam" in log and log.endswith("stopped\n")


def test_play_ends_after_some_seconds(serving: tuple[Process, str], tmp_path: Path) -> None:
    _, url = serving
    write_flv(tmp_path / "in.flv", 20, step=20)
    publishing = start("publish", "--loop", tmp_path / "in.flv", f"{url}/cam")
    assert line(publishing).startswith("publishing")
    out = finish(start("play", f"{url}/cam", "--seconds", "0.2"))
    assert "playing: " in out
    publishing.send_signal(signal.SIGINT)
    assert publishing.wait(20) == 130


def test_probe_tells_what_a_stream_consists_of(serving: tuple[Process, str], tmp_path: Path) -> None:
    _, url = serving
    write_flv(tmp_path / "in.flv", 20, step=20)
    publishing = start("publish", "--loop", tmp_path / "in.flv", f"{url}/cam")
    assert line(publishing).startswith("publishing")
    found = json.loads(finish(start("probe", f"{url}/cam", "--json", "--seconds", "0.3")))
    text = finish(start("probe", f"{url}/cam", "--seconds", "0.3"))
    [video], [audio] = found["video"], found["audio"]
    assert (video["codec"], video["width"], video["height"], video["frame_rate"]) == ("avc1", 640, 360, 25)
    assert (audio["codec"], audio["rate"], audio["channels"]) == ("mp4a", 44100, 2)
    assert video["bitrate"] > audio["bitrate"] > 0
    assert found["metadata"]["title"] == "test"
    assert "avc1, 640x360" in text and "mp4a, 44100 Hz, stereo" in text


def test_a_terminal_gets_a_bar_and_the_bitrate(serving: tuple[Process, str], tmp_path: Path) -> None:
    _, url = serving
    write_flv(tmp_path / "in.flv", 20, step=20)
    outside, inside = pty.openpty()
    command = [sys.executable, "-m", "rtmpkit", "publish", str(tmp_path / "in.flv"), f"{url}/cam"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(command, stdout=inside, stderr=inside, stdin=inside, env=environment, text=True)
    _running.append(process)
    os.close(inside)
    shown = b""
    try:
        while chunk := os.read(outside, 4096):
            shown += chunk
    except OSError:  # What Linux says when the other end of a terminal is gone.
        pass
    os.close(outside)
    assert process.wait(20) == 0
    assert b"bit/s" in shown and b"\xe2\x94\x81" in shown and b"publishing: 43 frames" in shown


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        (["publish", "missing.flv", "rtmp://127.0.0.1:1/live/cam"], 1, "rtmpkit publish:"),
        (["play", "rtmp://127.0.0.1:1/live/cam"], 1, "rtmpkit play:"),
        (["probe", "rtmp://127.0.0.1:1/live"], 1, "rtmpkit probe:"),
        (["play", "http://nowhere"], 1, "rtmpkit play:"),
        (["serve", "--listen", "nonsense"], 1, "rtmpkit serve:"),
        (["dance"], 2, "usage:"),
    ],
)
def test_failures_are_one_line_and_a_status(args: list[str], status: int, message: str) -> None:
    process = start(*args)
    _, err = process.communicate(timeout=40)
    assert process.returncode == status
    assert message in err and "Traceback" not in err


def test_the_installed_command_is_the_same() -> None:
    command = Path(sys.executable).with_name("rtmpkit")
    out = subprocess.run([command, "--version"], capture_output=True, text=True, check=True, timeout=40).stdout
    assert out == f"rtmpkit {rtmpkit.__version__}\n"
