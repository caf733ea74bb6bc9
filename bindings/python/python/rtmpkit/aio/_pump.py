"""The running event loop serves the library's queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import EllipsisType
from typing import Any, TypeVar

from rtmpkit._rtmpkit import Peer, Queue
from rtmpkit.exceptions import Closed, Timeout

T = TypeVar("T")


class Pump:
    """Serves a queue from the running event loop, and wakes those who wait for what it brings."""

    def __init__(self) -> None:
        self.queue = Queue()
        self.queue.attend(True)
        self.closed = False
        """Whether nothing will come any more."""
        self._loop = asyncio.get_running_loop()
        self._waiting: set[asyncio.Future[None]] = set()
        self._replies: set[asyncio.Future[Any]] = set()
        self._loop.add_reader(self.queue.fd(), self._run)

    async def until(self, poll: Callable[[], T | EllipsisType], timeout: float | None, what: str) -> T:
        """What `poll` gives once that is not `...`."""
        try:
            async with asyncio.timeout(timeout):
                while (found := poll()) is ...:
                    woken: asyncio.Future[None] = self._loop.create_future()
                    self._waiting.add(woken)
                    try:
                        await woken
                    finally:
                        self._waiting.discard(woken)
        except TimeoutError:
            raise Timeout(f"{what} timed out") from None
        return found

    async def reply(
        self, submit: Callable[[Queue, Callable[[Any, BaseException | None], None]], None], timeout: float | None
    ) -> Any:
        """The result of a call that `submit` starts; raises `Closed` when the queue is no longer served."""
        if self.closed:
            raise _closed()
        outcome: asyncio.Future[Any] = self._loop.create_future()

        def done(result: Any, error: BaseException | None) -> None:
            if outcome.done():
                return
            if error is None:
                outcome.set_result(result)
            else:
                outcome.set_exception(error)

        submit(self.queue, done)
        self._replies.add(outcome)
        try:
            async with asyncio.timeout(timeout):
                return await outcome
        except TimeoutError:
            raise Timeout("call timed out") from None
        finally:
            self._replies.discard(outcome)

    def close(self) -> None:
        """Runs what is left and leaves the loop; what comes later is dropped."""
        while self._dispatch():
            pass
        self._loop.remove_reader(self.queue.fd())
        self.queue.attend(False)
        self.closed = True
        self.queue.close()
        for outcome in self._replies:
            if not outcome.done():
                outcome.set_exception(_closed())
        self.wake()

    def wake(self) -> None:
        """Has those who wait look again."""
        for woken in self._waiting:
            if not woken.done():
                woken.set_result(None)

    def _run(self) -> None:
        self._dispatch()

    def _dispatch(self) -> int:
        count = self.queue.dispatch()
        self.wake()
        return count


def _closed() -> Closed:
    return Closed("what was to answer is closed")


async def call_peer(peer: Peer, method: str, args: tuple[Any, ...], timeout: float | None) -> Any:
    """Calls a method of a client, from whatever loop runs."""
    pump = Pump()
    try:
        return await pump.reply(lambda queue, done: peer._submit(method, args, queue, done), timeout)
    finally:
        pump.close()
