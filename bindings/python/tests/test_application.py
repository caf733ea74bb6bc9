"""Applications, instances and clients. Tests are named after the lines of docs/conformance.md."""

from __future__ import annotations

import platform
import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import rtmpkit
from media import joined
from rtmpkit import amf
from rtmpkit.amf import TypedObject

Got = queue.Queue[Any]


def serve(app: rtmpkit.Application, **settings: Any) -> rtmpkit.Server:
    return rtmpkit.Server("127.0.0.1:0", [app], workers=2, **settings)


def url_of(server: rtmpkit.Server, app: str = "live") -> str:
    return f"rtmp://127.0.0.1:{server.port}/{app}"


def until(statuses: Got, code: str) -> rtmpkit.Status:
    while (status := statuses.get(timeout=10)).code != code:
        pass
    assert isinstance(status, rtmpkit.Status)
    return status


def test_a8_a9_clearing_one_stream_or_all(app: rtmpkit.Application, server: rtmpkit.Server) -> None:
    heard: Got = queue.Queue()
    app.on_status(lambda instance, status: heard.put(status))
    instance = server.instance("live")
    publications = [instance.publish(name) for name in ("a", "b", "c")]
    assert instance.clear_stream("a") == 1
    assert until(heard, "NetStream.Clear.Success")
    assert [publication.stream.publishing for publication in publications] == [False, True, True]
    assert instance.clear_streams() == 3, "those that somebody refers to"
    assert not any(publication.stream.publishing for publication in publications)
    with pytest.raises(rtmpkit.StreamError) as caught:
        instance.clear_stream("none")
    assert caught.value.code == "NetStream.Clear.Failed"


def test_a10_recorded_streams_are_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "streams" / "_definst_"
    folder.mkdir(parents=True)
    for name in ("one.flv", "two.flv", "two.mp4", "notes.txt"):
        (folder / name).write_bytes(b"")
    with serve(rtmpkit.Application("live", directory=tmp_path)) as server:
        assert server.instance("live").clear_stream("flv:one") == 1
        assert server.instance("live").clear_streams("/t*") == 2
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_a12_the_configuration_file_keeps_its_comments(tmp_path: Path) -> None:
    path = tmp_path / "live.toml"
    path.write_text("# who may come\n[limits]\nclients = 5 # few\n")
    app = rtmpkit.Application("live", config=path)
    assert app.config is not None and app.config.path == path
    assert app.config["limits.clients"] == 5 and app.config.get("none", "default") == "default"
    app.config["limits.clients"] = 6
    app.config["rooms"] = ["a", "b"]
    app.config.save()
    assert "# who may come\n[limits]\nclients = 6 # few\n" in path.read_text()
    assert rtmpkit.ConfigFile(path).to_dict() == {"limits": {"clients": 6}, "rooms": ["a", "b"]}
    del app.config["rooms"]
    assert "rooms" not in app.config
    app.config.reload()
    assert "rooms" in app.config
    for wrong in ("rooms.x", "nothing"):
        with pytest.raises((KeyError, rtmpkit.ConfigError)):
            del app.config[wrong]
    path.write_text("[limits")
    with pytest.raises(rtmpkit.ConfigError, match="1:"):
        app.config.reload()


def test_a14_a30_collecting_and_unloading(app: rtmpkit.Application, server: rtmpkit.Server, url: str) -> None:
    stopped: Got = queue.Queue()
    statuses: Got = queue.Queue()
    app.on_instance_stop(lambda instance: stopped.put(instance.name))
    with rtmpkit.NetConnection(url + "/room", on_status=statuses.put) as nc:
        instance = server.instance("live/room")
        assert app.instances == [instance] and app.client_count == 1
        assert instance.collect() >= 0
        assert instance.unload() and not instance.unload() and instance.unloaded
        assert until(statuses, "NetConnection.Connect.AppShutdown")
        assert until(statuses, "NetConnection.Connect.Closed")
        assert stopped.get(timeout=10) == "live/room"
        assert not nc.connected
    with rtmpkit.NetConnection(url + "/room"):
        assert server.instance("live/room").stats().clients == 1
        app.close()
        with pytest.raises(rtmpkit.Rejected):
            rtmpkit.NetConnection(url)


