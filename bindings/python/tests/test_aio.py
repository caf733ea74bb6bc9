"""The same in an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import rtmpkit
from media import frames, media
from rtmpkit import aio

Test = Callable[[], Coroutine[Any, Any, None]]


def in_loop(test: Test) -> Callable[[], None]:
    def run() -> None:
        async def bounded() -> None:
            async with asyncio.timeout(30):
                await test()

        asyncio.run(bounded(), debug=True)

    run.__name__ = test.__name__
    return run


def live(server: aio.Server) -> str:
    return f"rtmp://127.0.0.1:{server.port}/live"


@in_loop
async def test_publish_play_and_subscribe() -> None:
    sent = list(frames(10))
    async with aio.Server("127.0.0.1:0") as server:
        server.application("live")
        async with (
            aio.NetConnection(live(server)) as nc,
            server.instance("live").subscribe("cam", timeout=10) as subscription,
            nc.play("cam", timeout=10) as playing,
        ):
            async with aio.publish(live(server) + "/cam") as publishing:
                for frame in sent:
                    publishing.write(frame)
            played = [frame async for frame in playing]
            subscribed = [frame async for frame in subscription]
    assert media(played) == media(subscribed) == media(sent)


@in_loop
async def test_m10_events_that_nobody_takes_are_counted_and_requests_refused() -> None:
    async with aio.Server("127.0.0.1:0") as server:
        events = server.application("live").events(capacity=1)
        with pytest.raises(rtmpkit.Rejected):
            # The start of the instance waits already.
            await aio.NetConnection(live(server)).connect()
        assert events.dropped >= 1


@in_loop
async def test_events_are_answered_in_the_loop() -> None:
    async with aio.Server("127.0.0.1:0") as server:
        events = server.application("live").events()
        seen: list[str] = []

        async def serve() -> None:
            async for event in events:
                match event:
                    case rtmpkit.PublishRequest(stream_name="secret"):
                        event.reject("no")
                    case rtmpkit.ConnectRequest() | rtmpkit.PublishRequest() | rtmpkit.PlayRequest():
                        assert threading.current_thread() is threading.main_thread()
                        await asyncio.sleep(0)
                        event.accept()
                    case rtmpkit.CallRequest(method=method, args=args):
                        event.accept([method, *args])
                    case aio.Disconnected() | aio.Unpublished():
                        pass
                seen.append(type(event).__name__)

        serving = asyncio.create_task(serve())
        async with aio.NetConnection(live(server)) as nc:
            assert await nc.call("echo", 1, "two") == ["echo", 1, "two"]
            with pytest.raises(rtmpkit.StreamError):
                await nc.publish("secret")
            async with nc.publish("open"):
                pass
    await serving
    assert seen[:5] == ["InstanceStarted", "ConnectRequest", "Accepted", "CallRequest", "PublishRequest"]
    assert "Disconnected" in seen and "Unpublished" in seen


@in_loop
async def test_handlers_may_be_coroutines() -> None:
    class App(aio.Application):
        async def on_connect(self, request: rtmpkit.ConnectRequest) -> bool:
            await asyncio.sleep(0)
            return request.params.get("key") == "k"

        async def on_call(self, request: rtmpkit.CallRequest) -> Any:
            await asyncio.sleep(0)
            return NotImplemented if request.method == "none" else request.args

    app = App("live")

    @app.on_publish
    async def fail(request: rtmpkit.PublishRequest) -> None:
        raise LookupError("no database")

    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context))
    async with aio.Server("127.0.0.1:0", [app]) as server:
        with pytest.raises(rtmpkit.Rejected):
            await aio.NetConnection(live(server)).connect()
        async with aio.NetConnection(live(server) + "?key=k") as nc:
            assert await nc.call("echo", 1) == [1]
            with pytest.raises(rtmpkit.CallFailed):
                await nc.call("none")
            with pytest.raises(rtmpkit.StreamError):
                await nc.publish("cam")
    assert [type(context["exception"]) for context in failures] == [LookupError]


@in_loop
async def test_calls_both_ways_and_timeouts() -> None:
    async with aio.Server("127.0.0.1:0") as server:
        app = server.application("live")
        kept: list[rtmpkit.CallRequest] = []
        app.on_call(kept.append)
        async with aio.NetConnection(live(server), on_call=lambda method, args: [method, *args]) as nc:
            [peer] = server.instance("live").peers
            assert await server.call(peer, "hello", 5) == ["hello", 5]
            with pytest.raises(rtmpkit.Timeout):
                await nc.call("slow", timeout=0.05)
            with pytest.raises(rtmpkit.Timeout):
                async with server.instance("live").subscribe("cam", timeout=0.02) as subscription:
                    await anext(subscription)
        assert len(kept) == 1


@in_loop
async def test_many_connections_at_once() -> None:
    sent = list(frames(5))
    async with aio.Server("127.0.0.1:0") as server:
        server.application("live")
        ready = asyncio.Barrier(9)

        async def player() -> list[rtmpkit.Frame]:
            async with aio.play(live(server) + "/cam", frame_timeout=10) as frames:
                await ready.wait()
                return [frame async for frame in frames]

        players = [asyncio.create_task(player()) for _ in range(8)]
        await ready.wait()
        async with aio.publish(live(server) + "/cam") as publishing:
            for frame in sent:
                publishing.write(frame)
        for played in await asyncio.gather(*players):
            assert media(played) == media(sent)


@in_loop
async def test_no_server_and_cancelled() -> None:
    with pytest.raises(rtmpkit.ConnectError):
        await aio.NetConnection("rtmp://127.0.0.1:1/live").connect()
    async with aio.Server("127.0.0.1:0") as server:
        server.application("live")
        async with aio.NetConnection(live(server)) as nc:
            playing = await nc.play("cam")
            waiting = asyncio.create_task(playing.read())
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
