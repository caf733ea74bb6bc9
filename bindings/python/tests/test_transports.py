"""TLS and tunnels."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import rtmpkit
from media import frames, joined, media


@pytest.fixture
def identity(tmp_path: Path) -> tuple[Path, Path]:
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=rtmpkit tests", "-addext", "subjectAltName=IP:127.0.0.1"]
    subject += ["-addext", "basicConstraints=critical,CA:FALSE"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*make, "-keyout", key, "-out", chain], check=True, capture_output=True)
    return chain, key


@pytest.mark.parametrize("scheme", ["rtmps", "rtmpt", "rtmpts"])
def test_p17_c13_c17_p19_clients_connect_by_tls_and_in_tunnels(scheme: str, identity: tuple[Path, Path]) -> None:
    passes_unchanged(scheme, scheme, identity)


@pytest.mark.parametrize(("scheme", "listened"), [("rtmpe", "rtmp"), ("rtmpte", "rtmpt")])
def test_p3_clients_encrypt_by_rtmpe(scheme: str, listened: str, identity: tuple[Path, Path]) -> None:
    passes_unchanged(scheme, listened, identity)


def test_p3_servers_refuse_rtmpe_unless_they_are_told_otherwise() -> None:
    with rtmpkit.Server("127.0.0.1:0") as server, pytest.raises(rtmpkit.ConnectError):
        rtmpkit.NetConnection(f"rtmpe://127.0.0.1:{server.port}/live", timeout=20)


def passes_unchanged(scheme: str, listened: str, identity: tuple[Path, Path]) -> None:
    seen: list[tuple[str, bool]] = []

    class Live(rtmpkit.Application):
        def on_connect(self, request: rtmpkit.ConnectRequest) -> None:
            seen.append((request.peer.protocol, request.peer.secure))

    options = rtmpkit.ConnectOptions(tls_authorities=identity[0].read_bytes())
    encrypts = scheme != listened
    with rtmpkit.Server(f"{listened}://127.0.0.1:0", [Live("live")], tls=identity, accept_rtmpe=encrypts) as server:
        url = f"{scheme}://127.0.0.1:{server.port}/live"
        publisher = rtmpkit.NetConnection(url, options=options)
        player = rtmpkit.NetConnection(url, options=options)
        with publisher, player, publisher.publish("cam") as out, player.play("cam") as back:
            assert seen == [(scheme, "s" in scheme)] * 2
            joined(server.instance("live").stream("cam"), 1)
            sent = media(list(frames(20)))
            for written in frames(20):
                out.write(written)
            received: list[tuple[str, int, bytes]] = []
            while len(received) < len(sent):
                frame = back.read(20)
                assert frame is not None
                received += media([frame])
            assert received == sent


def test_p17_certificates_are_verified_and_can_be_renewed(identity: tuple[Path, Path]) -> None:
    chain, key = (path.read_bytes() for path in identity)
    with rtmpkit.Server("rtmps://127.0.0.1:0", tls=(chain, key)) as server:
        url = f"rtmps://127.0.0.1:{server.port}/live"
        with pytest.raises(rtmpkit.ConnectError, match="issuer that is not trusted"):
            rtmpkit.NetConnection(url)
        with rtmpkit.NetConnection(url, options=rtmpkit.ConnectOptions(tls_insecure_accept_any=True)):
            pass
        server.set_tls([identity])
        with pytest.raises(rtmpkit.ConfigError, match="no certificate"):
            server.set_tls([])
    with pytest.raises(rtmpkit.ConfigError, match="no certificate"):
        rtmpkit.Server("rtmps://127.0.0.1:0")
