"""A server that takes every application: whoever comes may publish, whoever comes may play.

python examples/python/server.py --listen 127.0.0.1:1935 [--listen ...] [--workers N]
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from types import FrameType

import rtmpkit


class Log(rtmpkit.Application):
    """Accepts everything, as an application does that overrides nothing, and says who comes and goes."""

    def on_publish(self, request: rtmpkit.PublishRequest) -> bool:
        print(f"{request.peer} publishes {request.stream_name}", flush=True)
        return True

    def on_unpublish(self, peer: rtmpkit.Peer, stream: rtmpkit.Stream) -> None:
        print(f"{peer} stopped publishing {stream.name}", flush=True)

    def on_play(self, request: rtmpkit.PlayRequest) -> bool:
        print(f"{request.peer} plays {request.stream_name}", flush=True)
        return True

    def on_disconnect(self, peer: rtmpkit.Peer, why: rtmpkit.Status) -> None:
        print(f"{peer} left: {why.description}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Serves every application.")
    parser.add_argument("--listen", action="append", metavar="HOST:PORT")
    parser.add_argument("--workers", type=int, default=0, metavar="N")
    args = parser.parse_args()

    stop = threading.Event()

    def ended(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, ended)
    signal.signal(signal.SIGTERM, ended)
    with rtmpkit.Server(args.listen or "127.0.0.1:1935", [Log("*")], args.workers) as server:
        for host, port in server.addresses:
            print(f"listening on {host}:{port}", flush=True)
        stop.wait()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except rtmpkit.Error as error:
        sys.exit(f"server: {error}")
