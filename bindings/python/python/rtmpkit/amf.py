"""AMF values and the Python objects they stand for.

`None`, `bool`, `int`, `float`, `str`, `bytes`, `datetime`, `list` and `dict` go over the wire as what they are. Numbers
are doubles there: whole ones come back as `int`, up to 2**53. An object of a class comes as a `TypedObject`, an
associative array, which metadata usually is, as an `EcmaArray`; both are dicts. Objects of classes that the program
registered come as instances of those. Containers may contain themselves.

Vectors, dictionaries, XML and `bytes` are AMF3's: they go as themselves over connections with `object_encoding=3`. To a peer
that has AMF0 alone vectors go as arrays, dictionaries as associative arrays, `bytes` as undefined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, TypeVar

from rtmpkit._rtmpkit import amf0_decode, amf0_encode, amf3_decode, amf3_encode

__all__ = [
    "Dictionary",
    "EcmaArray",
    "TypedObject",
    "VectorDouble",
    "VectorInt",
    "VectorObject",
    "VectorUint",
    "Xml",
    "XmlDocument",
    "amf0_decode",
    "amf0_encode",
    "amf3_decode",
    "amf3_encode",
    "register_class",
    "unregister_class",
]

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


class VectorInt(list[int]):
    """A `Vector.<int>`: whole numbers of 32 bits."""

    def __init__(self, items: Iterable[int] = (), *, fixed: bool = False) -> None:
        super().__init__(items)
        self.fixed = fixed
        """Whether the length is fixed on the receiving side."""


class VectorUint(list[int]):
    """A `Vector.<uint>`: whole numbers of 32 bits from 0 on."""

    def __init__(self, items: Iterable[int] = (), *, fixed: bool = False) -> None:
        super().__init__(items)
        self.fixed = fixed
        """Whether the length is fixed on the receiving side."""


class VectorDouble(list[float]):
    """A `Vector.<Number>`."""

    def __init__(self, items: Iterable[float] = (), *, fixed: bool = False) -> None:
        super().__init__(items)
        self.fixed = fixed
        """Whether the length is fixed on the receiving side."""


class VectorObject(list[Any]):
    """A `Vector.<Object>`, or a vector of instances of a class; nobody checks that they are."""

    def __init__(self, items: Iterable[Any] = (), class_name: str = "*", *, fixed: bool = False) -> None:
        super().__init__(items)
        self.class_name = class_name
        """Name of the class on the wire; `*` is any type."""
        self.fixed = fixed
        """Whether the length is fixed on the receiving side."""


class Dictionary(MutableMapping[Any, Any]):
    """A map whose keys may be any values, also dicts and lists. They are compared by `==`, one after the other."""

    def __init__(
        self, entries: Mapping[Any, Any] | Iterable[tuple[Any, Any]] = (), *, weak_keys: bool = False
    ) -> None:
        pairs = entries.items() if isinstance(entries, Mapping) else entries
        self.entries: list[tuple[Any, Any]] = list(pairs)
        """Keys and values in order. Peers may send equal keys, of which only the first is found."""
        self.weak_keys = weak_keys
        """Whether keys are held weakly on the receiving side."""

    def _position(self, key: Any) -> int | None:
        return next((at for at, (known, _) in enumerate(self.entries) if known is key or known == key), None)

    def __getitem__(self, key: Any) -> Any:
        at = self._position(key)
        if at is None:
            raise KeyError(key)
        return self.entries[at][1]

    def __setitem__(self, key: Any, value: Any) -> None:
        at = self._position(key)
        if at is None:
            self.entries.append((key, value))
        else:
            self.entries[at] = (self.entries[at][0], value)

    def __delitem__(self, key: Any) -> None:
        at = self._position(key)
        if at is None:
            raise KeyError(key)
        del self.entries[at]

    def __iter__(self) -> Iterator[Any]:
        return (key for key, _ in self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        theirs = other if isinstance(other, Dictionary) else Dictionary(other)
        return len(self) == len(theirs) and all(key in theirs and theirs[key] == value for key, value in self.entries)

    def __repr__(self) -> str:
        return f"Dictionary({self.entries!r})"


class Xml(str):
    """XML of ActionScript 3 (E4X), as text that is not looked into."""


class XmlDocument(str):
    """An XMLDocument of ActionScript 2 or `flash.xml`, as text that is not looked into."""
