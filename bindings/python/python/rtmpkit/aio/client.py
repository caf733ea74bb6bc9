"""Outgoing connections in an event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from rtmpkit._calls import OnCall, answering
from rtmpkit._dispatch import CLOSE_TIMEOUT, finalize, shared_engine
from rtmpkit._rtmpkit import Engine, Frame, RawConnection, RawStream, ServerCall, Status, TrafficStats, Url, masked
from rtmpkit.aio._pump import Pump
from rtmpkit.aio._tasks import Tasks, report
from rtmpkit.aio.shared_object import SharedObject
from rtmpkit.client import OnStatus
from rtmpkit.exceptions import ConfigError, Timeout, WrongState
from rtmpkit.options import ConnectOptions
from rtmpkit.types import Buffer

__all__ = ["NetConnection", "NetStream", "Opening", "play", "publish"]

T = TypeVar("T")


class NetStream:
    """A stream over a connection: published with `write`, or played with `async for`."""

    def __init__(
        self, connection: NetConnection, raw: RawStream, name: str, timeout: float | None, follow: bool
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
        """Writes a frame, sharing its bytes. Never waits; raises `Full` when 8 MiB wait to be sent: see `drain`."""
        self._raw.write(frame)

    async def drain(self, timeout: float | None = None) -> None:
        """After `Full`: waits until less than half as much waits to be sent, or the stream is over.

        Returns at once when nothing was refused since. Raises `Timeout` when there is no room in time.
        """
        await self.connection._pump.until(lambda: self._raw.writable() or ..., timeout, "waiting for room to write")

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

    async def read(self, timeout: float | None = None) -> Frame | None:
        """The next frame; `None` when the stream has ended. Raises `Timeout` when none comes in time."""
        timeout = self._timeout if timeout is None else timeout
        return await self.connection._pump.until(lambda: self._raw.poll(self._follow), timeout, "waiting for a frame")

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        frame = await self.read()
        if frame is None:
            raise StopAsyncIteration
        return frame

    def play2(
        self,
        name: str,
        transition: str = "switch",
        *,
        old_name: str | None = None,
        start: int | None = None,
        duration: int | None = None,
        live: bool = False,
    ) -> None:
        """Plays another stream in the place of one, or after it, as `rtmpkit.NetStream.play2`."""
        self._raw.play2(name, transition, old_name=old_name, start=start, duration=duration, live=live)

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
        """Tells the server how much this side buffers, and watches that much; as in `rtmpkit.NetStream`."""
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

    async def close(self) -> None:
        """Ends the stream; also its connection, if that was opened for it alone."""
        self._raw.close()
        if self._owns_connection:
            await self.connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class Opening(Generic[T]):
    """Something that is being opened: `await` it, or use it in an `async with` statement."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], close: Callable[[T], Awaitable[None]]) -> None:
        self._coroutine = coroutine
        self._close = close

    def __await__(self) -> Generator[Any, None, T]:
        return self._coroutine.__await__()

    async def __aenter__(self) -> T:
        self._opened = await self._coroutine
        return self._opened

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close(self._opened)


