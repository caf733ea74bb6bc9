"""A newer FFmpeg than the machine's, by PyAV: what the tests need it for is Enhanced RTMP (FourCCs and tracks).

av_rtmp.py make SECONDS OUT ENCODER...   FLV or MP4 by its ending: a moving picture or a tone per encoder; several of a kind are tracks;
                                  ENCODER+pq says that the colours of its picture are BT.2020 with PQ
av_rtmp.py remux FILE OUT.flv     the packets of FILE in FLV
av_rtmp.py publish FILE URL       the packets of FILE to URL, in real time
av_rtmp.py list FILE_OR_URL       packets and streams as `ffprobe -of compact` prints them, until the end
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterator

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.frame import PictureType


def copy(source: InputContainer, target: str, realtime: bool) -> None:
    with av.open(target, "w", format="flv", options={"flvflags": "no_duration_filesize"}) as out:
        streams = {s.index: out.add_stream_from_template(s, opaque=True) for s in source.streams}
        began, told = time.monotonic(), False
        for packet in source.demux():
            if packet.dts is None:
                continue
            if realtime:
                due = float(packet.dts * packet.time_base)
                time.sleep(max(0.0, due - (time.monotonic() - began)))
                if due > 0.5 and not told:
                    told = True
                    print("publishing", flush=True)
            packet.stream = streams[packet.stream.index]
            out.mux(packet)


# A key frame every second, and nowhere else.
OPTIONS = {
    "libsvtav1": {"preset": "10", "svtav1-params": "keyint=25:scd=0"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    "libx264": {"preset": "ultrafast", "x264-params": "scenecut=0:bframes=2"},
    "libx265": {
        "preset": "ultrafast",
        "x265-params": "log-level=error:keyint=25:min-keyint=25:scenecut=0:bframes=2",
    },
}


def picture(out: OutputContainer, name: str, track: int, seconds: str) -> Iterator[Packet]:
    encoder, _, colours = name.partition("+")
    width, height = 320 - 64 * track, 180
    stream = out.add_stream(encoder, rate=25, options=OPTIONS.get(encoder, {}))
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    context = stream.codec_context
    context.gop_size = 25
    if colours == "pq":
        context.color_primaries, context.color_trc, context.colorspace = 9, 16, 9
    source = av.open(f"testsrc2=size={width}x{height}:rate=25:duration={seconds}", format="lavfi")
    for frame in source.decode():
        part = frame.reformat(format="yuv420p")
        # Or every picture would become a key frame, as it is in the source.
        part.pict_type = PictureType.NONE
        if colours == "pq":
            part.color_primaries, part.color_trc, part.colorspace = 9, 16, 9
        yield from stream.encode(part)
    yield from stream.encode(None)


def tone(out: OutputContainer, encoder: str, track: int, seconds: str) -> Iterator[Packet]:
    stream = out.add_stream(encoder, rate=48000, layout="stereo")
    context = stream.codec_context
    context.open()
    hertz = 300 + 50 * track
    source = av.open(f"aevalsrc=0.3*sin(2*PI*({hertz}+40*t)*t):d={seconds}:s=48000", format="lavfi")
    resampler = av.AudioResampler(context.format.name, "stereo", 48000, context.frame_size or None)
    for frame in [*source.decode(), None]:
        for part in resampler.resample(frame):
            yield from stream.encode(part)
    yield from stream.encode(None)


def make(seconds: str, target: str, encoders: list[str]) -> None:
    with av.open(target, "w", format="mp4" if target.endswith(".mp4") else "flv") as out:
        packets: list[Packet] = []
        for track, encoder in enumerate(encoders):
            kind = av.codec.Codec(encoder.partition("+")[0], "w").type
            packets += (picture if kind == "video" else tone)(out, encoder, track, seconds)
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            out.mux(packet)


def unparsed(where: str) -> InputContainer:
    """Packets as they stand in the container, not cut and merged anew by the codec's parser."""
    return av.open(where, options={"fflags": "noparse"})


def sha256(data: bytes | None) -> str:
    return "SHA256:" + hashlib.sha256(data).hexdigest() if data else ""


def show(source: InputContainer) -> None:
    # What a server says of itself (`onStatus`, `|RtmpSampleAccess`) comes as a stream of data.
    media = [s for s in source.streams if s.type in ("audio", "video")]
    for packet in source.demux(media):
        # FFmpeg makes an empty packet of a header without a body (AC-3), or none, by what stands before it.
        if packet.dts is None or packet.size == 0:
            continue
        key = "K_" if packet.is_keyframe else "__"
        print(
            f"packet|codec_type={packet.stream.type}"
            f"|pts_time={float(packet.pts * packet.time_base):.6f}|dts_time={float(packet.dts * packet.time_base):.6f}"
            f"|flags={key}|data_hash={sha256(bytes(packet))}"
        )
    for s in media:
        print(
            f"stream|codec_name={s.codec_context.name}|codec_type={s.type}"
            f"|extradata_hash={sha256(s.codec_context.extradata)}"
        )


def main(argv: list[str]) -> int:
    match argv:
        case ["make", seconds, out, *encoders]:
            make(seconds, out, encoders)
        case ["remux", file, out]:
            copy(av.open(file), out, realtime=False)
        case ["publish", file, url]:
            copy(av.open(file), url, realtime=True)
        case ["list", where]:
            show(unparsed(where))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
