"""Py3AMF as the other side of AMF0 and AMF3.

py3amf.py echo IN OUT           every value of IN decoded and encoded again
py3amf.py make OUT COUNT        COUNT values of Python, encoded, half of them in each format
py3amf.py compare FILE OTHER    both files hold the same values

A file is a row of records: format (0 or 3), length of four bytes, big-endian, and one encoded value.
"""

from __future__ import annotations

import datetime
import random
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyamf
from pyamf import amf3, flex  # flex registers Flex's wrappers


class Registered:
    """What the classes of the corpus have in common: members by name, compared by value."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)


class Point(Registered):
    pass


class Note(Registered):
    pass


pyamf.register_class(Point, "org.example.Point")
pyamf.register_class(Note, "org.example.Note")


def records(path: str) -> Iterator[tuple[int, bytes]]:
    data = Path(path).read_bytes()
    at = 0
    while at < len(data):
        encoding, length = struct.unpack_from(">BI", data, at)
        at += 5
        yield encoding, data[at : at + length]
        at += length


def write(path: str, values: Iterator[tuple[int, bytes]]) -> None:
    with open(path, "wb") as out:
        for encoding, data in values:
            out.write(struct.pack(">BI", encoding, len(data)) + data)


def decode(encoding: int, data: bytes) -> Any:
    [value] = pyamf.decode(data, encoding=encoding)
    return value


def encode(encoding: int, value: Any) -> bytes:
    return pyamf.encode(value, encoding=encoding).getvalue()


def echo(source: str, target: str) -> None:
    write(target, ((encoding, encode(encoding, decode(encoding, data))) for encoding, data in records(source)))


def text(rng: random.Random) -> str:
    alphabet = rng.choice(["abc", "abcdefghijklmnopqrstuvwxyz 0123456789", "äß€\U0001f600\0\n\"\\"])
    return "".join(rng.choice(alphabet) for _ in range(rng.choice([0, 1, 5, 20, 200])))


class Maker:
    """Makes the values of one message."""

    def __init__(self, rng: random.Random, encoding: int) -> None:
        self.rng = rng
        self.encoding = encoding
        # In AMF0 Py3AMF's decoder gives dates a reference index, its encoder rightly does not: it misreads its own
        # messages that have both.
        self.has_dates = encoding == 3 or rng.random() < 0.5
        self.has_references = encoding == 3 or not self.has_dates

    def scalar(self) -> Any:
        rng = self.rng
        kind = rng.randrange(9 if self.encoding == 3 else 8)
        if kind == 0:
            return rng.choice([None, pyamf.Undefined, True, False])
        if kind in (1, 2):
            bound = rng.choice([100, 1 << 28, 1 << 52])
            return rng.randrange(-bound, bound)
        if kind == 3:
            return rng.choice([rng.uniform(-1, 1), rng.uniform(-1e300, 1e300), float("inf"), 0.5])
        if kind == 4 and self.has_dates:
            return datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=rng.randrange(-(10**9), 10**9))
        if kind == 8:
            return amf3.ByteArray(rng.randbytes(rng.randrange(40)))
        return text(rng)

    def value(self, depth: int = 0) -> Any:
        rng = self.rng
        if depth > 3 or rng.random() < 0.3 + 0.15 * depth:
            return self.scalar()
        kind = rng.randrange(6 if self.encoding == 3 else 5)
        items = [self.value(depth + 1) for _ in range(rng.randrange(6))]
        members = {f"k{rng.randrange(50)}": item for item in items}
        if kind == 0:
            return items
        if kind == 1:
            return pyamf.ASObject(members)
        if kind == 2:
            return pyamf.MixedArray(members | {"z": depth})
        if kind == 3 and self.has_references:
            shared = pyamf.ASObject(members)
            return [shared, items, shared]
        if kind == 5:
            return flex.ArrayCollection(items)
        instance = rng.choice([Point, Note])()
        vars(instance).update(members)
        return instance


def make(target: str, count: int) -> None:
    rng = random.Random(1)
    encodings = [0, 3] * (count // 2)
    write(target, ((encoding, encode(encoding, Maker(rng, encoding).value())) for encoding in encodings))


def same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, Registered):
        return same(vars(a), vars(b))
    if isinstance(a, amf3.ByteArray):
        return bool(a.getvalue() == b.getvalue())
    return bool(a == b)


def compare(path: str, other: str) -> None:
    pairs = list(zip(records(path), records(other), strict=True))
    for at, ((encoding, mine), (_, theirs)) in enumerate(pairs):
        if not same(decode(encoding, mine), decode(encoding, theirs)):
            sys.exit(f"record {at} in AMF{encoding} is {mine!r} here and {theirs!r} there")
    print(f"{len(pairs)} values compared")


def main(command: str, *args: str) -> None:
    if command == "echo":
        echo(*args)
    elif command == "make":
        make(args[0], int(args[1]))
    else:
        compare(*args)


if __name__ == "__main__":
    main(*sys.argv[1:])
