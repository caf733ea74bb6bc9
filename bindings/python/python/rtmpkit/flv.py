"""FLV files: `Reader` and `Writer`.

    with rtmpkit.flv.Reader("in.flv") as frames, rtmpkit.flv.Writer("out.flv") as out:
        for frame in frames:
            out.write(frame)
"""

from __future__ import annotations

from rtmpkit._rtmpkit import FlvReader as Reader
from rtmpkit._rtmpkit import FlvWriter as Writer

__all__ = ["Reader", "Writer"]
