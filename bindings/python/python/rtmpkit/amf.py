"""AMF values and the Python objects they stand for.

`None`, `bool`, `int`, `float`, `str`, `bytes`, `datetime`, `list` and `dict` go over the wire as what they are. Numbers
are doubles there: whole ones come back as `int`, up to 2**53. An object of a class comes as a `TypedObject`, an
associative array, which metadata usually is, as an `EcmaArray`; both are dicts. Objects of classes that the program
registered come as instances of those. Containers may contain themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from rtmpkit._rtmpkit import amf0_decode, amf0_encode

__all__ = ["EcmaArray", "TypedObject", "amf0_decode", "amf0_encode", "register_class", "unregister_class"]

T = TypeVar("T", bound=type)

_by_alias: dict[str, type] = {}
_by_class: dict[type, str] = {}


def register_class(alias: str) -> Callable[[T], T]:
    """Has instances of a class go over the wire under a name, and come back as instances.

        @rtmpkit.amf.register_class("org.example.Point")
        @dataclass
        class Point:
            x: float
            y: float

    Their attributes are the members. An instance that comes is made without calling `__init__`: its attributes are what
    the peer sent, which may be too many, too few, or of other types. A class that defines `__setstate__` gets the members
    as a dict instead, and may raise to refuse them. Only registered classes are ever made; a name registered again goes
    to the new class. The registration holds for the whole program.
    """

    def register(cls: T) -> T:
        unregister_class(alias)
        _by_alias[alias] = cls
        _by_class[cls] = alias
        return cls

    return register


def unregister_class(alias: str) -> bool:
    """Forgets a class; false if there was none of the name."""
    cls = _by_alias.pop(alias, None)
    if cls is not None:
        _by_class.pop(cls, None)
    return cls is not None


def _new_instance(alias: str) -> object:
    cls = _by_alias.get(alias)
    if cls is None:
        return None
    new: Any = cls.__new__
    made: object = new(cls)
    return made


def _set_state(instance: object, members: dict[str, Any]) -> None:
    own = getattr(instance, "__setstate__", None)
    if own is not None:
        own(members)
        return
    for name, value in members.items():
        # Names of Python's own are no data.
        if not name.startswith("__"):
            object.__setattr__(instance, name, value)


def _state_of(instance: object) -> tuple[str, dict[str, Any]] | None:
    alias = _by_class.get(type(instance))
    if alias is None:
        return None
    state = instance.__getstate__()  # type: ignore[attr-defined, unused-ignore]
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    return alias, {**(attributes or {}), **(slots or {})}


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
