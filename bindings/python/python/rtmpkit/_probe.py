"""What a stream consists of."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from rtmpkit._progress import bitrate
from rtmpkit._rtmpkit import Frame, masked
from rtmpkit.exceptions import Timeout


@dataclass
class Track:
    """One track of audio or video."""

    type: str
    track: int
    codec: str | None = None
    frames: int = 0
    bytes: int = 0
    first: int | None = None
    last: int = 0
    parameters: dict[str, int] = field(default_factory=dict)

    def add(self, frame: Frame) -> None:
        """Counts a frame in."""
        self.codec = frame.codec or self.codec
        if frame.config:
            self.parameters.update(frame.parameters())
            return
        self.frames += 1
        self.bytes += len(frame.data)
        self.first = frame.timestamp if self.first is None else self.first
        self.last = max(self.last, frame.timestamp)

    @property
    def frame_rate(self) -> float | None:
        """Frames per second, by their times."""
        span = 0 if self.first is None else self.last - self.first
        return 1000 * (self.frames - 1) / span if span > 0 and self.frames > 1 else None

    @property
    def bitrate(self) -> int | None:
        """Bits per second, by the times of the frames."""
        rate = self.frame_rate
        return round(8 * self.bytes / self.frames * rate) if rate and self.frames else None


@dataclass
class Report:
    """What a stream consists of."""

    url: str
    tracks: list[Track] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    frames: int = 0

    def add(self, frame: Frame) -> None:
        """Counts a frame in."""
        self.frames += 1
        if frame.type == "data":
            if frame.metadata:
                self.metadata.update(next((v for v in frame.values() if isinstance(v, dict)), {}))
            return
        for track in self.tracks:
            if (track.type, track.track) == (frame.type, frame.track):
                return track.add(frame)
        track = Track(frame.type, frame.track)
        track.add(frame)
        self.tracks.append(track)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values: `url`, `video` and `audio` (lists of tracks), `metadata`."""
        tracks: dict[str, list[dict[str, Any]]] = {"video": [], "audio": []}
        for track in self.tracks:
            shown: dict[str, Any] = {"track": track.track, "codec": track.codec, **self._parameters(track)}
            shown["bitrate"] = track.bitrate
            tracks[track.type].append(shown)
        return {"url": masked(self.url), **tracks, "metadata": self.metadata}

    def to_json(self) -> str:
        """The report as JSON."""
        return json.dumps(self.to_dict(), indent=2, default=_plain)

    def to_text(self) -> str:
        """The report as lines for people."""
        lines = [masked(self.url)]
        for track in self.tracks:
            known = {k: v for k, v in self._parameters(track).items() if v is not None}
            parts = [track.codec or "unknown codec"]
            if "width" in known:
                parts.append(f"{known['width']}x{known['height']}")
            if "frame_rate" in known:
                parts.append(f"{known['frame_rate']:g} fps")
            if "rate" in known:
                parts.append(f"{known['rate']} Hz")
            if "channels" in known:
                parts.append({1: "mono", 2: "stereo"}.get(known["channels"], f"{known['channels']} channels"))
            if track.bitrate is not None:
                parts.append(bitrate(track.bitrate))
            name = track.type if track.track == 0 else f"{track.type} track {track.track}"
            lines.append(f"  {name}: " + ", ".join(parts))
        if self.metadata:
            lines.append("  metadata:")
            lines.extend(f"    {key}: {_printable(value)}" for key, value in self.metadata.items())
        if not self.frames:
            lines.append("  nothing is being published")
        return "\n".join(lines)

    def _parameters(self, track: Track) -> dict[str, Any]:
        """Size, rates and channels: from the configuration if that tells, else from the metadata."""
        found: dict[str, Any] = dict(track.parameters)
        if track.type == "video":
            found.setdefault("width", self.metadata.get("width"))
            found.setdefault("height", self.metadata.get("height"))
            rate = self.metadata.get("framerate") or track.frame_rate
            found["frame_rate"] = round(rate, 3) if isinstance(rate, (int, float)) else None
        else:
            found.setdefault("rate", self.metadata.get("audiosamplerate"))
            found.setdefault("channels", None)
        return found


def probe(frames: Iterable[Frame], url: str, seconds: float) -> Report:
    """Looks at `seconds` of a stream, or at all of a shorter one."""
    report = Report(url)
    first: int | None = None
    try:
        for frame in frames:
            report.add(frame)
            if frame.type == "data" or frame.config:
                continue
            first = frame.timestamp if first is None else first
            if frame.timestamp - first >= seconds * 1000:
                break
    except Timeout:
        pass
    return report


def _plain(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def _printable(value: object) -> str:
    return "".join(c if c.isprintable() else "?" for c in str(value))[:200]
