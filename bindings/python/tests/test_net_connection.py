"""Outgoing connections: what their server asks of them, moving elsewhere, room to write, play buffers, limits."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from typing import Any

import pytest

import rtmpkit
import rtmpkit.aio

PATIENCE = 20


def peer_of(server: rtmpkit.Server) -> rtmpkit.Peer:
    [peer] = server.instance("live").peers
    return peer


def test_calls_of_the_server_may_be_answered_by_coroutines(server: rtmpkit.Server, url: str) -> None:
    async def on_call(method: str, args: list[Any]) -> Any:
        await asyncio.sleep(0)
        return NotImplemented if method == "unknown" else [method, args]

    with rtmpkit.NetConnection(url, on_call=on_call):
        assert peer_of(server).call("add", 1, 2) == ["add", [1, 2]]
        with pytest.raises(rtmpkit.CallFailed, match="Method not found"):
            peer_of(server).call("unknown")


def test_calls_of_the_server_wait_side_by_side(server: rtmpkit.Server, url: str) -> None:
    released = threading.Event()

    async def on_call(method: str, args: list[Any]) -> str:
        while method == "slow" and not released.is_set():
            await asyncio.sleep(0)
        return method

    answers: queue.Queue[Any] = queue.Queue()
    with rtmpkit.NetConnection(url, on_call=on_call):
        peer = peer_of(server)
        asking = threading.Thread(target=lambda: answers.put(peer.call("slow")))
        asking.start()
        assert peer.call("fast") == "fast" and answers.empty()
        released.set()
        assert answers.get(timeout=PATIENCE) == "slow"
        asking.join()


def test_netconnection_call_prohibited(server: rtmpkit.Server, url: str, unraisable: list[Any]) -> None:
    def on_call(method: str, args: list[Any]) -> Any:
        raise PermissionError if method == "format" else ValueError("on purpose")

    with rtmpkit.NetConnection(url, on_call=on_call):
        with pytest.raises(rtmpkit.CallFailed) as caught:
            peer_of(server).call("format")
        assert caught.value.code == "NetConnection.Call.Prohibited" and unraisable == []
        with pytest.raises(rtmpkit.CallFailed) as caught:
            peer_of(server).call("other")
        assert caught.value.code == "NetConnection.Call.Failed" and str(unraisable) == "[ValueError('on purpose')]"


async def aio_calls_and_moving() -> None:
    arrived: asyncio.Queue[rtmpkit.Peer] = asyncio.Queue()
    app = rtmpkit.aio.Application("live")
    app.on_accept(arrived.put_nowait)
    statuses: asyncio.Queue[rtmpkit.Status] = asyncio.Queue()

    async def on_call(method: str, args: list[Any]) -> Any:
        await asyncio.sleep(0)
        return args[0] * 2

    async with rtmpkit.aio.Server("127.0.0.1:0", [app]) as server:
        url = f"rtmp://127.0.0.1:{server.port}/live"
        async with rtmpkit.aio.NetConnection(url, on_call=on_call, on_status=statuses.put_nowait) as nc:
            peer = await arrived.get()
            assert await server.call(peer, "twice", 21) == 42
            assert (await statuses.get()).code == "NetConnection.Connect.Success"
            peer.request_reconnect("/live/upstairs", "Move.")
            status = await statuses.get()
            assert nc.reconnect_target(status) == f"{url}/upstairs"
            nc.reconnect_to(f"{url}/upstairs")
            assert (await arrived.get()).uri == f"{url}/upstairs"
            assert (await statuses.get()).code == "NetConnection.Connect.Success"


def test_aio_calls_and_moving() -> None:
    asyncio.run(asyncio.wait_for(aio_calls_and_moving(), PATIENCE))


def test_m10_p16_a_client_moves_when_its_host_says_so(server: rtmpkit.Server, url: str) -> None:
    statuses: queue.Queue[rtmpkit.Status] = queue.Queue()
    with rtmpkit.NetConnection(url, on_status=statuses.put) as nc:
        success = statuses.get(timeout=PATIENCE)
        assert nc.reconnect_target(success) is None
        peer_of(server).request_reconnect(None, "Move.")
        asked = statuses.get(timeout=PATIENCE)
        assert asked.code == "NetConnection.Connect.ReconnectRequest"
        target = nc.reconnect_target(asked)
        assert target == url
        nc.reconnect_to(f"{url}/upstairs")
        assert statuses.get(timeout=PATIENCE).code == "NetConnection.Connect.Success"
        assert nc.uri == f"{url}/upstairs" and nc.connected
        with pytest.raises(ValueError):
            nc.reconnect_to("http://elsewhere")


def fill(stream: rtmpkit.NetStream | rtmpkit.aio.NetStream) -> int:
    for written in range(1000):
        try:
            stream.write_video(bytes(100_000), 0, keyframe=True)
        except rtmpkit.Full:
            return written
    raise AssertionError("it is never full")


def test_a_writer_waits_for_room(server: rtmpkit.Server, url: str) -> None:
    with rtmpkit.NetConnection(url) as nc, nc.publish("cam") as out:
        out.wait_writable(0)
        # The server reads as good as nothing for a while.
        peer_of(server).limit_bandwidth(incoming=4096)
        assert fill(out) > 0
        with pytest.raises(rtmpkit.Timeout):
            out.wait_writable(0)
        peer_of(server).limit_bandwidth()
        out.wait_writable(PATIENCE)
        out.write_video(b"x", 0)


async def aio_drain(server: rtmpkit.Server, url: str) -> None:
    async with rtmpkit.aio.NetConnection(url) as nc, nc.publish("cam") as out:
        await out.drain()
        peer_of(server).limit_bandwidth(incoming=4096)
        assert fill(out) > 0
        peer_of(server).limit_bandwidth()
        await out.drain(PATIENCE)
        out.write_video(b"x", 0)


def test_an_aio_writer_drains(server: rtmpkit.Server, url: str) -> None:
    asyncio.run(aio_drain(server, url))


def test_s2_netstream_buffer_full_empty_and_flush(server: rtmpkit.Server, url: str) -> None:
    publication = server.instance("live").publish("cam")
    with rtmpkit.NetConnection(url) as nc, nc.play("cam") as player:
        player.set_buffer(100)
        assert player.buffer == 100
        for time in (0, 50, 100):
            publication.write_video(b"x", time, keyframe=True)
        seen: list[str] = []

        def told(code: str) -> bool:
            if player.status is not None and player.status.code not in seen:
                seen.append(player.status.code)
            return code in seen

        while not told("NetStream.Buffer.Empty"):
            pass
        publication.close()
        while not told("NetStream.Buffer.Flush"):
            pass


def test_connections_beyond_a_limit_are_told(app: rtmpkit.Application) -> None:
    with rtmpkit.Server("127.0.0.1:0", [app], max_connections=1) as server:
        url = f"rtmp://127.0.0.1:{server.port}/live"
        with rtmpkit.NetConnection(url):
            with pytest.raises(rtmpkit.Rejected, match="The server takes no more connections.") as caught:
                rtmpkit.NetConnection(url)
            assert caught.value.code == "NetConnection.Connect.Rejected"


class Point:
    x: float = 0


def test_a27_classes_in_connect_data_and_shared_objects(
    app: rtmpkit.Application, server: rtmpkit.Server, url: str
) -> None:
    here = Point()
    here.x = 4.0
    connects: queue.Queue[Any] = queue.Queue()
    app.on_connect(lambda request: connects.put(request.args))
    rtmpkit.amf.register_class("test.Here")(Point)
    try:
        live = server.instance("live")
        with rtmpkit.NetConnection(url, here) as nc:
            [argument] = connects.get(timeout=PATIENCE)
            assert isinstance(argument, Point) and argument.x == 4
            with live.subscribe("cam") as frames, nc.publish("cam") as out:
                out.write_data("onPoint", here)
                frame = frames.read(PATIENCE)
                assert frame is not None
                name, value = frame.values()
                assert name == "onPoint" and isinstance(value, Point) and value.x == 4
            with live.shared_object("plan") as plan, nc.shared_object("plan") as copy:
                copy["here"] = here
                while "here" not in plan:
                    pass
                assert isinstance(plan["here"], Point) and plan["here"].x == 4
    finally:
        rtmpkit.amf.unregister_class("test.Here")


def test_netconnection_connect_idletimeout() -> None:
    statuses: queue.Queue[rtmpkit.Status] = queue.Queue()
    with rtmpkit.Server("127.0.0.1:0", [rtmpkit.Application("live", idle_timeout=0.2)]) as server:
        with rtmpkit.NetConnection(f"rtmp://127.0.0.1:{server.port}/live", on_status=statuses.put):
            codes = [statuses.get(timeout=PATIENCE).code for _ in range(3)]
    assert codes == [
        "NetConnection.Connect.Success",
        "NetConnection.Connect.IdleTimeout",
        "NetConnection.Connect.Closed",
    ]


def test_p9_players_are_told_when_their_stream_is_dry() -> None:
    with rtmpkit.Server("127.0.0.1:0", [rtmpkit.Application("live", stream_dry=0.01)]) as server:
        url = f"rtmp://127.0.0.1:{server.port}/live"
        with rtmpkit.NetConnection(url) as nc, nc.publish("cam") as out, nc.play("cam") as played:
            frames = (frame for frame in played if frame.type == "audio")
            for byte in (1, 2):
                out.write_audio(bytes([byte]), 0)
                assert next(frames).data == bytes([byte])
                deadline = time.monotonic() + PATIENCE
                while not played.is_dry:
                    assert time.monotonic() < deadline
            assert not played.closed


def test_netstream_publish_idle() -> None:
    with rtmpkit.Server("127.0.0.1:0", [rtmpkit.Application("live", publish_idle=0.2)]) as server:
        url = f"rtmp://127.0.0.1:{server.port}/live"
        with rtmpkit.NetConnection(url) as nc, nc.publish("cam") as out:
            while out.status is None or out.status.code != "NetStream.Publish.Idle":
                pass
            assert not out.closed
