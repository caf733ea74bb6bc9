"""What clients ask for: accepted, refused, answered later."""

from __future__ import annotations

import queue
import threading
from typing import Any

import pytest

import rtmpkit

WAIT = 10.0


def test_everything_is_accepted_by_default(url: str) -> None:
    with rtmpkit.NetConnection(url) as nc:
        assert nc.connected
        with nc.publish("cam"), nc.play("cam"):
            pass
    assert not nc.connected


def test_a_handler_sees_who_connects_and_its_arguments(app: rtmpkit.Application, url: str) -> None:
    seen: list[rtmpkit.ConnectRequest] = []

    @app.on_connect
    def check(request: rtmpkit.ConnectRequest) -> bool:
        seen.append(request)
        return True

    with rtmpkit.NetConnection(url + "?key=s3cret&empty=", "text", {"n": [1, 2.5, None, True]}):
        pass
    [request] = seen
    assert request.params == {"key": "s3cret", "empty": ""}
    assert request.args == ["text", {"n": [1, 2.5, None, True]}]
    assert request.peer.address[0] == "127.0.0.1"
    assert request.peer.properties["app"] == "live?key=s3cret&empty="
    assert request.instance.name == "live/_definst_"
    assert request.answered and not request.accept(), "only the first answer counts"


@pytest.mark.parametrize("way", ["return", "method", "status"])
def test_a_refused_connection_raises(app: rtmpkit.Application, url: str, way: str) -> None:
    @app.on_connect
    def refuse(request: rtmpkit.ConnectRequest) -> bool | None:
        if way == "return":
            return False
        if way == "status":
            status = rtmpkit.Status("NetConnection.Connect.InvalidApp", "gone", info={"until": 5})
            request.reject(status=status)
        else:
            request.reject("go away")
        return None

    with pytest.raises(rtmpkit.Rejected) as caught:
        rtmpkit.NetConnection(url)
    assert isinstance(caught.value, ConnectionError)
    if way == "status":
        assert caught.value.code == "NetConnection.Connect.InvalidApp"
        assert caught.value.info["until"] == 5
    else:
        assert caught.value.code == "NetConnection.Connect.Rejected"
    if way == "method":
        assert caught.value.description == "go away"


def test_a_redirect_says_where_to(app: rtmpkit.Application, url: str) -> None:
    @app.on_connect
    def refuse(request: rtmpkit.ConnectRequest) -> None:
        request.redirect("rtmp://other/live", "moved")

    with pytest.raises(rtmpkit.Rejected) as caught:
        rtmpkit.NetConnection(url)
    assert caught.value.redirect == "rtmp://other/live"


def test_publish_and_play_are_refused_one_by_one(app: rtmpkit.Application, url: str) -> None:
    app.on_publish(lambda request: request.params.get("key") == "k")
    app.on_play(lambda request: request.not_found())

    with rtmpkit.NetConnection(url) as nc:
        with pytest.raises(rtmpkit.StreamError) as caught:
            nc.publish("cam")
        assert caught.value.code == "NetStream.Publish.BadName"
        assert caught.value.status.level == "error"
        nc.publish("cam?key=k").close()
        with pytest.raises(rtmpkit.StreamError, match="StreamNotFound"):
            nc.play("cam")


def test_a_kept_request_waits_until_it_is_answered_from_another_thread(
    app: rtmpkit.Application, url: str
) -> None:
    kept: queue.Queue[rtmpkit.ConnectRequest] = queue.Queue()
    app.on_connect(kept.put)

    def answer() -> None:
        request = kept.get(timeout=WAIT)
        assert not request.answered
        request.accept({"note": "later"})

    thread = threading.Thread(target=answer)
    thread.start()
    with rtmpkit.NetConnection(url, timeout=WAIT) as nc:
        assert nc.connected
    thread.join(WAIT)


def test_a_kept_request_that_is_dropped_is_refused(app: rtmpkit.Application, url: str) -> None:
    kept: queue.Queue[rtmpkit.ConnectRequest] = queue.Queue()
    app.on_connect(kept.put)
    thread = threading.Thread(target=lambda: kept.get(timeout=WAIT) and None)
    thread.start()
    with pytest.raises(rtmpkit.Rejected):
        rtmpkit.NetConnection(url, timeout=WAIT)
    thread.join(WAIT)


def test_a_failing_handler_refuses_and_the_exception_is_reported(
    app: rtmpkit.Application, url: str, unraisable: list[Any]
) -> None:
    @app.on_publish
    def fail(request: rtmpkit.PublishRequest) -> None:
        raise LookupError("no database")

    @app.on_play
    def nonsense(request: rtmpkit.PlayRequest) -> str:
        return "yes"

    with rtmpkit.NetConnection(url) as nc:
        with pytest.raises(rtmpkit.StreamError):
            nc.publish("cam")
        with pytest.raises(rtmpkit.StreamError):
            nc.play("cam")
    assert [type(error) for error in unraisable] == [LookupError, TypeError]


class Recording(rtmpkit.Application):
    """Overrides everything, as a subclass does."""

    def __init__(self) -> None:
        super().__init__("live")
        self.seen: queue.Queue[str] = queue.Queue()

    def on_instance_start(self, instance: rtmpkit.Instance) -> None:
        self.seen.put(f"start {instance.name}")

    def on_instance_stop(self, instance: rtmpkit.Instance) -> None:
        self.seen.put(f"stop {instance.name}")

    def on_connect(self, request: rtmpkit.ConnectRequest) -> bool:
        self.seen.put("connect")
        return True

    def on_disconnect(self, peer: rtmpkit.Peer, why: rtmpkit.Status) -> None:
        self.seen.put(f"disconnect {peer.connected}")

    def on_publish(self, request: rtmpkit.PublishRequest) -> bool:
        self.seen.put(f"publish {request.stream_name} {request.mode}")
        return True

    def on_unpublish(self, peer: rtmpkit.Peer, stream: rtmpkit.Stream) -> None:
        self.seen.put(f"unpublish {stream.name}")

    def on_play(self, request: rtmpkit.PlayRequest) -> bool:
        self.seen.put(f"play {request.stream_name}")
        return True

    def on_stop(self, peer: rtmpkit.Peer, stream_name: str) -> None:
        self.seen.put(f"stopped {stream_name}")

    def on_call(self, request: rtmpkit.CallRequest) -> Any:
        self.seen.put(f"call {request.method} {request.args}")
        return NotImplemented


def test_an_overriding_application_sees_the_life_of_a_client_in_order() -> None:
    app = Recording()
    with rtmpkit.Server("127.0.0.1:0", [app]) as server:
        with rtmpkit.NetConnection(f"rtmp://127.0.0.1:{server.port}/live/room") as nc:
            with nc.publish("cam", mode="record"):
                pass
            with nc.play("other"):
                pass
            with pytest.raises(rtmpkit.CallFailed):
                nc.call("hello", 1)
    seen = [app.seen.get(timeout=WAIT) for _ in range(9)]
    assert seen == [
        "start live/room",
        "connect",
        "publish cam record",
        "unpublish cam",
        "play other",
        "stopped other",
        "call hello [1]",
        "disconnect False",
        "stop live/room",
    ]
