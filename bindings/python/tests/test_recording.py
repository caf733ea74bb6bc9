"""Recording: what publishers and the host are told, code by code, and what is in the files."""

from __future__ import annotations

import asyncio
import queue
from pathlib import Path
from typing import Any

import pytest

import rtmpkit
from media import frames, media
from rtmpkit import aio


class Recorded(rtmpkit.Application):
    """Takes down what there is to tell about recordings."""

    def __init__(self, directory: Path | None, record: str | bool | None = None, **settings: Any) -> None:
        super().__init__("live", directory=directory, **settings)
        self.record = record
        self.told: queue.Queue[tuple[rtmpkit.Recording, rtmpkit.Status]] = queue.Queue()

    def on_publish(self, request: rtmpkit.PublishRequest) -> None:
        assert request.accept(record=self.record)

    def on_record(self, recording: rtmpkit.Recording, status: rtmpkit.Status) -> None:
        self.told.put((recording, status))

    def wait(self, code: str) -> tuple[rtmpkit.Recording, rtmpkit.Status]:
        while True:
            recording, status = self.told.get(timeout=20)
            if status.code == code:
                return recording, status


def serve(app: rtmpkit.Application) -> rtmpkit.Server:
    return rtmpkit.Server("127.0.0.1:0", [app], workers=2)


def publish(server: rtmpkit.Server, name: str, mode: str) -> rtmpkit.NetStream:
    return rtmpkit.publish(f"rtmp://127.0.0.1:{server.port}/live/{name}", mode=mode)


def check(status: rtmpkit.Status, level: str, description: str, details: str) -> None:
    assert (status.level, status.description, status.info["details"]) == (level, description, details)


def test_m3_record_start_and_stop_and_the_file_holds_what_was_published(tmp_path: Path) -> None:
    app, sent = Recorded(tmp_path), list(frames(20))
    with serve(app) as server:
        with publish(server, "cam", "record") as stream:
            recording, status = app.wait("NetStream.Record.Start")
            check(status, "status", "Recording cam.", "cam")
            assert recording.stats().recording and not recording.stats().ended
            for frame in sent:
                stream.write(frame)
        recording, status = app.wait("NetStream.Record.Stop")
        check(status, "status", "Stopped recording cam.", "cam")
        assert recording.stream.name == "cam"
        assert recording.path == (tmp_path / "streams/_definst_/cam.flv").resolve()
        stats = recording.stats()
        assert (stats.ended, stats.recording, stats.dropped) == (True, False, 0)
        assert (stats.duration, stats.bytes) == (19 * 0.04, recording.path.stat().st_size)
        with rtmpkit.flv.Reader(recording.path) as reader:
            assert media(list(reader)) == media(sent)
        # Once more behind it.
        with publish(server, "cam", "append") as stream:
            app.wait("NetStream.Record.Start")
            for frame in sent:
                stream.write(frame)
        app.wait("NetStream.Record.Stop")
        with rtmpkit.flv.Reader(recording.path) as reader:
            times = [frame.timestamp for frame in reader if frame.keyframe]
        begin = 19 * 40 + 20
        assert times == [0, 200, 400, 600, begin, begin + 200, begin + 400, begin + 600]


def test_m3_record_diskquotaexceeded_ends_the_recording_alone(tmp_path: Path) -> None:
    app = Recorded(tmp_path, record_max_duration=0.2)
    with serve(app) as server, publish(server, "cam", "record") as stream:
        for frame in frames(30):
            stream.write(frame)
        _, status = app.wait("NetStream.Record.DiskQuotaExceeded")
        check(status, "status", "The recording of cam has reached its limit.", "cam")
        recording, _ = app.wait("NetStream.Record.Stop")
        assert recording.stats().duration < 0.2 and recording.stream.publishing


