"""Outgoing connections: publish to and play from other servers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from rtmpkit._calls import OnCall, answering
from rtmpkit._dispatch import CLOSE_TIMEOUT, Dispatcher, finalize, shared_engine
from rtmpkit._rtmpkit import Engine, Frame, RawConnection, RawStream, Status, TrafficStats, Url, masked
from rtmpkit._tasks import LoopThread, unraisable
from rtmpkit.exceptions import ConfigError, Error, Timeout
from rtmpkit.options import ConnectOptions
from rtmpkit.shared_object import SharedObject
from rtmpkit.types import Buffer

__all__ = ["Client", "NetConnection", "NetStream", "play", "publish"]

S = TypeVar("S", bound=SharedObject)
OnStatus = Callable[[Status], object]


class NetStream:
    """A stream over a connection: published with `write`, or played by iterating it.

    Use it in a `with` statement, or close it.
    """

    def __init__(
        self,
        connection: NetConnection,
        raw: RawStream,
        name: str,
        timeout: float | None,
        follow: bool = False,
    ) -> None:
        self._raw = raw
        self._timeout = timeout
        self._follow = follow
        self._owns_connection = False
        self.connection = connection
        """The connection it belongs to."""
        self.name = name
        """The stream's name."""

    def write(self, frame: Frame) -> None:
        """Writes a frame, sharing its bytes. Raises `Full` when 8 MiB wait to be sent; see `wait_writable`."""
        self._raw.write(frame)

    def wait_writable(self, timeout: float | None = None) -> None:
        """After `Full`: waits until less than half as much waits to be sent, or the stream is over.

        Returns at once when nothing was refused since. Raises `Timeout` when there is no room in time.
        """
        self.connection._check_thread("wait_writable")
        if not self._raw.wait_writable(timeout):
            raise Timeout("waiting for room to write timed out")

    def write_video(
        self,
        payload: Buffer,
        timestamp: int,
        *,
        codec: str = "avc1",
        keyframe: bool = False,
        composition: int = 0,
        config: bool = False,
    ) -> None:
        """Writes coded video, or with `config` a configuration record; times in milliseconds."""
        self._raw.write_video(
            payload, timestamp, codec=codec, keyframe=keyframe, composition=composition, config=config
        )

    def write_audio(self, payload: Buffer, timestamp: int, *, codec: str = "mp4a", config: bool = False) -> None:
        """Writes coded audio, or with `config` a configuration; the time in milliseconds."""
        self._raw.write_audio(payload, timestamp, codec=codec, config=config)

    def write_data(self, name: str, *args: Any, timestamp: int = 0) -> None:
        """Sends a data message: a handler's name and its arguments."""
        self._raw.write_data(name, *args, timestamp=timestamp)

    def write_metadata(self, metadata: dict[str, Any], timestamp: int = 0) -> None:
        """Sends what those who join late get first: `@setDataFrame` with `onMetaData`."""
        self._raw.write_data("@setDataFrame", "onMetaData", metadata, timestamp=timestamp)

    def read(self, timeout: float | None = None) -> Frame | None:
        """The next frame; `None` when the stream has ended. Raises `Timeout` when none comes in time."""
        self.connection._check_thread("read")
        return self._raw.read(self._timeout if timeout is None else timeout, self._follow)

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        frame = self.read()
        if frame is None:
            raise StopIteration
        return frame

    def play2(
        self,
        name: str,
        transition: str = "switch",
        *,
        old_name: str | None = None,
        start: int | None = None,
        duration: int | None = None,
        offset: int | None = None,
        live: bool = False,
    ) -> None:
        """Plays another stream in the place of `old_name`, by default of the one that plays, or after it.

        transition: `switch` (to another rendition, at a keyframe), `swap`, `append`, `appendAndWait`, `reset`, `resume` or
        `stop`. start, duration: milliseconds, as for `NetConnection.play`. offset: where in the stream to switch or resume, in
        milliseconds; by default as soon as it can be.
        """
        self._raw.play2(
            name, transition, old_name=old_name, start=start, duration=duration, offset=offset, live=live
        )

    def seek(self, millis: int) -> None:
        """Jumps to a time of a recorded stream, in milliseconds: to the keyframe before it.

        Does not wait. What is read next is of the new place: frames that came before it are dropped. `StreamError` is raised
        there when the server refuses, as for a time beyond the end.
        """
        self._raw.seek(millis)

    def pause(self, on: bool = True) -> None:
        """Pauses, or goes on."""
        self._raw.pause(on)

    def receive(self, *, audio: bool = True, video: bool = True) -> None:
        """Says whether audio and video are wanted."""
        self._raw.receive(audio=audio, video=video)

    def set_buffer(self, millis: int) -> None:
        """Tells the server how much this side buffers, and watches that much.

        `status` is NetStream.Buffer.Full when that much has come, NetStream.Buffer.Empty when the clock has passed all that
        came, and NetStream.Buffer.Flush when the stream ends. Frames can be read at once all the same.
        """
        self._raw.set_buffer(millis)

    def set_send_buffer(self, millis: int) -> None:
        """Limits, in milliseconds of media, what may wait to be sent: when more does, writing raises `Full`.

        There is room again once no more than half does. 0, the default, limits nothing by time.
        """
        self._raw.set_send_buffer(millis)

    @property
    def send_buffer(self) -> int:
        """Milliseconds that `set_send_buffer` asked for."""
        return self._raw.send_buffer

    @property
    def time(self) -> float:
        """Seconds that it has been published, since the server said so; it stands still when that has ended."""
        return self._raw.time

    @property
    def buffer(self) -> int:
        """Milliseconds that `set_buffer` asked for."""
        return self._raw.buffer

    @property
    def status(self) -> Status | None:
        """The last status: what the server sent, or a change of the buffer."""
        return self._raw.status

    @property
    def is_dry(self) -> bool:
        """Whether the server said that it has nothing to send for now (Stream Dry), and nothing has come since."""
        return self._raw.is_dry

    @property
    def dropped(self) -> int:
        """Frames dropped because they were not taken fast enough."""
        return self._raw.dropped

    @property
    def closed(self) -> bool:
        """Whether the stream is over."""
        return self._raw.closed

    def close(self) -> None:
        """Ends the stream; also its connection, if that was opened for it alone."""
        self._raw.close()
        if self._owns_connection:
            self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<NetStream {masked(self.name)!r}>"


