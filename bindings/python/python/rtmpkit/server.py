"""The server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

from rtmpkit._dispatch import CLOSE_TIMEOUT, Dispatcher, finalize
from rtmpkit._rtmpkit import Engine, Instance, Queue, RawServer, ServerStats
from rtmpkit._tasks import Bridge, LoopThread, unraisable
from rtmpkit.application import Application
from rtmpkit.exceptions import ConfigError, WrongState

__all__ = ["Server"]

Tls: TypeAlias = tuple[PathLike[str] | str | bytes, PathLike[str] | str | bytes]
"""A certificate chain and its key: paths of PEM files, or PEM as bytes."""


def _pem(given: PathLike[str] | str | bytes) -> bytes:
    return given if isinstance(given, bytes) else Path(given).read_bytes()


def identities(tls: Tls | Sequence[Tls] | None) -> list[tuple[bytes, bytes]]:
    """One pair or several as the native module takes them."""
    pairs: Sequence[Tls] = [] if tls is None else [tls] if isinstance(tls, tuple) else tls  # type: ignore[list-item, unused-ignore]
    if any(not isinstance(pair, tuple) or len(pair) != 2 for pair in pairs):
        raise ConfigError("tls: use a tuple of certificate chain and key, or a list of such tuples")
    return [(_pem(chain), _pem(key)) for chain, key in pairs]


def offered(applications: Application | Iterable[Application] | None) -> list[Application]:
    """One application or several as a list."""
    if isinstance(applications, Application):
        return [applications]
    found = list(applications or [])
    for one in found:
        if not isinstance(one, Application):
            raise ConfigError(f"applications: {one!r} is no Application; use rtmpkit.Application({one!r})")
    return found


class BaseServer:
    """What servers with a thread and servers in an event loop share."""

    _raw: RawServer
    _engine: Engine
    _queue: Queue
    _addresses: list[tuple[str, int]]
    _applications: dict[str, Application]

    def _create(self, engine: Engine, queue: Queue, limits: dict[str, Any]) -> None:
        self._engine = engine
        self._queue = queue
        self._raw = RawServer(self._engine, queue, **limits)
        self._addresses = []
        self._applications = {}

    def add(self, application: Application) -> None:
        """Registers an application; also possible while the server listens."""
        raw = self._raw.application(application.name, self._bridge(application), **application._settings)
        application._register(raw)
        self._applications[application.name] = application

    def _bridge(self, application: Application) -> Bridge:
        raise NotImplementedError

    @property
    def addresses(self) -> Sequence[tuple[str, int]]:
        """The addresses it listens on."""
        return tuple(self._addresses)

    @property
    def address(self) -> tuple[str, int]:
        """The first address it listens on."""
        if not self._addresses:
            raise WrongState("the server does not listen yet")
        return self._addresses[0]

    @property
    def port(self) -> int:
        """The port of the first address."""
        return self.address[1]

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._raw.closed

    def instance(self, name: str) -> Instance:
        """The application instance `app` or `app/instance`, brought to life if need be."""
        return self._raw.instance(name)

    def stats(self) -> ServerStats:
        """Counts now."""
        return self._raw.stats()

    def deviations(self) -> dict[str, int]:
        """What clients did against the specifications without harm, by name, with how often."""
        return self._raw.deviations()

    def set_tls(self, tls: Tls | Sequence[Tls]) -> None:
        """Changes the certificates, as when they were renewed: for connections made from now on."""
        self._raw.set_tls(identities(tls))

    def drain(self, url: str | None = None, description: str = "", *, grace: float = 60.0) -> None:
        """Winds the server down: stops listening and closes after `grace` seconds, or when all have left.

        Clients that can are asked to connect to `url` instead, or again to the same place. Does not wait.
        """
        self._raw.drain(url, description, grace)

    @property
    def draining(self) -> bool:
        """Whether it winds down."""
        return self._raw.draining

    @staticmethod
    def host_name() -> str:
        """The machine's name."""
        return RawServer.host_name()

    @staticmethod
    def platform() -> str:
        """System and processor, for example `linux x86_64`; the version is `rtmpkit.__version__`."""
        return RawServer.platform()

    def __repr__(self) -> str:
        where = ", ".join(f"{host}:{port}" for host, port in self._addresses) or "no address"
        return f"<{type(self).__name__} on {where}>"


