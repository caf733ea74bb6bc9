"""What happens in an application, as objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from rtmpkit._rtmpkit import (
    CallRequest,
    ConnectRequest,
    Instance,
    Peer,
    PlayRequest,
    PublishRequest,
    Recording,
    Status,
    Stream,
    StreamLengthRequest,
)

__all__ = [
    "Accepted",
    "Disconnected",
    "Event",
    "Failed",
    "InstanceStarted",
    "InstanceStatus",
    "InstanceStopped",
    "Recorded",
    "Refused",
    "Stopped",
    "Unpublished",
]


@dataclass(frozen=True)
class InstanceStarted:
    """An instance came to life."""

    instance: Instance


@dataclass(frozen=True)
class InstanceStopped:
    """An instance is gone."""

    instance: Instance


@dataclass(frozen=True)
class InstanceStatus:
    """Something happened to an instance: see `Application.on_status`."""

    instance: Instance
    status: Status


@dataclass(frozen=True)
class Accepted:
    """A client was accepted and told so."""

    peer: Peer


@dataclass(frozen=True)
class Refused:
    """A connection attempt was refused."""

    peer: Peer
    why: Status


@dataclass(frozen=True)
class Disconnected:
    """A client is gone: its last event."""

    peer: Peer
    why: Status


@dataclass(frozen=True)
class Unpublished:
    """A client stopped publishing."""

    peer: Peer
    stream: Stream


@dataclass(frozen=True)
class Recorded:
    """How a recording goes: see `Application.on_record`."""

    recording: Recording
    status: Status


@dataclass(frozen=True)
class Stopped:
    """A client stopped playing."""

    peer: Peer
    stream_name: str


@dataclass(frozen=True)
class Failed:
    """A client sent something that cannot be processed."""

    peer: Peer
    status: Status


Request: TypeAlias = ConnectRequest | PublishRequest | PlayRequest | CallRequest | StreamLengthRequest
Notice: TypeAlias = (
    InstanceStarted
    | InstanceStopped
    | InstanceStatus
    | Accepted
    | Refused
    | Disconnected
    | Unpublished
    | Recorded
    | Stopped
    | Failed
)
Event: TypeAlias = Request | Notice
"""What `Application.events` gives: requests, which want an answer, and notices."""

NOTICES: dict[str, Callable[..., Notice]] = {
    "on_instance_start": InstanceStarted,
    "on_instance_stop": InstanceStopped,
    "on_status": InstanceStatus,
    "on_accept": Accepted,
    "on_reject": Refused,
    "on_disconnect": Disconnected,
    "on_unpublish": Unpublished,
    "on_record": Recorded,
    "on_stop": Stopped,
    "on_error": Failed,
}
