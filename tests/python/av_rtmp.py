"""A newer FFmpeg than the machine's, by PyAV: what the tests need it for is Enhanced RTMP (HEVC by FourCC).

av_rtmp.py remux FILE OUT.flv     the packets of FILE in FLV
av_rtmp.py publish FILE URL       the packets of FILE to URL, in real time
av_rtmp.py list FILE_OR_URL       packets and streams as `ffprobe -of compact` prints them, until the end
"""

from __future__ import annotations

import hashlib
import sys
import time

import av
from av.container import InputContainer


def copy(source: InputContainer, target: str, realtime: bool) -> None:
    with av.open(target, "w", format="flv", options={"flvflags": "no_duration_filesize"}) as out:
        streams = {s.index: out.add_stream_from_template(s) for s in source.streams}
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


def sha256(data: bytes | None) -> str:
    return "SHA256:" + hashlib.sha256(data).hexdigest() if data else ""


def show(source: InputContainer) -> None:
    # What a server says of itself (`onStatus`, `|RtmpSampleAccess`) comes as a stream of data.
    media = [s for s in source.streams if s.type in ("audio", "video")]
    for packet in source.demux(media):
        if packet.dts is None:
            continue
        key = "K_" if packet.is_keyframe else "__"
        print(
            f"packet|codec_type={packet.stream.type}|pts={packet.pts}|dts={packet.dts}"
            f"|flags={key}|data_hash={sha256(bytes(packet))}"
        )
    for s in media:
        print(
            f"stream|codec_name={s.codec_context.name}|codec_type={s.type}"
            f"|extradata_hash={sha256(s.codec_context.extradata)}"
        )


def main(argv: list[str]) -> int:
    match argv:
        case ["remux", file, out]:
            copy(av.open(file), out, realtime=False)
        case ["publish", file, url]:
            copy(av.open(file), url, realtime=True)
        case ["list", where]:
            show(av.open(where))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
