"""Plays a stream from one server and publishes it to another, until it ends or Ctrl-C.

python examples/python/relay.py rtmp://from/live/stream rtmp://to/live/stream
"""

from __future__ import annotations

import argparse
import sys

import rtmpkit


def relay(pull_url: str, push_url: str) -> None:
    with rtmpkit.publish(push_url) as push, rtmpkit.play(pull_url) as pull:
        behind = False
        for frame in pull:
            if behind and frame.type == "video" and not frame.keyframe and not frame.config:
                continue
            try:
                push.write(to_publish(frame))
                behind = behind and not frame.keyframe
            except rtmpkit.Full:  # The other server does not keep up: go on at the next keyframe.
                behind = True


def to_publish(frame: rtmpkit.Frame) -> rtmpkit.Frame:
    """Metadata with `@setDataFrame` in front, so that the server keeps it for players who join late."""
    values = frame.values() if frame.metadata else []
    if not values or values[0] != "onMetaData":
        return frame
    return rtmpkit.Frame.script("@setDataFrame", *values, timestamp=frame.timestamp)


def main() -> int:
    parser = argparse.ArgumentParser(description="Relays a stream from one server to another.")
    parser.add_argument("pull", metavar="PULL_URL")
    parser.add_argument("push", metavar="PUSH_URL")
    args = parser.parse_args()
    try:
        relay(args.pull, args.push)
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (rtmpkit.Error, OSError) as error:
        sys.exit(f"relay: {error}")
