"""What a host sets and reads of outgoing connections and streams, and how clients log in."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rtmpkit
import rtmpkit.aio
from rtmpkit import ConnectOptions

PATIENCE = 20


def as_user(url: str, user: str) -> str:
    return url.replace("rtmp://", f"rtmp://{user}@")


@pytest.mark.parametrize("method", ["adobe", "llnw"])
def test_p18_users_of_an_application_log_in(method: str) -> None:
    app = rtmpkit.Application("live", login=method)
    app.set_user("me", "s3cret")
    with rtmpkit.Server("127.0.0.1:0", [app]) as server:
        url = f"rtmp://127.0.0.1:{server.port}/live"
        app.set_user("you", rtmpkit.Secret.hashed(method, "you", "NaCl", "other"))
        with rtmpkit.publish(as_user(url, "me:s3cret") + "/cam") as stream:
            assert stream.connection.connected and stream.connection.uri == url
            assert "s3cret" not in repr(stream.connection)
        with rtmpkit.NetConnection(url, options=ConnectOptions(user="you", password="other")) as nc:
            assert nc.connected
        with pytest.raises(rtmpkit.Rejected, match=r"reason=authfail"):
            rtmpkit.NetConnection(as_user(url, "me:wrong"))
        with pytest.raises(rtmpkit.Rejected, match=f"code=403 need auth; authmod={method}"):
            rtmpkit.NetConnection(url)
        app.set_user("me", None)
        with pytest.raises(rtmpkit.Rejected, match=r"reason=nosuchuser"):
            rtmpkit.NetConnection(as_user(url, "me:s3cret"))


def test_p18_the_host_looks_a_password_up() -> None:
    class Guarded(rtmpkit.Application):
        def on_connect(self, request: rtmpkit.ConnectRequest) -> bool | None:
            if request.login is None:
                request.demand_login("llnw")
                return None
            known = {"me": "s3cret"}.get(request.login.user)

            def look_up() -> None:
                if request.check_login(known):
                    request.accept({"user": "me"})

            threading.Thread(target=look_up).start()
            return None

    with rtmpkit.Server("127.0.0.1:0", [Guarded("live")]) as server:
        url = f"rtmp://127.0.0.1:{server.port}/live"

        async def connect() -> bool:
            async with rtmpkit.aio.NetConnection(as_user(url, "me:s3cret")) as nc:
                return nc.connected

        assert asyncio.run(connect())
        with pytest.raises(rtmpkit.Rejected, match="nosuchuser"):
            rtmpkit.NetConnection(as_user(url, "you:s3cret"))


def test_n6_p2_p12_what_a_connection_announces() -> None:
    seen: queue.Queue[tuple[dict[str, Any], list[Any]]] = queue.Queue()

    class Live(rtmpkit.Application):
        def on_connect(self, request: rtmpkit.ConnectRequest) -> bool:
            seen.put((request.peer.properties, request.args))
            return True

        @rtmpkit.method
        def echo(self, peer: rtmpkit.Peer, value: Any) -> Any:
            return value

    options = ConnectOptions(
        agent="FMSc/1.0",
        swf_url="https://testsite.com/data/player.swf",
        page_url="http://testsite.com/cool_vid.html",
        object_encoding=3,
        digest_handshake=True,
        properties={"fpad": True, "audioCodecs": 1024, "videoCodecs": 128, "videoFunction": 1, "custom": "more"},
    )
    with rtmpkit.Server("127.0.0.1:0", [Live("live")]) as server:
        url = f"rtmp://127.0.0.1:{server.port}/live"
        with rtmpkit.NetConnection(url, {"token": "t"}, "second", options=options) as nc:
            assert nc.call("echo", "x") == "x"
            properties, args = seen.get(timeout=PATIENCE)
        assert args == [{"token": "t"}, "second"]
        expected = {
            "app": "live",
            "flashVer": "FMSc/1.0",
            "swfUrl": "https://testsite.com/data/player.swf",
            "tcUrl": url,
            "fpad": True,
            "audioCodecs": 1024,
            "videoCodecs": 128,
            "videoFunction": 1,
            "pageUrl": "http://testsite.com/cool_vid.html",
            "objectEncoding": 3,
            "custom": "more",
        }
        assert {name: properties.get(name) for name in expected} == expected
        with pytest.raises(rtmpkit.ConfigError, match="object_encoding 1"):
            rtmpkit.NetConnection(url, options=ConnectOptions(object_encoding=1))


def test_p3_p9_a_client_proves_which_swf_file_it_is() -> None:
    """A server by hand: it wants to know which SWF file the client is, and gets the answer of its handshake's key."""

    def connect(url: str, options: ConnectOptions) -> None:
        with contextlib.suppress(rtmpkit.Error):
            rtmpkit.NetConnection(url, options=options).close()

    def receive(peer: socket.socket, length: int) -> bytes:
        had = b""
        while len(had) < length:
            more = peer.recv(length - len(had))
            assert more, "closed"
            had += more
        return had

    file = b"FWS\x09\x0c\0\0\0 rest"
    digest = hmac.digest(b"Genuine Adobe Flash Player 001", file, "sha256")
    options = ConnectOptions(swf_hash=digest, swf_size=len(file))
    s1 = bytes(8) + bytes(range(256)) * 5 + bytes(248)
    proof = b"\0\x1b\1\1" + len(file).to_bytes(4, "big") * 2 + hmac.digest(s1[1504:], digest, "sha256")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"rtmp://127.0.0.1:{listener.getsockname()[1]}/live"
        thread = threading.Thread(target=connect, args=(url, options))
        thread.start()
        peer, _ = listener.accept()
        with peer:
            peer.settimeout(PATIENCE)
            hello = receive(peer, 1537)
            peer.sendall(b"\3" + s1 + hello[1:])
            receive(peer, 1536)
            peer.sendall(bytes.fromhex("02 000000 000003 04 00000000 001A01"))
            had = b""
            while proof not in had:
                more = peer.recv(4096)
                assert more, "closed without an answer"
                had += more
        thread.join(PATIENCE)
    with pytest.raises(rtmpkit.ConfigError, match="swf_hash has 3 bytes"):
        rtmpkit.NetConnection(url, options=ConnectOptions(swf_hash=b"abc"))