class NetConnection:
    """A connection to another server: `rtmp://[user:password@]host[:port]/app[/instance]`. It stands when the constructor returns.

        with rtmpkit.NetConnection("rtmp://host/live", timeout=5) as nc:
            print(nc.call("add", 1, 2))
            with nc.play("cam") as frames:
                for frame in frames: ...

    `http://` and `https://` lead to a Flash Remoting gateway, which takes calls and nothing else: `nc.call("service.method")`.

    Raises `Rejected` when the server refuses, `ConnectError` when there is none, `Timeout` when it does not answer.
    """

    def __init__(
        self,
        url: str,
        *args: Any,
        timeout: float | None = 10.0,
        on_call: OnCall | None = None,
        on_status: OnStatus | None = None,
        engine: Engine | None = None,
        follow_reconnects: bool = False,
        options: ConnectOptions | None = None,
    ) -> None:
        """Connects.

        args: user arguments of the connect command.
        timeout: seconds to wait for the server, here and in every method that waits; `None` waits for ever.
        on_call: `on_call(method, args)` returns the result of a method that the server calls, or `NotImplemented`. It may be
            a coroutine (`async def`), whose result counts when it is done; what it raises fails the call, `PermissionError`
            with NetConnection.Call.Prohibited.
            Coroutines run side by side in an event loop on another thread.
        on_status: `on_status(status)` is told of every status of the connection.
        engine: the threads to live on; by default those that all outgoing connections share.
        follow_reconnects: when the server asks to connect elsewhere on the same host, do: streams and shared objects go
            on there. When it refuses the connection and says where on the same host to connect instead, do that. By default
            `on_status` hears NetConnection.Connect.ReconnectRequest and nothing else happens, and a refusal raises
            `Rejected` with `redirect`.
        options: what it announces, and who it logs in as.
        """
        self._timeout = timeout
        self.url = url
        """Where it is connected to."""
        threads: list[Dispatcher] = []
        if on_call is not None or on_status is not None:
            threads.append(Dispatcher("rtmpkit-connection"))
        self._threads = threads
        tasks = LoopThread()
        raw = RawConnection(
            engine or shared_engine(),
            threads[0].queue if threads else None,
            on_call=None if on_call is None else answering(on_call, tasks.spawn, unraisable),
            on_status=on_status,
            follow_reconnects=follow_reconnects,
            settings=None if options is None else options._settings(),
        )
        self._raw = raw

        def close() -> None:
            raw.close()
            if not threads:
                return
            [dispatcher] = threads
            if dispatcher.is_current:
                # A handler closes its own connection: its thread still has the end of it to deliver.
                threading.Thread(target=end, args=(dispatcher,), daemon=True).start()
            else:
                end(dispatcher)

        def end(dispatcher: Dispatcher) -> None:
            raw.wait_closed(CLOSE_TIMEOUT)
            raw.release()
            dispatcher.stop()
            tasks.stop()

        self._close = finalize(self, close)
        try:
            raw.connect(url, *args)
            raw.wait_connected(timeout)
        except BaseException:
            self._close()
            raise

    def publish(self, name: str, mode: str = "live") -> NetStream:
        """Publishes a stream; raises `StreamError` if the server refuses.

        mode: `live`, `record`, `append`, or `appendWithGap`, which keeps the time since; the server decides whether it records.
        """
        self._check_thread("publish")
        raw = self._raw.stream()
        raw.publish(name, mode)
        raw.wait_started(self._timeout)
        return NetStream(self, raw, name, self._timeout)

    def play(
        self,
        name: str,
        *,
        start: int | None = None,
        duration: int | None = None,
        live: bool = False,
        follow: bool = False,
        capacity: int = 1024,
        timeout: float | None = None,
    ) -> NetStream:
        """Plays a stream: iterate what it returns. Raises `StreamError` if the server refuses.

        start: where to start in a recording, in milliseconds. duration: how long to play, in milliseconds.
        live: only live. follow: go on with the next publisher when one leaves, instead of ending.
        capacity: frames that may wait; when there are more, frames are dropped to the next keyframe.
        timeout: seconds to wait for a frame; by default without end.
        """
        self._check_thread("play")
        raw = self._raw.stream(capacity)
        raw.play(name, start=start, duration=duration, live=live)
        raw.wait_started(self._timeout)
        return NetStream(self, raw, name, timeout, follow)

    def call(self, method: str, *args: Any, timeout: float | None = None) -> Any:
        """Calls a method of the server and returns its result; raises `CallFailed` if it fails."""
        return self._raw.call(method, args, self._timeout if timeout is None else timeout)

    def notify(self, method: str, *args: Any) -> None:
        """Calls a method of the server and asks for no result."""
        self._raw.notify(method, args)

    def add_header(self, name: str, value: Any, *, must_understand: bool = False) -> None:
        """Adds a header to every request from now on to a Flash Remoting gateway; `None` takes it away.

        A service that does not know one that it must understand refuses the calls. RTMP has no such headers.
        """
        self._raw.add_header(name, must_understand, value)

    @overload
    def shared_object(
        self, name: str, persistent: bool = False, *, cls: None = None, timeout: float | None = None
    ) -> SharedObject: ...
    @overload
    def shared_object(
        self, name: str, persistent: bool = False, *, cls: type[S], timeout: float | None = None
    ) -> S: ...
    def shared_object(
        self,
        name: str,
        persistent: bool = False,
        *,
        cls: type[SharedObject] | None = None,
        timeout: float | None = None,
    ) -> SharedObject:
        """Joins a shared object of the server: when this returns, its slots are there.

        cls: a class derived from `SharedObject`, whose handlers hear everything from the start.
        Raises `SharedObjectError` when the server refuses.
        """
        self._check_thread("shared_object")
        # Without handlers of its own the connection's events are on threads of the library, where Python must not run.
        if not self._threads:
            self._threads.append(Dispatcher("rtmpkit-connection"))
        queue = self._threads[0].queue
        joined = (cls or SharedObject)(lambda deliver: self._raw.shared_object(name, persistent, deliver, queue))
        try:
            joined._raw.wait_joined(self._timeout if timeout is None else timeout)
        except BaseException:
            joined.close()
            raise
        return joined

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""
        return self._raw.is_connected

    @property
    def uri(self) -> str:
        """The URI connected to (`tcUrl`)."""
        return self._raw.uri

    def reconnect_target(self, status: Status) -> str | None:
        """Where to connect instead, when `status` is the server's request to reconnect; `None` for any other.

        Raises when the target is no RTMP URL or protects less than the present connection.
        """
        return self._raw.reconnect_target(status)

    def reconnect_to(self, url: str) -> None:
        """Moves to another server as `follow_reconnects` does: streams and shared objects go on there.

        Returns at once; `on_status` hears NetConnection.Connect.Success of the new connection, or .ReconnectFailed.
        """
        self._raw.reconnect_to(url)

    def stats(self) -> TrafficStats:
        """Bytes and messages so far."""
        return self._raw.stats()

    def deviations(self) -> dict[str, int]:
        """What the server did against the specifications without harm, by name, with how often."""
        return self._raw.deviations()

    def close(self, timeout: float | None = CLOSE_TIMEOUT) -> None:
        """Closes the connection and waits until what was written is sent; in its own handlers without waiting."""
        self._raw.close()
        if not self._in_handler:
            self._raw.wait_closed(timeout)
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} to {masked(self.uri)}>"

    @property
    def _in_handler(self) -> bool:
        return any(thread.is_current for thread in self._threads)

    def _check_thread(self, what: str) -> None:
        if self._in_handler:
            raise Error(f"{what} waits for the thread that it was called on: call it outside the connection's handlers")


