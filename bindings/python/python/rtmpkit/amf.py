"""AMF values and the Python objects they stand for.

`None`, `bool`, `int`, `float`, `str`, `bytes`, `datetime`, `list` and `dict` go over the wire as what they are. Numbers
are doubles there: whole ones come back as `int`, up to 2**53. An object of a class comes as a `TypedObject`, an
associative array, which metadata usually is, as an `EcmaArray`; both are dicts.
"""

from __future__ import annotations

from typing import Any

from rtmpkit._rtmpkit import amf0_decode, amf0_encode

__all__ = ["EcmaArray", "TypedObject", "amf0_decode", "amf0_encode"]


class EcmaArray(dict[str, Any]):
    """An associative array; a plain dict goes over the wire as an anonymous object."""


class TypedObject(dict[str, Any]):
    """An object of a class that has a name on the wire."""

    def __init__(self, class_name: str, *args: Any, **members: Any) -> None:
        super().__init__(*args, **members)
        self.class_name = class_name
        """Name of the class on the wire."""

    def __repr__(self) -> str:
        return f"TypedObject({self.class_name!r}, {super().__repr__()})"
