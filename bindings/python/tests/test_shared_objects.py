"""Shared objects, from both sides and over real sockets. Tests are named after the lines of docs/conformance.md."""

from __future__ import annotations

import queue
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rtmpkit
from rtmpkit import SharedObject, SlotChange

Got = queue.Queue[Any]


class Recorder(SharedObject):
    """Keeps what its handlers hear."""

    heard: Got

    def __init__(self, open: Any) -> None:
        self.heard = queue.Queue()
        super().__init__(open)

    def on_sync(self, changes: list[SlotChange]) -> None:
        self.heard.put(("sync", changes))

    def on_message(self, name: str, args: list[Any], peer: rtmpkit.Peer | None) -> None:
        self.heard.put(("message", name, args, peer))

    def on_status(self, status: rtmpkit.Status) -> None:
        self.heard.put(("status", status.code))

    def on_clear(self) -> None:
        self.heard.put(("clear",))

    def next(self) -> Any:
        return self.heard.get(timeout=10)

    def joined(self) -> None:
        """Takes what joining an empty object brings."""
        assert [self.next(), self.next()] == [("clear",), ("sync", [])]

    def until(self, ready: Callable[[Recorder], bool]) -> None:
        """Takes what is heard until the object is as it should be."""
        while not ready(self):
            self.next()


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[rtmpkit.Server]:
    """A server that keeps shared objects."""
    app = rtmpkit.Application("live", shared_objects_directory=tmp_path / "objects", autocommit=0)
    with rtmpkit.Server("127.0.0.1:0", [app], workers=2) as server:
        yield server


def url_of(server: rtmpkit.Server) -> str:
    return f"rtmp://127.0.0.1:{server.port}/live"


def test_o6_created_by_whoever_comes_first(server: rtmpkit.Server, url: str) -> None:
    with rtmpkit.NetConnection(url) as nc, nc.shared_object("room") as of_client:
        of_client["topic"] = "hello"
        with server.instance("live").shared_object("room", cls=Recorder) as of_host:
            of_host.until(lambda so: so.get("topic") == "hello")
            assert dict(of_client) == dict(of_host) == {"topic": "hello"}
            assert (of_host.name, of_host.persistent, of_host.subscribers) == ("room", False, 1)


def test_o6_its_name_has_one_persistence(stored: rtmpkit.Server) -> None:
    with stored.instance("live").shared_object("room") as room:
        assert not room.dirty
        with pytest.raises(rtmpkit.AlreadyExists):
            stored.instance("live").shared_object("room", persistent=True)
        with rtmpkit.NetConnection(url_of(stored)) as nc, pytest.raises(rtmpkit.SharedObjectError) as caught:
            nc.shared_object("room", persistent=True)
        assert caught.value.code == "SharedObject.BadPersistence"


def test_o6_no_directory_no_persistent_objects(server: rtmpkit.Server) -> None:
    with pytest.raises(rtmpkit.Error):
        server.instance("live").shared_object("room", persistent=True)


def test_o7_both_sides_see_each_others_changes(server: rtmpkit.Server, url: str) -> None:
    with (
        server.instance("live").shared_object("room", cls=Recorder) as host,
        rtmpkit.NetConnection(url) as first,
        rtmpkit.NetConnection(url) as second,
        first.shared_object("room", cls=Recorder) as a,
        second.shared_object("room", cls=Recorder) as b,
    ):
        a.joined()
        b.joined()
        a["x"] = [1, {"deep": True}]
        value = [1, {"deep": True}]
        assert a.next() == ("sync", [SlotChange("success", "x", None, value)])
        assert b.next() == host.next() == ("sync", [SlotChange("change", "x", None, value)])
        host["x"] = "host"
        assert a.next() == b.next() == ("sync", [SlotChange("change", "x", value, "host")])
        del b["x"]
        assert a.next() == host.next() == ("sync", [SlotChange("delete", "x", "host", None)])
        assert b.next()[1][0].name == "x"
        assert dict(a) == dict(b) == dict(host) == {}
        assert host.version == a.version == b.version > 3
        with pytest.raises(KeyError):
            del host["x"]
        with pytest.raises(KeyError):
            a["x"]


def test_o7_a_mapping_like_any_other(server: rtmpkit.Server) -> None:
    room = server.instance("live").shared_object("room")
    room.update(b=2, a=1)
    assert list(room.items()) == [("a", 1), ("b", 2)] and len(room) == room.size == 2
    assert "a" in room and "c" not in room
    assert room.pop("a") == 1 and room.setdefault("c", 3) == 3
    room["b"] = None
    assert room == {"c": 3}
    with pytest.raises(rtmpkit.AmfError):
        room["c"] = object()
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(rtmpkit.ConfigError):
        room["c"] = cycle
    room.close()
    with pytest.raises(rtmpkit.Closed):
        room["c"] = 4