def test_a14_an_idle_instance_may_stay(unraisable: list[Any]) -> None:
    asked: Got = queue.Queue()
    app = rtmpkit.Application("live", instance_idle=1)

    @app.on_instance_idle
    def may_go(instance: rtmpkit.Instance) -> bool:
        asked.put(instance.name)
        return False

    with serve(app) as server:
        rtmpkit.NetConnection(url_of(server)).close()
        assert asked.get(timeout=15) == "live/_definst_"
        assert [instance.name for instance in app.instances] == ["live/_definst_"]
    assert unraisable == []


def test_a16_a17_name_platform_and_version_of_the_server() -> None:
    assert rtmpkit.Server.host_name() == socket.gethostname()
    assert rtmpkit.Server.platform().split()[0] == platform.system().lower()
    assert rtmpkit.__version__.count(".") == 2


def test_a20_a21_a22_from_the_attempt_to_the_end(app: rtmpkit.Application, url: str) -> None:
    heard: Got = queue.Queue()
    app.on_connect(lambda request: "key" in request.params)
    app.on_accept(lambda peer: heard.put(("accept", peer.connected)))
    app.on_reject(lambda peer, why: heard.put(("reject", why.code)))
    app.on_disconnect(lambda peer, why: heard.put(("disconnect", peer.connected)))
    with pytest.raises(rtmpkit.Rejected):
        rtmpkit.NetConnection(url)
    assert heard.get(timeout=10) == ("reject", "NetConnection.Connect.Rejected")
    with rtmpkit.NetConnection(url + "?key="):
        assert heard.get(timeout=10) == ("accept", True)
    assert heard.get(timeout=10) == ("disconnect", False)


def test_a29_refused_with_an_error_object(app: rtmpkit.Application, url: str) -> None:
    def refuse(request: rtmpkit.ConnectRequest) -> None:
        request.reject("no", application={"reason": 7})

    app.on_connect(refuse)
    with pytest.raises(rtmpkit.Rejected) as caught:
        rtmpkit.NetConnection(url)
    assert caught.value.info["application"] == {"reason": 7}


@dataclass
class Point:
    x: float
    y: float = 0
    near: Any = None


class Slotted:
    __slots__ = ("a",)


class Careful:
    def __init__(self, n: int) -> None:
        self.n = n

    def __setstate__(self, state: dict[str, Any]) -> None:
        if not isinstance(state.get("n"), int):
            raise ValueError("n is a number")
        self.n = state["n"]


@pytest.fixture
def registered() -> Any:
    for cls in (Point, Slotted, Careful):
        amf.register_class(f"test.{cls.__name__}")(cls)
    yield
    for cls in (Point, Slotted, Careful):
        assert amf.unregister_class(f"test.{cls.__name__}") and not amf.unregister_class(f"test.{cls.__name__}")


def test_a27_registered_classes_go_both_ways(registered: None, app: rtmpkit.Application, url: str) -> None:
    seen: Got = queue.Queue()

    @app.method
    def mirror(peer: rtmpkit.Peer, point: Any) -> Any:
        seen.put(point)
        return Point(point.y, point.x, [point])

    with rtmpkit.NetConnection(url) as nc:
        assert nc.call("mirror", Point(1, 2)) == Point(2, 1, [Point(1, 2)])
        assert seen.get(timeout=10) == Point(1, 2)
        # A class known by name alone, with members that nobody expects.
        assert nc.call("mirror", TypedObject("test.Point", x=1, y=2, z=3, __class__="evil")).x == 2
        assert vars(seen.get(timeout=10)) == {"x": 1, "y": 2, "z": 3}


