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
    Status,
    Stream,
)

__all__ = [
    "Disconnected",
    "Event",
    "Failed",
    "InstanceStarted",
    "InstanceStopped",
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
class Stopped:
    """A client stopped playing."""

    peer: Peer
    stream_name: str


@dataclass(frozen=True)
class Failed:
    """A client sent something that cannot be processed."""

    peer: Peer
    status: Status


Request: TypeAlias = ConnectRequest | PublishRequest | PlayRequest | CallRequest
Notice: TypeAlias = InstanceStarted | InstanceStopped | Refused | Disconnected | Unpublished | Stopped | Failed
Event: TypeAlias = Request | Notice
"""What `Application.events` gives: requests, which want an answer, and notices."""

NOTICES: dict[str, Callable[..., Notice]] = {
    "on_instance_start": InstanceStarted,
    "on_instance_stop": InstanceStopped,
    "on_reject": Refused,
    "on_disconnect": Disconnected,
    "on_unpublish": Unpublished,
    "on_stop": Stopped,
    "on_error": Failed,
}
