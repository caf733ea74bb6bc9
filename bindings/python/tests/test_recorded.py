"""Recorded streams: played, sought, switched, and what is told about it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import rtmpkit
import rtmpkit.aio
from media import media, write_flv


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "streams" / "_definst_"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def library(tmp_path: Path, folder: Path) -> Iterator[rtmpkit.Server]:
    app = rtmpkit.Application("vod", directory=tmp_path)
    with rtmpkit.Server("127.0.0.1:0", [app], workers=1) as server:
        yield server


@pytest.fixture
def player(library: rtmpkit.Server) -> Iterator[rtmpkit.NetConnection]:
    with rtmpkit.NetConnection(f"rtmp://127.0.0.1:{library.port}/vod") as connection:
        yield connection


def until(stream: rtmpkit.NetStream, code: str) -> None:
    """Reads on until the last status is this one."""
    deadline = time.monotonic() + 20
    while stream.status is None or stream.status.code != code:
        assert time.monotonic() < deadline, f"no {code}, but {stream.status}"
        with contextlib.suppress(rtmpkit.Timeout):
            stream.read(0.02)


def test_m4_a_file_is_played_unchanged_and_complete(folder: Path, player: rtmpkit.NetConnection) -> None:
    sent = write_flv(folder / "film.flv", 12)
    with player.play("film", start=0, timeout=10) as stream:
        got = list(stream)
        assert media(got) == media(sent)
        stream.seek(0)
        again: list[rtmpkit.Frame] = []
        while len(media(again)) < len(sent):
            frame = stream.read(10)
            if frame is not None:
                again.append(frame)
        assert media(again) == media(sent)


def test_what_is_read_after_a_seek_is_of_the_new_place(folder: Path, player: rtmpkit.NetConnection) -> None:
    sent = write_flv(folder / "film.flv", 30)
    times = [frame.timestamp for frame in sent if frame.type == "video" and not frame.config]
    keys = [frame.timestamp for frame in sent if frame.keyframe]
    assert len(keys) > 2 and keys[1] > times[1]
    with player.play("film", start=0, timeout=10) as stream:
        until(stream, "NetStream.Play.Stop")
        for place in (keys[1], keys[-1], 0):
            stream.seek(place)
            got = [frame for frame in stream if frame.type == "video" and not frame.config and not frame.command]
            assert [frame.timestamp for frame in got] == [time for time in times if time >= place]

    async def sought() -> int:
        async with rtmpkit.aio.play(f"{player.url}/film", start=0, frame_timeout=10) as frames:
            frames.seek(keys[-1])
            async for frame in frames:
                if frame.type == "video" and not frame.config and not frame.command:
                    return frame.timestamp
        return -1

    assert asyncio.run(sought()) == keys[-1]
    with rtmpkit.play(f"{player.url}/film", start=keys[-1], duration=1, frame_timeout=10) as stream:
        first = next(frame for frame in stream if frame.keyframe)
        assert first.timestamp == keys[-1]


def test_m4_files_that_cannot_be_played(folder: Path, player: rtmpkit.NetConnection) -> None:
    (folder / "text.flv").write_bytes(b"no film at all")
    (folder / "empty.flv").write_bytes(bytes.fromhex("464c5601050000000900000000"))
    for name, code in [
        ("none", "NetStream.Play.StreamNotFound"),
        ("text", "NetStream.Play.FileStructureInvalid"),
        ("empty", "NetStream.Play.NoSupportedTrackFound"),
    ]:
        with pytest.raises(rtmpkit.StreamError) as caught:
            player.play(name, start=0)
        assert caught.value.code == code


def test_m4_a_time_beyond_the_end_and_the_length(
    folder: Path, player: rtmpkit.NetConnection, library: rtmpkit.Server
) -> None:
    write_flv(folder / "film.flv", 500)
    with player.play("film", start=0, timeout=10) as stream:
        stream.seek(60_000)
        with pytest.raises(rtmpkit.StreamError) as caught:
            while stream.read() is not None:
                pass
        assert caught.value.code == "NetStream.Seek.InvalidTime"
        stream.pause()
        until(stream, "NetStream.Pause.Notify")
    length = library.instance("vod").stream_length("film")
    assert length == pytest.approx(19.96, abs=0.05)
    assert library.instance("vod").stream_length("none") == 0
    assert player.call("getStreamLength", "film") == length


def test_m4_another_rendition_takes_over(folder: Path, player: rtmpkit.NetConnection) -> None:
    write_flv(folder / "low.flv", 500)
    write_flv(folder / "high.flv", 500)
    with player.play("low", start=0, timeout=10) as stream:
        stream.play2("high", "switch", old_name="low")
        until(stream, "NetStream.Play.TransitionComplete")
        with pytest.raises(ValueError, match="sideways"):
            stream.play2("high", "sideways")
        stream.play2("low", "reset", start=0)
        until(stream, "NetStream.Data.Start")


SAMPLES = Path(__file__).parents[3] / "rtmp-core" / "tests" / "vectors"


def test_m4_mp4_and_mp3_files_are_played(
    folder: Path, player: rtmpkit.NetConnection, library: rtmpkit.Server
) -> None:
    for name in ("film.mp4", "fragments.mp4", "song.mp3"):
        shutil.copy(SAMPLES / name, folder)
    for name in ("mp4:film", "mp4:fragments.mp4"):
        with player.play(name, start=0, timeout=10) as stream:
            stream.set_buffer(60_000)
            frames = list(stream)
            pictures = [frame for frame in frames if frame.type == "video" and not frame.config]
            sounds = [frame for frame in frames if frame.type == "audio" and not frame.config]
            assert (len(pictures), len(sounds)) == (40, 64)
            assert [frame.timestamp for frame in pictures if frame.keyframe] == [0, 1000, 2000, 3000]
            assert {frame.codec for frame in frames if frame.type != "data"} == {"avc1", "mp4a"}
    with player.play("mp3:song", start=0, timeout=10) as stream:
        stream.set_buffer(60_000)
        sounds = [frame for frame in stream if frame.type == "audio"]
        assert (len(sounds), sounds[-1].timestamp, sounds[0].codec) == (156, 4049, ".mp3")
    assert library.instance("vod").stream_length("mp4:film") == 4
    assert library.instance("vod").stream_length("mp3:song") == pytest.approx(4.075)


def test_m4_another_rendition_takes_over_at_a_place(folder: Path, player: rtmpkit.NetConnection) -> None:
    write_flv(folder / "low.flv", 500)
    write_flv(folder / "high.flv", 500)
    with player.play("low", start=0, timeout=10) as stream:
        stream.play2("high", "switch", offset=6_000)
        until(stream, "NetStream.Play.Transition")
        # Beyond the place, and not to the end: its status would be the last one soon.
        stream.set_buffer(10_000)
        until(stream, "NetStream.Play.TransitionComplete")
        stream.set_buffer(60_000)
        assert media(list(stream))[-1][1] == 499 * 40