def test_a27_classes_may_refuse_what_comes(registered: None) -> None:
    def there_and_back(value: Any) -> Any:
        [back] = amf.amf0_decode(amf.amf0_encode(value))
        return back

    assert there_and_back(Careful(3)).n == 3
    with pytest.raises(ValueError, match="n is a number"):
        there_and_back(TypedObject("test.Careful", n="x"))
    slotted = Slotted()
    slotted.a = 5  # type: ignore[attr-defined]
    assert there_and_back(slotted).a == 5
    ring = Point(1)
    ring.near = {"again": ring}
    back = there_and_back(ring)
    assert isinstance(back, Point) and back.near["again"] is back
    unknown = there_and_back(TypedObject("test.Unknown", n=1))
    assert isinstance(unknown, TypedObject) and unknown == {"n": 1}


def test_a28_methods_passed_on_to_another_server_or_a_client(app: rtmpkit.Application, url: str) -> None:
    back = rtmpkit.Application("back")
    back.method("double")(lambda peer, n: 2 * n)
    with serve(back) as other:
        app.proxy("twice", url_of(other, "back"), "double")
        app.proxy("nowhere", "rtmp://127.0.0.1:1/back")
        with rtmpkit.NetConnection(url, on_call=lambda method, args: [method, args]) as nc:
            assert nc.call("twice", 21) == 42
            with pytest.raises(rtmpkit.CallFailed) as caught:
                nc.call("nowhere")
            assert caught.value.code == "NetConnection.Proxy.NotResponding"
            [peer] = app.instances[0].peers
            app.proxy("back to you", peer)
            assert nc.call("back to you", 1) == ["back to you", [1]]
            with pytest.raises(rtmpkit.ConfigError):
                app.proxy("play", peer)


@contextmanager
def tapped(port: int) -> Iterator[tuple[int, bytearray]]:
    """A way to a server, and what the server sends over it: not all of that comes to a program's sight."""
    sent = bytearray()
    listener = socket.create_server(("127.0.0.1", 0))

    def relay(source: socket.socket, target: socket.socket, copy: bytearray | None) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if copy is not None:
                    copy += data
                target.sendall(data)
            # Not `close`: while the other thread waits in `recv` that would not tell the other side of the end.
            target.shutdown(socket.SHUT_WR)

    def serve_one() -> None:
        client, _ = listener.accept()
        with client, socket.create_connection(("127.0.0.1", port)) as server:
            upwards = threading.Thread(target=relay, args=(client, server, None), daemon=True)
            upwards.start()
            relay(server, client, sent)
            upwards.join()

    threading.Thread(target=serve_one, daemon=True).start()
    with listener:
        yield listener.getsockname()[1], sent


def test_c2_c3_sample_access(server: rtmpkit.Server) -> None:
    with tapped(server.port) as (port, sent), rtmpkit.NetConnection(f"rtmp://127.0.0.1:{port}/live") as nc:
        [peer] = server.instance("live").peers
        peer.set_sample_access(audio="/")
        peer.set_sample_access(video="/open")
        assert peer.sample_access == ("/", "/open")
        for name, access in (("open/cam", b"\x01\x01\x01\x01"), ("closed", b"\x01\x01\x01\x00")):
            with server.instance("live").publish(name) as publication, nc.play(name, timeout=10) as frames:
                joined(publication.stream, 1)
                publication.write(rtmpkit.Frame.video(b"picture", 0, keyframe=True))
                assert frames.read() is not None
                assert b"\x02\x00\x11|RtmpSampleAccess" + access in sent


def test_c5_c6_bandwidth(server: rtmpkit.Server, url: str) -> None:
    with rtmpkit.NetConnection(url):
        [peer] = server.instance("live").peers
        for component in (False, True):
            found = peer.check_bandwidth(component=component)
            assert found.kbit_per_s > 0 and found.kbit >= 0 and found.latency_ms >= 0 and found.seconds >= 0
        for limits in ((None, None), (100_000, 200_000), (None, 4096), (None, None)):
            peer.limit_bandwidth(incoming=limits[0], outgoing=limits[1])
            assert peer.bandwidth_limits == limits
        with pytest.raises(rtmpkit.ConfigError):
            peer.limit_bandwidth(outgoing=1)


