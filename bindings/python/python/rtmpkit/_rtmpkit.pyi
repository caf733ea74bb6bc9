"""The compiled part of rtmpkit."""

from collections.abc import Awaitable, Callable, Coroutine
from os import PathLike
from pathlib import Path
from types import EllipsisType
from typing import Any, Literal, Self, TypeAlias, TypeVar, final, overload

from rtmpkit.shared_object import SharedObject
from rtmpkit.types import Buffer

_S = TypeVar("_S", bound=SharedObject)

_FrameType: TypeAlias = Literal["audio", "video", "data"]
_RelayState: TypeAlias = Literal["idle", "connecting", "connected", "streaming", "waiting", "ended"]

__all__ = [
    "Bandwidth",
    "CallRequest",
    "ConfigFile",
    "ConnectRequest",
    "Engine",
    "FlvReader",
    "FlvWriter",
    "Frame",
    "Instance",
    "InstanceStats",
    "Payload",
    "Peer",
    "PeerStats",
    "PlayRequest",
    "Publication",
    "PublishRequest",
    "Queue",
    "RawApplication",
    "RawConnection",
    "RawServer",
    "RawSharedObject",
    "RawStream",
    "RecordStats",
    "Recording",
    "ServerStats",
    "Status",
    "Stream",
    "StreamLengthRequest",
    "StreamStats",
    "Subscription",
    "Takeover",
    "TrafficStats",
    "Url",
    "__version__",
    "amf0_decode",
    "amf0_encode",
    "amf3_decode",
    "amf3_encode",
    "masked",
]

__version__: str

def masked(url: str) -> str:
    """A URL or a stream's name as logs may show it: with `***` for the password and for everything behind the first `?`."""

def amf0_encode(*values: Any) -> bytes:
    """Values as AMF0, one after the other."""

def amf0_decode(data: Buffer) -> list[Any]:
    """Every value in AMF0 data."""

def amf3_encode(*values: Any) -> bytes:
    """Values as AMF3, one after the other, with common tables of what was written before."""

def amf3_decode(data: Buffer) -> list[Any]:
    """Every value in AMF3 data. Raises `AmfError`."""

@final
class Payload:
    """Keeps bytes of the library alive for the memoryviews on them."""

    def __len__(self) -> int: ...

@final
class Frame:
    """One audio, video or data frame. Immutable; its bytes are the library's own and are never copied."""

    def __new__(cls, type: _FrameType, timestamp: int, body: Buffer) -> Self: ...
    @staticmethod
    def video(
        payload: Buffer,
        timestamp: int,
        *,
        codec: str = "avc1",
        keyframe: bool = False,
        composition: int = 0,
        track: int = 0,
        timestamp_ns: int = 0,
    ) -> Frame:
        """Coded video: `codec` is a FourCC, `composition` the presentation time less the decoding time, `timestamp_ns`
        nanoseconds to add to the presentation time (Enhanced RTMP, below a million)."""

    @staticmethod
    def video_config(payload: Buffer, timestamp: int = 0, *, codec: str = "avc1", track: int = 0) -> Frame:
        """A video configuration record (avcC, hvcC, av1C, ...), which players need before any coded frame."""

    @staticmethod
    def audio(
        payload: Buffer, timestamp: int, *, codec: str = "mp4a", track: int = 0, timestamp_ns: int = 0
    ) -> Frame:
        """Coded audio: `codec` is a FourCC such as `mp4a`, `timestamp_ns` as for video."""

    @staticmethod
    def audio_config(payload: Buffer, timestamp: int = 0, *, codec: str = "mp4a", track: int = 0) -> Frame:
        """An audio configuration (AudioSpecificConfig, OpusHead, ...)."""

    @staticmethod
    def color_info(info: dict[str, Any], timestamp: int = 0, *, codec: str = "hvc1") -> Frame:
        """Colour information for the pictures that follow: `colorConfig`, `hdrCll` and `hdrMdcv` as Enhanced RTMP names
        them; an empty dict takes back what was told before."""

    @staticmethod
    def script(name: str, *args: Any, timestamp: int = 0) -> Frame:
        """A data message: a handler's name, for example `onMetaData`, and its arguments."""

    @property
    def type(self) -> _FrameType:
        """`audio`, `video` or `data`."""

    @property
    def timestamp(self) -> int:
        """Decoding time in milliseconds; it goes on counting past 32 bits."""

    @property
    def timestamp_ns(self) -> int:
        """Nanoseconds to add to the presentation time, below a million (Enhanced RTMP)."""

    @property
    def composition(self) -> int:
        """Presentation time less decoding time, in milliseconds."""

    @property
    def codec(self) -> str | None:
        """The codec's FourCC, for example `avc1` or `mp4a`; `None` when it has none or is unknown."""

    @property
    def track(self) -> int:
        """The track, 0 unless a multitrack body names another."""

    @property
    def keyframe(self) -> bool:
        """Whether decoding can start here."""

    @property
    def config(self) -> bool:
        """Whether this is a codec configuration (sequence header)."""

    @property
    def metadata(self) -> bool:
        """Whether this is stream metadata (`onMetaData`)."""

    @property
    def end_of_sequence(self) -> bool:
        """Whether the sequence of this track ends here."""

    @property
    def disposable(self) -> bool:
        """Whether no other frame refers to this one."""

    @property
    def command(self) -> bool:
        """Whether this is a video command, such as the start or the end of a seek, and no picture."""

    @property
    def enhanced(self) -> bool:
        """Whether the body has an Enhanced RTMP header."""

    @property
    def data(self) -> memoryview:
        """What follows the tag header: codec data or configuration. A read-only view that copies nothing."""

    @property
    def body(self) -> memoryview:
        """The whole message body, as an FLV tag has it. A read-only view that copies nothing."""

    def values(self) -> list[Any]:
        """The values of a data frame: a handler's name and its arguments. Empty for audio and video."""

    def colors(self) -> dict[str, Any] | None:
        """What a frame of colour information tells, an empty dict where it takes back what was told; `None` for all else."""

    def parameters(self) -> dict[str, int]:
        """What a configuration tells: `width`, `height`, `rate`, `channels`, each where it is known."""

    def at(self, timestamp: int) -> Frame:
        """The same frame at another time, sharing the bytes."""

    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Status:
    """What a peer was told about its connection, stream or call: level, code, description and further members."""

    def __new__(
        cls, code: str, description: str = "", level: str | None = None, info: dict[str, Any] | None = None
    ) -> Self: ...
    @property
    def level(self) -> str:
        """`status`, `warning` or `error`."""

    @property
    def code(self) -> str:
        """The code, for example `NetStream.Publish.Start`."""

    @property
    def description(self) -> str:
        """Text for people."""

    @property
    def info(self) -> dict[str, Any]:
        """All other members."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Url:
    """An RTMP URL taken apart: `rtmp://host[:port]/app[/instance]/stream`. `str` and `repr` show no password and no query."""

    def __new__(cls, url: str) -> Self: ...
    @property
    def host(self) -> str:
        """Host name or address."""

    @property
    def port(self) -> int:
        """Port; 1935 unless the URL names another."""

    @property
    def app(self) -> str:
        """Application, with instance and query."""

    @property
    def stream(self) -> str:
        """Name of the stream, with prefix and query; empty if the URL ends before it."""

    @property
    def connection(self) -> str:
        """The URL without the stream's name, to connect to, with user and password."""

    @property
    def text(self) -> str:
        """The whole URL, with password and queries; `str` masks these."""