def test_o2_clearing_empties_every_copy(server: rtmpkit.Server, url: str) -> None:
    with (
        server.instance("live").shared_object("room", cls=Recorder) as host,
        rtmpkit.NetConnection(url) as nc,
    ):
        host.update(a=1, b=2)
        with nc.shared_object("room", cls=Recorder) as copy:
            assert copy == {"a": 1, "b": 2}
            host.clear()
            copy.until(lambda so: not so)
            host["c"] = 3
            copy.until(lambda so: so == {"c": 3})
            assert server.instance("live").clear_shared_objects("/") == 1
            copy.until(lambda so: not so)
            copy["d"] = 4
            host.until(lambda so: so == {"d": 4})
            copy.clear()
            host.until(lambda so: not so)


def test_o3_gone_with_its_last_user(server: rtmpkit.Server, url: str) -> None:
    instance = server.instance("live")
    room = instance.shared_object("room")
    room["x"] = 1
    room.close()
    assert not room.connected and len(room) == 0
    assert len(instance.shared_object("room")) == 0, "what nobody refers to is closed"
    instance.shared_object("room")["x"] = 1
    with instance.shared_object("room") as again, rtmpkit.NetConnection(url) as nc:
        assert len(again) == 0
        with nc.shared_object("room") as of_client:
            again["x"] = 1
            again.close()
            of_client["y"] = 2
            with instance.shared_object("room", cls=Recorder) as third:
                third.until(lambda so: so == {"x": 1, "y": 2})


def test_o4_commit_one_or_all(stored: rtmpkit.Server) -> None:
    instance = stored.instance("live")
    rooms = [instance.shared_object(name, persistent=True) for name in ("a", "b", "c")]
    for room in rooms:
        room["x"] = room.name
        assert room.dirty
    assert instance.commit_shared_objects("a") == 1
    assert [room.dirty for room in rooms] == [False, True, True]
    assert instance.commit_shared_objects() == 3
    assert [room.dirty for room in rooms] == [False, False, False]
    assert instance.clear_shared_objects("/b") == 1
    assert [len(room) for room in rooms] == [1, 0, 1]


def test_o5_a_flush_says_which_version_is_on_disk(stored: rtmpkit.Server, url: str) -> None:
    room = stored.instance("live").shared_object("room", persistent=True)
    room["x"] = 1
    assert room.flush() == room.version
    assert not room.dirty
    room["x"] = 2
    assert room.flush(wait=False) is None
    temporary = stored.instance("live").shared_object("temporary")
    with pytest.raises(rtmpkit.Error):
        temporary.flush()


def test_o5_a_closed_server_answers_nothing_more(stored: rtmpkit.Server) -> None:
    instance = stored.instance("live")
    room = instance.shared_object("room", persistent=True)
    room["x"] = 1
    stored.close()
    start = time.monotonic()
    waiting: list[Callable[[], Any]] = [
        room.flush,
        instance.commit_shared_objects,
        lambda: instance.clear_shared_objects("/"),
        lambda: instance.clear_streams("/"),
        lambda: instance.stream_length("cam"),
    ]
    for wait in waiting:
        with pytest.raises(rtmpkit.Closed):
            wait()
    assert time.monotonic() - start < 5


def test_o5_handlers_must_not_wait_for_the_disk(tmp_path: Path, unraisable: list[Any]) -> None:
    app = rtmpkit.Application("live", shared_objects_directory=tmp_path)

    @app.method
    def store(peer: rtmpkit.Peer) -> Any:
        with peer.instance.shared_object("room", persistent=True) as room:
            room["x"] = 1
            with pytest.raises(rtmpkit.Error, match="handlers"):
                room.flush()
            return room.flush(wait=False)

    with rtmpkit.Server("127.0.0.1:0", [app]) as server, rtmpkit.NetConnection(url_of(server)) as nc:
        assert nc.call("store") is None
    assert unraisable == []


def test_o1_stored_without_being_asked_and_read_again(tmp_path: Path) -> None:
    for expected in ({}, {"n": 1}):
        app = rtmpkit.Application("live", shared_objects_directory=tmp_path, autocommit=1)
        with rtmpkit.Server("127.0.0.1:0", [app]) as server, rtmpkit.NetConnection(url_of(server)) as nc:
            with nc.shared_object("room", persistent=True) as room:
                assert room == expected
                room["n"] = 1
                with server.instance("live").shared_object("room", persistent=True, cls=Recorder) as host:
                    host.until(lambda so: so.get("n") == 1)
                    while host.dirty:
                        pass