def test_c7_statistics_of_a_client(server: rtmpkit.Server, url: str) -> None:
    with rtmpkit.NetConnection(url) as nc:
        [peer] = server.instance("live").peers
        rtt = peer.ping()
        stats = peer.stats()
        assert stats.bytes_in > 3000 and stats.bytes_out > 3000, "the handshake alone is as long"
        assert stats.ping_rtt == int(rtt)
        assert (stats.dropped_audio, stats.dropped_video, stats.dropped_data, stats.messages_dropped) == (
            (0, 0),
            (0, 0),
            (0, 0),
            0,
        )
        assert stats.rate_in >= 0 and stats.rate_out >= 0 and stats.queued_bytes == 0
        assert nc.deviations() == peer.deviations() == server.deviations() == {}


@pytest.mark.parametrize("answer", [12.5, 3, None])
def test_c8_length_of_a_stream(app: rtmpkit.Application, url: str, answer: float | None) -> None:
    asked: Got = queue.Queue()

    @app.on_stream_length
    def length(request: rtmpkit.StreamLengthRequest) -> float | None:
        asked.put((request.stream_name, request.query, request.peer.connected))
        return answer

    with rtmpkit.NetConnection(url) as nc:
        assert nc.call("getStreamLength", "film?key=1") == (answer or 0)
    assert asked.get(timeout=10) == ("film", "key=1", True)


def test_c1_c9_c10_c11_c13_c17_c18_who_a_client_is(server: rtmpkit.Server, url: str) -> None:
    with rtmpkit.NetConnection(url):
        [peer] = server.instance("live").peers
        assert peer.id > 0 and peer.address[0] == "127.0.0.1"
        assert peer.agent and peer.uri == url and peer.app == "live"
        assert (peer.page_url, peer.referrer, peer.protocol, peer.secure) == ("", "", "rtmp", False)


def test_c14_what_a_client_may_read(app: rtmpkit.Application, server: rtmpkit.Server, url: str) -> None:
    app.on_connect(lambda request: request.peer.set_access(read="/open"))
    with rtmpkit.NetConnection(url) as nc:
        [peer] = server.instance("live").peers
        assert (peer.read_access, peer.write_access) == ("/open", "/")
        with nc.play("open/cam"):
            pass
        with pytest.raises(rtmpkit.StreamError) as refused:
            nc.play("closed")
        assert refused.value.code.startswith("NetStream.Play.")
        with server.instance("live").shared_object("closed/room"), pytest.raises(rtmpkit.SharedObjectError) as no:
            nc.shared_object("closed/room")
        assert no.value.code == "SharedObject.NoReadAccess"


def test_c15_what_a_client_may_write(server: rtmpkit.Server, url: str) -> None:
    with rtmpkit.NetConnection(url) as nc, server.instance("live").shared_object("closed") as host:
        [peer] = server.instance("live").peers
        peer.set_access(write="/mine")
        with nc.publish("mine/cam"):
            pass
        with pytest.raises(rtmpkit.StreamError):
            nc.publish("theirs")
        heard: Got = queue.Queue()
        with nc.shared_object("closed") as copy:
            copy.on_status(lambda status: heard.put(status))
            copy["x"] = 1
            assert until(heard, "SharedObject.NoWriteAccess")
        assert host == {}


