"""One publisher after another, and what goes to a stream's players besides."""

from __future__ import annotations

import pytest

import rtmpkit
from media import AVC_CONFIG, joined
from rtmpkit import Takeover


def picture(n: int, timestamp: int) -> rtmpkit.Frame:
    return rtmpkit.Frame.video(bytes([n]) * 8, timestamp, keyframe=True)


def serve(app: rtmpkit.Application) -> rtmpkit.Server:
    return rtmpkit.Server("127.0.0.1:0", [app], workers=2)


def test_m7_policies() -> None:
    assert Takeover.hold(5.0) == Takeover.hold(5) != Takeover.refuse()
    assert (Takeover.hold(2.5).hold_seconds, Takeover.hold(2.5).replaces) == (2.5, False)
    assert repr(Takeover.replace(hold=1)) == "Takeover.replace(hold=1)" and Takeover.replace().replaces
    assert len({Takeover.refuse(), Takeover.refuse(), Takeover.replace()}) == 2
    for wrong in (-1.0, float("inf"), 1e9):
        with pytest.raises(rtmpkit.ConfigError):
            Takeover.hold(wrong)
    with pytest.raises(rtmpkit.ConfigError, match="latency"):
        serve(rtmpkit.Application("live", latency="none"))


def test_m7_the_second_publisher_is_refused_by_default(url: str) -> None:
    with rtmpkit.publish(f"{url}/cam"):
        with pytest.raises(rtmpkit.StreamError) as caught:
            rtmpkit.publish(f"{url}/cam")
        assert caught.value.code == "NetStream.Publish.BadName"


def test_m7_players_are_held_and_go_on_with_the_next() -> None:
    with serve(rtmpkit.Application("live", takeover=Takeover.hold(20.0))) as server:
        url = f"rtmp://127.0.0.1:{server.port}/live/cam"
        with rtmpkit.play(url) as player:
            joined(server.instance("live").stream("cam"), 1)
            times: list[int] = []
            for n in range(3):
                with rtmpkit.publish(url) as publisher:
                    publisher.write(rtmpkit.Frame.video_config(AVC_CONFIG))
                    publisher.write(picture(n, 1000))
                    while (frame := player.read(10)) is not None and (frame.config or frame.type != "video"):
                        pass
                    assert frame is not None and bytes(frame.data) == bytes([n]) * 8
                    times.append(frame.timestamp)
                while server.instance("live").stream("cam").publishing:
                    pass
    assert times == [1000, 2020, 3040], "time goes on"


def test_m7_the_host_may_decide_for_each_publisher(app: rtmpkit.Application, server: rtmpkit.Server, url: str) -> None:
    @app.on_publish
    def decide(request: rtmpkit.PublishRequest) -> None:
        request.accept(takeover=Takeover.replace() if "force" in request.params else None)

    with rtmpkit.publish(f"{url}/cam") as first:
        with pytest.raises(rtmpkit.StreamError):
            rtmpkit.publish(f"{url}/cam")
        with rtmpkit.publish(f"{url}/cam?force=1") as second, rtmpkit.play(f"{url}/cam") as player:
            second.write(picture(2, 0))
            while (frame := player.read(10)) is not None and frame.type != "video":
                pass
            with pytest.raises(rtmpkit.Error):
                while True:
                    first.write(picture(1, 0))
            with pytest.raises(rtmpkit.AlreadyExists):
                server.instance("live").publish("cam")
            with server.instance("live").publish("cam", takeover=Takeover.replace()) as third:
                assert third.stream.publishing


def test_messages_to_a_stream_and_clearing_it(server: rtmpkit.Server, url: str) -> None:
    stream = server.instance("live").stream("cam")
    with rtmpkit.play(f"{url}/cam", follow=True) as player:
        joined(stream, 1)
        stream.send("onCue", {"name": "start"}, 2)
        while (frame := player.read(10)) is not None and frame.values()[0] != "onCue":
            pass
        assert frame is not None and frame.values() == ["onCue", {"name": "start"}, 2]
        with stream.publish() as publication:
            publication.write(picture(1, 0))
            assert stream.stats().cached_messages == 1
            stream.clear()
            assert stream.stats().cached_messages == 0 and not stream.publishing


def test_m9_latency_by_name() -> None:
    with serve(rtmpkit.Application("live", latency="low_latency")) as server:
        stream = server.instance("live").stream("cam")
        assert stream.latency == "low_latency"
        stream.latency = "throughput"
        assert server.instance("live").stream("cam").latency == "throughput"
        with pytest.raises(rtmpkit.ConfigError):
            stream.latency = "whatever"
