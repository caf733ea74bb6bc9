"""Enhanced RTMP: what Python publishes reaches players in Python through a server, field by field."""

from __future__ import annotations

from typing import Any

import pytest

import rtmpkit
from rtmpkit import Frame

HDR10: dict[str, Any] = {
    "colorConfig": {"bitDepth": 10, "colorPrimaries": 9, "transferCharacteristics": 16, "matrixCoefficients": 9},
    "hdrCll": {"maxFall": 400, "maxCLL": 1000},
    "hdrMdcv": {
        "redX": 0.68,
        "redY": 0.32,
        "greenX": 0.265,
        "greenY": 0.69,
        "blueX": 0.15,
        "blueY": 0.06,
        "whitePointX": 0.3127,
        "whitePointY": 0.329,
        "maxLuminance": 1000,
        "minLuminance": 0.005,
    },
}


def fields(frame: Frame) -> dict[str, Any]:
    return {
        "type": frame.type,
        "codec": frame.codec,
        "timestamp": frame.timestamp,
        "timestamp_ns": frame.timestamp_ns,
        "composition": frame.composition,
        "keyframe": frame.keyframe,
        "config": frame.config,
        "track": frame.track,
        "enhanced": frame.enhanced,
        "colors": frame.colors(),
        "data": bytes(frame.data),
        "body": bytes(frame.body),
    }


def relayed(url: str, frames: list[Frame]) -> list[dict[str, Any]]:
    """What a player gets of what another connection publishes, both over sockets."""
    with rtmpkit.NetConnection(url) as sending, rtmpkit.NetConnection(url) as playing:
        with playing.play("cam", timeout=20) as played:
            with sending.publish("cam") as stream:
                for frame in frames:
                    stream.write(frame)
            return [fields(frame) for frame in played if frame.type != "data"]


def test_p16_nanoseconds_reach_players(url: str) -> None:
    sent = [
        Frame.video(b"key", 40, codec="hvc1", keyframe=True, composition=80, timestamp_ns=999_999),
        Frame.audio(b"sound", 41, codec="Opus", timestamp_ns=1),
        Frame.video(b"picture", 80, codec="av01", timestamp_ns=500_000, track=2),
    ]
    # E-RTMP v2 "ModEx": three bytes (size less 1) of type 0 are nanoseconds; then coded frames.
    assert bytes(sent[0].body) == b"\x97\x02\x0f\x42\x3f\x01hvc1\x00\x00\x50key"
    assert bytes(sent[1].body) == b"\x97\x02\x00\x00\x01\x01Opussound"
    got = relayed(url, sent)
    assert got == [fields(frame) for frame in sent]
    assert [(frame["timestamp"], frame["timestamp_ns"]) for frame in got] == [(40, 999_999), (41, 1), (80, 500_000)]
    assert [frame["track"] for frame in got] == [0, 0, 2] and got[0]["composition"] == 80 and got[0]["keyframe"]
    with pytest.raises(rtmpkit.ConfigError):
        Frame.video(b"key", 0, timestamp_ns=1_000_000)


def test_p16_hdr_colours_reach_players(url: str) -> None:
    sent = [
        Frame.video_config(b"hvcC", codec="hvc1"),
        Frame.color_info(HDR10),
        Frame.video(b"key", 0, codec="hvc1", keyframe=True),
        Frame.color_info({}, 40),
        Frame.video(b"picture", 40, codec="hvc1"),
    ]
    # E-RTMP v1 "Metadata Frame": a name and an object; undefined takes it back.
    assert bytes(sent[1].body).startswith(b"\x94hvc1\x02\x00\x09colorInfo\x03\x00\x0bcolorConfig\x03")
    assert bytes(sent[3].body).endswith(b"colorInfo\x06")
    got = relayed(url, sent)
    assert got == [fields(frame) for frame in sent]
    told = [frame["colors"] for frame in got]
    assert told == [None, HDR10, None, {}, None]


def test_p16_who_joins_late_is_told_the_colours(server: rtmpkit.Server, url: str) -> None:
    with server.instance("live").publish("cam") as publication:
        publication.write(Frame.video_config(b"hvcC", codec="hvc1"))
        publication.write(Frame.color_info(HDR10))
        for time in (0, 40, 80):
            publication.write(Frame.video(b"key", time, codec="hvc1", keyframe=True))
        with rtmpkit.NetConnection(url) as playing, playing.play("cam", timeout=20) as played:
            frames = (frame for frame in played if frame.type == "video")
            got = [next(frames) for _ in range(3)]
    assert got[0].config and got[1].colors() == HDR10 and got[2].keyframe and got[2].timestamp == 80


def test_p16_vp08_and_mp3_by_fourcc(url: str) -> None:
    """FFmpeg 8.1 neither writes nor reads `vp08`; `.mp3` it writes on a second track (interop_enhanced.rs)."""
    sent = [
        Frame.video_config(b"vpcC", codec="vp08"),
        Frame.video(b"key", 0, codec="vp08", keyframe=True),
        # Audio packet type 1 of an Enhanced body; `Frame.audio` would take the header that MP3 has had always.
        Frame("audio", 0, b"\x91.mp3\xff\xfbsound"),
        Frame.audio(b"\xff\xfbother", 20, codec=".mp3", track=1),
        Frame.video(b"picture", 40, codec="vp08"),
    ]
    assert bytes(sent[1].body) == b"\x91vp08key" and bytes(sent[0].body) == b"\x90vp08vpcC"
    assert bytes(sent[3].body) == b"\x95\x01.mp3\x01\xff\xfbother"
    got = relayed(url, sent)
    assert got == [fields(frame) for frame in sent]
    assert [frame["codec"] for frame in got] == ["vp08", "vp08", ".mp3", ".mp3", "vp08"]
    assert all(frame["enhanced"] for frame in got)
    assert [frame["data"] for frame in got[2:4]] == [b"\xff\xfbsound", b"\xff\xfbother"]
