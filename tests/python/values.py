"""Swaps vectors and dictionaries with tests/c/values.c: `values.py URL` with the server there, `values.py` serves."""

from __future__ import annotations

import sys
from typing import Any

import rtmpkit
from rtmpkit.amf import Dictionary, TypedObject, VectorDouble, VectorInt, VectorObject, VectorUint, Xml


def point(x: int) -> TypedObject:
    return TypedObject("org.example.Point", x=x)


def one_of_each() -> dict[str, Any]:
    return {
        "ints": VectorInt([1, -2, 2147483647, -2147483648], fixed=True),
        "uints": VectorUint([0, 4294967295]),
        "doubles": VectorDouble([0.5, -1.5, 1e300]),
        "points": VectorObject([point(1), point(2)], "org.example.Point", fixed=True),
        "any": VectorObject(["text", VectorInt()]),
        "table": Dictionary([("name", "Ann"), (7, VectorUint([0, 4294967295])), (point(3), True)], weak_keys=True),
        "empty": Dictionary(),
        "xml": Xml("<a/>"),
    }


def check(heard: dict[str, Any]) -> None:
    for name, mine in one_of_each().items():
        theirs = heard[name]
        for attribute in ("fixed", "class_name", "weak_keys"):
            assert getattr(theirs, attribute, None) == getattr(mine, attribute, None), (name, attribute)
        assert type(theirs) is type(mine) and theirs == mine, (name, theirs)
    assert [type(key) for key in heard["table"]] == [str, int, TypedObject]
    assert [type(value) for value in heard["any"]] == [str, VectorInt]


def main() -> None:
    if len(sys.argv) > 1:
        options = rtmpkit.ConnectOptions(object_encoding=3)
        with rtmpkit.NetConnection(sys.argv[1], options=options) as connection:
            check(connection.call("swap", one_of_each()))
        return
    app = rtmpkit.Application("live")

    @app.method
    def swap(peer: rtmpkit.Peer, value: dict[str, Any]) -> dict[str, Any]:
        check(value)
        return one_of_each()

    with rtmpkit.Server("127.0.0.1:0", [app]) as server:
        print(f"listening on rtmp://127.0.0.1:{server.port}/live", flush=True)
        sys.stdin.read()


main()
