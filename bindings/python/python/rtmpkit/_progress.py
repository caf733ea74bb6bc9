"""What the command line shows: a bar and the bitrate on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from rtmpkit._rtmpkit import Frame, ServerStats

_WINDOW = 2.0
"""Seconds over which the live bitrate is taken."""
_REFRESH = 0.1
"""Seconds between two updates of the bar."""


class Rate:
    """Bits per second over the last moments."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def add(self, total: int) -> float:
        """The rate, given all bytes so far."""
        now = time.monotonic()
        self._marks.append((now, total))
        while len(self._marks) > 2 and now - self._marks[1][0] > _WINDOW:
            self._marks.popleft()
        then, before = self._marks[0]
        return 8 * (total - before) / (now - then) if now > then else 0.0


class Reporter:
    """Where the command line reports to."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True, markup=False)
        self._lock = threading.Lock()
        self.live = self._console.is_terminal
        """Whether there is a terminal to show a bar on."""
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            console=self._console,
            disable=not self.live,
            transient=True,
        )

    def line(self, text: str) -> None:
        """Prints a line, above the bar if there is one. From any thread."""
        if self.live:
            self._console.print(text)
            return
        with self._lock:
            print(text, flush=True)

    def stream(self, what: str, seconds: float | None) -> StreamMeter:
        """A bar for a stream that lasts `seconds`, if that is known."""
        return StreamMeter(self, what, self._progress, self._progress.add_task(what, total=seconds, detail=""))

    def server(self, stats: Callable[[], ServerStats]) -> ServerMeter:
        """A line for the counts of a server."""
        return ServerMeter(stats, self._progress, self._progress.add_task("serving", total=None, detail=""))

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


class StreamMeter:
    """Progress of a stream, frame by frame."""

    def __init__(self, reporter: Reporter, what: str, progress: Progress, task: TaskID) -> None:
        self._reporter = reporter
        self._what = what
        self._progress = progress
        self._task = task
        self._rate = Rate()
        self._shown = 0.0
        self._first: int | None = None
        self._last = 0
        self._bytes = 0
        self.frames = 0
        """Frames so far."""

    def frame(self, frame: Frame) -> None:
        """Counts a frame."""
        self.frames += 1
        self._bytes += len(frame.body)
        if frame.type != "data" and not frame.config:
            if self._first is None:
                self._first = frame.timestamp
            self._last = max(self._last, frame.timestamp)
        now = time.monotonic()
        if self._reporter.live and now - self._shown >= _REFRESH:
            self._shown = now
            detail = f"{bitrate(self._rate.add(self._bytes))}  {size(self._bytes)}"
            self._progress.update(self._task, completed=self.seconds, detail=detail)

    @property
    def seconds(self) -> float:
        """How much of the stream there was."""
        return 0.0 if self._first is None else (self._last - self._first) / 1000

    def finish(self) -> None:
        """Says what there was in all."""
        average = bitrate(8 * self._bytes / self.seconds) if self.seconds else "?"
        self._reporter.line(
            f"{self._what}: {self.frames} frames, {size(self._bytes)}, {self.seconds:.1f} s, {average}"
        )


class ServerMeter:
    """The counts of a server, from time to time."""

    def __init__(self, stats: Callable[[], ServerStats], progress: Progress, task: TaskID) -> None:
        self._stats = stats
        self._progress = progress
        self._task = task
        self._in = Rate()
        self._out = Rate()

    def update(self) -> None:
        """Shows them as they are now."""
        stats = self._stats()
        received, sent = self._in.add(stats.traffic.bytes_in), self._out.add(stats.traffic.bytes_out)
        detail = f"{stats.connections} connections  in {bitrate(received)}  out {bitrate(sent)}"
        self._progress.update(self._task, detail=detail)


def bitrate(bits: float) -> str:
    """Bits per second for people."""
    return f"{bits / 1e6:.2f} Mbit/s" if bits >= 1e6 else f"{bits / 1e3:.0f} kbit/s"


def size(count: int) -> str:
    """Bytes for people."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