def test_o5_what_was_flushed_survives_a_kill(tmp_path: Path) -> None:
    program = f"""
        import rtmpkit, sys
        app = rtmpkit.Application("live", shared_objects_directory={str(tmp_path)!r}, autocommit=0)
        with rtmpkit.Server("127.0.0.1:0", [app]) as server:
            room = server.instance("live").shared_object("room", persistent=True)
            for n in range(1_000_000):
                room["n"] = n
                if n % 100 == 0:
                    room.flush()
                    print(n, flush=True)
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    flushed = [child.stdout.readline() for _ in range(5)]
    child.kill()
    flushed += child.stdout.readlines()
    child.wait()
    app = rtmpkit.Application("live", shared_objects_directory=tmp_path, autocommit=0)
    with rtmpkit.Server("127.0.0.1:0", [app]) as server:
        found = server.instance("live").shared_object("room", persistent=True)["n"]
        assert int(flushed[-1]) <= found < 1_000_000


def test_o8_what_is_changed_under_a_lock_comes_at_once(server: rtmpkit.Server, url: str) -> None:
    with (
        server.instance("live").shared_object("room", cls=Recorder) as host,
        rtmpkit.NetConnection(url) as nc,
        nc.shared_object("room", cls=Recorder) as copy,
    ):
        copy.joined()
        before = host.version
        with host.locked():
            host["a"] = 1
            host["b"] = 2
            host.mark("done", "both")
        assert sorted(change.name for change in copy.next()[1]) == ["a", "b"]
        assert copy.next() == ("message", "done", ["both"], None)
        assert host.version == before + 1
        with copy.locked():
            copy["c"] = 3
            copy["d"] = 4
        assert [change.name for change in host.next()[1]] == ["c", "d"]
        with pytest.raises(rtmpkit.Error):
            host.unlock()


def test_o8_messages_reach_everybody(server: rtmpkit.Server, url: str) -> None:
    with (
        server.instance("live").shared_object("room", cls=Recorder) as host,
        rtmpkit.NetConnection(url) as nc,
        nc.shared_object("room", cls=Recorder) as copy,
    ):
        copy.joined()
        copy.send("say", "hi", 1)
        _, name, args, peer = host.next()
        assert (name, args) == ("say", ["hi", 1]) and peer in server.instance("live").peers
        assert copy.next() == ("message", "say", ["hi", 1], None)
        host.send("say", "from the host")
        assert copy.next() == ("message", "say", ["from the host"], None)


def test_o8_handlers_may_be_given_to_the_object(server: rtmpkit.Server, url: str, unraisable: list[Any]) -> None:
    heard: Got = queue.Queue()
    with server.instance("live").shared_object("room") as host, rtmpkit.NetConnection(url) as nc:

        @host.on_sync
        def changed(changes: list[SlotChange]) -> None:
            heard.put(changes)
            raise ValueError("a handler that fails")

        host.on_message(lambda name, args, peer: heard.put((name, args)))
        with nc.shared_object("room") as copy:
            copy["x"] = 1
            assert heard.get(timeout=10) == [SlotChange("change", "x", None, 1)]
            copy.send("say")
            assert heard.get(timeout=10) == ("say", [])
            copy.on_clear(lambda: heard.put("clear"))
            host.clear()
            assert heard.get(timeout=10) == "clear"
    assert [str(error) for error in unraisable] == ["a handler that fails"]


def test_o8_purge_and_resync_are_the_servers(server: rtmpkit.Server, url: str) -> None:
    with (
        server.instance("live").shared_object("room") as host,
        rtmpkit.NetConnection(url) as nc,
        nc.shared_object("room") as copy,
    ):
        host["x"] = 1
        host.purge(host.version)
        host.set_resync_depth(10)
        host.set_resync_depth(None)
        assert host == {"x": 1}
        for server_only in (lambda: copy.purge(1), copy.flush, lambda: copy.subscribers):
            with pytest.raises(rtmpkit.ConfigError):
                server_only()


def test_a_lost_connection_ends_the_wait_for_an_object(server: rtmpkit.Server, url: str) -> None:
    nc = rtmpkit.NetConnection(url)
    nc.close()
    with pytest.raises(rtmpkit.Error):
        nc.shared_object("room")


def test_o3_what_nobody_refers_to_is_left(server: rtmpkit.Server, url: str) -> None:
    with server.instance("live").shared_object("room") as host, rtmpkit.NetConnection(url) as nc:
        copy = nc.shared_object("room", cls=Recorder)
        assert host.subscribers == 1
        with pytest.raises(rtmpkit.AlreadyExists):
            nc.shared_object("room")
        del copy
        while host.subscribers > 0:
            pass
        with nc.shared_object("room"):
            assert host.subscribers == 1
