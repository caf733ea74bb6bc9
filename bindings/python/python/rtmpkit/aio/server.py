"""The server in an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from types import TracebackType
from typing import Any, Self

import rtmpkit.application
from rtmpkit._dispatch import CLOSE_TIMEOUT, finalize
from rtmpkit._rtmpkit import Engine, Instance, Peer
from rtmpkit._tasks import Bridge
from rtmpkit.aio._pump import Pump
from rtmpkit.aio._tasks import Tasks, report
from rtmpkit.aio.client import Opening
from rtmpkit.aio.events import NOTICES, Event
from rtmpkit.aio.shared_object import SharedObject
from rtmpkit.exceptions import ConfigError, WrongState
from rtmpkit.server import BaseServer, Tls, identities, offered

__all__ = ["Application", "Events", "Server"]


class Events(AsyncIterator[Event]):
    """The events of an application, in order; ends when the server closes."""

    def __init__(self, capacity: int) -> None:
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._capacity = capacity
        self.dropped = 0
        """Events dropped because as many waited as may; requests among them were refused."""

    def _put(self, event: Event | None) -> None:
        if event is not None and self._queue.qsize() >= self._capacity:
            self.dropped += 1
            reject = getattr(event, "reject", None)
            if reject is not None:
                reject("The application is too busy.")
            return
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
    _needs_loop = True

    def events(self, capacity: int = 4096) -> Events:
        """From now on all events come here instead of to handlers: `async for event in application.events()`.

        Answer the requests among them: one that is dropped unanswered is refused. capacity: events that may wait to be taken;
        those beyond are dropped and counted (`Events.dropped`).
        """
        if self._events is None:
            self._events = Events(capacity)
        return self._events

    def _handle(self, event: str, args: tuple[Any, ...]) -> Any:
        registering = len(args) == 1 and callable(args[0])
        if self._events is None or registering or event == "on_instance_idle":
            return super()._handle(event, args)
        notice = NOTICES.get(event)
        self._events._put(args[0] if notice is None else notice(*args))
        return None


class Server(BaseServer):
    """An RTMP server whose handlers run in the event loop: `async with rtmpkit.aio.Server(url) as server`."""

    def __init__(
        self,
        url: str | Iterable[str] | None = None,
        applications: rtmpkit.application.Application | Iterable[rtmpkit.application.Application] | None = None,
        workers: int = 0,
        *,
        max_connections: int | None = None,
        max_connections_per_address: int | None = None,
        player_queue_bytes: int | None = None,
        player_queue_seconds: float | None = None,
        stall_timeout: float | None = None,
        tolerance: str | None = None,
        tls: Tls | Sequence[Tls] | None = None,
        accept_rtmpe: bool = False,
        connect_timeout: float | None = None,
        chunk_size: int | None = None,
        reduce_for_players: bool = True,
        io_uring: bool = True,
    ) -> None:
        """A server; the arguments are those of `rtmpkit.Server`. Without applications it has none: see `application`."""
        self._urls = [] if url is None else [url] if isinstance(url, str) else list(url)
        self._first = offered(applications)
        self._workers, self._io_uring = workers, io_uring
        self._limits: dict[str, Any] = {
            "max_connections": max_connections,
            "max_connections_per_address": max_connections_per_address,
            "player_queue_bytes": player_queue_bytes,
            "player_queue_seconds": player_queue_seconds,
            "stall_timeout": stall_timeout,
            "tolerance": tolerance,
            "tls": identities(tls),
            "accept_rtmpe": accept_rtmpe,
            "connect_timeout": connect_timeout,
            "chunk_size": chunk_size,
            "reduce_for_players": reduce_for_players,
        }
        self._pump: Pump | None = None
        self._tasks = Tasks()
        self._addresses = []
        self._applications = {}

    async def start(self) -> None:
        """Begins to listen; `async with` does it for you."""
        pump = self._pump = Pump()
        try:
            self._create(Engine(self._workers, io_uring=self._io_uring), pump.queue, self._limits)
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

    def application(self, name: str) -> Application:
        """The application of that name, registered if need be."""
        self._started()
        application = self._applications.get(name)
        if application is None:
            application = Application(name)
            self.add(application)
        if not isinstance(application, Application):
            raise ConfigError(f"application {name!r} is not one of rtmpkit.aio")
        return application

    async def listen(self, url: str) -> tuple[str, int]:
        """Listens on one more address and returns it as it was bound."""
        self._started()
        loop = asyncio.get_running_loop()
        address = await loop.run_in_executor(None, self._raw.listen, url)
        self._addresses.append(address)
        return address

    async def call(self, peer: Peer, method: str, *args: Any, timeout: float | None = 30.0) -> Any:
        """Calls a method of a client and returns its result; raises `CallFailed` if it fails."""
        return await self._started().reply(lambda queue, done: peer._submit(method, args, queue, done), timeout)

    def shared_object(self, instance: Instance | str, name: str, persistent: bool = False) -> Opening[SharedObject]:
        """A shared object of an instance: `async with server.shared_object("live", "board") as so`, or `await` it."""
        return Opening(self._shared_object(instance, name, persistent), SharedObject.close)

    async def clear_shared_objects(
        self, instance: Instance | str, path: str, *, timeout: float | None = 10.0
    ) -> int:
        """Removes all slots of the shared objects that a path names; see `Instance.clear_shared_objects`."""
        found = self.instance(instance) if isinstance(instance, str) else instance
        return int(await self._started().reply(lambda queue, done: found._submit_clear(path, queue, done), timeout))

    async def commit_shared_objects(
        self, instance: Instance | str, name: str | None = None, *, timeout: float | None = 10.0
    ) -> int:
        """Stores one persistent shared object, or all that are used; returns how many were stored."""
        found = self.instance(instance) if isinstance(instance, str) else instance
        return int(await self._started().reply(lambda queue, done: found._submit_commit(name, queue, done), timeout))

    def add(self, application: rtmpkit.application.Application) -> None:
        """Registers an application; also possible while the server listens."""
        self._started()
        super().add(application)

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

    async def _shared_object(self, instance: Instance | str, name: str, persistent: bool) -> SharedObject:
        found = self.instance(instance) if isinstance(instance, str) else instance
        pump = self._started()
        loop = asyncio.get_running_loop()
        # A persistent one is read from disk.
        return await loop.run_in_executor(
            None, lambda: SharedObject(lambda deliver: found._shared_object(name, persistent, deliver), pump)
        )

    def _started(self) -> Pump:
        if self._pump is None:
            raise WrongState("the server was not started: use `async with`, or await start()")
        return self._pump

    def _bridge(self, application: rtmpkit.application.Application) -> Bridge:
        return Bridge(application, self._tasks.spawn, report)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
