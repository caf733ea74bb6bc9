"""What programs get wrong is told where they get it wrong, in words that say what to do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import rtmpkit
import rtmpkit.aio
from media import frames

LOCAL = "rtmp://127.0.0.1:0"


def test_where_to_listen() -> None:
    for url, why in [
        ("", "neither host nor port"),
        ("foo:bar", "the port is not a number"),
        ("http://127.0.0.1:0", "cannot listen for this scheme"),
        (f"{LOCAL}/live", "applications have no part in it"),
    ]:
        with pytest.raises(rtmpkit.ConfigError, match=why):
            rtmpkit.Server(url)
    with pytest.raises(rtmpkit.IoError, match=r"look up nobody\.invalid"):
        rtmpkit.Server("rtmp://nobody.invalid:1935")
    with rtmpkit.Server(LOCAL) as server, pytest.raises(rtmpkit.IoError, match="in use"):
        rtmpkit.Server(f"127.0.0.1:{server.port}")


def test_what_is_offered() -> None:
    with rtmpkit.Server(LOCAL, rtmpkit.Application("live")) as server:
        assert server.instance("live").name == "live/_definst_"
    wrong: Any = ["live"]
    with pytest.raises(rtmpkit.ConfigError, match=r"rtmpkit\.Application\('live'\)"):
        rtmpkit.Server(LOCAL, wrong)
    with pytest.raises(rtmpkit.ConfigError, match=r"rtmpkit\.aio\.Server"):
        rtmpkit.Server(LOCAL, [rtmpkit.aio.Application("live")])
    with pytest.raises(rtmpkit.Closed, match="server is closed"):
        server.instance("live")


def test_certificates(tmp_path: Path) -> None:
    wrong: Any = ["chain.pem", "key.pem"]
    with pytest.raises(rtmpkit.ConfigError, match="a tuple of certificate chain and key"):
        rtmpkit.Server("rtmps://127.0.0.1:0", tls=wrong)
    with pytest.raises(FileNotFoundError):
        rtmpkit.Server("rtmps://127.0.0.1:0", tls=(tmp_path / "chain.pem", tmp_path / "key.pem"))
    path: Any = "ca.pem"
    with pytest.raises(rtmpkit.ConfigError, match="PEM as bytes"):
        rtmpkit.NetConnection("rtmps://127.0.0.1:1/live", options=rtmpkit.ConnectOptions(tls_authorities=path))
    with pytest.raises(rtmpkit.ConfigError, match="no certificate in the PEM text"):
        rtmpkit.NetConnection("rtmps://127.0.0.1:1/live", options=rtmpkit.ConnectOptions(tls_authorities=b"ca.pem"))


def test_a_way_to_publish_that_does_not_exist(url: str) -> None:
    with pytest.raises(rtmpkit.ConfigError, match=r'"rec": use live, record, append or appendWithGap'):
        rtmpkit.publish(f"{url}/cam", mode="rec")

    async def publish() -> None:
        await rtmpkit.aio.publish(f"{url}/cam", mode="rec")

    with pytest.raises(rtmpkit.ConfigError, match='"rec"'):
        asyncio.run(publish())
    with rtmpkit.publish(f"{url}/cam", mode="LIVE") as stream:
        assert not stream.closed


def test_writing_after_the_end_says_that_it_is_the_end(url: str) -> None:
    with rtmpkit.publish(f"{url}/cam") as stream:
        stream.seek(5)
        stream.close()
        for frame in frames(1):
            with pytest.raises(rtmpkit.Closed, match="stream is closed"):
                stream.write(frame)
    connection = rtmpkit.NetConnection(url)
    connection.close()
    with pytest.raises(rtmpkit.WrongState, match="not connecting or connected") as caught:
        connection.call("anything")
    assert isinstance(caught.value, RuntimeError)


def test_what_was_not_started_in_asyncio() -> None:
    async def program() -> None:
        server = rtmpkit.aio.Server(LOCAL)
        assert repr(server) == "<Server on no address>"
        with pytest.raises(rtmpkit.WrongState, match="use `async with`"):
            server.application("live")
        with pytest.raises(rtmpkit.WrongState, match="use `async with`"):
            await server.listen(LOCAL)
        with pytest.raises(rtmpkit.WrongState, match="does not listen yet"):
            assert server.port
        with pytest.raises(rtmpkit.WrongState, match="use `async with`"):
            await rtmpkit.aio.NetConnection("rtmp://127.0.0.1:1/live").call("anything")

    asyncio.run(program())


def test_settings_of_a_connection_go_with_the_url_of_a_stream_too(server: rtmpkit.Server, url: str) -> None:
    options = rtmpkit.ConnectOptions(agent="somebody")
    with rtmpkit.publish(f"{url}/cam", options=options):
        assert [peer.agent for peer in server.instance("live").peers] == ["somebody"]
    with rtmpkit.play(f"{url}/cam", options=options, live=True):
        assert [peer.agent for peer in server.instance("live").peers] == ["somebody"]

    async def program() -> None:
        async with rtmpkit.aio.play(f"{url}/cam", options=options, live=True):
            assert [peer.agent for peer in server.instance("live").peers] == ["somebody"]

    asyncio.run(program())
