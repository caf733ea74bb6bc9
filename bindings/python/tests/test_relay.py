"""Relays: streams pulled from other servers and pushed to them, past Python."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from typing import TypedDict

import pytest

import rtmpkit
from media import frames, media

class Fast(TypedDict):
    """Settings of relays that try again soon."""

    back_off: tuple[float, float]
    timeout: float


FAST: Fast = {"back_off": (0.02, 0.2), "timeout": 20.0}


def serve() -> rtmpkit.Server:
    return rtmpkit.Server("127.0.0.1:0", [rtmpkit.Application("live")], workers=2)


def url(server: rtmpkit.Server, path: str) -> str:
    return f"rtmp://127.0.0.1:{server.port}/{path}"


def wait(relay: rtmpkit.Relay, kind: str) -> rtmpkit.RelayEvent:
    for event in relay:
        if event.kind == kind:
            return event
    raise AssertionError(f"ended before {kind}")


def test_m6_a_stream_is_pulled_and_pushed_on_unchanged() -> None:
    sent = list(frames(60))
    with serve() as origin, serve() as edge, serve() as last:
        with (
            edge.instance("live").pull(url(origin, "live/cam?key=secret"), "copy", **FAST) as pull,
            edge.instance("live").push("copy", url(last, "live/there"), **FAST) as push,
            last.instance("live").subscribe("there", timeout=20.0) as got,
            origin.instance("live").publish("cam") as source,
        ):
            assert pull.url == url(origin, "live/cam") and pull.pulls and not push.pulls
            assert pull.stream.name == "copy" and "copy" in repr(pull)
            source.write(sent[0])
            wait(push, "streaming")
            for frame in sent[1:]:
                source.write(frame)
            seen: list[rtmpkit.Frame] = []
            while len(media(seen)) < len(media(sent)):
                came = got.read()
                assert came is not None
                seen.append(came)
            assert media(seen) == media(sent)
            stats = push.stats()
            assert (stats.state, stats.failures_total, stats.dropped_messages) == ("streaming", 0, 0)
            # One that was begun before the pull heard what its stream has come through is made anew.
            assert stats.attempts in (1, 2)
            assert stats.messages >= len(media(sent)) and stats.traffic.bytes_out > stats.bytes
        assert [event.kind for event in pull][-1] == "ended" and pull.state == "ended"


def test_m6_failures_are_told_with_their_reason_and_back_off() -> None:
    with serve() as edge:
        instance = edge.instance("live")
        with instance.pull(url(edge, "nothing/cam"), max_failures=4, jitter=0.5, **FAST) as relay:
            events = list(relay)
        assert [event.kind for event in events] == ["retrying"] * 3 + ["gave_up", "ended"]
        waits = [event.after or 0.0 for event in events[:3]]
        assert all(longest / 2 <= wait <= longest for wait, longest in zip(waits, (0.02, 0.04, 0.08), strict=True))
        assert [event.failures for event in events[:3]] == [1, 2, 3]
        reason = events[3].reason
        assert reason is not None and reason.code == "NetConnection.Connect.InvalidApp"
        assert relay.read() is None and relay.stats().failures_total == 4
        with pytest.raises(ValueError):
            instance.pull("http://nowhere")
        with pytest.raises(ValueError):
            instance.pull(url(edge, "live/x"), jitter=2.0)


def through(
    relay: rtmpkit.Relay, source: rtmpkit.Publication, sent: list[rtmpkit.Frame], got: rtmpkit.Subscription
) -> list[rtmpkit.Frame]:
    """Publishes, and returns what a player behind the relay got when the last has come."""
    for frame in sent[:4]:
        source.write(frame)
    wait(relay, "streaming")
    for frame in sent[4:]:
        source.write(frame)
    seen: list[rtmpkit.Frame] = []
    while not seen or bytes(seen[-1].body) != bytes(sent[-1].body):
        frame_or_none = got.read()
        assert frame_or_none is not None
        seen.append(frame_or_none)
    return seen


def test_m6_a_server_that_comes_back_is_found_again_and_time_goes_on() -> None:
    sent = list(frames(10))
    with serve() as edge:
        origin = serve()
        port = origin.port
        with (
            edge.instance("live").pull(url(origin, "live/cam"), **FAST) as relay,
            edge.instance("live").subscribe("cam", timeout=20.0) as got,
        ):
            with origin.instance("live").publish("cam") as source:
                before = through(relay, source, sent, got)
            origin.close()
            assert wait(relay, "retrying").reason is not None
            with rtmpkit.Server(f"127.0.0.1:{port}", [rtmpkit.Application("live")]) as origin:
                with origin.instance("live").publish("cam") as source:
                    after = through(relay, source, sent, got)
            times = [frame.timestamp for frame in before + after if not frame.config and not frame.metadata]
            assert times == sorted(times), times
            assert after[0].timestamp > before[-1].timestamp


def test_m6_a_pull_on_demand_follows_the_players() -> None:
    with serve() as origin, serve() as edge, origin.instance("live").publish("cam") as source:
        for frame in frames(5):
            source.write(frame)
        with edge.instance("live").pull(url(origin, "live/cam"), on_demand=True, linger=0.02, **FAST) as relay:
            assert relay.state == "idle" and relay.stats().attempts == 0
            with edge.instance("live").subscribe("cam", timeout=20.0) as got:
                assert got.read() is not None
                wait(relay, "streaming")
            wait(relay, "idle")
            assert relay.state == "idle"


def test_m6_a_relay_in_asyncio_and_one_that_is_collected() -> None:
    async def run(edge: rtmpkit.Server, origin: rtmpkit.Server) -> list[str]:
        kinds: list[str] = []
        async with edge.instance("live").pull(url(origin, "live/cam"), **FAST) as relay:
            async for event in relay:
                kinds.append(event.kind)
                if event.kind == "streaming":
                    relay.close()
        return kinds

    with serve() as origin, serve() as edge, origin.instance("live").publish("cam") as source:
        for frame in frames(5):
            source.write(frame)
        assert asyncio.run(run(edge, origin)) == ["connected", "streaming", "ended"]
        relay = edge.instance("live").pull(url(origin, "live/cam"), **FAST)
        wait(relay, "streaming")
        del relay
        gc.collect()
        stream = edge.instance("live").stream("cam")
        deadline = time.monotonic() + 20
        while stream.publishing:
            assert time.monotonic() < deadline
            threading.Event().wait(0.01)


def test_m6_the_media_does_not_wait_for_python() -> None:
    """A relay goes on while this thread holds on to Python and takes no event."""
    with serve() as origin, serve() as edge, origin.instance("live").publish("cam") as source:
        with edge.instance("live").pull(url(origin, "live/cam"), **FAST) as relay:
            sent = list(frames(200))
            for frame in sent[:4]:
                source.write(frame)
            wait(relay, "streaming")
            for frame in sent[4:]:
                source.write(frame)
            deadline = time.monotonic() + 20
            while relay.stats().messages < len(media(sent)):
                assert time.monotonic() < deadline
