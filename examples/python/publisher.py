"""Publishes an FLV file in real time.

python examples/python/publisher.py FILE.flv rtmp://127.0.0.1/live/stream
"""

from __future__ import annotations

import argparse
import sys
import time

import rtmpkit


def publish(file: str, url: str) -> None:
    with rtmpkit.flv.Reader(file) as frames, rtmpkit.publish(url) as stream:
        began: float | None = None
        for frame in frames:
            # The first frame is due now, every other one as much later as it is in the file.
            began = time.monotonic() - frame.timestamp / 1000 if began is None else began
            time.sleep(max(0.0, began + frame.timestamp / 1000 - time.monotonic()))
            send(stream, to_publish(frame))


def to_publish(frame: rtmpkit.Frame) -> rtmpkit.Frame:
    """Metadata with `@setDataFrame` in front, so that the server keeps it for players who join late."""
    values = frame.values() if frame.metadata else []
    if not values or values[0] != "onMetaData":
        return frame
    return rtmpkit.Frame.script("@setDataFrame", *values, timestamp=frame.timestamp)


def send(stream: rtmpkit.NetStream, frame: rtmpkit.Frame) -> None:
    while True:
        try:
            return stream.write(frame)
        except rtmpkit.Full:  # The network does not keep up: a file can wait.
            time.sleep(0.02)


def main() -> int:
    parser = argparse.ArgumentParser(description="Publishes an FLV file in real time.")
    parser.add_argument("file", metavar="FILE.flv")
    parser.add_argument("url", metavar="URL", help="rtmp://host[:port]/app/stream")
    args = parser.parse_args()
    publish(args.file, args.url)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (rtmpkit.Error, OSError) as error:
        sys.exit(f"publisher: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