def test_s3_s6_s7_a_publisher_knows_what_it_sends(server: rtmpkit.Server, url: str) -> None:
    with rtmpkit.NetConnection(url) as nc, nc.publish("cam") as out:
        assert out.send_buffer == 0
        out.set_send_buffer(2_000)
        assert out.send_buffer == 2_000
        deadline = time.monotonic() + PATIENCE
        while out.time == 0:
            assert time.monotonic() < deadline
        with nc.play("cam") as played:
            out.write_data("onNote", "hello", {"a": 1.0}, timestamp=1_500)
            frame = played.read(PATIENCE)
            while frame is not None and frame.values()[:1] != ["onNote"]:
                frame = played.read(PATIENCE)
            assert frame is not None and frame.timestamp == 1_500
            assert frame.values() == ["onNote", "hello", {"a": 1.0}]
        # Far more than two seconds at once, too much for the sockets: the network cannot have taken it all.
        with pytest.raises(rtmpkit.Full):
            for number in range(2_000):
                out.write_video(bytes(100_000), number * 40, keyframe=True)
        out.wait_writable(PATIENCE)


@pytest.fixture
def gateway() -> Iterator[str]:
    """The URL of a Flash Remoting gateway by Py3AMF."""
    program = Path(__file__).parents[3] / "tests/python/gateway.py"
    with subprocess.Popen([sys.executable, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
        process.stdin.close()


@pytest.mark.parametrize("encoding", [0, 3])
def test_n1_n2_n3_calls_to_a_gateway(gateway: str, encoding: int) -> None:
    with rtmpkit.NetConnection(gateway, options=ConnectOptions(object_encoding=encoding)) as nc:
        assert nc.connected and nc.uri == gateway
        assert nc.call("test.version") == encoding
        assert nc.call("test.echo", {"a": ["x", True]}) == {"a": ["x", True]}
        nc.add_header("ticket", "t7")
        assert nc.call("test.headers") == {"ticket": "t7"}
        nc.add_header("ticket", None)
        assert nc.call("test.headers") == {}
        with pytest.raises(rtmpkit.CallFailed, match="there is no such thing") as caught:
            nc.call("test.fail")
        assert caught.value.code == "LookupError"
        with pytest.raises(rtmpkit.Error):
            nc.publish("cam")
    assert not nc.connected

    async def ask() -> object:
        async with rtmpkit.aio.NetConnection(gateway) as connection:
            return await connection.call("test.add", 1, 2.5)

    assert asyncio.run(ask()) == 3.5
