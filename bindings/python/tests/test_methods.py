"""Methods that clients may call, written as functions, methods of a class, and coroutines."""

from __future__ import annotations

import asyncio
import queue
import threading
from typing import Any

import pytest

import rtmpkit
from rtmpkit import aio


class Chat(rtmpkit.Application):
    """What an application looks like as a class."""

    def __init__(self, name: str = "live") -> None:
        super().__init__(name)
        self.said: list[str] = []
        self.threads: set[str] = set()

    @rtmpkit.method
    def say(self, peer: rtmpkit.Peer, text: str) -> int:
        self.said.append(text)
        peer.instance.broadcast("said", text)
        return len(self.said)

    @rtmpkit.method("topic.set")
    async def set_topic(self, peer: rtmpkit.Peer, topic: str) -> Any:
        self.threads.add(threading.current_thread().name)
        return [topic, await peer.call_async("approve", topic)]

    @rtmpkit.method
    async def fail(self, peer: rtmpkit.Peer) -> None:
        raise ValueError("on purpose")

    @rtmpkit.method
    async def never(self, peer: rtmpkit.Peer) -> None:
        await asyncio.Event().wait()

    def private(self, peer: rtmpkit.Peer) -> str:
        return "not for clients"


class Louder(Chat):
    def say(self, peer: rtmpkit.Peer, text: str) -> int:
        return super().say(peer, text.upper())

    @rtmpkit.method
    def shout(self, peer: rtmpkit.Peer) -> str:
        return "!"


@pytest.fixture
def app() -> Chat:
    return Louder()


def test_decorated_methods_may_be_called(app: Chat, url: str) -> None:
    heard: queue.Queue[Any] = queue.Queue()
    with rtmpkit.NetConnection(url, on_call=lambda method, args: heard.put((method, args))) as nc:
        assert nc.call("say", "hi") == 1 and nc.call("shout") == "!"
        assert heard.get(timeout=10) == ("said", ["HI"])
        for unknown in ("private", "topic", "set_topic", "on_connect", "__init__"):
            with pytest.raises(rtmpkit.CallFailed):
                nc.call(unknown)
    assert app.said == ["HI"]


def test_functions_become_methods_under_their_own_name_or_another(app: Chat, url: str) -> None:
    @app.method
    def add(peer: rtmpkit.Peer, a: int, b: int) -> int:
        return a + b

    @app.method("sub")
    def subtract(peer: rtmpkit.Peer, a: int, b: int) -> int:
        return a - b

    assert add(None, 1, 2) == 3  # type: ignore[arg-type]
    with rtmpkit.NetConnection(url) as nc:
        assert (nc.call("add", 1, 2), nc.call("sub", 5, 3)) == (3, 2)


def test_coroutines_run_side_by_side_on_a_thread_of_the_server(app: Chat, url: str) -> None:
    with rtmpkit.NetConnection(url, on_call=lambda method, args: method == "approve") as nc:
        with pytest.raises(rtmpkit.Timeout):
            nc.call("never", timeout=0.05)
        assert nc.call("topic.set", "x") == ["x", True]
    assert app.threads == {"rtmpkit-tasks"}


def test_a_coroutine_that_fails_fails_the_call(app: Chat, url: str, unraisable: list[Any]) -> None:
    with rtmpkit.NetConnection(url) as nc:
        with pytest.raises(rtmpkit.CallFailed):
            nc.call("fail")
    assert [str(error) for error in unraisable] == ["on purpose"]


def test_every_handler_may_be_a_coroutine() -> None:
    app = rtmpkit.Application("live")
    gone = threading.Event()

    @app.on_connect
    async def decide(request: rtmpkit.ConnectRequest) -> bool:
        await asyncio.sleep(0)
        return bool(request.params.get("key") == "s3cret")

    @app.on_disconnect
    async def note(peer: rtmpkit.Peer, why: rtmpkit.Status) -> None:
        await asyncio.sleep(0)
        gone.set()

    with rtmpkit.Server("127.0.0.1:0", [app]) as server:
        url = f"rtmp://127.0.0.1:{server.port}/live"
        with pytest.raises(rtmpkit.Rejected):
            rtmpkit.NetConnection(url)
        nc = rtmpkit.NetConnection(url + "?key=s3cret")
    assert gone.is_set(), "closing waits for what was begun"
    nc.close()


def test_in_an_event_loop_everything_runs_there() -> None:
    async def run() -> None:
        app = Chat()
        async with asyncio.timeout(30), aio.Server("127.0.0.1:0", [app]) as server:
            url = f"rtmp://127.0.0.1:{server.port}/live"
            async with aio.NetConnection(url, on_call=lambda method, args: "yes") as nc:
                assert await nc.call("say", "hi") == 1
                assert await nc.call("topic.set", "x") == ["x", "yes"]
                [peer] = server.instance("live").peers
                assert await peer.call_async("anything") == await server.call(peer, "anything") == "yes"
        assert app.threads == {threading.main_thread().name}

    asyncio.run(run())