class Client(NetConnection):
    """A connection by the URL of a stream: `rtmp://host[:port]/app/stream`. The stream's name need not be repeated.

        with rtmpkit.Client("rtmp://host/live/cam") as client, client.play() as frames:
            for frame in frames: ...

    The server's view of a connection is `Peer`.
    """

    def __init__(
        self,
        url: str,
        *args: Any,
        timeout: float | None = 10.0,
        on_call: OnCall | None = None,
        on_status: OnStatus | None = None,
        engine: Engine | None = None,
        follow_reconnects: bool = False,
        options: ConnectOptions | None = None,
    ) -> None:
        """Connects; the arguments are those of `NetConnection`."""
        parsed = Url(url)
        self.stream_name = parsed.stream
        """The stream that the URL names."""
        super().__init__(
            parsed.connection,
            *args,
            timeout=timeout,
            on_call=on_call,
            on_status=on_status,
            engine=engine,
            follow_reconnects=follow_reconnects,
            options=options,
        )

    def publish(self, name: str | None = None, mode: str = "live") -> NetStream:
        """Publishes the stream of the URL, or another one of the same application."""
        return super().publish(self._named(name), mode)

    def play(
        self,
        name: str | None = None,
        *,
        start: int | None = None,
        duration: int | None = None,
        live: bool = False,
        follow: bool = False,
        capacity: int = 1024,
        timeout: float | None = None,
    ) -> NetStream:
        """Plays the stream of the URL, or another one of the same application."""
        return super().play(
            self._named(name),
            start=start,
            duration=duration,
            live=live,
            follow=follow,
            capacity=capacity,
            timeout=timeout,
        )

    def _named(self, name: str | None) -> str:
        if name or self.stream_name:
            return name or self.stream_name
        raise ConfigError(f"{masked(self.url)} names no stream: use rtmp://host/app/stream")


