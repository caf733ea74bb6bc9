"""Shared objects in an event loop."""

from __future__ import annotations

import asyncio
import inspect
import weakref
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from types import EllipsisType, TracebackType
from typing import Any, Self

from rtmpkit.aio._pump import Pump
from rtmpkit.exceptions import Full
from rtmpkit.shared_object import EVENTS, BaseSharedObject, Open, SlotChange

__all__ = ["Changes", "SharedObject"]

RETRY = 0.005
"""Seconds between two tries to change what has no room for changes."""
PATIENCE = 10.0
"""Seconds after which a change that finds no room fails."""


class Changes(AsyncIterator[SlotChange]):
    """The changes of a shared object's slots, in order; ends when the object or its connection is closed."""

    def __init__(self, owner: SharedObject, capacity: int) -> None:
        self._owner = owner
        self._capacity = capacity
        self._waiting: deque[SlotChange] = deque()
        self._behind = False

    def _put(self, changes: list[SlotChange]) -> None:
        room = self._capacity - len(self._waiting)
        self._behind |= len(changes) > room
        self._waiting.extend(changes[:room])

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SlotChange:
        change = await self._owner._pump.until(self._next, None, "waiting for a change")
        if change is None:
            self._owner._ignore(self)
            raise StopAsyncIteration
        return change

    def _next(self) -> SlotChange | EllipsisType | None:
        if self._waiting:
            return self._waiting.popleft()
        if self._behind:
            self._owner._ignore(self)
            raise Full(f"more than {self._capacity} changes waited: read the object anew")
        return None if self._owner.closed else ...


class SharedObject(BaseSharedObject):
    """A shared object as a mapping to read; changes are awaited.

        async with nc.shared_object("room") as so:
            print(so.get("topic"))
            await so.set("topic", "hi")
            async for change in so.changes(): ...

    Handlers run in the event loop and may be coroutines.
    """

    def __init__(self, open: Open, pump: Pump) -> None:
        """Not for programs: see `NetConnection.shared_object` and `Server.shared_object`."""
        self._pump = pump
        self._closed = False
        self._listeners: weakref.WeakSet[Changes] = weakref.WeakSet()
        self._tasks: set[asyncio.Future[Any]] = set()
        super().__init__(open)

    async def set(self, slot: str, value: Any) -> None:
        """Sets a slot; not the server's answer is awaited, but room, when too many changes wait to be sent."""
        await self._change(lambda: self._raw.set(slot, value))

    async def remove(self, slot: str) -> bool:
        """Removes a slot; whether there was one."""
        return bool(await self._change(lambda: self._raw.remove(slot)))

    async def clear(self) -> None:
        """Removes all slots."""
        await self._change(self._raw.clear)

    async def send(self, name: str, *args: Any) -> None:
        """Calls a handler of all who use the object. Not stored."""
        await self._change(lambda: self._raw.send(name, args))

    async def mark(self, name: str, *args: Any) -> None:
        """Calls a handler of all at the end of the changes made since `lock`, in the same message."""
        await self.send(name, *args)

    async def flush(self, *, timeout: float | None = 10.0) -> int:
        """Stores the object as it is now and returns the version that is on disk. The server's side only."""
        return int(await self._pump.reply(self._raw.submit_flush, timeout))

    def changes(self, capacity: int = 65_536) -> Changes:
        """All changes of slots from now on: `async for change in so.changes()`.

        When `capacity` changes wait to be taken, the iteration ends with `Full`.
        """
        changes = Changes(self, capacity)
        self._listeners.add(changes)
        self._listen()
        return changes

    @property
    def closed(self) -> bool:
        """Whether it was closed, or its connection or server was."""
        return self._closed or self._pump.closed or not self._raw.connected

    async def close(self) -> None:
        """Leaves the object: a temporary one that nobody uses any more is gone, a persistent one is stored."""
        self._closed = True
        self._raw.close()
        self._pump.wake()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _change(self, change: Callable[[], Any]) -> Any:
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while True:
            try:
                return change()
            except Full:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(RETRY)

    def _ignore(self, changes: Changes) -> None:
        self._listeners.discard(changes)
        self._listen()

    def _listen(self) -> None:
        if self._listeners:
            self._raw.listen(*EVENTS)
        else:
            super()._listen()

    def _deliver(self, event: str, args: tuple[Any, ...]) -> None:
        if event in ("on_sync", "on_clear"):
            changes = args[0] if args else [SlotChange("clear", "")]
            for listener in self._listeners:
                listener._put(changes)
        result = getattr(self, event)(*args)
        if inspect.isawaitable(result):
            task = asyncio.ensure_future(self._finish(event, result))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _finish(self, event: str, result: Awaitable[Any]) -> None:
        try:
            await result
        except Exception as error:
            context = {"message": f"rtmpkit: {event} failed", "exception": error, "shared_object": self}
            asyncio.get_running_loop().call_exception_handler(context)