class NetConnection:
    """A connection to another server: `async with rtmpkit.aio.NetConnection("rtmp://host/live") as nc`.

    Raises `Rejected` when the server refuses, `ConnectError` when there is none, `Timeout` when it does not answer.
    """

    _pump: Pump

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
        """A connection that `connect` opens; the arguments are those of `rtmpkit.NetConnection`.

        An `on_call` that is a coroutine runs as a task of the loop.
        """
        self._timeout = timeout
        self._args = args
        self._on_call = on_call
        self._on_status = on_status
        self._engine = engine
        self._follow_reconnects = follow_reconnects
        self._options = options
        self._raw: RawConnection | None = None
        self.url = url
        """Where it connects to."""

    async def connect(self) -> None:
        """Connects; `async with` does it for you."""
        if self._raw is not None:
            raise WrongState("already connected")
        self._pump = Pump()
        engine = self._engine or shared_engine()
        raw = RawConnection(
            engine,
            self._pump.queue,
            on_call=self._answering(),
            on_status=self._on_status,
            follow_reconnects=self._follow_reconnects,
            settings=None if self._options is None else self._options._settings(),
        )
        self._raw = raw
        self._drop = finalize(self, raw.close)
        try:
            raw.connect(self.url, *self._args)
            await self._pump.until(lambda: raw.connected() or ..., self._timeout, "connecting")
        except BaseException:
            self._drop()
            raw.release()
            self._pump.close()
            self._raw = None
            raise

    def publish(self, name: str, mode: str = "live") -> Opening[NetStream]:
        """Publishes a stream: `async with nc.publish("cam") as stream`, or `await` it."""
        return Opening(self._publish(name, mode), NetStream.close)

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
    ) -> Opening[NetStream]:
        """Plays a stream: `async with nc.play("cam") as frames`. The arguments are those of the threaded one."""
        return Opening(self._play(name, start, duration, live, follow, capacity, timeout), NetStream.close)

    def shared_object(self, name: str, persistent: bool = False) -> Opening[SharedObject]:
        """Joins a shared object of the server: `async with nc.shared_object("room") as so`, or `await` it.

        Raises `SharedObjectError` when the server refuses.
        """
        return Opening(self._shared_object(name, persistent), SharedObject.close)

    async def call(self, method: str, *args: Any, timeout: float | None = None) -> Any:
        """Calls a method of the server and returns its result; raises `CallFailed` if it fails."""
        timeout = self._timeout if timeout is None else timeout
        raw = self._connected()
        return await self._pump.reply(lambda queue, done: raw.submit(method, args, queue, done), timeout)

    def notify(self, method: str, *args: Any) -> None:
        """Calls a method of the server and asks for no result."""
        self._connected().notify(method, args)

    def add_header(self, name: str, value: Any, *, must_understand: bool = False) -> None:
        """Adds a header to every request from now on to a Flash Remoting gateway; `None` takes it away.

        A service that does not know one that it must understand refuses the calls. RTMP has no such headers.
        """
        self._connected().add_header(name, must_understand, value)

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""
        return self._raw is not None and self._raw.is_connected

    def reconnect_target(self, status: Status) -> str | None:
        """Where to connect instead, when `status` is the server's request to reconnect; `None` for any other."""
        return self._connected().reconnect_target(status)

    def reconnect_to(self, url: str) -> None:
        """Moves to another server: streams and shared objects go on there. The outcome comes as a status."""
        self._connected().reconnect_to(url)

    def stats(self) -> TrafficStats:
        """Bytes and messages so far."""
        return self._connected().stats()

    async def close(self, timeout: float | None = CLOSE_TIMEOUT) -> None:
        """Closes the connection and waits until what was written is sent."""
        raw, self._raw = self._raw, None
        if raw is None:
            return
        self._drop()
        try:
            await self._pump.until(lambda: raw.over or ..., timeout, "closing")
        except Timeout:
            pass
        finally:
            raw.release()
            self._pump.close()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} to {masked(self._raw.uri) if self._raw else 'nothing yet'}>"

    def _connected(self) -> RawConnection:
        if self._raw is None:
            raise WrongState("not connected: use `async with`, or await connect()")
        return self._raw

    def _answering(self) -> Callable[[ServerCall], None] | None:
        return None if self._on_call is None else answering(self._on_call, Tasks().spawn, report)

    async def _shared_object(self, name: str, persistent: bool) -> SharedObject:
        raw = self._connected()
        joined = SharedObject(lambda deliver: raw.shared_object(name, persistent, deliver), self._pump)
        try:
            await self._pump.until(lambda: joined._raw.joined() or ..., self._timeout, "joining the shared object")
        except BaseException:
            await joined.close()
            raise
        return joined

    async def _publish(self, name: str, mode: str) -> NetStream:
        raw = self._connected().stream()
        raw.publish(name, mode)
        await self._pump.until(lambda: raw.started() or ..., self._timeout, "publishing")
        return NetStream(self, raw, name, self._timeout, False)

    async def _play(
        self,
        name: str,
        start: int | None,
        duration: int | None,
        live: bool,
        follow: bool,
        capacity: int,
        timeout: float | None,
    ) -> NetStream:
        raw = self._connected().stream(capacity)
        raw.play(name, start=start, duration=duration, live=live)
        await self._pump.until(lambda: raw.started() or ..., self._timeout, "playing")
        return NetStream(self, raw, name, timeout, follow)


def publish(
    url: str,
    *,
    timeout: float | None = 10.0,
    mode: str = "live",
    engine: Engine | None = None,
    options: ConnectOptions | None = None,
) -> Opening[NetStream]:
    """Connects and publishes the stream that the URL names: `async with rtmpkit.aio.publish(url) as stream`.

    The arguments are those of `rtmpkit.publish`.
    """
    opening = _alone(url, timeout, engine, options, lambda nc, name: nc.publish(name, mode))
    return Opening(opening, NetStream.close)


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
) -> Opening[NetStream]:
    """Connects and plays the stream that the URL names: `async with rtmpkit.aio.play(url) as frames`.

    The arguments are those of `rtmpkit.play`.
    """

    def begin(nc: NetConnection, name: str) -> Opening[NetStream]:
        return nc.play(
            name,
            start=start,
            duration=duration,
            live=live,
            follow=follow,
            capacity=capacity,
            timeout=frame_timeout,
        )

    return Opening(_alone(url, timeout, engine, options, begin), NetStream.close)


async def _alone(
    url: str,
    timeout: float | None,
    engine: Engine | None,
    options: ConnectOptions | None,
    start: Callable[[NetConnection, str], Opening[NetStream]],
) -> NetStream:
    parsed = Url(url)
    if not parsed.stream:
        raise ConfigError(f"{parsed} names no stream: use rtmp://host/app/stream")
    connection = NetConnection(parsed.connection, timeout=timeout, engine=engine, options=options)
    await connection.connect()
    try:
        stream = await start(connection, parsed.stream)
    except BaseException:
        await connection.close()
        raise
    stream._owns_connection = True
    return stream
