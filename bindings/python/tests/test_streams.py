"""Frames: in process, over the client, and through both."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import rtmpkit
from media import AAC_CONFIG, AVC_CONFIG, METADATA, frames, joined, media, write_flv


def test_the_host_publishes_and_subscribes_without_a_socket(server: rtmpkit.Server) -> None:
    sent = list(frames(12))
    stream = server.instance("live").stream("cam")
    with stream.subscribe(timeout=10) as subscription:
        joined(stream, 1)
        with stream.publish() as publication:
            assert stream.publishing
            for frame in sent:
                publication.write(frame)
        got = list(subscription)
    assert media(got) == media(sent)
    assert got[0].metadata and got[0].values() == ["onMetaData", METADATA]
    assert subscription.dropped == 0 and not stream.publishing


def test_who_joins_late_gets_headers_and_the_group_of_pictures(server: rtmpkit.Server) -> None:
    sent = list(frames(13, gop=5))
    with server.instance("live").publish("cam") as publication:
        for frame in sent:
            publication.write(frame)
        with server.instance("live").subscribe("cam", timeout=10) as subscription:
            got = [next(subscription) for _ in range(3 + 2 * 3)]
    assert [f.config for f in got[:3]] == [False, True, True]
    assert got[3].keyframe and got[3].timestamp == 10 * 40
    assert media(got[3:]) == media(sent[-6:])


def test_a_client_publishes_and_another_plays(url: str) -> None:
    sent = list(frames(10))
    with rtmpkit.NetConnection(url) as one, rtmpkit.NetConnection(url) as other:
        with other.play("cam", timeout=10) as playing:
            with one.publish("cam") as publishing:
                for frame in sent:
                    publishing.write(frame)
            got = list(playing)
    assert media(got) == media(sent)


def test_by_url_and_closing_the_stream_closes_its_connection(url: str, server: rtmpkit.Server) -> None:
    with server.instance("live").subscribe("cam", timeout=10) as subscription:
        with rtmpkit.publish(url + "/cam") as publishing:
            publishing.write_video(AVC_CONFIG, 0, config=True)
            publishing.write_audio(AAC_CONFIG, 0, config=True)
            publishing.write_video(b"picture", 20, keyframe=True, composition=40)
            publishing.write_audio(b"sound", 23)
            publishing.write_video(b"hevc", 60, codec="hvc1", keyframe=True)
            publishing.write_data("onCuePoint", {"name": "x"}, timestamp=70)
            connection = publishing.connection
        got = list(subscription)
    assert not connection.connected
    assert [(f.type, f.codec, bytes(f.data)) for f in got[:5]] == [
        ("video", "avc1", AVC_CONFIG),
        ("audio", "mp4a", AAC_CONFIG),
        ("video", "avc1", b"picture"),
        ("audio", "mp4a", b"sound"),
        ("video", "hvc1", b"hevc"),
    ]
    assert (got[2].keyframe, got[2].composition, got[2].enhanced, got[4].enhanced) == (True, 40, False, True)
    assert got[5].values() == ["onCuePoint", {"name": "x"}]
    with pytest.raises(rtmpkit.Closed):
        publishing.write(got[2])


def test_two_publishers_of_one_name_do_not_mix(url: str, server: rtmpkit.Server) -> None:
    with server.instance("live").publish("cam"):
        with pytest.raises(rtmpkit.AlreadyExists):
            server.instance("live").publish("cam")
        with rtmpkit.Client(url + "/cam") as client, pytest.raises(rtmpkit.StreamError, match="BadName"):
            client.publish()


def test_an_iteration_ends_with_the_publisher_or_follows_the_next(server: rtmpkit.Server) -> None:
    stream = server.instance("live").stream("cam")
    with stream.subscribe(timeout=10) as once, stream.subscribe(timeout=10, follow=True) as following:
        joined(stream, 2)
        for number in (1, 2):
            with stream.publish() as publication:
                publication.write_video(bytes([number]), number, keyframe=True)
        assert [bytes(f.data) for f in once] == [b"\x01"]
        assert [bytes(f.data) for f in once] == [b"\x02"], "iterating again waits for the next publisher"
        assert [bytes(next(following).data) for _ in range(2)] == [b"\x01", b"\x02"]
        with pytest.raises(rtmpkit.Timeout):
            following.read(timeout=0.02)


def test_closing_a_subscription_ends_a_waiting_iteration(server: rtmpkit.Server) -> None:
    subscription = server.instance("live").subscribe("cam")
    ended: list[list[rtmpkit.Frame]] = []
    thread = threading.Thread(target=lambda: ended.append(list(subscription)))
    thread.start()
    subscription.close()
    thread.join(10)
    assert ended == [[]] and subscription.closed


def test_payloads_are_shared_not_copied(server: rtmpkit.Server) -> None:
    frame = rtmpkit.Frame.video(b"x" * 1000, 0, keyframe=True)
    view, again = frame.data, frame.data
    assert view.readonly and view.obj is not again.obj
    assert address(view) == address(again) == address(frame.body) + 5, "one buffer, behind the five bytes of header"
    with server.instance("live").subscribe("cam", timeout=10) as subscription:
        with server.instance("live").publish("cam") as publication:
            publication.write(frame)
            got = next(subscription)
    assert address(got.data) == address(view), "the same bytes went through publisher and subscriber"
    assert address(rtmpkit.Frame("video", 5, frame.body).data) == address(view), "a body is taken over as it is"
    del frame, got
    assert bytes(view[:3]) == b"xxx", "a view keeps the bytes alive"


def address(view: memoryview) -> int:
    import ctypes

    class Py_buffer(ctypes.Structure):
        _fields_ = [("buf", ctypes.c_void_p), ("rest", ctypes.c_byte * 128)]

    buffer = Py_buffer()
    api = ctypes.pythonapi
    assert api.PyObject_GetBuffer(ctypes.py_object(view), ctypes.byref(buffer), 0) == 0
    try:
        return buffer.buf or 0
    finally:
        api.PyBuffer_Release(ctypes.byref(buffer))


def test_a_reader_that_stops_reading_loses_frames_but_never_a_header(server: rtmpkit.Server) -> None:
    stream = server.instance("live").stream("cam")
    with stream.subscribe(timeout=10, capacity=8) as slow, stream.subscribe(timeout=10, capacity=4096) as quick:
        joined(stream, 2)
        with stream.publish() as publication:
            for frame in frames(300, gop=10):
                publication.write(frame)
        everything, some = list(quick), list(slow)
    assert len(everything) == 603 and len(some) < 603
    assert slow.dropped >= 603 - len(some) > 0 and quick.dropped == 0
    video = [f for f in some if f.type == "video" and not f.config]
    times = [f.timestamp for f in video]
    for before, frame in zip([-40, *times], video):
        assert frame.keyframe or frame.timestamp == before + 40, "pictures go on at a key frame"


def test_frames_are_taken_apart() -> None:
    frame = rtmpkit.Frame("video", 2**32 + 5, bytes.fromhex("27 01 000028 aabb"))
    assert (frame.type, frame.codec, frame.keyframe, frame.config) == ("video", "avc1", False, False)
    assert (frame.composition, bytes(frame.data), frame.timestamp) == (40, b"\xaa\xbb", 2**32 + 5)
    config = rtmpkit.Frame.audio_config(AAC_CONFIG)
    assert config.config and config.parameters() == {"rate": 44100, "channels": 2}
    assert bytes(config.body) == bytes.fromhex("af00") + AAC_CONFIG
    assert rtmpkit.Frame.video(b"", 7, codec="av01").at(9).timestamp == 9
    with pytest.raises(rtmpkit.ConfigError):
        rtmpkit.Frame.video(b"", 0, codec="h264x")
    with pytest.raises(ValueError):
        rtmpkit.Frame("picture", 0, b"")  # type: ignore[arg-type]


def test_files_are_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "a.flv"
    sent = write_flv(path, 6)
    with rtmpkit.flv.Reader(path) as reader:
        assert reader.has_audio and reader.has_video
        metadata, *got = reader
    assert media(got) == media(sent)
    assert metadata.values()[1]["duration"] == 0.2 and metadata.values()[1]["title"] == "test"
    with pytest.raises(rtmpkit.Closed):
        reader.read()
    (tmp_path / "b.flv").write_bytes(b"no flv at all")
    with pytest.raises(rtmpkit.FlvError):
        rtmpkit.flv.Reader(tmp_path / "b.flv")
    with pytest.raises(OSError) as caught:
        rtmpkit.flv.Reader(tmp_path / "missing.flv")
    assert caught.value.errno == 2


def settled(nc: rtmpkit.NetConnection) -> None:
    """Returns when the server has done what was asked of it before."""
    with pytest.raises(rtmpkit.CallFailed):
        nc.call("nothing")


def test_m1_each_player_gets_the_kinds_it_wants_and_nothing_while_it_pauses() -> None:
    def picture(time: int, keyframe: bool) -> rtmpkit.Frame:
        return rtmpkit.Frame.video(b"picture", time, keyframe=keyframe)

    def sound(time: int) -> rtmpkit.Frame:
        return rtmpkit.Frame.audio(b"sound", time)

    mark = rtmpkit.Frame.script("onMark")

    def take(stream: rtmpkit.NetStream) -> list[tuple[str, int]]:
        """What comes before the mark, which everybody gets."""
        got: list[tuple[str, int]] = []
        while (frame := stream.read()) is not None and frame.values() != ["onMark"]:
            if frame.type != "data":
                got.append((frame.type, frame.timestamp))
        return got

    with rtmpkit.Server("127.0.0.1:0", [rtmpkit.Application("live")]) as server:
        url = f"rtmp://127.0.0.1:{server.port}/live"
        with (
            server.instance("live").publish("cam") as publication,
            rtmpkit.NetConnection(url) as one,
            rtmpkit.NetConnection(url) as two,
            rtmpkit.NetConnection(url) as three,
            one.play("cam", timeout=20) as deaf,
            two.play("cam", timeout=20) as blind,
            three.play("cam", timeout=20) as pausing,
        ):
            joined(publication.stream, 3)
            deaf.receive(audio=False)
            blind.receive(video=False)
            pausing.pause()
            for nc in (one, two, three):
                settled(nc)
            for frame in (picture(0, True), sound(10), picture(40, False), sound(50), mark):
                publication.write(frame)
            assert take(deaf) == [("video", 0), ("video", 40)]
            assert take(blind) == [("audio", 10), ("audio", 50)]
            deaf.receive()
            blind.receive()
            pausing.pause(False)
            for nc in (one, two, three):
                settled(nc)
            for frame in (picture(80, False), sound(90), picture(120, True), sound(130), mark):
                publication.write(frame)
            assert take(deaf) == [("video", 80), ("audio", 90), ("video", 120), ("audio", 130)]
            assert take(blind) == [("audio", 90), ("video", 120), ("audio", 130)]
            assert take(pausing) == [("video", 120), ("audio", 130)]
