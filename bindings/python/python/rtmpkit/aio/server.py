"""The server in an event loop."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, Self

import rtmpkit.application
from rtmpkit._dispatch import CLOSE_TIMEOUT, finalize
from rtmpkit._rtmpkit import CallRequest, ConnectRequest, Peer, PlayRequest, PublishRequest
from rtmpkit.aio._pump import Pump
from rtmpkit.aio.events import NOTICES, Event, Request
from rtmpkit.exceptions import ConfigError
from rtmpkit.server import BaseServer

__all__ = ["Application", "Events", "Server"]


class Events(AsyncIterator[Event]):
    """The events of an application, in order; ends when the server closes."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()

    def _put(self, event: Event | None) -> None:
        self._queue.put_nowait(event)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self._queue.get()
        if event is None:
            self._queue.put_nowait(None)
            raise StopAsyncIteration
        return event


class Application(rtmpkit.application.Application):
    """An application whose handlers run in the event loop and may be coroutines, or are replaced by `events()`.

    A coroutine may take its time before it answers or returns; other clients do not wait for it. If it returns `None`
    without having answered, that accepts.
    """

    _events: Events | None = None

    def events(self) -> Events:
        """From now on all events come here instead of to handlers: `async for event in application.events()`.

        Answer the requests among them: one that is dropped unanswered is refused.
        """
        if self._events is None:
            self._events = Events()
        return self._events

    def _handle(self, event: str, args: tuple[Any, ...]) -> Any:
        registering = len(args) == 1 and callable(args[0])
        if self._events is None or registering:
            return super()._handle(event, args)
        notice = NOTICES.get(event)
        self._events._put(args[0] if notice is None else notice(*args))
        return None


class _Bridge:
    """What the library calls for an application: runs coroutines among its handlers as tasks."""

    def __init__(self, application: rtmpkit.application.Application) -> None:
        self._application = application
        self._tasks: set[asyncio.Task[None]] = set()

    def __getattr__(self, event: str) -> Callable[..., Any]:
        handler = getattr(self._application, event)

        def call(*args: Any) -> Any:
            result = handler(*args)
            if not inspect.isawaitable(result):
                return result
            task = asyncio.ensure_future(self._finish(event, args, result))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return None

        return call

    async def _finish(self, event: str, args: tuple[Any, ...], result: Awaitable[Any]) -> None:
        request = args[0]
        asked = isinstance(request, (ConnectRequest, PublishRequest, PlayRequest, CallRequest))
        try:
            answer = await result
            if asked:
                _decide(request, answer)
        except BaseException as error:
            if asked:
                request.reject("The application failed.")
            if not isinstance(error, Exception):
                raise
            context = {"message": f"rtmpkit: {event} failed", "exception": error, "application": self._application}
            asyncio.get_running_loop().call_exception_handler(context)


def _decide(request: Request, answer: Any) -> None:
    if request.answered:
        return
    if isinstance(request, CallRequest):
        if answer is NotImplemented:
            request.reject(f"Method not found ({request.method}).")
        else:
            request.accept(answer)
    elif answer is None or answer is True:
        request.accept()
    elif answer is False:
        request.reject("Refused by the application.")
    else:
        raise TypeError(f"a handler returns True, False or None, not {type(answer).__name__}")


class Server(BaseServer):
    """An RTMP server whose handlers run in the event loop: `async with rtmpkit.aio.Server(url) as server`."""

    def __init__(
        self,
        url: str | Iterable[str] | None = None,
        applications: Iterable[rtmpkit.application.Application] | None = None,
        workers: int = 0,
        *,
        max_connections: int | None = None,
        max_connections_per_address: int | None = None,
        stall_timeout: float | None = None,
    ) -> None:
        """A server; the arguments are those of `rtmpkit.Server`. Without applications it has none: see `application`."""
        self._urls = [] if url is None else [url] if isinstance(url, str) else list(url)
        self._first = list(applications or [])
        self._workers = workers
        self._limits: dict[str, int | float | None] = {
            "max_connections": max_connections,
            "max_connections_per_address": max_connections_per_address,
            "stall_timeout": stall_timeout,
        }
        self._pump: Pump | None = None

    async def start(self) -> None:
        """Begins to listen; `async with` does it for you."""
        pump = self._pump = Pump()
        try:
            self._create(self._workers, pump.queue, self._limits)
        except BaseException:
            pump.close()
            raise
        raw, engine = self._raw, self._engine

        def close() -> None:
            raw.close()
            engine.close(CLOSE_TIMEOUT)
            raw.release()

        self._close_threads = finalize(self, close)
        try:
            for application in self._first:
                self.add(application)
            for url in self._urls:
                await self.listen(url)
        except BaseException:
            await self.close()
            raise

    def add(self, application: rtmpkit.application.Application) -> None:
        """Registers an application, plain or of this module; also possible while the server listens."""
        self._raw.application(
            application.name,
            _Bridge(application),
            request_timeout=application.request_timeout,
            gop_cache_bytes=application.gop_cache_bytes,
            max_clients=application.max_clients,
        )
        self._applications[application.name] = application

    def application(self, name: str) -> Application:
        """The application of that name, registered if need be."""
        application = self._applications.get(name)
        if application is None:
            application = Application(name)
            self.add(application)
        if not isinstance(application, Application):
            raise ConfigError(f"application {name!r} is not one of rtmpkit.aio")
        return application

    async def listen(self, url: str) -> tuple[str, int]:
        """Listens on one more address and returns it as it was bound."""
        loop = asyncio.get_running_loop()
        address = await loop.run_in_executor(None, self._raw.listen, url)
        self._addresses.append(address)
        return address

    async def call(self, peer: Peer, method: str, *args: Any, timeout: float | None = 30.0) -> Any:
        """Calls a method of a client and returns its result; raises `CallFailed` if it fails."""
        if self._pump is None:
            raise RuntimeError("the server was not started")
        return await self._pump.reply(lambda queue, done: peer._submit(method, args, queue, done), timeout)

    async def close(self) -> None:
        """Ends every connection and waits for the threads."""
        pump, self._pump = self._pump, None
        if pump is None:
            return
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._close_threads)
        finally:
            pump.close()
            for application in self._applications.values():
                if isinstance(application, Application) and application._events is not None:
                    application._events._put(None)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
