"""Settings of outgoing connections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["ConnectOptions"]


@dataclass(frozen=True, kw_only=True)
class ConnectOptions:
    """What a connection announces, and how it begins: `NetConnection(url, options=ConnectOptions(object_encoding=3))`."""

    agent: str | None = None
    """Program and platform to announce (`flashVer`); by default rtmpkit's."""
    swf_url: str | None = None
    """`swfUrl` to announce; none by default."""
    page_url: str | None = None
    """`pageUrl` to announce; none by default."""
    object_encoding: int = 0
    """The encoding of commands to ask for: 0 for AMF0, 3 for AMF3."""
    properties: dict[str, Any] = field(default_factory=dict)
    """Members of the object of connect, in place of this library's of the same name: `audioCodecs`, `videoCodecs`,
    `videoFunction`, `capabilities`, `fpad` and so on."""
    user: str | None = None
    """Who to log in as, when the server asks for it by Adobe's or Limelight's authentication. `user:password@` in a URL
    comes before it."""
    password: str | None = field(default=None, repr=False)
    """The user's password."""
    digest_handshake: bool = False
    """Begin with the digest handshake; a server that answers with the simple one is spoken to all the same."""
    swf_hash: bytes | None = None
    """Answers servers that verify SWF files (user control events 26 and 27): HMAC-SHA256 of the decompressed file, under the
    key `Genuine Adobe Flash Player 001`. Begins with the digest handshake. By default such servers get no answer."""
    swf_size: int = 0
    """The decompressed file's length in bytes."""
    tolerance: str = "lenient"
    """`strict` ends the connection at the first harmless violation of the specifications by the server."""

    connect_timeout: float | None = None
    """Seconds for the handshake, that of TLS included, and again for the server's answer to connect, then the connection fails
    with `ConnectError`; 10 by default. `NetConnection(timeout=...)` is how long the program waits for both."""
    chunk_size: int | None = None
    """Chunk size of what is sent, 1 to 0x7FFFFFFF, which means no more than 16,777,215; 4,096 by default. A publisher takes the
    server's own where that is larger, up to 65,536."""

    tls_authorities: bytes | None = None
    """For `rtmps` and `rtmpts`: PEM of the certificates whose holders may issue a server's; by default those that the system
    trusts. The name or address in the URL must be one of the certificate's."""
    tls_insecure_accept_any: bool = False
    """Accept any certificate of anybody: what is sent is safe from those who only listen, but not from one who answers in
    the server's place."""

    def _settings(self) -> dict[str, Any]:
        return dict(self.__dict__)