@final
class TrafficStats:
    """Bytes and messages."""

    @property
    def bytes_in(self) -> int: ...
    @property
    def bytes_out(self) -> int: ...
    @property
    def messages_in(self) -> int: ...
    @property
    def messages_out(self) -> int: ...
    @property
    def messages_dropped(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class ServerStats:
    """Counts of a server."""

    @property
    def connections(self) -> int: ...
    @property
    def accepted(self) -> int: ...
    @property
    def turned_away(self) -> int: ...
    @property
    def overrun(self) -> int:
        """Clients disconnected or refused because more waited for them than may: they did not read, their worker was held up,
        or the host asked for too much before it accepted them."""

    @property
    def traffic(self) -> TrafficStats: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class InstanceStats:
    """Counts of an application instance."""

    @property
    def clients(self) -> int: ...
    @property
    def accepted(self) -> int: ...
    @property
    def rejected(self) -> int: ...
    @property
    def streams(self) -> int: ...
    @property
    def traffic(self) -> TrafficStats: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class StreamStats:
    """Counts of a live stream."""

    @property
    def publishing(self) -> bool: ...
    @property
    def players(self) -> int: ...
    @property
    def messages(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def cached_messages(self) -> int: ...
    @property
    def cached_bytes(self) -> int: ...
    @property
    def undelivered(self) -> tuple[int, int]: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class RecordStats:
    """Counts of a recording."""

    @property
    def recording(self) -> bool: ...
    @property
    def ended(self) -> bool: ...
    @property
    def bytes(self) -> int: ...
    @property
    def durable_bytes(self) -> int:
        """Bytes of the file that survive the end of the machine, by `Application(record_sync=...)`."""

    @property
    def duration(self) -> float: ...
    @property
    def dropped(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class FlvReader:
    """Reads the frames of an FLV file: `for frame in FlvReader(path)`."""

    def __new__(cls, path: str | PathLike[str]) -> Self: ...
    @property
    def has_audio(self) -> bool:
        """Whether the header promises audio."""

    @property
    def has_video(self) -> bool:
        """Whether the header promises video."""

    def read(self) -> Frame | None:
        """The next frame; `None` at the end of the file."""

    def close(self) -> None:
        """Closes the file."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> Frame: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_args: object) -> None: ...

@final
class FlvWriter:
    """Writes frames into an FLV file. Close it, or use it in a `with` statement: that fills in the duration."""

    def __new__(
        cls,
        path: str | PathLike[str],
        *,
        has_audio: bool = True,
        has_video: bool = True,
        metadata: dict[str, Any] | None = None,
    ) -> Self: ...
    def write(self, frame: Frame, *, timestamp: int | None = None) -> None:
        """Writes a frame. `@setDataFrame` before metadata, which belongs on the wire, is left out."""

    @property
    def bytes_written(self) -> int:
        """Bytes in the file so far; 0 once closed."""

    def close(self) -> None:
        """Fills in duration and size, and closes the file."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_args: object) -> None: ...

@final
class Engine:
    """Worker threads that servers and connections live on.

    A server has an engine of its own; outgoing connections share one, unless they are given another.

    watch_network: watch the system's network interfaces while outgoing connections stand, on Linux where the sandbox allows
    it, and tell those that are connected of changes: `on_status` hears NetConnection.Connect.NetworkChange. Without it, and on
    other systems, they hear what `network_changed` says.
    io_uring: send to many players in one call to the kernel, on Linux where the kernel and the sandbox allow it.
    """

    def __new__(cls, workers: int = 0, *, watch_network: bool = True, io_uring: bool = True) -> Self: ...
    @property
    def workers(self) -> int:
        """How many worker threads there are."""

    @property
    def closed(self) -> bool:
        """Whether `close()` was called."""

    def network_changed(self) -> None:
        """Tells the outgoing connections that are connected that the network has changed, for example to another Wi-Fi.

        For programs that know better than the interfaces show, or run where those are not watched.
        """

    def close(self, timeout: float | None = 10.0) -> bool:
        """Ends all servers and connections and waits for the workers; says whether they ended in time."""

@final
class Instance:
    """One instance of an application, for example `live/_definst_`."""

    @property
    def name(self) -> str:
        """Application and instance name; the default instance is `APP/_definst_`."""

    @property
    def peers(self) -> list[Peer]:
        """The clients connected now."""

    @property
    def streams(self) -> list[Stream]:
        """The streams that have a publisher, a player or a handle."""

    def stream(self, name: str) -> Stream:
        """The live stream of that name; it need not have a publisher yet."""

    def subscribe(
        self,
        name: str,
        *,
        timeout: float | None = None,
        follow: bool = False,
        capacity: int = 1024,
        skip_backlog: bool = False,
    ) -> Subscription:
        """The frames of a stream, from now on; the arguments are those of `Stream.subscribe`."""

    def publish(self, name: str, *, takeover: Takeover | None = None) -> Publication:
        """Becomes the publisher of a stream; `AlreadyExists` if it has one that `takeover` does not take it from."""

    def pull(
        self,
        url: str,
        name: str | None = None,
        *,
        on_demand: bool = False,
        linger: float = 10.0,
        hold: float = 30.0,
        silence: float = 30.0,
        live: bool = False,
        back_off: tuple[float, float] = (0.5, 30.0),
        jitter: float = 0.25,
        max_failures: int = 0,
        answer_timeout: float = 10.0,
        follow_reconnects: bool = True,
        timeout: float | None = None,
    ) -> Relay:
        """Pulls `rtmp://host/app/stream` into the stream `name` until the relay is closed.

        By default that is the stream of the same name. When the connection is lost it is made again: after `back_off[0]`
        seconds, then twice that and so on up to `back_off[1]`, less a random share of at most `jitter`; after `max_failures` in
        a row it gives up. Meanwhile players are held for `hold` seconds. With `on_demand` it is connected while somebody plays,
        and for `linger` seconds more. A stream that is silent for `silence` seconds is fetched anew.
        """

    def push(
        self,
        name: str,
        url: str,
        *,
        queue_bytes: int = 8388608,
        queue_seconds: float = 5.0,
        back_off: tuple[float, float] = (0.5, 30.0),
        jitter: float = 0.25,
        max_failures: int = 0,
        answer_timeout: float = 10.0,
        follow_reconnects: bool = True,
        timeout: float | None = None,
    ) -> Relay:
        """Pushes the stream `name` to `rtmp://host/app/stream`; see `Stream.push`."""

    def broadcast(self, method: str, *args: Any) -> None:
        """Calls a method of every client; asks for no result."""

    def stats(self) -> InstanceStats:
        """Counts since the instance started."""

    def clear_stream(self, name: str, *, timeout: float | None = 10.0) -> int:
        """Clears a stream: takes it from whoever publishes it and deletes the files of its name.

        With a type prefix (`flv:`) the file alone. Returns how many streams and files there were; `StreamError` if none.
        """

    def clear_streams(self, path: str = "/", *, timeout: float | None = 10.0) -> int:
        """Clears the streams that a path names, `/` for all, and returns how many streams and files there were."""

    def stream_length(self, name: str, *, timeout: float | None = 10.0) -> float:
        """How many seconds a stream is long: as long as its file, 0 while it is published and where there is no file."""

    def unload(self) -> bool:
        """Takes the instance out of its application: clients are disconnected, shared objects stored.

        Who connects next starts a new one of the name. False if it was unloaded before.
        """

    @property
    def unloaded(self) -> bool:
        """Whether `unload()` was called, or the application closed."""

    def collect(self) -> int:
        """Lets go of streams and shared objects that nobody uses; how many there were."""

    @overload
    def shared_object(self, name: str, persistent: bool = False, *, cls: None = None) -> SharedObject: ...
    @overload
    def shared_object(self, name: str, persistent: bool = False, *, cls: type[_S]) -> _S:
        """The shared object of that name, made if there is none."""

    def _shared_object(self, name: str, persistent: bool, deliver: Callable[..., None]) -> RawSharedObject: ...
    def clear_shared_objects(self, path: str, *, timeout: float | None = 10.0) -> int:
        """Removes all slots of the shared objects that a path names, deletes those on disk; returns how many.

        `/` names all, `/a/b` one, `/a/` all below `a`; in the last segment `*` stands for any characters.
        """

    def _submit_clear(self, path: str, queue: Queue, done: Callable[[Any, BaseException | None], None]) -> None: ...
    def commit_shared_objects(self, name: str | None = None, *, timeout: float | None = 10.0) -> int:
        """Stores one persistent shared object, or all that are used, and returns how many were stored."""

    def _submit_commit(
        self, name: str | None, queue: Queue, done: Callable[[Any, BaseException | None], None]
    ) -> None: ...

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Stream:
    """A live stream of an instance. The handle keeps the stream and its instance alive."""

    @property
    def name(self) -> str:
        """The stream's name."""

    @property
    def instance(self) -> Instance:
        """The instance it belongs to."""

    @property
    def publishing(self) -> bool:
        """Whether a client or the host publishes it now."""

    def stats(self) -> StreamStats:
        """Counts and sizes now."""

    def publish(self, *, takeover: Takeover | None = None) -> Publication:
        """Becomes the stream's publisher; `AlreadyExists` if it has one that `takeover` does not take it from."""

    def record(
        self,
        mode: str = "record",
        *,
        name: str | None = None,
        max_duration: float | None = None,
        max_bytes: int | None = None,
    ) -> Recording:
        """Records the stream to `DIRECTORY/streams/INSTANCE/NAME.flv` until the recording is stopped.

        It outlasts publishers that come and go. `mode` is `record`, `append` or `appendWithGap`. Limits are the application's
        where they are `None`, and none where they are 0. Does not wait: `on_record` hears how it goes. Raises `Error` when
        the application has no directory.
        """

    def push(
        self,
        url: str,
        *,
        queue_bytes: int = 8388608,
        queue_seconds: float = 5.0,
        back_off: tuple[float, float] = (0.5, 30.0),
        jitter: float = 0.25,
        max_failures: int = 0,
        answer_timeout: float = 10.0,
        follow_reconnects: bool = True,
        timeout: float | None = None,
    ) -> Relay:
        """Pushes the stream to `rtmp://host/app/stream` while somebody publishes it here, until the relay is closed.

        When the connection is lost it is made again, as by `Instance.pull`. When more than `queue_bytes` or `queue_seconds` of
        media wait for the other server, frames are dropped to the next keyframe; nobody else notices.
        """

    def send(self, name: str, *args: Any) -> None:
        """Sends a data message to all who play the stream; it needs no publisher, and is not kept."""

    def clear(self) -> None:
        """Takes the stream from whoever publishes it and forgets what it holds for those who join late."""

    @property
    def latency(self) -> str:
        """How long messages may wait for others: `low_latency`, `balanced`, `throughput`, or `custom`."""

    @latency.setter
    def latency(self, name: str) -> None: ...

    def subscribe(
        self,
        *,
        timeout: float | None = None,
        follow: bool = False,
        capacity: int = 1024,
        skip_backlog: bool = False,
    ) -> Subscription:
        """The stream's frames, from now on.

        Sequence headers and the current group of pictures come first, unless `skip_backlog`. `timeout` is how many
        seconds an iteration waits for a frame before it raises `Timeout`. The iteration ends when the publisher leaves,
        or goes on with the next one if `follow`. When `capacity` frames wait, frames are dropped to the next keyframe.
        """

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Recording:
    """A recording of a live stream.

    One that `Stream.record` made is stopped by `stop`, at the end of a `with` statement, or when it is collected; one that
    `on_record` was given goes on without it.
    """

    @property
    def stream(self) -> Stream:
        """The stream that is recorded."""

    @property
    def path(self) -> Path | None:
        """The file; `None` before NetStream.Record.Start."""

    def stats(self) -> RecordStats:
        """Counts now."""

    def stop(self) -> None:
        """Ends the recording, of the host or of a publisher, which goes on live.

        Does not wait: `on_record` hears NetStream.Record.Stop once the file is complete.
        """

    def __enter__(self) -> Self: ...
    def __exit__(self, *_args: object) -> None: ...

@final
class Subscription:
    """The frames of a live stream.

    Iterate it, plainly or with `async for`; use it in a `with` or `async with` statement, or close it.
    """

    def read(self, timeout: float | None = None) -> Frame | None:
        """The next frame; `None` when the publisher left or the subscription was closed.

        Raises `Timeout` when none comes within `timeout` seconds.
        """

    @property
    def timeout(self) -> float | None:
        """Seconds that an iteration waits for a frame; `None` waits for ever."""

    @property
    def dropped(self) -> int:
        """Frames dropped because they were not taken fast enough."""

    @property
    def closed(self) -> bool:
        """Whether it was closed."""

    def close(self) -> None:
        """Ends the subscription."""

    def _poll(self) -> Frame | EllipsisType | None: ...
    def _fd(self) -> int: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Frame: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_args: object) -> None: ...
    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Awaitable[Frame]: ...
    def __aenter__(self) -> Awaitable[Self]: ...
    def __aexit__(self, *_args: object) -> Awaitable[None]: ...

@final
class Relay:
    """A stream that is pulled from another server, or pushed to one. The media never passes Python.

    Iterate it for what happens to it, plainly or with `async for`; use it in a `with` or `async with` statement, or close it. It
    is closed when it is collected, too.
    """

    @property
    def url(self) -> str:
        """The other server's URL, without user, password and queries."""

    @property
    def stream(self) -> Stream:
        """The stream of ours."""

    @property
    def pulls(self) -> bool:
        """Whether it pulls; else it pushes."""

    @property
    def state(self) -> _RelayState:
        """What it does now."""

    @property
    def timeout(self) -> float | None:
        """Seconds that an iteration waits for an event; `None` waits for ever."""

    def stats(self) -> RelayStats:
        """What it has done so far."""

    def read(self, timeout: float | None = None) -> RelayEvent | None:
        """The next event; `None` after the last. Raises `Timeout` when none comes within `timeout` seconds."""

    def close(self) -> None:
        """Ends it: what a push has taken in is sent first; `ended` follows."""

    def _poll(self) -> RelayEvent | EllipsisType | None: ...
    def _fd(self) -> int: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> RelayEvent: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_args: object) -> None: ...
    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Awaitable[RelayEvent]: ...
    def __aenter__(self) -> Awaitable[Self]: ...
    def __aexit__(self, *_args: object) -> Awaitable[None]: ...

@final
class RelayEvent:
    """What happened to a relay."""

    @property
    def kind(self) -> Literal["connected", "streaming", "retrying", "idle", "gave_up", "ended"]:
        """What it was.

        `connected`: the other server accepted the connection; again for a pull whose publisher there has left. `streaming`: a
        pull's first message has come, or a push's other server takes what is sent. `retrying`: it failed and will be tried
        again. `idle`: closed in order, because nobody plays or publishes here. `gave_up`: it failed as often as it may.
        `ended`: the last event.
        """

    @property
    def after(self) -> float | None:
        """Seconds until it is tried again, for `retrying`."""

    @property
    def failures(self) -> int:
        """Failures in a row so far, for `retrying`."""

    @property
    def reason(self) -> Status | None:
        """Why it failed, for `retrying` and `gave_up`."""

@final
class RelayStats:
    """What a relay has done so far."""

    @property
    def state(self) -> _RelayState:
        """What it does now."""

    @property
    def attempts(self) -> int:
        """Connections begun."""

    @property
    def failures(self) -> int:
        """Failures in a row; a connection on which media flowed for 10 s ends the row."""

    @property
    def failures_total(self) -> int:
        """Failures in all."""

    @property
    def messages(self) -> int:
        """Media messages passed on."""

    @property
    def bytes(self) -> int:
        """Bytes of their bodies."""

    @property
    def dropped_messages(self) -> int:
        """Media messages of a push that were dropped because the other server is too slow."""

    @property
    def dropped_bytes(self) -> int:
        """Bytes of their bodies."""

    @property
    def dropped_events(self) -> int:
        """Events that were forgotten because the program did not take them: the newest 256 are kept."""

    @property
    def traffic(self) -> TrafficStats:
        """Bytes and messages of all its connections."""

@final
class Publication:
    """The host as publisher of a live stream, without a socket. Writing never blocks."""

    @property
    def stream(self) -> Stream:
        """The stream it publishes."""

    def write(self, frame: Frame) -> None:
        """Publishes a frame. Its bytes are shared, not copied."""

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
        """Publishes coded video, or with `config` a configuration record."""

    def write_audio(self, payload: Buffer, timestamp: int, *, codec: str = "mp4a", config: bool = False) -> None:
        """Publishes coded audio, or with `config` a configuration."""

    def write_data(self, name: str, *args: Any, timestamp: int = 0) -> None:
        """Publishes a data message. `onMetaData` is kept for those who join late."""

    def close(self) -> None:
        """Ends the publication."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_args: object) -> None: ...

@final
class Peer:
    """A client connected, or connecting, to the server.

    Objects of the same client are equal and may be keys of a dict.
    """

    @property
    def id(self) -> int:
        """Number of this client, unique while the server lives."""

    @property
    def address(self) -> tuple[str, int]:
        """Address and port that the client connects from."""

    @property
    def instance(self) -> Instance:
        """The instance the client asked for."""

    @property
    def agent(self) -> str:
        """Version and platform that the client announces (`flashVer`)."""

    @property
    def uri(self) -> str:
        """The URI that the client asked to connect to (`tcUrl`)."""

    @property
    def app(self) -> str:
        """The application as the client named it, with instance and query."""

    @property
    def page_url(self) -> str:
        """The page that embeds the client (`pageUrl`). Not to be trusted."""

    @property
    def referrer(self) -> str:
        """Where the client program came from (`swfUrl`). Not to be trusted."""

    @property
    def protocol(self) -> str:
        """The transport: `rtmp` or `rtmps`."""

    @property
    def secure(self) -> bool:
        """Whether the connection is encrypted."""

    @property
    def properties(self) -> dict[str, Any]:
        """Everything that the client said in its connect command."""

    @property
    def args(self) -> list[Any]:
        """The user arguments of the connect command."""

    @property
    def connected(self) -> bool:
        """Whether the connection still lives."""

    def stats(self) -> PeerStats:
        """Bytes and messages so far, what was dropped and what waits, the round trip, and current rates."""

    def deviations(self) -> dict[str, int]:
        """What the client did against the specifications without harm, by name, with how often."""

    @property
    def read_access(self) -> str:
        """What the client may read: streams to play and shared objects to join; see `set_access`."""

    @property
    def write_access(self) -> str:
        """What the client may write: streams to publish, shared objects to create and change; see `set_access`."""

    def set_access(self, *, read: str | None = None, write: str | None = None) -> None:
        """Sets what the client may read and write from now on.

        Paths separated by semicolons, `/` for everything, as at first, the empty text for nothing. `None` leaves what is.
        """

    @property
    def sample_access(self) -> tuple[str, str]:
        """The streams whose decoded audio and video the player's program may look at; see `set_sample_access`."""

    def set_sample_access(self, *, audio: str | None = None, video: str | None = None) -> None:
        """Sets whose decoded audio and video the player's program may look at (`|RtmpSampleAccess`).

        In the form of `set_access`; it holds for what is played from now on.
        """

    def check_bandwidth(self, *, component: bool = False, timeout: float | None = 30.0) -> Bandwidth:
        """Measures the bandwidth to the client, by calls with up to about a megabyte; the client is told the outcome too.

        With `component` in the dialect of Adobe's communication components. `CallFailed` if it does not know the dialect.
        """

    def limit_bandwidth(self, *, incoming: int | None = None, outgoing: int | None = None) -> None:
        """Limits what comes from the client and goes to it, in bytes per second, at least 4,096; `None` is no limit."""

    @property
    def bandwidth_limits(self) -> tuple[int | None, int | None]:
        """The limits of what comes from the client and goes to it."""

    def register_method(self, name: str, function: Callable[..., Any]) -> None:
        """Lets this client call a method, besides those of its application: `function(peer, *args)`, not a coroutine."""

    def unregister_method(self, name: str) -> bool:
        """Takes a method away; false if there was none."""

    def request_reconnect(self, url: str | None = None, description: str = "") -> bool:
        """Asks the client to connect elsewhere, or anew to the same place. False if it did not announce that it can."""

    def call(self, method: str, *args: Any, timeout: float | None = 30.0) -> Any:
        """Calls a method of the client and returns its result; waits at most `timeout` seconds."""

    def call_async(self, method: str, *args: Any, timeout: float | None = 30.0) -> Coroutine[Any, Any, Any]:
        """Calls a method of the client from an event loop: `await` the result."""

    def notify(self, method: str, *args: Any) -> None:
        """Calls a method of the client and asks for no result."""

    def _submit(
        self, method: str, args: tuple[Any, ...], queue: Queue, done: Callable[[Any, BaseException | None], None]
    ) -> None: ...
    def ping(self, timeout: float | None = 30.0) -> float:
        """Measures the round-trip time, in milliseconds."""

    def send_status(self, status: Status) -> None:
        """Sends a status on the connection."""

    def close(self, status: Status | None = None) -> None:
        """Ends the connection, after sending the status if there is one."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class ConnectRequest:
    """A client asks to connect."""

    @property
    def peer(self) -> Peer:
        """The client that asks."""

    @property
    def instance(self) -> Instance:
        """The instance it asks in."""

    @property
    def answered(self) -> bool:
        """Whether an answer was given, or is wanted no more: its time is up, or the client is gone."""

    @property
    def app(self) -> str:
        """The application as the client named it, with instance and query."""

    @property
    def query(self) -> str:
        """The part of `app` after `?`."""

    @property
    def params(self) -> dict[str, str]:
        """The query's parameters."""

    @property
    def args(self) -> list[Any]:
        """The user arguments of the connect command."""

    def accept(
        self,
        info: dict[str, Any] | None = None,
        *,
        properties: dict[str, Any] | None = None,
        max_chunk_size: int | None = None,
    ) -> bool:
        """Accepts, adding `info` to the reply's information object and `properties` to the object before it.

        A client that cannot read large chunks gets none above `max_chunk_size`. False if it was answered before or timed out.
        """

    def reject(self, description: str = "", *, status: Status | None = None, application: Any = None) -> bool:
        """Refuses with NetConnection.Connect.Rejected, or with a status of your own."""

    @property
    def login(self) -> LoginAttempt | None:
        """How the client tries to log in, and as whom; `None` if it does not."""

    def demand_login(self, method: str = "adobe") -> bool:
        """Refuses with the demand to log in, by `adobe` or `llnw`. The client comes back."""

    def check_login(self, secret: str | Secret | None) -> bool:
        """Whether the client has proven that it knows a user's password, or the one that was hashed: accept it then.

        If not, it was refused, with a challenge that it may come back to answer, or for good: `None` says that there is
        no such user. One that does not try to log in is asked to.
        """

    def redirect(self, url: str, description: str = "") -> bool:
        """Refuses and tells the client where to connect instead."""

@final
class LoginAttempt:
    """How a client tries to log in, and as whom. By itself this proves nothing."""

    @property
    def method(self) -> str:
        """`adobe` or `llnw`."""

    @property
    def user(self) -> str:
        """Who it says it is."""

@final
class Secret:
    """A hash to keep in place of a user's password. Who has it can log in."""

    def __new__(cls, salt: str, hash: str) -> Self:
        """A hash that was kept, with its salt."""

    @staticmethod
    def hashed(method: str, user: str, salt: str, password: str) -> Secret:
        """The hash of a password, for `adobe` or `llnw`, which does not use the salt."""

    @property
    def salt(self) -> str:
        """What went into the hash beside the password."""

    @property
    def hash(self) -> str:
        """The hash."""

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class PublishRequest:
    """A client asks to publish a stream."""

    @property
    def peer(self) -> Peer:
        """The client that asks."""

    @property
    def instance(self) -> Instance:
        """The instance it asks in."""

    @property
    def answered(self) -> bool:
        """Whether an answer was given, or is wanted no more: its time is up, or the client is gone."""

    @property
    def stream_name(self) -> str:
        """The stream's name, without query."""

    @property
    def stream(self) -> Stream:
        """The stream it asks for: subscribe to it to get what will be published."""

    @property
    def query(self) -> str:
        """The part of the name after `?`; publishers put keys there."""

    @property
    def params(self) -> dict[str, str]:
        """The query's parameters."""

    @property
    def mode(self) -> str:
        """`live`, `record` or `append`, as the client asked."""

    def accept(
        self,
        *,
        takeover: Takeover | None = None,
        record: str | bool | None = None,
        record_name: str | None = None,
    ) -> bool:
        """Accepts, under the application's takeover policy or another. False if it was answered before or timed out.

        `record` is `record`, `append` or `appendWithGap` whatever the client asked, `False` for no recording; `record_name`
        names another file.
        """

    def reject(self, description: str = "", *, status: Status | None = None) -> bool:
        """Refuses with NetStream.Publish.BadName, or with a status of your own."""

@final
class PlayRequest:
    """A client asks to play a stream."""

    @property
    def peer(self) -> Peer:
        """The client that asks."""

    @property
    def instance(self) -> Instance:
        """The instance it asks in."""

    @property
    def answered(self) -> bool:
        """Whether an answer was given, or is wanted no more: its time is up, or the client is gone."""

    @property
    def stream_name(self) -> str:
        """The stream's name, without query."""

    @property
    def stream(self) -> Stream:
        """The stream it asks for."""

    @property
    def query(self) -> str:
        """The part of the name after `?`."""

    @property
    def params(self) -> dict[str, str]:
        """The query's parameters."""

    @property
    def start(self) -> int | None:
        """Where to start in a recording, in milliseconds; `None` for whatever there is, or for live."""

    @property
    def live_only(self) -> bool:
        """Whether the client wants the live stream only."""

    @property
    def duration(self) -> int | None:
        """How long to play in milliseconds; `None` to the end."""

    @property
    def reset(self) -> bool:
        """Whether the client wants its play list cleared first."""

    def accept(self, stream_name: str | None = None) -> bool:
        """Accepts; plays another stream of the instance if one is named. False if it was answered before or timed out."""

    def reject(self, description: str = "", *, status: Status | None = None) -> bool:
        """Refuses with NetStream.Play.Failed, or with a status of your own."""

    def not_found(self) -> bool:
        """Refuses with NetStream.Play.StreamNotFound."""

@final
class CallRequest:
    """A client calls a method of the server."""

    @property
    def peer(self) -> Peer:
        """The client that calls."""

    @property
    def instance(self) -> Instance:
        """The instance it calls in."""

    @property
    def answered(self) -> bool:
        """Whether an answer was given, or is wanted no more: its time is up, or the client is gone."""

    @property
    def method(self) -> str:
        """The method's name."""

    @property
    def args(self) -> list[Any]:
        """The arguments."""

    @property
    def wants_reply(self) -> bool:
        """Whether the client waits for an answer."""

    def accept(self, result: Any = None) -> bool:
        """Returns a result to the caller. False if the request was answered before or timed out."""

    def reject(self, description: str = "", *, status: Status | None = None) -> bool:
        """Fails the call with NetConnection.Call.Failed, or with a status of your own."""

@final
class StreamLengthRequest:
    """A client asks how long a stream is."""

    @property
    def peer(self) -> Peer:
        """The client that asks."""

    @property
    def instance(self) -> Instance:
        """The instance it asks in."""

    @property
    def answered(self) -> bool:
        """Whether an answer was given, or is wanted no more: its time is up, or the client is gone."""

    @property
    def stream_name(self) -> str:
        """The stream's name, without query."""

    @property
    def query(self) -> str:
        """The part of the name after `?`."""

    def accept(self, seconds: float) -> bool:
        """Answers with a length in seconds. False if the request was answered before or timed out."""

@final
class Queue:
    """Events waiting for Python.

    Served by one thread in `serve()`, or by an event loop that watches `fd()` and calls `dispatch()`.
    """

    def __new__(cls, capacity: int = 4096) -> Self: ...
    def fd(self) -> int:
        """A descriptor that is readable while events wait."""

    def dispatch(self, max: int = 256) -> int:
        """Runs at most `max` events that wait now and returns how many ran."""

    def attend(self, on: bool) -> None:
        """Says that this thread serves the queue from now on, or no longer does."""

    def serve(self) -> None:
        """Runs events on this thread until `stop()` was called and none is left; then closes the queue."""

    def close(self) -> None:
        """Drops what waits and all that comes later: who waits for an answer learns at once that there will be none."""

    def stop(self) -> None:
        """Ends `serve()` once the queue is empty."""

@final
class RawServer:
    """A server; its applications' handlers run where `queue` is served."""

    def __new__(
        cls,
        engine: Engine,
        queue: Queue,
        *,
        max_connections: int | None = None,
        max_connections_per_address: int | None = None,
        player_queue_bytes: int | None = None,
        player_queue_seconds: float | None = None,
        stall_timeout: float | None = None,
        tolerance: str | None = None,
        tls: list[tuple[bytes, bytes]] | None = None,
        accept_rtmpe: bool = False,
        connect_timeout: float | None = None,
        chunk_size: int | None = None,
        reduce_for_players: bool = True,
    ) -> Self: ...
    def set_tls(self, tls: list[tuple[bytes, bytes]]) -> None:
        """Changes the certificate chains and keys, PEM, of connections made from now on."""

    def application(
        self,
        name: str,
        handler: object,
        **settings: Any,
    ) -> RawApplication:
        """Registers an application; `handler` has the methods of `rtmpkit.Application`, or is `None`."""

    def listen(self, url: str) -> tuple[str, int]:
        """Listens on `rtmp://host[:port]` or `host:port`; returns the address bound."""

    def instance(self, name: str) -> Instance:
        """The instance `app` or `app/instance`."""

    def stats(self) -> ServerStats:
        """Counts now."""

    def close(self) -> None:
        """Stops listening and ends every connection, without waiting."""

    def release(self) -> None:
        """Lets go of the handlers once all that happened until now was delivered."""

    @property
    def closed(self) -> bool:
        """Whether `close()` was called."""

    def deviations(self) -> dict[str, int]:
        """What clients did against the specifications without harm, by name, with how often."""

    def drain(self, url: str | None, description: str, grace: float) -> None:
        """Winds the server down within `grace` seconds."""

    @property
    def draining(self) -> bool:
        """Whether `drain()` was called."""

    @staticmethod
    def host_name() -> str:
        """The machine's name."""

    @staticmethod
    def platform() -> str:
        """System and processor."""

@final
class RawApplication:
    """An application as it is registered with a server."""

    def set_user(self, user: str, secret: str | Secret | None) -> None:
        """Lets a user log in, or with `None` no more."""

    def proxy_to_url(self, name: str, url: str, remote_name: str) -> None:
        """Passes calls of a method on to the application at a URL."""

    def proxy_to_peer(self, name: str, peer: Peer, remote_name: str) -> None:
        """Passes calls of a method on to a client."""

    def instances(self) -> list[Instance]:
        """The instances alive now."""

    def client_count(self) -> int:
        """Clients in all instances."""

    def close(self) -> None:
        """Disconnects all clients and refuses new ones."""

@final
class ServerCall:
    """The server calls a method."""

    @property
    def method(self) -> str:
        """The method's name."""

    @property
    def args(self) -> list[Any]:
        """The arguments."""

    @property
    def wants_reply(self) -> bool:
        """Whether the server waits for an answer."""

    @property
    def answered(self) -> bool:
        """Whether an answer was given."""

    def accept(self, result: Any = None) -> bool:
        """Returns a result to the server. False if the call was answered before."""

    def reject(self, description: str = "", *, status: Status | None = None) -> bool:
        """Fails the call with NetConnection.Call.Failed, or with a status of your own."""

    def prohibit(self) -> bool:
        """Fails the call with NetConnection.Call.Prohibited."""

    def unknown_method(self) -> bool:
        """Fails the call because there is no such method."""

@final
class RawConnection:
    """A connection to another server.

    With a queue its events run where that is served; without, on the library's threads, which run no Python.
    """

    def __new__(
        cls,
        engine: Engine,
        queue: Queue | None = None,
        *,
        on_status: Callable[[Status], object] | None = None,
        on_call: Callable[[ServerCall], object] | None = None,
        follow_reconnects: bool = False,
        settings: dict[str, Any] | None = None,
    ) -> Self: ...
    def connect(self, url: str, *args: Any) -> None:
        """Begins to connect; `args` are the user arguments of the connect command."""

    def wait_connected(self, timeout: float | None = None) -> Status:
        """Waits until the server accepted the connection; raises `Rejected`, `ConnectError` or `Timeout`."""

    def connected(self) -> bool:
        """Whether the server accepted the connection; raises if it did not."""

    def call(self, method: str, args: tuple[Any, ...], timeout: float | None = None) -> Any:
        """Calls a method of the server and returns its result."""

    def notify(self, method: str, args: tuple[Any, ...]) -> None:
        """Calls a method of the server and asks for no result."""

    def submit(
        self, method: str, args: tuple[Any, ...], queue: Queue, done: Callable[[Any, BaseException | None], None]
    ) -> None:
        """Calls a method; `done(result, error)` runs where `queue` is served."""

    def add_header(self, name: str, must_understand: bool, value: Any) -> None:
        """Adds a header to requests to a gateway; `None` takes it away."""

    def stream(self, capacity: int = 1024) -> RawStream:
        """Opens a stream; when `capacity` frames wait in it, frames are dropped to the next keyframe."""

    def shared_object(
        self, name: str, persistent: bool, deliver: Callable[..., None], queue: Queue | None = None
    ) -> RawSharedObject:
        """Joins a shared object; `deliver(event, ...)` runs where `queue` is served."""

    @property
    def uri(self) -> str:
        """The URI connected to."""

    @property
    def is_connected(self) -> bool:
        """Whether the connection stands."""

    @property
    def over(self) -> Status | None:
        """Why the connection ended; `None` while it has not."""

    def reconnect_target(self, status: Status) -> str | None:
        """Where to connect instead, when `status` is the server's request to reconnect; else `None`."""

    def reconnect_to(self, url: str) -> None:
        """Moves to another server; the outcome comes as a status."""

    def stats(self) -> TrafficStats:
        """Bytes and messages so far."""

    def deviations(self) -> dict[str, int]:
        """What the server did against the specifications without harm, by name, with how often."""

    def close(self) -> None:
        """Closes the connection after sending what is queued, without waiting."""

    def release(self) -> None:
        """Lets go of the handlers once all that happened until now was delivered."""

    def wait_closed(self, timeout: float | None = None) -> bool:
        """Waits until the connection is over; says whether it is."""

@final
class RawStream:
    """A stream over an outgoing connection."""

    def publish(self, name: str, mode: str = "live") -> None:
        """Asks to publish; `started` says what came of it."""

    def play(
        self, name: str, *, start: int | None = None, duration: int | None = None, live: bool = False
    ) -> None:
        """Asks to play, from `start` milliseconds of a recording if that is given."""

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
        """Plays another stream in the place of `old_name`, by default of the one that plays, or after it."""

    def wait_started(self, timeout: float | None = None) -> Status:
        """Waits for the answer to publish or play; raises `StreamError` if it is a refusal."""

    def started(self) -> bool:
        """Whether the answer to publish or play is there; raises `StreamError` if it is a refusal."""

    def read(self, timeout: float | None = None, follow: bool = False) -> Frame | None:
        """The next frame; `None` at the end. Raises `Timeout` when none comes within `timeout` seconds."""

    def poll(self, follow: bool = False) -> Frame | EllipsisType | None:
        """What there is now: a frame, `None` at the end, or `...` while nothing is there."""

    def write(self, frame: Frame) -> None:
        """Writes a frame; its bytes are shared, not copied."""

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
        """Writes coded video, or with `config` a configuration record."""

    def write_audio(self, payload: Buffer, timestamp: int, *, codec: str = "mp4a", config: bool = False) -> None:
        """Writes coded audio, or with `config` a configuration."""

    def write_data(self, name: str, *args: Any, timestamp: int = 0) -> None:
        """Sends a data message: a handler's name and its arguments."""

    def wait_writable(self, timeout: float | None = None) -> bool:
        """Waits until there is room to write, after a write raised `Full`; says whether there is."""

    def writable(self) -> bool:
        """Whether there is room to write, or the stream is over."""

    def seek(self, millis: int) -> None:
        """Jumps to a time of a recorded stream, in milliseconds."""

    def pause(self, on: bool) -> None:
        """Pauses or goes on."""

    def receive(self, *, audio: bool = True, video: bool = True) -> None:
        """Says whether audio and video are wanted."""

    def set_send_buffer(self, millis: int) -> None:
        """Limits what may wait to be sent, in milliseconds of media."""

    @property
    def send_buffer(self) -> int:
        """Milliseconds that `set_send_buffer` asked for."""

    @property
    def time(self) -> float:
        """Seconds since the server began to publish it."""

    def set_buffer(self, millis: int) -> None:
        """Tells the server how much this side buffers, in milliseconds."""

    @property
    def buffer(self) -> int:
        """Milliseconds that `set_buffer` asked for."""

    @property
    def status(self) -> Status | None:
        """The last status of the stream."""

    @property
    def is_dry(self) -> bool:
        """Whether the server said that it has nothing to send for now (Stream Dry), and nothing has come since."""

    @property
    def dropped(self) -> int:
        """Frames dropped because they were not taken fast enough."""

    @property
    def closed(self) -> bool:
        """Whether the stream is over."""

    def close(self) -> None:
        """Ends the stream, without waiting."""

    def wait_closed(self, timeout: float | None = None) -> bool:
        """Waits until the stream is over; says whether it is."""

@final
class RawSharedObject:
    """A shared object, of this process's server or of another."""

    def listen(self, *events: str) -> None:
        """Says which events are to be delivered; at first all are."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def persistent(self) -> bool:
        """Whether it is kept on disk."""

    @property
    def version(self) -> int:
        """Its version; 0 before the first and when it is closed."""

    @property
    def connected(self) -> bool:
        """Whether it can be used."""

    @property
    def subscribers(self) -> int:
        """How many clients use it. The server's side only."""

    @property
    def dirty(self) -> bool:
        """Whether it changed since it was last stored. The server's side only."""

    def get(self, slot: str) -> Any:
        """The value of a slot; raises `KeyError`."""

    def has(self, slot: str) -> bool:
        """Whether there is a slot of that name."""

    def names(self) -> list[str]:
        """The names of all slots, sorted."""

    def size(self) -> int:
        """How many slots there are."""

    def set(self, slot: str, value: Any) -> None:
        """Sets a slot, or with `None` removes it."""

    def remove(self, slot: str) -> bool:
        """Removes a slot; whether there was one."""

    def clear(self) -> bool:
        """Removes all slots; whether there were any."""

    def send(self, handler: str, args: tuple[Any, ...]) -> None:
        """Calls a handler of all who use the object."""

    def lock(self) -> None:
        """Holds changes back."""

    def unlock(self) -> None:
        """Undoes a lock."""

    def purge(self, version: int) -> None:
        """Forgets which slots were removed before a version."""

    def set_resync_depth(self, depth: int | None) -> None:
        """How far behind a client's copy may be before it starts from nothing."""

    def store(self) -> None:
        """Begins to store it; a failure goes to `on_status`."""

    def flush(self, timeout: float | None) -> Any:
        """Stores it; returns the version that is on disk."""

    def submit_flush(self, queue: Queue, done: Callable[[Any, BaseException | None], None]) -> None:
        """Stores it; `done(version, error)` runs where `queue` is served."""

    def wait_joined(self, timeout: float | None = None) -> None:
        """Waits until the server has let this side join; raises `SharedObjectError` if it does not."""

    def joined(self) -> bool:
        """Whether the server has answered; raises `SharedObjectError` if it refused."""

    def close(self) -> None:
        """Leaves the object."""

@final
class Takeover:
    """What a publisher may do to the one before it, and what happens to the players when it leaves."""

    @staticmethod
    def refuse() -> Takeover:
        """The second publisher is refused; when the first leaves its players are told at once."""

    @staticmethod
    def replace(*, hold: float = 0.0) -> Takeover:
        """The second publisher takes the stream from the first, and players go on without a break."""

    @staticmethod
    def hold(seconds: float) -> Takeover:
        """The second publisher is refused; when the first leaves, players are held for `seconds` to go on with the next."""

    @property
    def replaces(self) -> bool:
        """Whether it takes the stream from a publisher that is still there."""

    @property
    def hold_seconds(self) -> float:
        """Seconds that players are held when the publisher leaves."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class ConfigFile:
    """A configuration file in TOML, edited without losing comments, order and spelling.

    Keys are dotted: `limits.clients`.
    """

    def __new__(cls, path: str | PathLike[str]) -> Self: ...
    @property
    def path(self) -> Path:
        """Where the file is."""

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or `default`."""

    def to_dict(self) -> dict[str, Any]:
        """Everything in the file."""

    def reload(self) -> None:
        """Reads the file anew; what was set and not saved is lost. An error changes nothing."""

    def save(self) -> None:
        """Writes the file, wholly or not at all."""

    def __getitem__(self, key: str, /) -> Any: ...
    def __setitem__(self, key: str, value: Any, /) -> None: ...
    def __delitem__(self, key: str, /) -> None: ...
    def __contains__(self, key: str, /) -> bool: ...

@final
class PeerStats:
    """Counts of a client."""

    @property
    def bytes_in(self) -> int: ...
    @property
    def bytes_out(self) -> int: ...
    @property
    def messages_in(self) -> int: ...
    @property
    def messages_out(self) -> int: ...
    @property
    def messages_dropped(self) -> int: ...
    @property
    def dropped_audio(self) -> tuple[int, int]:
        """Messages and bytes."""

    @property
    def dropped_video(self) -> tuple[int, int]:
        """Messages and bytes."""

    @property
    def dropped_data(self) -> tuple[int, int]:
        """Messages and bytes."""

    @property
    def queued_bytes(self) -> int: ...
    @property
    def ping_rtt(self) -> int | None:
        """Milliseconds."""

    @property
    def rate_in(self) -> float:
        """Bytes per second."""

    @property
    def rate_out(self) -> float:
        """Bytes per second."""

    def __eq__(self, other: object, /) -> bool: ...

@final
class Bandwidth:
    """What a bandwidth check found."""

    @property
    def kbit_per_s(self) -> float: ...
    @property
    def kbit(self) -> float: ...
    @property
    def seconds(self) -> float: ...
    @property
    def latency_ms(self) -> float: ...
    def __eq__(self, other: object, /) -> bool: ...