class Server(BaseServer):
    """An RTMP server on threads of its own.

        with rtmpkit.Server("rtmp://0.0.0.0:1935", applications=[app]) as server:
            ...

    It listens as soon as it exists and ends with `close()`, with the `with` statement, or with the interpreter. What
    goes from a publisher to its players never touches Python.
    """

    def __init__(
        self,
        url: str | Iterable[str] | None = None,
        applications: Application | Iterable[Application] | None = None,
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
        """A server.

        url: where to listen, `rtmp://host[:port]`, `host[:port]` or `:port`, or several of them; by default nowhere yet, see
            `listen`. The port is 1935 unless it is named, 0 takes any free one; without a host it is every address. `rtmps://`
            is for TLS, `rtmpt://` for RTMP in HTTP requests, `rtmpts://` for those by TLS.
        applications: what it offers, one or several; by default an application `*` that accepts everything.
        workers: worker threads; 0 takes as many as the machine has cores.
        max_connections, max_connections_per_address: limits; 65,536 and none by default, 0 is no limit.
        player_queue_bytes, player_queue_seconds: what may wait for a slow player, 8 MiB and 5 s of media by default; then frames
            are dropped for it up to the next keyframe.
        stall_timeout: seconds without progress in sending after which a peer is disconnected, 15 by default.
        tolerance: `lenient` counts what clients do against the specifications without harm, `strict` disconnects them.
        tls: certificate chain and key, a pair of paths of PEM files or of PEM as bytes, or several pairs: clients are shown the
            first that is for the name they ask for.
        accept_rtmpe: let clients encrypt by RTMPE, Adobe's old and weak encryption, if this build can (it can by default).
        connect_timeout: seconds for the handshake, and again for connect, 10 by default.
        chunk_size: chunk size of what the server sends, 1 to 0x7FFFFFFF, which means no more than 16,777,215; 65,536 by default.
        reduce_for_players: send players what they announced to understand (`capsEx`, `fourCcList`): of a multitrack stream the
            lowest track, and legacy headers where there are some for those that announced nothing of Enhanced RTMP. Without it
            every player gets every message as it was published.
        io_uring: send to many players in one call to the kernel, on Linux where the kernel and the sandbox allow it.
        """
        dispatcher = Dispatcher("rtmpkit-server")
        limits: dict[str, Any] = {
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
        try:
            self._create(Engine(workers, io_uring=io_uring), dispatcher.queue, limits)
        except BaseException:
            dispatcher.stop()
            raise
        raw, engine = self._raw, self._engine
        tasks = self._tasks = LoopThread()

        def close() -> None:
            raw.close()
            engine.close(CLOSE_TIMEOUT)
            raw.release()
            dispatcher.stop()
            tasks.stop()

        self._close = finalize(self, close)
        try:
            for application in [Application("*")] if applications is None else offered(applications):
                self.add(application)
            for one in [] if url is None else [url] if isinstance(url, str) else url:
                self.listen(one)
        except BaseException:
            self.close()
            raise

    def listen(self, url: str) -> tuple[str, int]:
        """Listens on one more address and returns it as it was bound."""
        address = self._raw.listen(url)
        self._addresses.append(address)
        return address

    def add(self, application: Application) -> None:
        """Registers an application; also possible while the server listens."""
        if isinstance(application, Application) and application._needs_loop:
            raise ConfigError(f"{application!r} runs in an event loop: give it to a rtmpkit.aio.Server")
        super().add(application)

    def close(self) -> None:
        """Ends every connection and waits for the threads; handlers see the ends of their clients."""
        self._close()

    def _bridge(self, application: Application) -> Bridge:
        return Bridge(application, self._tasks.spawn, unraisable)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
