"""Shared objects in an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

import rtmpkit
from rtmpkit import SlotChange, aio


def in_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(30):
                await test(*args, **kwargs)

        asyncio.run(bounded())

    return run


def serving(**settings: Any) -> aio.Server:
    return aio.Server("127.0.0.1:0", [aio.Application("live", **settings)])


@in_loop
async def test_o7_changes_as_an_iteration() -> None:
    async with (
        serving() as server,
        server.shared_object("live", "room") as host,
        aio.NetConnection(f"rtmp://127.0.0.1:{server.port}/live") as nc,
        nc.shared_object("room") as so,
    ):
        there, here = host.changes(), so.changes()
        await so.set("topic", "hi")
        assert await anext(there) == SlotChange("change", "topic", None, "hi")
        assert await anext(here) == SlotChange("success", "topic", None, "hi")
        assert dict(host) == dict(so) == {"topic": "hi"}
        assert await host.remove("topic") and not await host.remove("topic")
        assert await anext(here) == SlotChange("delete", "topic", "hi", None)
        await host.set("a", 1)
        await host.clear()
        assert [(await anext(here)).kind for _ in range(2)] == ["change", "clear"]
        with host.locked():
            await host.set("b", 2)
            await host.set("c", 3)
        assert [(await anext(here)).name for _ in range(2)] == ["b", "c"]


@in_loop
async def test_o8_handlers_may_be_coroutines() -> None:
    heard: asyncio.Queue[Any] = asyncio.Queue()
    async with (
        serving() as server,
        server.shared_object("live", "room") as host,
        aio.NetConnection(f"rtmp://127.0.0.1:{server.port}/live") as nc,
        nc.shared_object("room") as so,
    ):

        @host.on_message
        async def said(name: str, args: list[Any], peer: rtmpkit.Peer | None) -> None:
            await heard.put((name, args))

        await so.send("say", 1)
        assert await heard.get() == ("say", [1])
        await so.mark("say", 2)
        assert await heard.get() == ("say", [2])


@in_loop
async def test_o5_flush_and_commit(tmp_path: Path) -> None:
    for expected in ({}, {"x": 1}):
        async with serving(shared_objects_directory=tmp_path, autocommit=0) as server:
            async with server.shared_object("live", "room", persistent=True) as room:
                assert dict(room) == expected
                await room.set("x", 1)
                assert await room.flush() == room.version
                await room.set("y", 1)
                assert await server.commit_shared_objects("live") == 1
                await room.remove("y")
            assert await server.clear_shared_objects("live", "/nothing") == 0
            with pytest.raises(rtmpkit.Error, match="waits"):
                server.instance("live").commit_shared_objects()


@in_loop
async def test_o5_a_closed_server_answers_nothing_more(tmp_path: Path) -> None:
    async with serving(shared_objects_directory=tmp_path, autocommit=0) as server:
        instance = server.instance("live")
        room = await server.shared_object("live", "room", persistent=True)
        await room.set("x", 1)
    async with asyncio.timeout(5):
        with pytest.raises(rtmpkit.Closed):
            await room.flush()
        with pytest.raises(rtmpkit.Closed):
            await asyncio.to_thread(instance.commit_shared_objects)


@in_loop
async def test_o3_the_iteration_ends_with_the_object_the_connection_or_the_server() -> None:
    async with serving() as server:
        url = f"rtmp://127.0.0.1:{server.port}/live"
        async with aio.NetConnection(url) as nc, nc.shared_object("a") as a, nc.shared_object("b") as b:
            last = asyncio.ensure_future(anext(aiter(a.changes()), None))
            await asyncio.sleep(0)
            await a.close()
            assert await last is None
            [peer] = server.instance("live").peers
            changes = b.changes()
            peer.close()
            assert [change async for change in changes] == []
            assert b.closed
        async with server.shared_object("live", "c") as c:
            changes = c.changes()
            await server.close()
            assert [change async for change in changes] == []


@in_loop
async def test_who_does_not_take_changes_is_told() -> None:
    async with serving() as server, server.shared_object("live", "room") as host:
        async with aio.NetConnection(f"rtmp://127.0.0.1:{server.port}/live") as nc, nc.shared_object("room") as so:
            few, all = host.changes(capacity=2), host.changes()
            for n in range(3):
                await so.set("n", n)
            assert [(await anext(all)).new_value for _ in range(3)] == [0, 1, 2]
            assert [(await anext(few)).new_value for _ in range(2)] == [0, 1]
            with pytest.raises(rtmpkit.Full):
                await anext(few)


@in_loop
async def test_o6_a_refusal_is_an_exception() -> None:
    async with serving() as server:
        async with aio.NetConnection(f"rtmp://127.0.0.1:{server.port}/live") as nc:
            with pytest.raises(rtmpkit.SharedObjectError):
                await nc.shared_object("room", persistent=True)
            assert nc.connected
