"""Applications: what a server offers under a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from rtmpkit._rtmpkit import CallRequest, Peer

__all__ = ["Application"]

F = TypeVar("F", bound=Callable[..., Any])


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

    Handlers run one at a time, on a thread of the server; none of them should block for long.
    """

    def __init__(
        self,
        name: str,
        *,
        request_timeout: float | None = None,
        gop_cache_bytes: int | None = None,
        max_clients: int | None = None,
    ) -> None:
        """An application.

        request_timeout: seconds that a request may stay unanswered, 30 by default.
        gop_cache_bytes: bytes kept per stream for those who join late, 32 MiB by default; 0 keeps none.
        max_clients: clients in all instances together; no limit by default.
        """
        self.name = name
        """The name that clients give in their URL's first path segment."""
        self.request_timeout = request_timeout
        self.gop_cache_bytes = gop_cache_bytes
        self.max_clients = max_clients
        self._handlers: dict[str, Callable[..., Any]] = {}
        self._methods: dict[str, Callable[..., Any]] = {}

    def method(self, name: str) -> Callable[[F], F]:
        """Makes a function callable by clients: `function(peer, *args)` returns the result.

        @app.method("add")
        def add(peer: rtmpkit.Peer, a: float, b: float) -> float: ...
        """

        def register(function: F) -> F:
            self._methods[name] = function
            return function

        return register

    # The signatures below are open so that overriding methods may state the true ones, which the docstrings give.

    def on_instance_start(self, *args: Any, **kwargs: Any) -> Any:
        """`on_instance_start(instance: Instance)`: an instance came to life; first event of the instance."""
        return self._handle("on_instance_start", args)

    def on_instance_stop(self, *args: Any, **kwargs: Any) -> Any:
        """`on_instance_stop(instance: Instance)`: an instance is about to go; last event of the instance."""
        return self._handle("on_instance_stop", args)

    def on_connect(self, *args: Any, **kwargs: Any) -> Any:
        """`on_connect(request: ConnectRequest) -> bool | None`: a client asks to connect. Default: accept."""
        return self._handle("on_connect", args)

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

    def on_play(self, *args: Any, **kwargs: Any) -> Any:
        """`on_play(request: PlayRequest) -> bool | None`: a client asks to play. Default: accept."""
        return self._handle("on_play", args)

    def on_stop(self, *args: Any, **kwargs: Any) -> Any:
        """`on_stop(peer: Peer, stream_name: str)`: a client stopped playing."""
        return self._handle("on_stop", args)

    def on_call(self, *args: Any, **kwargs: Any) -> Any:
        """`on_call(request: CallRequest) -> object`: a client calls a method; what is returned is the result.

        `NotImplemented` says that there is no such method. Default: the functions given to `method()`.
        """
        return self._handle("on_call", args)

    def on_error(self, *args: Any, **kwargs: Any) -> Any:
        """`on_error(peer: Peer, status: Status)`: a client sent something that cannot be processed."""
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
            return NotImplemented
        peer: Peer = request.peer
        return method(peer, *request.args)
