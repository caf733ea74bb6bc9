"""Lines A and C of docs/conformance.md that other files do not show, over a socket; tests begin with the line's id."""

from __future__ import annotations

import queue
from typing import Any

import pytest

import rtmpkit
from media import joined
from wire import COMMAND, PATIENCE, Wire

Got = queue.Queue[Any]


def heard(events: Got) -> Any:
    return events.get(timeout=PATIENCE)


def test_a1_a_client_is_accepted(app: rtmpkit.Application, server: rtmpkit.Server, url: str) -> None:
    events: Got = queue.Queue()
    statuses: Got = queue.Queue()

    @app.on_connect
    def accept(request: rtmpkit.ConnectRequest) -> None:
        events.put(("asks", request.peer, request.args))
        assert request.accept({"note": "welcome"})

    app.on_accept(lambda peer: events.put(("accepted", peer)))
    with rtmpkit.NetConnection(url, "me", on_status=statuses.put) as nc:
        status = heard(statuses)
        assert (status.code, status.info["note"]) == ("NetConnection.Connect.Success", "welcome")
        _, peer, args = heard(events)
        assert args == ["me"] and heard(events) == ("accepted", peer)
        assert nc.connected and peer.connected and server.instance("live").peers == [peer]


def test_a11_all_clients_are_listed(app: rtmpkit.Application, server: rtmpkit.Server, url: str) -> None:
    gone: Got = queue.Queue()
    app.on_disconnect(lambda peer, why: gone.put(peer))
    instance = server.instance("live")
    assert instance.peers == []
    with rtmpkit.NetConnection(url + "?one="), rtmpkit.NetConnection(url + "/room"):
        with rtmpkit.NetConnection(url + "?two="):
            assert {peer.app for peer in instance.peers} == {"live?one=", "live?two="}
            assert all(peer.connected for peer in instance.peers)
        left = heard(gone)
        assert left.app == "live?two=" and left not in instance.peers
        assert [peer.app for peer in instance.peers] == ["live?one="]
        assert [peer.app for peer in server.instance("live/room").peers] == ["live/room"]


def test_a15_an_instance_counts(app: rtmpkit.Application, server: rtmpkit.Server, url: str) -> None:
    gone: Got = queue.Queue()
    app.on_connect(lambda request: "no" not in request.params)
    app.on_disconnect(lambda peer, why: gone.put(peer))
    instance = server.instance("live")
    with pytest.raises(rtmpkit.Rejected):
        rtmpkit.NetConnection(url + "?no=")
    with rtmpkit.NetConnection(url) as nc, nc.publish("cam") as out, nc.play("cam", timeout=PATIENCE) as seen:
        joined(instance.stream("cam"), 1)
        out.write_video(bytes(5000), 0, keyframe=True)
        assert len(next(seen).data) == 5000
        stats = instance.stats()
        assert (stats.clients, stats.accepted, stats.rejected, stats.streams) == (1, 1, 1, 1)
        assert stats.traffic.bytes_in > 5000 and stats.traffic.bytes_out > 3073, "the handshake alone is as long"
        assert (stats.traffic.messages_in, stats.traffic.messages_out, stats.traffic.messages_dropped) == (1, 1, 0)
        [stream] = instance.streams
        assert stream.stats().publishing and stream.stats().messages == 1 and stream.stats().bytes > 5000
    heard(gone)
    stats = instance.stats()
    assert (stats.clients, stats.accepted) == (0, 1) and stats.traffic.bytes_in > 5000


def test_a17_a_client_is_told_platform_and_version(app: rtmpkit.Application, url: str) -> None:
    app.method("about")(lambda peer: [rtmpkit.Server.platform(), rtmpkit.__version__])
    with rtmpkit.NetConnection(url) as nc:
        system, version = nc.call("about")
    assert len(system.split()) == 2 and version.count(".") == 2


def test_a18_a22_an_instance_starts_before_its_client_and_hears_of_its_end(
    app: rtmpkit.Application, server: rtmpkit.Server, url: str
) -> None:
    events: Got = queue.Queue()
    app.on_instance_start(lambda instance: events.put(f"start {instance.name}"))
    app.on_connect(lambda request: events.put(f"connect {request.app}"))
    app.on_disconnect(lambda peer, why: events.put(f"disconnect {peer.app} {peer.connected} {why.code}"))
    with rtmpkit.NetConnection(url + "/room"):
        assert [heard(events) for _ in range(2)] == ["start live/room", "connect live/room"]
        with rtmpkit.NetConnection(url + "/room"):
            assert heard(events) == "connect live/room", "the instance starts once"
        assert heard(events) == "disconnect live/room False NetConnection.Connect.Closed"
        [peer] = server.instance("live/room").peers
        peer.close()
        assert heard(events) == "disconnect live/room False NetConnection.Connect.Closed"


