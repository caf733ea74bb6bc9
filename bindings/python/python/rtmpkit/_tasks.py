"""Handlers that are coroutines: what the library calls for an application, and a loop for servers that have none."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeAlias

from rtmpkit._rtmpkit import CallRequest, ConnectRequest, PlayRequest, PublishRequest, StreamLengthRequest

if TYPE_CHECKING:
    from rtmpkit.application import Application

Request: TypeAlias = ConnectRequest | PublishRequest | PlayRequest | CallRequest | StreamLengthRequest
REQUESTS = (ConnectRequest, PublishRequest, PlayRequest, CallRequest, StreamLengthRequest)

Spawn = Callable[[Coroutine[Any, Any, None]], object]
Report = Callable[[str, BaseException, object], None]


class Bridge:
    """What the library calls for an application: runs coroutines among its handlers as tasks.

    A request waits for its coroutine; the library sees that it is still referred to.
    """

    def __init__(self, application: Application, spawn: Spawn, report: Report) -> None:
        self._application = application
        self._spawn = spawn
        self._report = report

    def __getattr__(self, event: str) -> Callable[..., Any]:
        handler = getattr(self._application, event)

        def call(*args: Any) -> Any:
            result = handler(*args)
            if not inspect.isawaitable(result):
                return result
            self._spawn(self._finish(event, args, result))
            return None

        return call

    async def _finish(self, event: str, args: tuple[Any, ...], result: Awaitable[Any]) -> None:
        request = args[0]
        asked = isinstance(request, REQUESTS)
        try:
            answer = await result
            if asked:
                _decide(request, answer)
        except BaseException as error:
            if asked and isinstance(request, StreamLengthRequest):
                request.accept(0)
            elif asked:
                request.reject("The application failed.")
            if not isinstance(error, Exception):
                raise
            self._report(event, error, self._application)


def _decide(request: Request, answer: Any) -> None:
    if request.answered:
        return
    if isinstance(request, CallRequest):
        if answer is NotImplemented:
            request.reject(f"Method not found ({request.method}).")
        else:
            request.accept(answer)
    elif isinstance(request, StreamLengthRequest):
        request.accept(answer or 0)
    elif answer is None or answer is True:
        request.accept()
    elif answer is False:
        request.reject("Refused by the application.")
    else:
        raise TypeError(f"a handler returns True, False or None, not {type(answer).__name__}")


def unraisable(event: str, error: BaseException, application: object) -> None:
    """Tells `sys.unraisablehook` of a handler that failed."""
    sys.unraisablehook(
        SimpleNamespace(
            exc_type=type(error),
            exc_value=error,
            exc_traceback=error.__traceback__,
            err_msg=f"rtmpkit: {event} failed",
            object=application,
        )
    )


class LoopThread:
    """An event loop on a thread of its own, begun by the first coroutine."""

    GRACE = 2.0
    """Seconds that coroutines get to end by themselves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopped = False

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Runs a coroutine, or none any more once it was stopped."""
        with self._lock:
            if self._stopped:
                return coroutine.close()
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._run, args=(self._loop,), name="rtmpkit-tasks", daemon=True)
                self._thread.start()
            asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def stop(self) -> None:
        """Lets coroutines end, cancels those that do not, and ends the thread."""
        with self._lock:
            self._stopped = True
            loop, self._loop = self._loop, None
        if loop is None or self._thread is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        if self._thread is not threading.current_thread():
            self._thread.join(2 * self.GRACE)

    @classmethod
    def _run(cls, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            left = asyncio.all_tasks(loop)
            if left:
                _, late = loop.run_until_complete(asyncio.wait(left, timeout=cls.GRACE))
                for task in late:
                    task.cancel()
                loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
