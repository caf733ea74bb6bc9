"""Exceptions. Every one is an `Error`, and also the built-in exception it resembles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtmpkit._rtmpkit import Status

__all__ = [
    "AlreadyExists",
    "AmfError",
    "CallFailed",
    "Closed",
    "ConfigError",
    "ConnectError",
    "Error",
    "FlvError",
    "Full",
    "IoError",
    "NotFound",
    "ProtocolError",
    "Rejected",
    "SharedObjectError",
    "StreamError",
    "Timeout",
    "WrongState",
]


class Error(Exception):
    """Base of all exceptions of rtmpkit."""


class ConnectError(Error, ConnectionError):
    """No connection came about: the host is unknown, unreachable or does not speak RTMP."""


class Rejected(ConnectError):
    """The server refused the connection."""

    def __init__(
        self,
        code: str,
        description: str = "",
        info: dict[str, Any] | None = None,
        redirect: str | None = None,
    ) -> None:
        super().__init__(code, description)
        self.code = code
        """The status code, for example `NetConnection.Connect.Rejected`."""
        self.description = description
        """Text for people."""
        self.info: dict[str, Any] = {} if info is None else info
        """All other members of the server's answer."""
        self.redirect = redirect
        """Where the server wants the client to connect instead."""

    def __str__(self) -> str:
        return f"{self.code}: {self.description}" if self.description else self.code


class _StatusError(Error):
    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status = status
        """What the peer said."""

    @property
    def code(self) -> str:
        """The status code."""
        return self.status.code

    @property
    def description(self) -> str:
        """Text for people."""
        return self.status.description

    def __str__(self) -> str:
        return f"{self.code}: {self.description}" if self.description else self.code


class CallFailed(_StatusError):
    """The peer answered a call with an error, or left before it answered."""


class StreamError(_StatusError):
    """Publishing or playing was refused, or broke off."""


class SharedObjectError(_StatusError):
    """The server refused a shared object, or it could not be stored."""


class Closed(Error):
    """The object was closed, by the program or because its connection ended."""


class WrongState(Error, RuntimeError):
    """The object is in a state in which the call makes no sense, for example not connected."""


class Timeout(Error, TimeoutError):
    """What was waited for did not come in time."""


class AmfError(Error, ValueError):
    """A value cannot be carried as AMF, or AMF data cannot be read."""


class ConfigError(Error, ValueError):
    """An argument has a value that is not taken."""


class ProtocolError(Error):
    """The peer broke the protocol."""


class NotFound(Error, LookupError):
    """Nothing of that name exists."""


class AlreadyExists(Error):
    """The name is taken, for example by another publisher."""


class Full(Error):
    """A bounded queue is full: the peer does not keep up. Drop frames to the next keyframe, or wait."""


class IoError(Error, OSError):
    """The operating system refused, for example an address that is in use."""


class FlvError(Error, ValueError):
    """A file is no FLV file, or is damaged."""