def publish(
    url: str,
    *,
    timeout: float | None = 10.0,
    mode: str = "live",
    engine: Engine | None = None,
    options: ConnectOptions | None = None,
) -> NetStream:
    """Connects and publishes the stream that the URL names; closing the stream closes the connection.

    mode: as for `NetConnection.publish`. options: what the connection announces, and who it logs in as.
    """
    client = Client(url, timeout=timeout, engine=engine, options=options)
    return _owned(client, lambda: client.publish(mode=mode))


def play(
    url: str,
    *,
    timeout: float | None = 10.0,
    start: int | None = None,
    duration: int | None = None,
    live: bool = False,
    follow: bool = False,
    capacity: int = 1024,
    frame_timeout: float | None = None,
    engine: Engine | None = None,
    options: ConnectOptions | None = None,
) -> NetStream:
    """Connects and plays the stream that the URL names; closing the stream closes the connection.

    timeout: seconds to wait for the server. frame_timeout: seconds to wait for each frame; by default without end.
    start, duration, live, follow, capacity: as for `NetConnection.play`.
    options: what the connection announces, and who it logs in as.
    """
    client = Client(url, timeout=timeout, engine=engine, options=options)

    def begin() -> NetStream:
        return client.play(
            start=start, duration=duration, live=live, follow=follow, capacity=capacity, timeout=frame_timeout
        )

    return _owned(client, begin)


def _owned(client: Client, start: Callable[[], NetStream]) -> NetStream:
    try:
        stream = start()
    except BaseException:
        client.close()
        raise
    stream._owns_connection = True
    return stream
