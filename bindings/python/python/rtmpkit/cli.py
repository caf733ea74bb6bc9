"""The command line: `rtmpkit serve | publish | play | probe`, also as `python -m rtmpkit`."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType

import rtmpkit
from rtmpkit import _files
from rtmpkit._probe import probe
from rtmpkit._progress import Reporter
from rtmpkit._rtmpkit import masked

__all__ = ["main"]

DEFAULT_LISTEN = "127.0.0.1:1935"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit status: 0, 1 when it failed, 2 for a wrong command line, 130 after Ctrl-C."""
    options = _parser().parse_args(argv)
    try:
        result: int = options.run(options)
        return result
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1
    except (rtmpkit.Error, OSError) as error:
        print(f"rtmpkit {options.command}: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rtmpkit", description="RTMP server and client.")
    parser.add_argument("--version", action="version", version=f"rtmpkit {rtmpkit.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="run a server until it is interrupted")
    serve.add_argument(
        "--listen",
        action="append",
        metavar="HOST:PORT",
        help=f"where to listen, {DEFAULT_LISTEN} by default; may be given again",
    )
    serve.add_argument(
        "--app", action="append", metavar="NAME", help="an application to offer; any, unless some are named"
    )
    serve.add_argument("--workers", type=int, default=0, metavar="N", help="worker threads, one per core by default")
    serve.set_defaults(run=_serve)

    publish = commands.add_parser("publish", help="publish an FLV file in real time")
    publish.add_argument("file", metavar="FILE.flv")
    publish.add_argument("url", metavar="URL", help="rtmp://host[:port]/app/stream")
    publish.add_argument("--loop", action="store_true", help="begin again at the end of the file, without end")
    publish.set_defaults(run=_publish)

    play = commands.add_parser("play", help="play a stream, into a file if one is named")
    play.add_argument("url", metavar="URL", help="rtmp://host[:port]/app/stream")
    play.add_argument("--out", metavar="FILE.flv", help="where to write the stream")
    play.set_defaults(run=_play)

    look = commands.add_parser("probe", help="tell what a stream consists of")
    look.add_argument("url", metavar="URL", help="rtmp://host[:port]/app/stream")
    look.add_argument("--json", action="store_true", help="print one JSON object")
    look.set_defaults(run=_probe)

    play.add_argument("--seconds", type=float, metavar="N", help="end after N seconds of the stream")
    look.add_argument("--seconds", type=float, default=3.0, metavar="N", help="look at N seconds of it, 3 by default")
    for command in (publish, play, look):
        command.add_argument(
            "--timeout", type=float, default=10.0, metavar="N", help="seconds to wait for the server, 10 by default"
        )
    return parser


def _serve(options: argparse.Namespace) -> int:
    stop = threading.Event()

    def ended(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ended)
    with Reporter() as reporter:
        applications = [_Logged(name, reporter) for name in options.app or ["*"]]
        with rtmpkit.Server(options.listen or DEFAULT_LISTEN, applications, options.workers) as server:
            for host, port in server.addresses:
                reporter.line(f"listening on {f'[{host}]' if ':' in host else host}:{port}")
            meter = reporter.server(server.stats)
            while not stop.wait(1.0 if reporter.live else None):
                meter.update()
        reporter.line("stopped")
    return 0


class _Logged(rtmpkit.Application):
    """Accepts everything and tells of it."""

    def __init__(self, name: str, reporter: Reporter) -> None:
        super().__init__(name)
        self._reporter = reporter

    def on_connect(self, request: rtmpkit.ConnectRequest) -> bool:
        host, port = request.peer.address
        self._say(request.peer, f"connected from {host}:{port} to {masked(request.app)}: {request.peer.agent}")
        return True

    def on_disconnect(self, peer: rtmpkit.Peer, why: rtmpkit.Status) -> None:
        self._say(peer, f"disconnected: {why.description}")

    def on_publish(self, request: rtmpkit.PublishRequest) -> bool:
        self._say(request.peer, f"publishes {request.stream_name}")
        return True

    def on_unpublish(self, peer: rtmpkit.Peer, stream: rtmpkit.Stream) -> None:
        self._say(peer, f"stopped publishing {stream.name}")

    def on_play(self, request: rtmpkit.PlayRequest) -> bool:
        self._say(request.peer, f"plays {request.stream_name}")
        return True

    def on_stop(self, peer: rtmpkit.Peer, stream_name: str) -> None:
        self._say(peer, f"stopped playing {stream_name}")

    def _say(self, peer: rtmpkit.Peer, text: str) -> None:
        # What a peer says about itself must not steer the terminal.
        self._reporter.line(f"peer {peer.id} " + "".join(c if c.isprintable() else "?" for c in text))


def _publish(options: argparse.Namespace) -> int:
    with rtmpkit.publish(options.url, timeout=options.timeout) as stream, Reporter() as reporter:
        reporter.line(f"publishing {options.file} to {masked(options.url)}")
        meter = reporter.stream("publishing", _files.duration(options.file))
        _files.publish(options.file, stream, meter.frame, loop=options.loop)
        meter.finish()
    return 0


def _play(options: argparse.Namespace) -> int:
    with rtmpkit.play(options.url, timeout=options.timeout) as stream, Reporter() as reporter:
        reporter.line(f"playing {masked(options.url)}" + (f" to {options.out}" if options.out else ""))
        meter = reporter.stream("playing", options.seconds)
        _files.save(stream, options.out, meter.frame, seconds=options.seconds)
        meter.finish()
        if stream.dropped:
            reporter.line(f"{stream.dropped} frames dropped: the output does not keep up")
    return 0 if meter.frames else 1


def _probe(options: argparse.Namespace) -> int:
    with rtmpkit.play(options.url, timeout=options.timeout, frame_timeout=options.timeout) as stream:
        report = probe(stream, options.url, options.seconds)
    print(report.to_json() if options.json else report.to_text())
    return 0 if report.frames else 1
