"""A client by hand: messages as they are on the wire, for what the package's own client does not send or show."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, Self

import rtmpkit

PATIENCE = 20.0
SET_CHUNK_SIZE, DATA, COMMAND = 1, 18, 20
HANDSHAKE = 1536
CHUNK_SIZE = 65_536
"""Of what is sent: every message is shorter, and a chunk of its own."""


class Message(NamedTuple):
    """A message: its type, its message stream and what it carries."""

    kind: int
    stream: int
    payload: bytes


@dataclass
class Channel:
    """What is known of a chunk stream from the chunks before."""

    length: int = 0
    kind: int = 0
    stream: int = 0
    extended: bool = False
    payload: bytearray = field(default_factory=bytearray)


class Wire:
    """A connection that has shaken hands (RTMP 1.0 5.2: zeros in C1, S1 sent back as C2)."""

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self._socket = socket.socket()
        self._socket.settimeout(PATIENCE)
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.connect(("127.0.0.1", port))
        self._input = self._socket.makefile("rb")
        self._channels: dict[int, Channel] = {}
        self._chunk_size = 128
        self.client_id: Any = None
        """How the server names this client in its statuses; known once `open_stream` was called."""
        self._socket.sendall(b"\x03" + bytes(HANDSHAKE))
        answer = self._take(1 + 2 * HANDSHAKE)
        assert answer[0] == 3
        self._socket.sendall(answer[1 : 1 + HANDSHAKE])
        self.send(SET_CHUNK_SIZE, CHUNK_SIZE.to_bytes(4, "big"))

    def send(self, kind: int, payload: bytes, stream: int = 0) -> None:
        """Sends a message in one chunk with a full header (RTMP 1.0 5.3.1.2.1)."""
        assert len(payload) <= CHUNK_SIZE
        header = b"\x03" + bytes(3) + len(payload).to_bytes(3, "big") + bytes([kind]) + stream.to_bytes(4, "little")
        self._socket.sendall(header + payload)

    def command(self, name: str, transaction: int, *args: Any, command_object: Any = None, stream: int = 0) -> None:
        """Sends a command in AMF0."""
        self.send(COMMAND, rtmpkit.amf.amf0_encode(name, transaction, command_object, *args), stream)

    def connect(self, app: str = "live", **properties: Any) -> None:
        """Sends connect as transaction 1, without waiting for its answer."""
        self.command("connect", 1, command_object={"app": app, **properties})

    def open_stream(self) -> None:
        """Connects and creates message stream 1."""
        self.connect()
        name, info = self.answer(1)
        assert name == "_result"
        self.client_id = info["clientid"]
        self.command("createStream", 2)
        assert self.answer(2) == ("_result", 1)

    def next(self) -> Message | None:
        """The next message; `None` when the server has closed the connection."""
        while first := self._input.read(1):
            channel = self._header(first[0])
            room = min(self._chunk_size, channel.length - len(channel.payload))
            channel.payload += self._take(room)
            if len(channel.payload) < channel.length:
                continue
            message = Message(channel.kind, channel.stream, bytes(channel.payload))
            channel.payload.clear()
            if message.kind == SET_CHUNK_SIZE:
                self._chunk_size = int.from_bytes(message.payload, "big")
            return message
        return None

    def wait(self, kind: int, name: str) -> list[Any]:
        """The arguments of the next command or data message of that name; what comes before is passed over."""
        while message := self.next():
            if message.kind == kind:
                first, *rest = rtmpkit.amf.amf0_decode(message.payload)
                if first == name:
                    return rest
        raise AssertionError(f"closed before {name}")

    def answer(self, transaction: int) -> tuple[str, Any]:
        """The answer to a command, `_result` or `_error`, and its last value."""
        while message := self.next():
            if message.kind == COMMAND:
                name, number, *rest = rtmpkit.amf.amf0_decode(message.payload)
                if name in ("_result", "_error") and number == transaction:
                    return name, rest[-1]
        raise AssertionError(f"closed before an answer to {transaction}")

    def status(self, code: str) -> dict[str, Any]:
        """The information object of the next `onStatus` of that code."""
        while True:
            info: dict[str, Any] = self.wait(COMMAND, "onStatus")[-1]
            if info["code"] == code:
                return info

    def close(self) -> None:
        """Closes the connection."""
        self._input.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _header(self, first: int) -> Channel:
        form, number = first >> 6, first & 63
        if number < 2:
            number = 64 + int.from_bytes(self._take(number + 1), "little")
        channel = self._channels.setdefault(number, Channel())
        header = self._take((11, 7, 3, 0)[form])
        if form < 3:
            channel.extended = header[:3] == b"\xff\xff\xff"
        if form < 2:
            channel.length, channel.kind = int.from_bytes(header[3:6], "big"), header[6]
        if form == 0:
            channel.stream = int.from_bytes(header[7:], "little")
        if channel.extended:
            self._take(4)
        return channel

    def _take(self, count: int) -> bytes:
        data = self._input.read(count)
        assert len(data) == count, "the connection ended within a chunk"
        return data
