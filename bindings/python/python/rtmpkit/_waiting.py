"""Waiting in an event loop."""

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


async def next_item(source: Subscription | Relay, what: str) -> Frame | RelayEvent:
    """The next frame or event; ends the iteration after the last, raises `Timeout` when none comes in time."""
    try:
        async with asyncio.timeout(source.timeout):
            while (item := source._poll()) is ...:
                await readable(source._fd())
    except TimeoutError:
        raise Timeout(f"{what} timed out") from None
    if item is None:
        raise StopAsyncIteration
    return item


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
