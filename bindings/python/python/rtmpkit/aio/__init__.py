"""rtmpkit for asyncio: the same objects, served by the running event loop. No thread runs Python but the loop's.

    async with rtmpkit.aio.Server("rtmp://127.0.0.1:1935") as server:
        async for event in server.application("live").events():
            match event:
                case rtmpkit.ConnectRequest() | rtmpkit.PlayRequest():
                    event.accept()
                case rtmpkit.PublishRequest(stream=stream):
                    event.accept()
                    asyncio.create_task(watch(stream))

    async def watch(stream: rtmpkit.Stream) -> None:
        async with stream.subscribe() as frames:
            async for frame in frames: ...

    async with rtmpkit.aio.NetConnection("rtmp://host/live") as nc, nc.play("cam") as frames:
        async for frame in frames: ...
"""

from __future__ import annotations

from rtmpkit.aio.client import NetConnection, NetStream, Opening, play, publish
from rtmpkit.aio.events import (
    Accepted,
    Disconnected,
    Event,
    Failed,
    InstanceStarted,
    InstanceStatus,
    InstanceStopped,
    Recorded,
    Refused,
    Stopped,
    Unpublished,
)
from rtmpkit.aio.server import Application, Events, Server
from rtmpkit.aio.shared_object import SharedObject

__all__ = [
    "Accepted",
    "Application",
    "Disconnected",
    "Event",
    "Events",
    "Failed",
    "InstanceStarted",
    "InstanceStatus",
    "InstanceStopped",
    "NetConnection",
    "NetStream",
    "Opening",
    "Recorded",
    "Refused",
    "Server",
    "SharedObject",
    "Stopped",
    "Unpublished",
    "play",
    "publish",
]
