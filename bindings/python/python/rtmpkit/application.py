"""Applications: what a server offers under a name."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar, overload

from rtmpkit._rtmpkit import CallRequest, ConfigFile, Instance, Peer, RawApplication, Secret, Takeover

__all__ = ["Application", "method"]

F = TypeVar("F", bound=Callable[..., Any])

_METHOD = "__rtmpkit_method__"


@overload
def method(name: F) -> F: ...
@overload
def method(name: str) -> Callable[[F], F]: ...
def method(name: Any) -> Any:
    """Makes a method of an `Application` class callable by clients, under its own name or another.

    class Chat(rtmpkit.Application):
        @rtmpkit.method
        def say(self, peer: rtmpkit.Peer, text: str) -> None: ...

        @rtmpkit.method("topic.set")
        async def set_topic(self, peer: rtmpkit.Peer, topic: str) -> bool: ...
    """
    if callable(name):
        return method(name.__name__)(name)

    def mark(function: F) -> F:
        setattr(function, _METHOD, name)
        return function

    return mark


class Application:
    """What a server offers under a name: `rtmp://host/NAME/stream`. The name `*` takes every name that is left.

    Handlers are given in one of two ways. Derive from the class and override the `on_...` methods:

        class Live(rtmpkit.Application):
            def on_publish(self, request: rtmpkit.PublishRequest) -> bool:
                return request.params.get("key") == "s3cret"

    or give functions to an object of it:

        app = rtmpkit.Application("live")

        @app.on_publish
        def check(request: rtmpkit.PublishRequest) -> bool:
            return request.params.get("key") == "s3cret"

    A handler that is asked something (`on_connect`, `on_publish`, `on_play`) may answer with the request's own methods,
    or return `True` or `None` to accept and `False` to refuse. To answer later, from any thread, keep the request: a
    request that is still referred to when the handler returns `None` waits, until it is answered, dropped (which
    refuses it) or `request_timeout` is over. A handler that raises refuses; the exception goes to
    `sys.unraisablehook`.

    Methods that clients may call are those decorated with `rtmpkit.method`, and functions given to `method()`. They get
    the calling peer and the arguments; what they return is the result, and what they raise fails the call.

    Handlers run one at a time, on a thread of the server; none of them should block for long. Handlers and methods may
    be coroutines (`async def`): those run side by side in an event loop on another thread of the server, and what they
    return counts when they are done. In a server of `rtmpkit.aio` everything runs in the loop it was started in.
    """

    _class_methods: dict[str, str] = {}
    _needs_loop = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = {getattr(value, _METHOD): name for name, value in vars(cls).items() if hasattr(value, _METHOD)}
        cls._class_methods = {**cls._class_methods, **own}

    def __init__(
        self,
        name: str,
        *,
        request_timeout: float | None = None,
        gop_cache_bytes: int | None = None,
        max_clients: int | None = None,
        login: str | None = None,
        idle_timeout: float | None = None,
        publish_idle: float | None = None,
        stream_dry: float | None = None,
        instance_idle: float | None = None,
        takeover: Takeover | None = None,
        latency: str | None = None,
        shared_objects_directory: str | os.PathLike[str] | None = None,
        autocommit: float | None = None,
        shared_object_max_per_client: int | None = None,
        shared_object_max_stored: int | None = None,
        shared_object_max_slots: int | None = None,
        shared_object_max_value_bytes: int | None = None,
        shared_object_max_bytes: int | None = None,
        shared_object_max_events: int | None = None,
        shared_object_max_sends_per_second: int | None = None,
        shared_object_max_waiting: int | None = None,
        directory: str | os.PathLike[str] | None = None,
        record_max_duration: float | None = None,
        record_max_bytes: int | None = None,
        record_queue_bytes: int | None = None,
        record_sync: float | None = None,
        config: str | os.PathLike[str] | None = None,
    ) -> None:
        """An application.

        request_timeout: seconds that a request may stay unanswered, 30 by default.
        gop_cache_bytes: bytes kept per stream for those who join late, 32 MiB by default; 0 keeps none.
        max_clients: clients in all instances together; no limit by default.
        login: how clients have to log in, as a user of `set_user`, before `on_connect` is asked about them: `adobe` or `llnw`.
            By default they need not; `on_connect` may see to it, by `ConnectRequest.check_login`.
        idle_timeout: seconds in which a client neither publishes nor plays nor calls, after which it is disconnected with
            NetConnection.Connect.IdleTimeout; no limit by default.
        publish_idle: seconds of silence after which a publisher gets NetStream.Publish.Idle; never by default.
        stream_dry: seconds in which a stream that is published, or held for its publisher, carries nothing after which its
            players are told (Stream Dry), and again after each further such time; looked at once a second. Never by default.
        instance_idle: seconds without client, stream or handle after which an instance goes; at once by default.
        takeover: what a publisher may do to the one before it; by default the second is refused.
        latency: how long messages may wait for others, to be sent together: `low_latency`, `balanced` (the default) or
            `throughput`.
        shared_objects_directory: where persistent shared objects are kept; by default there are none.
        autocommit: seconds between two commits of persistent shared objects that changed, 120 by default; with 0 they
            are stored when asked and when their last user leaves.
        shared_object_max_per_client: shared objects that one client may use at once, 64 by default.
        shared_object_max_stored: persistent shared objects that `shared_objects_directory` may hold, those in use included, of all
            applications that name it, 10,000 by default; beyond it clients make no new ones, and the program gets `Full`.
        shared_object_max_slots: slots of one shared object, 10,000 by default.
        shared_object_max_value_bytes: bytes of one slot's value, 65,536 by default.
        shared_object_max_bytes: bytes of all names and values of one shared object, 8 MiB at most; 1 MiB by default.
        shared_object_max_events: events in one message of a client, 1,000 by default.
        shared_object_max_sends_per_second: messages that one client may send to a shared object's users in a second, 10,000 by
            default.
        shared_object_max_waiting: messages kept for a shared object that is locked or being read, and events of it that wait
            for handlers, 4,096 by default.
        directory: the application's folder, with recorded streams in `streams/INSTANCE`. With it publishers may record,
            unless `on_publish` decides otherwise.
        record_max_duration: seconds that a recorded file may last; no limit by default. Its publisher is then told
            NetStream.Record.DiskQuotaExceeded and .Stop, and goes on live.
        record_max_bytes: bytes that a recorded file may have; no limit by default.
        record_queue_bytes: bytes of a recording that may wait for the disk, 32 MiB by default.
        record_sync: seconds after which what was recorded survives a power cut: so often the file is synchronised with the
            disk while it is written, and once more when it is complete, before NetStream.Record.Stop. It keeps the threads
            that write, and the disk, busy. Never by default: what the system has not written yet may be lost with the
            machine; it survives the end of the process anyway.
        config: a configuration file in TOML, see `config`.
        """
        self.name = name
        """The name that clients give in their URL's first path segment."""
        self._settings: dict[str, Any] = {
            "request_timeout": request_timeout,
            "gop_cache_bytes": gop_cache_bytes,
            "max_clients": max_clients,
            "login": login,
            "idle_timeout": idle_timeout,
            "publish_idle": publish_idle,
            "stream_dry": stream_dry,
            "instance_idle": instance_idle,
            "directory": directory,
            "record_max_duration": record_max_duration,
            "record_max_bytes": record_max_bytes,
            "record_queue_bytes": record_queue_bytes,
            "record_sync": record_sync,
            "takeover": takeover,
            "latency": latency,
            "shared_objects_directory": shared_objects_directory,
            "autocommit": autocommit,
            "shared_object_max_per_client": shared_object_max_per_client,
            "shared_object_max_stored": shared_object_max_stored,
            "shared_object_max_slots": shared_object_max_slots,
            "shared_object_max_value_bytes": shared_object_max_value_bytes,
            "shared_object_max_bytes": shared_object_max_bytes,
            "shared_object_max_events": shared_object_max_events,
            "shared_object_max_sends_per_second": shared_object_max_sends_per_second,
            "shared_object_max_waiting": shared_object_max_waiting,
        }
        self.config: ConfigFile | None = None if config is None else ConfigFile(config)
        """The configuration file: read it, edit it, save it."""
        self._registered: list[RawApplication] = []
        self._users: dict[str, str | Secret] = {}
        self._proxies: list[tuple[str, str | Peer, str]] = []
        self._handlers: dict[str, Callable[..., Any]] = {}
        self._methods: dict[str, Callable[..., Any]] = {}

    @overload
    def method(self, name: F) -> F: ...
    @overload
    def method(self, name: str) -> Callable[[F], F]: ...
    def method(self, name: Any) -> Any:
        """Makes a function callable by clients, under its own name or another: `function(peer, *args)` is the result.

        @app.method
        def add(peer: rtmpkit.Peer, a: float, b: float) -> float: ...
        """
        if callable(name):
            return self.method(name.__name__)(name)

        def register(function: F) -> F:
            self._methods[name] = function
            return function

        return register

    def proxy(self, name: str, target: str | Peer, remote_name: str | None = None) -> None:
        """Passes calls of a method on, to the application at a URL or to a client; its answer goes back to the caller.

        A connection to a URL is made with the first call, and made again when it was lost. A caller whose call cannot be
        passed on gets NetConnection.Proxy.NotResponding.
        """
        proxy = (name, target, remote_name or name)
        self._proxies.append(proxy)
        for raw in self._registered:
            _proxy(raw, *proxy)

    def set_user(self, user: str, secret: str | Secret | None) -> None:
        """Lets a user log in by a password, or by one that was hashed; with `None` no more."""
        if secret is None:
            self._users.pop(user, None)
        else:
            self._users[user] = secret
        for raw in self._registered:
            raw.set_user(user, secret)

    @property
    def instances(self) -> list[Instance]:
        """The instances alive now."""
        return [instance for raw in self._registered for instance in raw.instances()]

    @property
    def client_count(self) -> int:
        """Clients in all instances."""
        return sum(raw.client_count() for raw in self._registered)

    def close(self) -> None:
        """Disconnects all clients with NetConnection.Connect.AppShutdown and refuses new ones; the server goes on."""
        for raw in self._registered:
            raw.close()

    # The signatures below are open so that overriding methods may state the true ones, which the docstrings give.

    def on_instance_start(self, *args: Any, **kwargs: Any) -> Any:
        """`on_instance_start(instance: Instance)`: an instance came to life; first event of the instance."""
        return self._handle("on_instance_start", args)

    def on_instance_idle(self, *args: Any, **kwargs: Any) -> Any:
        """`on_instance_idle(instance: Instance) -> bool`: nobody uses it for `instance_idle`: may it go? Default: yes."""
        return self._handle("on_instance_idle", args)

    def on_instance_stop(self, *args: Any, **kwargs: Any) -> Any:
        """`on_instance_stop(instance: Instance)`: an instance goes; last event of the instance."""
        return self._handle("on_instance_stop", args)

    def on_status(self, *args: Any, **kwargs: Any) -> Any:
        """`on_status(instance: Instance, status: Status)`: something happened to an instance.

        Application.Shutdown, Application.GC, NetStream.Clear.Success or .Failed.
        """
        return self._handle("on_status", args)

    def on_connect(self, *args: Any, **kwargs: Any) -> Any:
        """`on_connect(request: ConnectRequest) -> bool | None`: a client asks to connect. Default: accept."""
        return self._handle("on_connect", args)

    def on_accept(self, *args: Any, **kwargs: Any) -> Any:
        """`on_accept(peer: Peer)`: a client was accepted and told so: what is sent to it from here on comes after that."""
        return self._handle("on_accept", args)

    def on_reject(self, *args: Any, **kwargs: Any) -> Any:
        """`on_reject(peer: Peer, why: Status)`: a connection attempt was refused."""
        return self._handle("on_reject", args)

    def on_disconnect(self, *args: Any, **kwargs: Any) -> Any:
        """`on_disconnect(peer: Peer, why: Status)`: an accepted client is gone; its last event."""
        return self._handle("on_disconnect", args)

    def on_publish(self, *args: Any, **kwargs: Any) -> Any:
        """`on_publish(request: PublishRequest) -> bool | None`: a client asks to publish. Default: accept."""
        return self._handle("on_publish", args)

    def on_unpublish(self, *args: Any, **kwargs: Any) -> Any:
        """`on_unpublish(peer: Peer, stream: Stream)`: a client stopped publishing."""
        return self._handle("on_unpublish", args)

    def on_record(self, *args: Any, **kwargs: Any) -> Any:
        """`on_record(recording: Recording, status: Status)`: how a recording goes, of a publisher or of the host.

        NetStream.Record.Start once its file is open, .Stop once it is complete, .DiskQuotaExceeded before .Stop when a limit
        ended it; .Failed, .NoAccess or .AlreadyExists when there is none, or no more.
        """
        return self._handle("on_record", args)

    def on_play(self, *args: Any, **kwargs: Any) -> Any:
        """`on_play(request: PlayRequest) -> bool | None`: a client asks to play. Default: accept."""
        return self._handle("on_play", args)

    def on_stop(self, *args: Any, **kwargs: Any) -> Any:
        """`on_stop(peer: Peer, stream_name: str)`: a client stopped playing."""
        return self._handle("on_stop", args)

    def on_stream_length(self, *args: Any, **kwargs: Any) -> Any:
        """`on_stream_length(request: StreamLengthRequest) -> float | None`: how many seconds a stream is long.

        `None`, the default: as long as its file, 0 for live streams.
        """
        return self._handle("on_stream_length", args)

    def on_call(self, *args: Any, **kwargs: Any) -> Any:
        """`on_call(request: CallRequest) -> object`: a client calls a method; what is returned is the result.

        `NotImplemented` says that there is no such method. Default: the methods that clients may call.
        """
        return self._handle("on_call", args)

    def on_error(self, *args: Any, **kwargs: Any) -> Any:
        """`on_error(peer: Peer, status: Status)`: a client sent something that cannot be processed.

        NetStream.Publish.BadName: it may not publish though `on_publish` accepted, because another publishes under that name.
        """
        return self._handle("on_error", args)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def _handle(self, event: str, args: tuple[Any, ...]) -> Any:
        if len(args) == 1 and callable(args[0]):
            self._handlers[event] = args[0]
            return args[0]
        handler = self._handlers.get(event)
        if handler is not None:
            return handler(*args)
        if event == "on_call":
            return self._call(*args)
        return None

    def _call(self, request: CallRequest) -> Any:
        method = self._methods.get(request.method)
        if method is None:
            name = self._class_methods.get(request.method)
            if name is None:
                return NotImplemented
            method = getattr(self, name)
        peer: Peer = request.peer
        return method(peer, *request.args)

    def _register(self, raw: RawApplication) -> None:
        for user, secret in self._users.items():
            raw.set_user(user, secret)
        for proxy in self._proxies:
            _proxy(raw, *proxy)
        self._registered.append(raw)


class PeerMethod:
    """A method of one client, in the place of an application."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def on_call(self, request: CallRequest) -> Any:
        """Calls it."""
        return self._function(request.peer, *request.args)


def _proxy(raw: RawApplication, name: str, target: str | Peer, remote_name: str) -> None:
    if isinstance(target, str):
        raw.proxy_to_url(name, target, remote_name)
    else:
        raw.proxy_to_peer(name, target, remote_name)
