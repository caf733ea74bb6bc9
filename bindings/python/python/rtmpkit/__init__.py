"""rtmpkit: an RTMP server and client to embed.

    import rtmpkit

    app = rtmpkit.Application("live")

    @app.on_publish
    def check(request: rtmpkit.PublishRequest) -> bool:
        return request.params.get("key") == "s3cret"

    with rtmpkit.Server("rtmp://0.0.0.0:1935", applications=[app]) as server:
        with server.instance("live").subscribe("cam") as frames:
            for frame in frames:
                print(frame.type, frame.timestamp, len(frame.data))

The server's view of a connection is a `Peer`; a connection of our own to another server is a `NetConnection`, or by the
URL of a stream a `Client`. `rtmpkit.aio` has the same for asyncio, `rtmpkit.flv` reads and writes files.
"""

from __future__ import annotations

from rtmpkit import amf, flv
from rtmpkit._rtmpkit import (
    Bandwidth,
    CallRequest,
    ConfigFile,
    ConnectRequest,
    Engine,
    Frame,
    Instance,
    InstanceStats,
    LoginAttempt,
    Peer,
    PeerStats,
    PlayRequest,
    Publication,
    PublishRequest,
    RecordStats,
    Recording,
    Relay,
    RelayEvent,
    RelayStats,
    Secret,
    ServerStats,
    Status,
    Stream,
    StreamLengthRequest,
    StreamStats,
    Subscription,
    Takeover,
    TrafficStats,
    Url,
    __version__,
    masked,
)
from rtmpkit.application import Application, method
from rtmpkit.client import Client, NetConnection, NetStream, play, publish
from rtmpkit.options import ConnectOptions
from rtmpkit.exceptions import (
    AlreadyExists,
    AmfError,
    CallFailed,
    Closed,
    ConfigError,
    ConnectError,
    Error,
    FlvError,
    Full,
    IoError,
    NotFound,
    ProtocolError,
    Rejected,
    SharedObjectError,
    StreamError,
    Timeout,
    WrongState,
)
from rtmpkit.server import Server
from rtmpkit.shared_object import SharedObject, SlotChange

__all__ = [
    "AlreadyExists",
    "AmfError",
    "Application",
    "Bandwidth",
    "CallFailed",
    "CallRequest",
    "Client",
    "Closed",
    "ConfigError",
    "ConfigFile",
    "ConnectError",
    "ConnectOptions",
    "ConnectRequest",
    "Engine",
    "Error",
    "FlvError",
    "Frame",
    "Full",
    "Instance",
    "InstanceStats",
    "IoError",
    "LoginAttempt",
    "NetConnection",
    "NetStream",
    "NotFound",
    "Peer",
    "PeerStats",
    "PlayRequest",
    "ProtocolError",
    "Publication",
    "PublishRequest",
    "RecordStats",
    "Recording",
    "Rejected",
    "Relay",
    "RelayEvent",
    "RelayStats",
    "Secret",
    "Server",
    "ServerStats",
    "SharedObject",
    "SharedObjectError",
    "SlotChange",
    "Status",
    "Stream",
    "StreamError",
    "StreamLengthRequest",
    "StreamStats",
    "Subscription",
    "Takeover",
    "Timeout",
    "TrafficStats",
    "Url",
    "WrongState",
    "__version__",
    "amf",
    "flv",
    "masked",
    "method",
    "play",
    "publish",
]
