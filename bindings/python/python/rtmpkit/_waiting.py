"""Waiting for a subscription in an event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from rtmpkit.exceptions import Timeout

if TYPE_CHECKING:
    from rtmpkit._rtmpkit import Frame, Relay, RelayEvent, Subscription

T = TypeVar("T")


async def entered(result: T) -> T:
    """`result`, for those who await it."""
    return result


async def readable(fd: int) -> None:
    """Returns when a descriptor is readable."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(fd, _wake, ready)
    try:
        await ready
    finally:
        loop.remove_reader(fd)


async def next_frame(subscription: Subscription) -> Frame:
    """The next frame; ends the iteration when there is none, raises `Timeout` when none comes in time."""
    try:
        async with asyncio.timeout(subscription.timeout):
            while (frame := subscription._poll()) is ...:
                await readable(subscription._fd())
    except TimeoutError:
        raise Timeout("waiting for a frame timed out") from None
    if frame is None:
        raise StopAsyncIteration
    return frame


async def next_event(relay: Relay) -> RelayEvent:
    """The next event of a relay; ends the iteration after the last, raises `Timeout` when none comes in time."""
    try:
        async with asyncio.timeout(relay.timeout):
            while (event := relay._poll()) is ...:
                await readable(relay._fd())
    except TimeoutError:
        raise Timeout("waiting for an event of the relay timed out") from None
    if event is None:
        raise StopAsyncIteration
    return event


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
