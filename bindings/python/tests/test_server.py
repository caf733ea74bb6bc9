"""Servers and connections: their beginning and their end."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import rtmpkit
from media import frames, media


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, timeout=50)


def test_a_server_tells_where_it_listens_and_what_it_counts() -> None:
    with rtmpkit.Server(["127.0.0.1:0", "rtmp://127.0.0.1:0"], io_uring=False) as server:
        assert len(server.addresses) == 2 and server.address == server.addresses[0] and server.port > 0
        with rtmpkit.NetConnection(f"rtmp://127.0.0.1:{server.addresses[1][1]}/any"):
            assert server.stats().connections == 1
            assert server.instance("any").stats().clients == 1
    assert server.closed
    server.close()


def test_wrong_arguments_are_told() -> None:
    with pytest.raises(rtmpkit.ConfigError):
        rtmpkit.Server("nonsense:port")
    with pytest.raises(rtmpkit.ConfigError):
        rtmpkit.Server(applications=[rtmpkit.Application("a/b")])
    with pytest.raises(rtmpkit.AlreadyExists):
        rtmpkit.Server(applications=[rtmpkit.Application("a"), rtmpkit.Application("a")])
    with rtmpkit.Server("127.0.0.1:0", []) as server, pytest.raises(rtmpkit.NotFound):
        server.instance("live")
    with pytest.raises(ValueError):
        rtmpkit.NetConnection("ftp://127.0.0.1/live", on_call=lambda method, args: None)


def test_a_taken_address_is_an_os_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(OSError) as caught:
            rtmpkit.Server(f"127.0.0.1:{taken.getsockname()[1]}")
    assert isinstance(caught.value, rtmpkit.IoError)


def test_no_server_and_a_silent_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(rtmpkit.Timeout) as caught:
            rtmpkit.NetConnection(f"rtmp://127.0.0.1:{silent.getsockname()[1]}/live", timeout=0.05)
        assert isinstance(caught.value, TimeoutError)
        port = silent.getsockname()[1]
    with pytest.raises(rtmpkit.ConnectError):
        rtmpkit.NetConnection(f"rtmp://127.0.0.1:{port}/live")


def test_closing_a_server_ends_its_clients_and_their_streams() -> None:
    with rtmpkit.Server("127.0.0.1:0") as server:
        nc = rtmpkit.NetConnection(f"rtmp://127.0.0.1:{server.port}/live")
        playing = nc.play("cam", timeout=10)
    assert list(playing) == []
    assert playing.closed
    nc.close()


def test_a_server_may_be_closed_in_its_own_handler() -> None:
    app = rtmpkit.Application("live")
    closed = threading.Event()
    server = rtmpkit.Server("127.0.0.1:0", [app])

    @app.on_connect
    def close(request: rtmpkit.ConnectRequest) -> None:
        server.close()
        closed.set()

    with pytest.raises(rtmpkit.ConnectError):
        rtmpkit.NetConnection(f"rtmp://127.0.0.1:{server.port}/live")
    assert closed.wait(10)


def test_a_collected_server_frees_its_port() -> None:
    server = rtmpkit.Server("127.0.0.1:0")
    port = server.port
    del server
    gc.collect()
    with rtmpkit.Server(f"127.0.0.1:{port}") as again:
        assert again.port == port


def test_nothing_is_left_of_closed_servers_and_connections() -> None:
    def left() -> tuple[int, int]:
        gc.collect()
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    def once() -> None:
        app = rtmpkit.Application("live")
        server = rtmpkit.Server("127.0.0.1:0", [app], workers=1)
        app.on_call(lambda request: server.port)
        with server:
            url = f"rtmp://127.0.0.1:{server.port}/live"
            with rtmpkit.NetConnection(url, on_call=lambda method, args: None) as nc:
                with nc.publish("cam"), nc.play("cam"), server.instance("live").subscribe("cam"):
                    assert nc.call("port") == server.port

    once()
    before = left()
    for _ in range(10):
        once()
    deadline = time.monotonic() + 20
    while left() > before:  # Threads of the library close what they held a moment later.
        assert time.monotonic() < deadline, f"{before} became {left()}"


def test_applications_come_while_the_server_listens(server: rtmpkit.Server) -> None:
    with pytest.raises(rtmpkit.Rejected, match="InvalidApp"):
        rtmpkit.NetConnection(f"rtmp://127.0.0.1:{server.port}/late")
    server.add(rtmpkit.Application("late", max_clients=1))
    with rtmpkit.NetConnection(f"rtmp://127.0.0.1:{server.port}/late"):
        with pytest.raises(rtmpkit.Rejected):
            rtmpkit.NetConnection(f"rtmp://127.0.0.1:{server.port}/late")


def test_the_interpreter_ends_with_a_live_server_and_connections() -> None:
    done = run("""if True:
        import threading, rtmpkit
        app = rtmpkit.Application("live")
        app.on_disconnect(lambda peer, why: print("disconnected", flush=True))
        server = rtmpkit.Server("127.0.0.1:0", [app])
        url = f"rtmp://127.0.0.1:{server.port}/live"
        nc = rtmpkit.NetConnection(url, on_call=lambda method, args: None)
        publishing, playing = nc.publish("cam"), nc.play("cam")
        frames = server.instance("live").subscribe("cam")
        reader = threading.Thread(target=lambda: list(frames), daemon=True)
        reader.start()
        for number in range(1000):
            publishing.write_video(bytes(1000), number, keyframe=True)
        print("end", flush=True)
    """)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["end", "disconnected"]
    assert done.stderr == ""


def test_the_interpreter_ends_after_an_exception_with_a_live_server() -> None:
    done = run("""if True:
        import rtmpkit
        server = rtmpkit.Server("127.0.0.1:0")
        raise SystemExit(7)
    """)
    assert (done.returncode, done.stderr) == (7, "")


def test_a_waiting_main_thread_is_interrupted() -> None:
    program = """if True:
        import rtmpkit
        server = rtmpkit.Server("127.0.0.1:0")
        frames = server.instance("live").subscribe("cam")
        try:
            print("waiting", flush=True)
            for frame in frames: pass
        except KeyboardInterrupt:
            print("interrupted")
    """
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=40)[0] == "interrupted\n"
        assert process.returncode == 0


def test_relaying_needs_nothing_of_python() -> None:
    # The server's process holds Python's lock, in C code that does not let go of it, until a byte comes in.
    program = """if True:
        import ctypes, rtmpkit
        app = rtmpkit.Application("live")
        server = rtmpkit.Server("127.0.0.1:0", [app], workers=2)
        print(server.port, flush=True)
        input()
        print("holding", flush=True)
        ctypes.PyDLL(None).read(0, ctypes.create_string_buffer(1), 1)
        server.close()
        print("let go", flush=True)
    """
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        url = f"rtmp://127.0.0.1:{int(process.stdout.readline())}/live"
        with rtmpkit.NetConnection(url) as nc, nc.publish("cam") as publishing, nc.play("cam", timeout=20) as playing:
            process.stdin.write(b"\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"holding\n"
            sent = list(frames(50))
            for frame in sent:
                publishing.write(frame)
            got = [next(playing) for _ in sent]
            assert media(got) == media(sent)
            process.stdin.write(b"x")
            process.stdin.flush()
            assert process.stdout.readline() == b"let go\n"
        assert process.wait(20) == 0


def test_names_resolve_off_the_calling_thread() -> None:
    with rtmpkit.Server("localhost:0") as server:
        host, port = server.address
        with rtmpkit.NetConnection(f"rtmp://{f'[{host}]' if ':' in host else host}:{port}/live"):
            pass
    with pytest.raises(rtmpkit.ConnectError):
        rtmpkit.NetConnection("rtmp://no-such-host.invalid/live")


def test_urls_are_taken_apart() -> None:
    url = rtmpkit.Url("rtmp://host/live/room/cam?key=1")
    assert (url.host, url.port, url.app, url.stream) == ("host", 1935, "live/room", "cam?key=1")
    assert url.connection.startswith("rtmp://host") and url.text.endswith("cam?key=1")


def test_p19_passwords_and_tokens_are_not_shown(app: rtmpkit.Application, server: rtmpkit.Server) -> None:
    url = rtmpkit.Url("rtmp://me:s3cret@host/live/cam?key=s3cret")
    assert rtmpkit.masked(url.text) == str(url) == f"{url}" == "rtmp://me:***@host/live/cam?***" and repr(url) == f"<Url {url}>"
    assert url.text == "rtmp://me:s3cret@host/live/cam?key=s3cret" and url.connection == "rtmp://me:s3cret@host/live"
    shown: list[str] = [repr(rtmpkit.ConnectOptions(password="s3cret"))]

    @app.on_connect
    def connecting(request: rtmpkit.ConnectRequest) -> None:
        assert request.query == "token=s3cret"
        shown.extend([repr(request), repr(request.peer)])
        request.accept()

    @app.on_publish
    def publishing(request: rtmpkit.PublishRequest) -> None:
        assert request.query == "key=s3cret"
        shown.append(repr(request))
        request.accept()

    there = f"rtmp://me:s3cret@127.0.0.1:{server.port}/live?token=s3cret"
    with rtmpkit.NetConnection(there) as connection, connection.publish("cam?key=s3cret") as stream:
        shown.extend([repr(connection), repr(stream)])
        assert repr(stream) == "<NetStream 'cam?***'>" and repr(connection).endswith("/live?***>")
    relay = server.instance("live").push("cam", "rtmp://me:s3cret@127.0.0.1:1/live?token=s3cret/cam?key=s3cret")
    shown.extend([repr(relay), relay.url])
    relay.close()
    for wrong in (
        "rtmp://me:s3cret/x@host/live",
        "rtmp://me:s3cret@ho st/live",
        "rtmp://me:s3cret@127.0.0.1:1/live?token=s3cret",
    ):
        with pytest.raises(rtmpkit.Error) as caught:
            rtmpkit.NetConnection(wrong, timeout=20)
        shown.append(str(caught.value))
    with pytest.raises(rtmpkit.ConfigError) as nameless:
        rtmpkit.play(there)
    shown.append(str(nameless.value))
    assert len(shown) == 14 and not [text for text in shown if "s3cret" in text]


def test_the_package_is_typed() -> None:
    folder = Path(rtmpkit.__file__).parent
    assert (folder / "py.typed").exists() and (folder / "_rtmpkit.pyi").exists()
