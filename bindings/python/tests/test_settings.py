"""Settings of servers, applications and connections: what changes for those at the other end."""

from __future__ import annotations

import queue
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from wire import HANDSHAKE, PATIENCE, Wire

import rtmpkit
from rtmpkit import Application, ConnectOptions, Frame

LOCAL = "127.0.0.1:0"


def url_of(server: rtmpkit.Server) -> str:
    return f"rtmp://127.0.0.1:{server.port}/live"


@pytest.mark.parametrize(
    ("limit", "change"),
    [
        ({"shared_object_max_slots": 1}, {"a": 1, "b": 2}),
        ({"shared_object_max_value_bytes": 100}, {"a": "x" * 200}),
        ({"shared_object_max_bytes": 200}, {"a": "x" * 90, "b": "x" * 90, "c": "x" * 90}),
    ],
)
def test_shared_objects_beyond_their_limits_are_refused(limit: dict[str, Any], change: dict[str, Any]) -> None:
    heard: queue.Queue[list[str]] = queue.Queue()
    with rtmpkit.Server(LOCAL, Application("live", **limit)) as server, rtmpkit.NetConnection(url_of(server)) as nc:
        with nc.shared_object("room") as room:
            room.on_sync(lambda changes: heard.put([change.kind for change in changes]))
            room.on_status(lambda status: heard.put([status.level]))
            room.update(change)
            while not {"reject", "error"} & set(heard.get(timeout=PATIENCE)):
                pass
        with server.instance("live").shared_object("other") as own, pytest.raises(rtmpkit.Error):
            own.update(change)


def test_clients_use_no_more_shared_objects_than_they_may() -> None:
    app = Application("live", shared_object_max_per_client=1)
    with rtmpkit.Server(LOCAL, app) as server, rtmpkit.NetConnection(url_of(server)) as nc:
        with nc.shared_object("one"):
            with pytest.raises(rtmpkit.SharedObjectError, match="CreationFailed"):
                nc.shared_object("two")


def test_a_directory_keeps_no_more_shared_objects_than_it_may(tmp_path: Path) -> None:
    app = Application("live", shared_objects_directory=tmp_path, shared_object_max_stored=1)
    with rtmpkit.Server(LOCAL, app) as server, server.instance("live").shared_object("one", persistent=True):
        with pytest.raises(rtmpkit.Full):
            server.instance("live").shared_object("two", persistent=True)


def test_clients_send_no_more_to_a_shared_object_than_they_may() -> None:
    statuses: queue.Queue[str] = queue.Queue()
    app = Application("live", shared_object_max_sends_per_second=1)
    with rtmpkit.Server(LOCAL, app) as server, rtmpkit.NetConnection(url_of(server)) as nc:
        with nc.shared_object("room") as room:
            room.on_status(lambda status: statuses.put(status.level))
            for _ in range(3):
                room.send("wave")
            assert statuses.get(timeout=PATIENCE) == "error"


def test_a_message_with_more_events_than_it_may_have_is_not_taken() -> None:
    heard: queue.Queue[Any] = queue.Queue()
    app = Application("live", shared_object_max_events=2)
    with rtmpkit.Server(LOCAL, app) as server, rtmpkit.NetConnection(url_of(server)) as nc:
        with server.instance("live").shared_object("room") as own, nc.shared_object("room") as room:
            own.on_sync(heard.put)
            with room.locked():
                room.update(a=1, b=2, c=3)
            with room.locked():
                room.update(d=4, e=5)
            while "e" not in own:
                heard.get(timeout=PATIENCE)
            assert dict(own) == {"d": 4, "e": 5}


def test_what_is_kept_for_a_locked_shared_object_is_bounded() -> None:
    statuses: queue.Queue[str] = queue.Queue()
    app = Application("live", shared_object_max_waiting=1)
    with rtmpkit.Server(LOCAL, app) as server, rtmpkit.NetConnection(url_of(server)) as nc:
        with server.instance("live").shared_object("room") as own, nc.shared_object("room") as room:
            room.on_status(lambda status: statuses.put(status.level))
            with own.locked():
                for number in range(4):
                    room["a"] = number
                assert statuses.get(timeout=PATIENCE) == "error"


def test_clients_that_do_not_connect_in_time_are_disconnected() -> None:
    with rtmpkit.Server(LOCAL, connect_timeout=0.1) as server:
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as silent:
            assert silent.recv(1) == b""
        with Wire(server.port) as wire:
            assert [message for message in iter(wire.next, None) if message.kind == 20] == []


def test_servers_that_do_not_answer_in_time_are_given_up() -> None:
    options = ConnectOptions(connect_timeout=0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(rtmpkit.ConnectError):
        rtmpkit.NetConnection(f"rtmp://127.0.0.1:{silent.getsockname()[1]}/live", timeout=PATIENCE, options=options)


def test_p7_a_server_sends_chunks_of_its_size() -> None:
    with rtmpkit.Server(LOCAL, Application("live"), chunk_size=300) as server, Wire(server.port) as wire:
        wire.open_stream()
        assert wire._chunk_size == 300


def test_p7_a_client_sends_chunks_of_its_size() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"rtmp://127.0.0.1:{listener.getsockname()[1]}/live"

        def connect() -> None:
            with pytest.raises(rtmpkit.ConnectError):
                rtmpkit.NetConnection(url, timeout=PATIENCE, options=ConnectOptions(chunk_size=300))

        connecting = threading.Thread(target=connect)
        connecting.start()
        peer, _ = listener.accept()
        with peer, peer.makefile("rb") as sent:
            opening = sent.read(1 + HANDSHAKE)
            peer.sendall(b"\x03" + bytes(HANDSHAKE) + opening[1:])
            sent.read(HANDSHAKE)
            # RTMP 1.0 5.3.1: a full header on chunk stream 2, of type 1 and 4 bytes; 5.4.1: the size.
            assert sent.read(16) == b"\x02\0\0\0\0\0\x04\x01\0\0\0\0\0\0\x01\x2c"
        connecting.join()


@pytest.mark.parametrize(("reduced", "nanoseconds"), [(True, 0), (False, 999_999)])
def test_m11_players_get_what_they_understand_or_everything(reduced: bool, nanoseconds: int) -> None:
    options = ConnectOptions(properties={"capsEx": 0})
    with rtmpkit.Server(LOCAL, Application("live"), reduce_for_players=reduced) as server:
        with server.instance("live").publish("cam") as publication:
            with rtmpkit.NetConnection(url_of(server), options=options) as nc, nc.play("cam", timeout=20) as played:
                publication.write(Frame.video(b"key", 40, codec="hvc1", keyframe=True, timestamp_ns=999_999))
                frame = next(frame for frame in played if frame.type == "video")
    assert (bytes(frame.data), frame.timestamp, frame.timestamp_ns) == (b"key", 40, nanoseconds)


def test_settings_that_cannot_be_are_told() -> None:
    wrong: list[dict[str, Any]] = [{"connect_timeout": 0}, {"chunk_size": 0}, {"chunk_size": 1 << 31}]
    for given in wrong:
        [name] = given
        with pytest.raises(rtmpkit.ConfigError, match=name):
            rtmpkit.Server(LOCAL, **given)
        with pytest.raises(rtmpkit.ConfigError, match=name):
            rtmpkit.NetConnection("rtmp://127.0.0.1:1/live", options=ConnectOptions(**given))