def test_a22_a_client_that_vanishes_is_missed(app: rtmpkit.Application, server: rtmpkit.Server) -> None:
    gone: Got = queue.Queue()
    app.on_disconnect(lambda peer, why: gone.put((peer.connected, why.code)))
    with Wire(server.port) as wire:
        wire.connect()
        assert wire.answer(1)[0] == "_result"
    assert heard(gone) == (False, "NetConnection.Connect.Closed")


def test_a23_a25_publishing_and_its_end_are_heard_of(app: rtmpkit.Application, url: str) -> None:
    events: Got = queue.Queue()

    @app.on_publish
    def publish(request: rtmpkit.PublishRequest) -> bool:
        events.put(("publish", request.peer, request.stream_name, request.mode, request.params))
        return request.stream_name != "closed"

    app.on_unpublish(lambda peer, stream: events.put(("unpublish", peer, stream.name, stream.publishing)))
    app.on_error(lambda peer, status: events.put(("error", peer, status.code, status.info["details"])))
    with rtmpkit.NetConnection(url) as nc:
        with nc.publish("cam?key=1", "record"):
            _, peer, *asked = heard(events)
            assert asked == ["cam", "record", {"key": "1"}]
            with pytest.raises(rtmpkit.StreamError):
                nc.publish("cam")
            assert heard(events) == ("publish", peer, "cam", "live", {})
            assert heard(events) == ("error", peer, "NetStream.Publish.BadName", "cam"), "it will not end either"
        assert heard(events) == ("unpublish", peer, "cam", False)
        with pytest.raises(rtmpkit.StreamError):
            nc.publish("closed")
        assert heard(events) == ("publish", peer, "closed", "live", {})
        nc.publish("again")
        assert heard(events) == ("publish", peer, "again", "live", {}), "what was refused does not end"
    assert heard(events) == ("unpublish", peer, "again", False), "with its connection"


def test_a24_what_cannot_be_processed_is_reported_and_the_client_stays(
    app: rtmpkit.Application, server: rtmpkit.Server
) -> None:
    errors: Got = queue.Queue()
    app.on_error(lambda peer, status: errors.put((peer, status)))
    with Wire(server.port) as wire:
        wire.connect()
        wire.answer(1)
        # A command whose transaction is a string.
        wire.send(COMMAND, b"\x02\x00\x03add\x02\x00\x01x")
        peer, status = heard(errors)
        assert [peer] == server.instance("live").peers
        assert (status.level, status.code) == ("error", "NetConnection.Call.Failed") and status.description
        wire.command("createStream", 2)
        assert wire.answer(2) == ("_result", 1)


def test_a26_a_client_is_redirected(app: rtmpkit.Application, server: rtmpkit.Server, url: str) -> None:
    target = "rtmp://other.example/live"
    rejected: Got = queue.Queue()
    app.on_reject(lambda peer, why: rejected.put(why.code))

    @app.on_connect
    def move(request: rtmpkit.ConnectRequest) -> None:
        request.redirect(target, "Moved.")

    statuses: Got = queue.Queue()
    with pytest.raises(rtmpkit.Rejected) as caught:
        rtmpkit.NetConnection(url, on_status=statuses.put)
    assert (caught.value.redirect, caught.value.description) == (target, "Moved.")
    assert caught.value.code == heard(statuses).code == heard(rejected) == "NetConnection.Connect.Rejected"
    with Wire(server.port) as wire:
        wire.connect()
        name, info = wire.answer(1)
        assert name == "_error" and list(info.items()) == [
            ("level", "error"),
            ("code", "NetConnection.Connect.Rejected"),
            ("description", "Moved."),
            ("ex", {"code": 302, "redirect": target}),
        ]
        wire.wait(COMMAND, "close")
        assert wire.next() is None


def test_c9_c17_every_client_has_a_number_of_its_own_and_says_if_it_is_encrypted(
    app: rtmpkit.Application, server: rtmpkit.Server, url: str
) -> None:
    numbers: Got = queue.Queue()
    app.on_connect(lambda request: numbers.put(request.peer.id))
    app.on_accept(lambda peer: numbers.put(peer.id))
    app.on_disconnect(lambda peer, why: numbers.put(peer.id))
    app.method("me")(lambda peer: [peer.id, peer.secure])
    seen = set()
    for _ in range(3):
        with rtmpkit.NetConnection(url) as nc:
            number, secure = nc.call("me")
            assert [peer.id for peer in server.instance("live").peers] == [number] and not secure
        assert [heard(numbers) for _ in range(3)] == [number] * 3, "the same from beginning to end"
        seen.add(number)
    assert len(seen) == 3, "none is given twice"