def test_m3_record_failed_noaccess_and_alreadyexists(tmp_path: Path) -> None:
    folder = tmp_path / "streams/_definst_"
    (folder / "folder.flv").mkdir(parents=True)
    (folder / "kept.flv").write_bytes(b"kept")
    (folder / "kept.flv").chmod(0o444)
    app = Recorded(tmp_path)
    with serve(app) as server:
        with publish(server, "folder", "record"):
            _, status = app.wait("NetStream.Record.Failed")
            check(status, "error", 'Failed to record folder: "folder" is in the way.', "folder")
        with publish(server, "kept", "record"):
            _, status = app.wait("NetStream.Record.NoAccess")
            check(status, "error", "No access to record kept: the file is read-only.", "kept")
        assert (folder / "kept.flv").read_bytes() == b"kept"
        with publish(server, "cam", "record"):
            app.wait("NetStream.Record.Start")
            with publish(server, "flv:cam", "append"):
                recording, status = app.wait("NetStream.Record.AlreadyExists")
                check(status, "status", "Another stream is recording to the file of flv:cam.", "flv:cam")
                assert recording.path is None and recording.stats().ended


def test_the_host_decides_for_each_publisher(tmp_path: Path) -> None:
    app = Recorded(tmp_path, record="append")
    with serve(app) as server:
        with publish(server, "cam", "live") as stream:
            app.wait("NetStream.Record.Start")
            for frame in frames(2):
                stream.write(frame)
        recording, _ = app.wait("NetStream.Record.Stop")
        assert recording.path is not None and recording.path.exists()
        app.record = False
        with publish(server, "other", "record"):
            pass
        assert not recording.path.with_name("other.flv").exists()


def test_the_host_records_a_stream_of_its_own(tmp_path: Path) -> None:
    app, sent = Recorded(tmp_path), list(frames(10))
    with serve(app) as server:
        stream = server.instance("live").stream("cam")
        with stream.record(name="archive/cam") as recording, stream.publish() as publication:
            for frame in sent:
                publication.write(frame)
        ended, _ = app.wait("NetStream.Record.Stop")
        assert repr(ended) == "<Recording of live/_definst_/cam>"
        assert ended.path == recording.path == (tmp_path / "streams/_definst_/archive/cam.flv").resolve()
        with rtmpkit.flv.Reader(ended.path) as reader:
            assert media(list(reader)) == media(sent)
        with pytest.raises(rtmpkit.ConfigError, match="mode"):
            stream.record("live")
    with serve(Recorded(None)) as server, pytest.raises(rtmpkit.Error, match="directory"):
        server.instance("live").stream("cam").record()


@pytest.mark.parametrize("sync", [None, 60])
def test_m3_what_is_recorded_survives_the_machine_if_it_is_to(tmp_path: Path, sync: float | None) -> None:
    app = Recorded(tmp_path, record_sync=sync)
    with serve(app) as server:
        stream = server.instance("live").stream("cam")
        with stream.record() as recording, stream.publish() as publication:
            for frame in frames(10):
                publication.write(frame)
        app.wait("NetStream.Record.Stop")
        assert recording.path is not None
        length = recording.path.stat().st_size
        stats = recording.stats()
        assert (stats.bytes, stats.durable_bytes) == (length, 0 if sync is None else length)


def test_recordings_are_events_in_a_loop(tmp_path: Path) -> None:
    async def record() -> None:
        app = aio.Application("live", directory=tmp_path)
        events = app.events()
        async with asyncio.timeout(30), aio.Server("127.0.0.1:0", [app]) as server:
            recording = server.instance("live").stream("cam").record()
            codes: list[str] = []
            async for event in events:
                if isinstance(event, aio.Recorded):
                    codes.append(event.status.code)
                    event.recording.stop()
                if "NetStream.Record.Stop" in codes:
                    break
            assert codes == ["NetStream.Record.Start", "NetStream.Record.Stop"]
            assert recording.stats().ended

    asyncio.run(record())
