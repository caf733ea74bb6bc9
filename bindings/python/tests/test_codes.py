"""Every status that a server sends about connections and live streams, member by member.

What the package's own client shows is looked at there, the rest on the wire. Recordings are in test_recorded.py and
test_recording.py, buffers and idle times in test_net_connection.py.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rtmpkit
from media import frames, joined, write_flv
from wire import COMMAND, DATA, PATIENCE, Wire

Statuses = queue.Queue[rtmpkit.Status]


@pytest.fixture
def wire(server: rtmpkit.Server) -> Iterator[Wire]:
    """A client with message stream 1."""
    with Wire(server.port) as wire:
        wire.open_stream()
        yield wire


def check(told: dict[str, Any] | rtmpkit.Status, level: str, code: str, description: str, **others: Any) -> None:
    """These are all the members, and the first three come first."""
    if isinstance(told, rtmpkit.Status):
        told = {"level": told.level, "code": told.code, "description": told.description, **told.info}
    assert list(told)[:3] == ["level", "code", "description"]
    assert told == {"level": level, "code": code, "description": description, **others}


def client_of(statuses: Statuses) -> Any:
    """How the server names a client in its statuses, from the first of them."""
    return statuses.get(timeout=PATIENCE).info["clientid"]


def reach(stream: rtmpkit.NetStream, code: str) -> rtmpkit.Status:
    """Reads on until the last status of a stream is this one."""
    deadline = time.monotonic() + PATIENCE
    while (status := stream.status) is None or status.code != code:
        assert time.monotonic() < deadline, f"no {code}, but {status}"
        with contextlib.suppress(rtmpkit.Timeout):
            stream.read(0.02)
    return status


def test_netconnection_connect_success(server: rtmpkit.Server, url: str) -> None:
    statuses: Statuses = queue.Queue()
    with rtmpkit.NetConnection(url, on_status=statuses.put):
        status = statuses.get(timeout=PATIENCE)
    assert (status.level, status.code) == ("status", "NetConnection.Connect.Success")
    assert status.description == "Connection succeeded."
    assert status.info["objectEncoding"] == 0 and "," in status.info["data"]["version"]
    with Wire(server.port) as wire:
        wire.connect(objectEncoding=0)
        name, info = wire.answer(1)
    assert name == "_result"
    assert list(info) == ["level", "code", "description", "objectEncoding", "clientid", "data"]
    check(
        info,
        "status",
        "NetConnection.Connect.Success",
        "Connection succeeded.",
        objectEncoding=0,
        clientid=info["clientid"],
        data=status.info["data"],
    )


def test_netconnection_connect_invalidapp(server: rtmpkit.Server, url: str) -> None:
    statuses: Statuses = queue.Queue()
    code, description = "NetConnection.Connect.InvalidApp", "Application (nothing) is not defined."
    with pytest.raises(rtmpkit.Rejected) as caught:
        rtmpkit.NetConnection(url.replace("live", "nothing"), on_status=statuses.put)
    assert (caught.value.code, caught.value.description, caught.value.info) == (code, description, {})
    check(statuses.get(timeout=PATIENCE), "error", code, description)
    for app, why in (("nothing", description), ("../live", "The application name is missing or malformed.")):
        refused(server, code, why, app=app)


def test_netconnection_call_badversion(server: rtmpkit.Server) -> None:
    description = "This object encoding is not supported."
    refused(server, "NetConnection.Call.BadVersion", description, app="live", objectEncoding=5)


def refused(server: rtmpkit.Server, code: str, description: str, **properties: Any) -> None:
    """Connecting with these properties fails, and the connection ends."""
    with Wire(server.port) as wire:
        wire.connect(**properties)
        name, info = wire.answer(1)
        assert name == "_error"
        check(info, "error", code, description)
        wire.wait(COMMAND, "close")
        assert wire.next() is None


def test_netconnection_call_failed(app: rtmpkit.Application, server: rtmpkit.Server, url: str) -> None:
    kept: queue.Queue[rtmpkit.CallRequest] = queue.Queue()
    app.on_call(lambda request: kept.put(request) if request.method == "slow" else NotImplemented)
    lost: queue.Queue[rtmpkit.Status] = queue.Queue()

    def call() -> None:
        with pytest.raises(rtmpkit.CallFailed) as failed:
            nc.call("slow", timeout=PATIENCE)
        lost.put(failed.value.status)

    with rtmpkit.NetConnection(url) as nc:
        with pytest.raises(rtmpkit.CallFailed) as caught:
            nc.call("nothing")
        check(caught.value.status, "error", "NetConnection.Call.Failed", "Method not found (nothing).")
        waiting = threading.Thread(target=call)
        waiting.start()
        request = kept.get(timeout=PATIENCE)
        request.peer.close()
        check(lost.get(timeout=PATIENCE), "error", "NetConnection.Call.Failed", "The connection ended.")
        waiting.join()


@pytest.mark.parametrize("what", ["instance", "application", "server"])
def test_netconnection_connect_appshutdown(
    what: str, app: rtmpkit.Application, server: rtmpkit.Server, url: str
) -> None:
    statuses: Statuses = queue.Queue()
    ends: dict[str, Callable[[], object]] = {
        "instance": server.instance("live").unload,
        "application": app.close,
        "server": server.close,
    }
    shutdown = ("error", "NetConnection.Connect.AppShutdown", "The application is being shut down.")
    with rtmpkit.NetConnection(url, on_status=statuses.put) as nc, Wire(server.port) as wire:
        client_of(statuses)
        wire.connect()
        wire.answer(1)
        ends[what]()
        check(statuses.get(timeout=PATIENCE), *shutdown)
        check(statuses.get(timeout=PATIENCE), "status", "NetConnection.Connect.Closed", "The connection was closed.")
        assert not nc.connected
        check(wire.status(shutdown[1]), *shutdown)
        while wire.next():
            pass


@pytest.mark.parametrize("by", ["client", "server", "server with a status"])
def test_netconnection_connect_closed(by: str, server: rtmpkit.Server, url: str) -> None:
    statuses: Statuses = queue.Queue()
    nc = rtmpkit.NetConnection(url, on_status=statuses.put)
    client_of(statuses)
    [peer] = server.instance("live").peers
    if by == "client":
        nc.close()
    else:
        peer.close(rtmpkit.Status("NetConnection.Connect.Rejected", "Go.") if "status" in by else None)
    if "status" in by:
        check(statuses.get(timeout=PATIENCE), "error", "NetConnection.Connect.Rejected", "Go.")
    check(statuses.get(timeout=PATIENCE), "status", "NetConnection.Connect.Closed", "The connection was closed.")
    assert not nc.connected
    nc.close()
    assert statuses.empty(), "it is told once"


@pytest.mark.parametrize("listens", [False, True])
def test_netconnection_connect_failed(listens: bool) -> None:
    statuses: Statuses = queue.Queue()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        leaving = threading.Thread(target=lambda: listener.accept()[0].close())
        if listens:
            leaving.start()
        else:
            listener.close()
        with pytest.raises(rtmpkit.ConnectError) as caught:
            rtmpkit.NetConnection(f"rtmp://127.0.0.1:{port}/live", on_status=statuses.put)
        if listens:
            leaving.join()
    status = statuses.get(timeout=PATIENCE)
    check(status, "error", "NetConnection.Connect.Failed", status.description)
    assert status.description and str(caught.value) == f"{status.code}: {status.description}"
    assert not isinstance(caught.value, rtmpkit.Rejected) and statuses.empty()


def test_netstream_publish_start_badname_and_unpublish_success(server: rtmpkit.Server, url: str, wire: Wire) -> None:
    statuses: Statuses = queue.Queue()
    with rtmpkit.NetConnection(url, on_status=statuses.put) as nc:
        members = {"details": "cam", "clientid": client_of(statuses)}
        with nc.publish("cam?key=1") as out:
            assert out.status is not None
            check(out.status, "status", "NetStream.Publish.Start", "cam is now published.", **members)
            wire.command("publish", 0, "cam", stream=1)
            taken = wire.status("NetStream.Publish.BadName")
            check(
                taken,
                "error",
                "NetStream.Publish.BadName",
                "cam is already publishing",
                details="cam",
                clientid=wire.client_id,
            )
    wire.command("publish", 0, "own", "live", stream=1)
    members = {"details": "own", "clientid": wire.client_id}
    check(
        wire.status("NetStream.Publish.Start"), "status", "NetStream.Publish.Start", "own is now published.", **members
    )
    with rtmpkit.NetConnection(url) as nc, pytest.raises(rtmpkit.StreamError) as caught:
        nc.publish("own")
    clientid = caught.value.status.info["clientid"]
    assert clientid != wire.client_id
    check(
        caught.value.status,
        "error",
        "NetStream.Publish.BadName",
        "own is already publishing",
        details="own",
        clientid=clientid,
    )
    wire.command("closeStream", 0, stream=1)
    success = wire.status("NetStream.Unpublish.Success")
    check(success, "status", "NetStream.Unpublish.Success", "own is now unpublished.", **members)


def test_netstream_publish_badname_and_play_failed_when_refused(
    app: rtmpkit.Application, server: rtmpkit.Server, url: str
) -> None:
    app.on_publish(lambda request: request.reject("Not today."))
    app.on_play(lambda request: request.reject("Not this one."))
    statuses: Statuses = queue.Queue()
    with rtmpkit.NetConnection(url, on_status=statuses.put) as nc:
        members = {"details": "cam", "clientid": client_of(statuses)}
        [peer] = server.instance("live").peers
        for access, publishing, playing in (
            ("/", "Not today.", "Not this one."),
            ("", "Failed to publish cam; access denied.", "Failed to play cam; access denied."),
        ):
            peer.set_access(read=access, write=access)
            with pytest.raises(rtmpkit.StreamError) as caught:
                nc.publish("cam")
            check(caught.value.status, "error", "NetStream.Publish.BadName", publishing, **members)
            with pytest.raises(rtmpkit.StreamError) as caught:
                nc.play("cam")
            check(caught.value.status, "error", "NetStream.Play.Failed", playing, **members)


def test_netstream_play_streamnotfound(app: rtmpkit.Application, url: str) -> None:
    app.on_play(lambda request: request.not_found())
    statuses: Statuses = queue.Queue()
    with rtmpkit.NetConnection(url, on_status=statuses.put) as nc:
        members = {"details": "film", "clientid": client_of(statuses)}
        with pytest.raises(rtmpkit.StreamError) as caught:
            nc.play("film")
    description = "Failed to play film; stream not found."
    check(caught.value.status, "error", "NetStream.Play.StreamNotFound", description, **members)


def test_netstream_play_reset_start_notifications_and_stop(server: rtmpkit.Server, wire: Wire) -> None:
    def comes(code: str, description: str) -> None:
        members = {"details": "cam", "clientid": wire.client_id}
        check(wire.status(code), "status", code, description, **members)

    wire.command("play", 0, "cam", stream=1)
    comes("NetStream.Play.Reset", "Playing and resetting cam.")
    comes("NetStream.Play.Start", "Started playing cam.")
    assert wire.wait(DATA, "|RtmpSampleAccess") == [False, False]
    assert wire.wait(DATA, "onStatus") == [{"code": "NetStream.Data.Start"}]
    with server.instance("live").publish("cam"):
        comes("NetStream.Play.PublishNotify", "cam is now published.")
    comes("NetStream.Play.UnpublishNotify", "cam is now unpublished.")
    wire.command("closeStream", 0, stream=1)
    comes("NetStream.Play.Stop", "Stopped playing cam.")


def test_netstream_play_notifications_reach_the_clients_program(server: rtmpkit.Server, url: str) -> None:
    statuses: Statuses = queue.Queue()
    with rtmpkit.NetConnection(url, on_status=statuses.put) as nc, nc.play("cam") as player:
        members = {"details": "cam", "clientid": client_of(statuses)}
        reach(player, "NetStream.Data.Start")
        with server.instance("live").publish("cam"):
            status = reach(player, "NetStream.Play.PublishNotify")
            check(status, "status", "NetStream.Play.PublishNotify", "cam is now published.", **members)
        status = reach(player, "NetStream.Play.UnpublishNotify")
        check(status, "status", "NetStream.Play.UnpublishNotify", "cam is now unpublished.", **members)


def library(path: Path) -> rtmpkit.Application:
    """An application with two films of a fifth of a second."""
    folder = path / "streams" / "_definst_"
    folder.mkdir(parents=True)
    for name in ("a.flv", "b.flv"):
        write_flv(folder / name, 6)
    return rtmpkit.Application("live", directory=path)


def test_netstream_play_stop_at_the_end_of_a_recording(tmp_path: Path) -> None:
    statuses: Statuses = queue.Queue()
    with rtmpkit.Server("127.0.0.1:0", [library(tmp_path)]) as server:
        url = f"rtmp://127.0.0.1:{server.port}/live"
        with rtmpkit.NetConnection(url, on_status=statuses.put) as nc, nc.play("a", start=0) as player:
            members = {"details": "a", "clientid": client_of(statuses)}
            status = reach(player, "NetStream.Play.Stop")
            check(status, "status", "NetStream.Play.Stop", "Stopped playing a.", **members)


def test_netstream_play_switch(tmp_path: Path) -> None:
    with rtmpkit.Server("127.0.0.1:0", [library(tmp_path)]) as server, Wire(server.port) as wire:
        wire.open_stream()
        for name, transition in (("a", "appendAndWait"), ("b", "append")):
            options = {"streamName": name, "oldStreamName": "", "start": -2, "len": -1, "offset": -1}
            wire.command("play2", 0, {**options, "transition": transition}, stream=1)
        assert wire.status("NetStream.Play.Start")["details"] == "a"
        [switch] = wire.wait(DATA, "onPlayStatus")
        assert list(switch) == ["level", "code", "description", "duration", "bytes"] and switch["bytes"] > 1000
        check(switch, "status", "NetStream.Play.Switch", "", duration=0.2, bytes=switch["bytes"])
        assert wire.status("NetStream.Play.Start")["details"] == "b"
        [complete] = wire.wait(DATA, "onPlayStatus")
        assert complete["code"] == "NetStream.Play.Complete"


def test_netstream_pause_unpause_seek_failed_and_invalidarg(wire: Wire) -> None:
    for command, args, level, code, description in (
        ("seek", [5], "error", "NetStream.Seek.Failed", "Nothing is playing on this stream."),
        ("play", ["cam"], "status", "NetStream.Play.Start", "Started playing cam."),
        ("pause", [True, 0], "status", "NetStream.Pause.Notify", "Pausing cam."),
        ("pause", [False, 0], "status", "NetStream.Unpause.Notify", "Unpausing cam."),
        ("seek", [5], "error", "NetStream.Seek.Failed", "A live stream cannot be sought."),
        ("seek", ["x"], "error", "NetStream.InvalidArg", "seek needs a time in milliseconds."),
        ("play2", ["x"], "error", "NetStream.InvalidArg", "play2 needs an options object."),
    ):
        wire.command(command, 0, *args, stream=1)
        members = {"details": "cam"} if "cam" in description or "live" in description else {}
        check(wire.status(code), level, code, description, clientid=wire.client_id, **members)


@pytest.mark.parametrize("command", ["play", "publish"])
def test_netstream_failed_for_a_stream_that_was_never_created(command: str, wire: Wire) -> None:
    # Small numbers are taken for streams: encoders guess them.
    wire.command(command, 0, "cam", stream=9_000_000)
    code = "NetStream.Failed"
    check(wire.status(code), "error", code, "There is no such stream.", clientid=wire.client_id)


def overrun(publication: rtmpkit.Publication) -> None:
    """Publishes more than sockets hold and a server keeps for a player that does not read."""
    for number in range(600):
        publication.write_video(bytes(50_000), number * 40, keyframe=number % 10 == 0)


def test_netstream_play_insufficientbw(server: rtmpkit.Server, url: str) -> None:
    code, description = "NetStream.Play.InsufficientBW", "Insufficient bandwidth for cam."
    with server.instance("live").publish("cam") as publication:
        with Wire(server.port, receive_buffer=65_536) as wire:
            wire.open_stream()
            wire.command("play", 0, "cam", stream=1)
            wire.status("NetStream.Play.Start")
            joined(publication.stream, 1)
            overrun(publication)
            check(wire.status(code), "warning", code, description, details="cam", clientid=wire.client_id)
            [peer] = server.instance("live").peers
            assert peer.stats().dropped_video[0] > 0


@pytest.mark.parametrize("limit", [{"player_queue_bytes": 200_000}, {"player_queue_seconds": 0.5}])
def test_m2_what_waits_for_a_slow_player_is_the_servers_to_say(app: rtmpkit.Application, limit: dict[str, Any]) -> None:
    with rtmpkit.Server("127.0.0.1:0", [app], workers=2, **limit) as server:
        with server.instance("live").publish("cam") as publication, Wire(server.port) as wire:
            wire.open_stream()
            wire.command("play", 0, "cam", stream=1)
            wire.status("NetStream.Play.Start")
            joined(publication.stream, 1)
            [peer] = server.instance("live").peers
            # Hardly anything leaves, and 480 kB in 4.8 s of media are less than what may wait by default.
            peer.limit_bandwidth(outgoing=4096)
            for frame in frames(120, size=4000):
                publication.write(frame)
                time.sleep(0.01)
                if peer.stats().dropped_video[0] > 0:
                    break
            else:
                raise AssertionError("nothing was dropped")


def test_netstream_play_insufficientbw_reaches_the_clients_program(server: rtmpkit.Server, url: str) -> None:
    statuses: Statuses = queue.Queue()
    code, description = "NetStream.Play.InsufficientBW", "Insufficient bandwidth for cam."
    with server.instance("live").publish("cam") as publication:
        with rtmpkit.NetConnection(url, on_status=statuses.put) as nc, nc.play("cam") as player:
            members = {"details": "cam", "clientid": client_of(statuses)}
            joined(publication.stream, 1)
            [peer] = server.instance("live").peers
            peer.limit_bandwidth(outgoing=4096)
            overrun(publication)
            peer.limit_bandwidth()
            check(reach(player, code), "warning", code, description, **members)
