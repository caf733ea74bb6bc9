"""Media to send in tests: bytes nobody decodes, shaped as H.264 and AAC."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import rtmpkit

AVC_CONFIG = bytes.fromhex("0164001effe1000867640 01eacd940a001000468ebe3cb".replace(" ", ""))
"""An avcC record with one SPS and one PPS; the pictures it tells of do not matter here."""
AAC_CONFIG = bytes.fromhex("1210")
"""An AudioSpecificConfig: AAC-LC, 44100 Hz, two channels."""
METADATA = {"width": 640, "height": 360, "framerate": 25, "title": "test"}


def frames(count: int, *, step: int = 40, gop: int = 5, size: int = 200) -> Iterator[rtmpkit.Frame]:
    """Metadata, both configurations, then `count` pictures with one audio frame each."""
    yield rtmpkit.Frame.script("onMetaData", METADATA)
    yield rtmpkit.Frame.video_config(AVC_CONFIG)
    yield rtmpkit.Frame.audio_config(AAC_CONFIG)
    for number in range(count):
        picture = number.to_bytes(4, "big") * (size // 4)
        yield rtmpkit.Frame.video(picture, number * step, keyframe=number % gop == 0, composition=step)
        yield rtmpkit.Frame.audio(b"\x21" + number.to_bytes(4, "big"), number * step)


def write_flv(path: Path, count: int, *, step: int = 40) -> list[rtmpkit.Frame]:
    """Writes an FLV file of `count` pictures; returns what is in it, metadata apart."""
    written = list(frames(count, step=step))[1:]
    with rtmpkit.flv.Writer(path, metadata=METADATA) as out:
        for frame in written:
            out.write(frame)
    return written


def joined(stream: rtmpkit.Stream, players: int) -> None:
    """Returns when that many play: a subscription joins its stream on a thread of the library."""
    deadline = time.monotonic() + 20
    while stream.stats().players < players:
        assert time.monotonic() < deadline, "no player joined"
        os.sched_yield()


def media(source: list[rtmpkit.Frame]) -> list[tuple[str, int, bytes]]:
    """What has to come through unchanged."""
    return [(f.type, f.timestamp, bytes(f.body)) for f in source if f.type != "data"]