def test_c16_methods_of_one_client(app: rtmpkit.Application, server: rtmpkit.Server, url: str) -> None:
    app.method("who")(lambda peer: "the application")

    def give(request: rtmpkit.ConnectRequest) -> None:
        if "admin" in request.params:
            request.peer.register_method("who", lambda peer: f"peer {peer.id}")

    app.on_connect(give)
    with rtmpkit.NetConnection(url) as plain, rtmpkit.NetConnection(url + "?admin=") as admin:
        assert plain.call("who") == "the application"
        assert admin.call("who").startswith("peer ")
        for peer in server.instance("live").peers:
            assert peer.unregister_method("who") == ("admin" in peer.app)
        assert admin.call("who") == "the application"


def test_idle_clients_are_disconnected() -> None:
    statuses: Got = queue.Queue()
    with serve(rtmpkit.Application("live", idle_timeout=0.2)) as server:
        with rtmpkit.NetConnection(url_of(server), on_status=statuses.put):
            assert until(statuses, "NetConnection.Connect.IdleTimeout")
            assert until(statuses, "NetConnection.Connect.Closed")


def test_silent_publishers_are_told() -> None:
    with serve(rtmpkit.Application("live", publish_idle=0.2)) as server:
        with rtmpkit.publish(f"{url_of(server)}/cam") as stream:
            while stream.status is None or stream.status.code != "NetStream.Publish.Idle":
                pass


def test_m8_tolerance(unraisable: list[Any]) -> None:
    with pytest.raises(rtmpkit.ConfigError):
        serve(rtmpkit.Application("live"), tolerance="some")
    with serve(rtmpkit.Application("live"), tolerance="strict") as server, rtmpkit.NetConnection(url_of(server)) as nc:
        assert nc.connected and server.deviations() == {}


def test_m10_drain_and_reconnect_requests(server: rtmpkit.Server, url: str) -> None:
    statuses: Got = queue.Queue()
    with rtmpkit.NetConnection(url, on_status=statuses.put) as nc:
        [peer] = server.instance("live").peers
        if peer.request_reconnect("/other", "please"):
            status = until(statuses, "NetConnection.Connect.ReconnectRequest")
            assert status.description == "please" and status.info["tcUrl"].endswith("/other")
        assert not server.draining
        server.drain("rtmp://elsewhere/live", "closing", grace=0.1)
        assert server.draining
        assert until(statuses, "NetConnection.Connect.Closed")
        assert not nc.connected
    assert server.stats().overrun == 0
    with pytest.raises(rtmpkit.ConnectError):
        rtmpkit.NetConnection(url)


def test_m6_clients_and_relays_follow_redirections(server: rtmpkit.Server, url: str) -> None:
    class Door(rtmpkit.Application):
        def on_connect(self, request: rtmpkit.ConnectRequest) -> None:
            request.redirect(url, "next door")

    with serve(Door("live")) as door:
        with pytest.raises(rtmpkit.Rejected) as refused:
            rtmpkit.NetConnection(url_of(door))
        assert refused.value.redirect == url
        with rtmpkit.NetConnection(url_of(door), follow_reconnects=True) as nc:
            assert nc.connected and nc.uri == url
            with nc.publish("cam"):
                with serve(rtmpkit.Application("live")) as edge:
                    relay = edge.instance("live").pull(url_of(door) + "/cam", "cam")
                    while relay.stats().state != "connected":
                        assert relay.stats().failures == 0
                    relay.close()


def test_m10_clients_follow_a_server_that_drains(server: rtmpkit.Server, url: str) -> None:
    arrived: Got = queue.Queue()
    app = rtmpkit.Application("live")
    app.on_accept(lambda peer: arrived.put(peer))
    app.method("where")(lambda peer: "there")
    with serve(app) as other, rtmpkit.NetConnection(url, follow_reconnects=True) as nc:
        with nc.shared_object("room") as room:
            server.drain(url_of(other), grace=20)
            assert arrived.get(timeout=20).connected
            while nc.uri != url_of(other):
                pass
            assert nc.call("where") == "there"
            with other.instance("live").shared_object("room") as there:
                room["x"] = 1
                while there != {"x": 1}:
                    pass
            assert nc.connected
