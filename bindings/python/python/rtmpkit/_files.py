"""FLV files in and out of streams, in real time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack

from rtmpkit._rtmpkit import Frame
from rtmpkit.client import NetStream
from rtmpkit.exceptions import Full
from rtmpkit.flv import Reader, Writer

OnFrame = Callable[[Frame], object]

_PATIENCE = 0.01
"""Seconds between two tries while the network does not take what is written."""
_GAP = 40
"""Milliseconds between the last frame of a file and the first when it begins again."""


def publish(path: str, stream: NetStream, on_frame: OnFrame = lambda frame: None, *, loop: bool = False) -> None:
    """Publishes the frames of a file when they are due; ends at the end of the file unless it is to `loop`."""
    start: float | None = None
    for frame in _repeated(path) if loop else _once(path):
        if start is None:
            start = time.monotonic() - frame.timestamp / 1000
        ahead = start + frame.timestamp / 1000 - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        _write(stream, frame)
        on_frame(frame)


def save(
    frames: Iterable[Frame], path: str | None, on_frame: OnFrame = lambda frame: None, *, seconds: float | None = None
) -> None:
    """Takes frames until they end, or for `seconds` of the stream, and writes them to a file if one is named.

    The file keeps the stream's own times.
    """
    first: int | None = None
    with ExitStack() as stack:
        writer = None if path is None else stack.enter_context(Writer(path))
        for frame in frames:
            if first is None and frame.type != "data" and not frame.config:
                first = frame.timestamp
            if seconds is not None and first is not None and frame.timestamp - first >= seconds * 1000:
                break
            if writer is not None:
                writer.write(frame)
            on_frame(frame)


def duration(path: str) -> float | None:
    """Seconds that a file lasts, by its own metadata; `None` if that does not say."""
    with Reader(path) as reader:
        for frame in reader:
            if frame.metadata:
                for value in frame.values():
                    seconds = value.get("duration") if isinstance(value, dict) else None
                    if isinstance(seconds, (int, float)) and seconds > 0:
                        return float(seconds)
                return None
            if frame.type != "data":
                return None
    return None


def _once(path: str) -> Iterator[Frame]:
    with Reader(path) as reader:
        for frame in reader:
            yield _for_the_wire(frame)


def _repeated(path: str) -> Iterator[Frame]:
    offset = 0
    while True:
        last = -1
        with Reader(path) as reader:
            for frame in reader:
                last = max(last, frame.timestamp)
                yield _for_the_wire(frame.at(frame.timestamp + offset))
        if last < 0:
            return
        offset += last + _GAP


def _for_the_wire(frame: Frame) -> Frame:
    """Metadata goes out as `@setDataFrame`, so that the server keeps it for those who join late."""
    if not frame.metadata or frame.type != "data":
        return frame
    values = frame.values()
    if values[0] == "@setDataFrame":
        return frame
    return Frame.script("@setDataFrame", *values, timestamp=frame.timestamp)


def _write(stream: NetStream, frame: Frame) -> None:
    while True:
        try:
            return stream.write(frame)
        except Full:
            time.sleep(_PATIENCE)
