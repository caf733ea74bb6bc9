"""Plays a stream into an FLV file, until the stream ends, for a number of seconds, or until Ctrl-C.

python examples/python/player.py rtmp://127.0.0.1/live/stream FILE.flv [--seconds N]
"""

from __future__ import annotations

import argparse
import sys
import time

import rtmpkit


def play(url: str, file: str, seconds: float | None) -> None:
    with rtmpkit.flv.Writer(file) as out, rtmpkit.play(url) as stream:
        until = None if seconds is None else time.monotonic() + seconds
        while until is None or time.monotonic() < until:
            try:
                frame = stream.read(None if until is None else max(0.0, until - time.monotonic()))
            except rtmpkit.Timeout:
                break
            if frame is None:
                break
            out.write(frame)
        if stream.dropped:
            print(f"{stream.dropped} frames were dropped: the disk did not keep up", file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description="Plays a stream into an FLV file.")
    parser.add_argument("url", metavar="URL", help="rtmp://host[:port]/app/stream")
    parser.add_argument("file", metavar="FILE.flv")
    parser.add_argument("--seconds", type=float, metavar="N")
    args = parser.parse_args()
    try:
        play(args.url, args.file, args.seconds)
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (rtmpkit.Error, OSError) as error:
        sys.exit(f"player: {error}")
