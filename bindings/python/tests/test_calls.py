"""Remote calls in both directions, and the values they carry."""

from __future__ import annotations

import queue
from datetime import datetime, timezone
from typing import Any

import pytest

import rtmpkit
from rtmpkit.amf import EcmaArray, TypedObject

VALUES: list[Any] = [
    None,
    True,
    0,
    -5,
    2**53,
    2.5,
    "",
    "snow ☃",
    [],
    [1, [2, ["x"]]],
    {"a": {"b": None}},
    datetime(2024, 2, 29, 12, 30, 1, 250000, timezone.utc),
    datetime(1960, 1, 1, tzinfo=timezone.utc),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_come_back_as_they_went(value: Any, app: rtmpkit.Application, url: str) -> None:
    app.method("echo")(lambda peer, value: value)
    with rtmpkit.NetConnection(url) as nc:
        back = nc.call("echo", value)
    assert back == value and type(back) is type(value)


def test_named_objects_and_associative_arrays_keep_their_kind() -> None:
    typed = TypedObject("org.example.Point", x=1, y=2)
    [point, array] = rtmpkit.amf.amf0_decode(rtmpkit.amf.amf0_encode(typed, EcmaArray(k="v")))
    assert isinstance(point, TypedObject) and point.class_name == "org.example.Point" and point == {"x": 1, "y": 2}
    assert isinstance(array, EcmaArray) and array == {"k": "v"}


def test_amf0_is_what_the_specification_says() -> None:
    # AMF0 2.2, 2.4, 2.5, 2.7: number, string, object, null.
    assert rtmpkit.amf.amf0_encode(1) == bytes.fromhex("003ff0000000000000")
    assert rtmpkit.amf.amf0_encode("ab", None) == b"\x02\x00\x02ab\x05"
    assert rtmpkit.amf.amf0_encode({"a": True}) == b"\x03\x00\x01a\x01\x01\x00\x00\x09"
    assert rtmpkit.amf.amf0_decode(b"\x0a\x00\x00\x00\x01\x05") == [[None]]


def test_values_without_a_form_are_refused() -> None:
    deep: list[Any] = []
    for _ in range(200):
        deep = [deep]
    for value in (object(), 2**53 + 1, {1: 2}, deep):
        with pytest.raises((rtmpkit.AmfError, TypeError)):
            rtmpkit.amf.amf0_encode(value)
    with pytest.raises(rtmpkit.AmfError):
        rtmpkit.amf.amf0_decode(b"\x00\x3f")


def test_a_failing_method_fails_the_call(app: rtmpkit.Application, url: str, unraisable: list[Any]) -> None:
    @app.method("divide")
    def divide(peer: rtmpkit.Peer, a: float, b: float) -> float:
        return a / b

    with rtmpkit.NetConnection(url) as nc:
        assert nc.call("divide", 1, 4) == 0.25
        with pytest.raises(rtmpkit.CallFailed) as caught:
            nc.call("divide", 1, 0)
        assert caught.value.code == "NetConnection.Call.Failed"
        with pytest.raises(rtmpkit.CallFailed):
            nc.call("nothing")
    assert [type(error) for error in unraisable] == [ZeroDivisionError]


def test_a_call_answered_later(app: rtmpkit.Application, url: str) -> None:
    kept: queue.Queue[rtmpkit.CallRequest] = queue.Queue()
    app.on_call(kept.put)
    with rtmpkit.NetConnection(url) as nc:
        with pytest.raises(rtmpkit.Timeout):
            nc.call("slow", timeout=0.05)
        request = kept.get(timeout=10)
        assert request.wants_reply and request.accept("too late for the caller, but an answer")


def test_the_server_calls_its_client(app: rtmpkit.Application, url: str, server: rtmpkit.Server) -> None:
    notified: queue.Queue[list[Any]] = queue.Queue()

    def on_call(method: str, args: list[Any]) -> Any:
        if method == "add":
            return sum(args)
        if method == "note":
            return notified.put(args)
        return NotImplemented

    with rtmpkit.NetConnection(url, on_call=on_call):
        [peer] = server.instance("live").peers
        assert peer.call("add", 1, 2, 3) == 6
        assert peer.ping() >= 0
        with pytest.raises(rtmpkit.CallFailed):
            peer.call("unknown")
        peer.notify("note", "a")
        assert notified.get(timeout=10) == ["a"]
        server.instance("live").broadcast("note", "all")
        assert notified.get(timeout=10) == ["all"]


def test_a_call_inside_a_handler_does_not_lock_up(app: rtmpkit.Application, url: str) -> None:
    @app.method("ask back")
    def ask_back(peer: rtmpkit.Peer) -> Any:
        return ["the client says", peer.call("name")]

    with rtmpkit.NetConnection(url, on_call=lambda method, args: "Bob") as nc:
        assert nc.call("ask back") == ["the client says", "Bob"]


def test_the_server_disconnects_a_client(url: str, server: rtmpkit.Server) -> None:
    statuses: queue.Queue[rtmpkit.Status] = queue.Queue()
    with rtmpkit.NetConnection(url, on_status=statuses.put) as nc:
        assert statuses.get(timeout=10).code == "NetConnection.Connect.Success"
        [peer] = server.instance("live").peers
        peer.close(rtmpkit.Status("NetConnection.Connect.AppShutdown", "bye"))
        while (status := statuses.get(timeout=10)).code != "NetConnection.Connect.Closed":
            assert status.description == "bye"
        assert not nc.connected
        with pytest.raises(rtmpkit.Error):
            nc.call("anything")


def test_a_connection_may_be_closed_in_its_own_handler_but_not_waited_for(
    server: rtmpkit.Server, url: str, unraisable: list[Any]
) -> None:
    refused: queue.Queue[rtmpkit.Error] = queue.Queue()

    def on_call(method: str, args: list[Any]) -> str:
        try:
            nc.play("cam")
        except rtmpkit.Error as error:
            refused.put(error)
        nc.close()
        return "closed"

    nc = rtmpkit.NetConnection(url, on_call=on_call)
    [peer] = server.instance("live").peers
    peer.notify("leave")
    assert "handlers" in str(refused.get(timeout=10))
    assert nc._raw.wait_closed(10) and not nc.connected
    assert unraisable == []
