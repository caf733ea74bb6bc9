"""Pulls a stream from one server and pushes it to another, until its publisher leaves or Ctrl-C.

Lost connections are made again; the media never passes Python.

python examples/python/relay.py rtmp://from/live/stream rtmp://to/live/stream
"""

from __future__ import annotations

import argparse
import sys
import threading

import rtmpkit


def relay(pull_url: str, push_url: str) -> None:
    # The stream between both is one of a server that listens nowhere.
    with rtmpkit.Server(None, [rtmpkit.Application("relay")]) as server:
        instance = server.instance("relay")
        push = instance.push("stream", push_url)
        reporter = threading.Thread(target=report, args=(push,), daemon=True)
        reporter.start()
        try:
            with instance.pull(pull_url, "stream") as pull:
                streamed = False
                for event in pull:
                    tell(pull, event)
                    if event.kind == "connected" and streamed:  # Once more: what flowed has ended.
                        break
                    streamed = streamed or event.kind == "streaming"
        finally:
            push.close()
            reporter.join()  # What the push has taken in is sent by then.


def report(relay: rtmpkit.Relay) -> None:
    for event in relay:
        tell(relay, event)


def tell(relay: rtmpkit.Relay, event: rtmpkit.RelayEvent) -> None:
    if event.kind == "retrying":
        print(f"{relay.url}: {event.reason}; again in {event.after} s", file=sys.stderr)


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
