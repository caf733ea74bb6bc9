"""AMF values that Python has no type of its own for: vectors, dictionaries, XML."""

from __future__ import annotations

from typing import Any

import pytest

import rtmpkit
from rtmpkit.amf import (
    Dictionary,
    EcmaArray,
    TypedObject,
    VectorDouble,
    VectorInt,
    VectorObject,
    VectorUint,
    Xml,
    XmlDocument,
    amf0_decode,
    amf0_encode,
    amf3_decode,
    amf3_encode,
)


def one_of_each() -> dict[str, Any]:
    point = TypedObject("org.example.Point", x=1)
    return {
        "ints": VectorInt([1, -2, 2**31 - 1, -(2**31)], fixed=True),
        "uints": VectorUint([0, 2**32 - 1]),
        "doubles": VectorDouble([0.5, -1.5]),
        "points": VectorObject([point, TypedObject("org.example.Point", x=2)], "org.example.Point", fixed=True),
        "any": VectorObject(["text", [1], None]),
        "table": Dictionary([("name", "Ann"), (7, VectorUint([1])), (point, True)], weak_keys=True),
        "xml": Xml("<a/>"),
        "document": XmlDocument("<b/>"),
    }


def described(value: Any) -> Any:
    """What equality of lists and texts does not tell."""
    if isinstance(value, VectorObject):
        return type(value), value.class_name, value.fixed, [described(item) for item in value]
    if isinstance(value, (VectorInt, VectorUint, VectorDouble)):
        return type(value), value.fixed, list(value)
    if isinstance(value, Dictionary):
        return value.weak_keys, [(described(key), described(item)) for key, item in value.entries]
    if isinstance(value, dict):
        return type(value), getattr(value, "class_name", ""), {key: described(item) for key, item in value.items()}
    return type(value), value


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (VectorInt([5, -1], fixed=True), "0d 05 01 00000005 ffffffff"),
        (VectorUint([2**32 - 1]), "0e 03 00 ffffffff"),
        (VectorDouble([1.0]), "0f 03 00 3ff0000000000000"),
        (VectorObject(["a"]), "10 03 00 03 2a 06 03 61"),
        (Dictionary({"a": True}, weak_keys=True), "11 03 01 06 03 61 03"),
        (Xml("<a/>"), "0b 09 3c612f3e"),
        (XmlDocument("<a/>"), "07 09 3c612f3e"),
    ],
)
def test_p11_bytes_of_amf3(value: Any, data: str) -> None:
    """AMF 3, 3.9 and 3.13 to 3.16."""
    assert amf3_encode(value).hex() == data.replace(" ", "")
    [back] = amf3_decode(bytes.fromhex(data))
    assert described(back) == described(value)


def test_p11_vectors_and_dictionaries_cross_both_ways(app: rtmpkit.Application, url: str) -> None:
    heard: list[Any] = []

    @app.method
    def swap(peer: rtmpkit.Peer, value: Any) -> Any:
        heard.append(value)
        return one_of_each()

    options = rtmpkit.ConnectOptions(object_encoding=3)
    with rtmpkit.NetConnection(url, options=options) as connection:
        assert described(connection.call("swap", one_of_each())) == described(one_of_each())
    assert described(heard.pop()) == described(one_of_each())
    with rtmpkit.NetConnection(url) as connection:
        back = connection.call("swap", one_of_each())
    assert back["uints"] == heard[0]["uints"] == [0, 2**32 - 1] and type(back["uints"]) is list
    assert described(back["table"]) == described(EcmaArray({"name": "Ann", "7": [1]}))
    assert described(back["xml"]) == described(XmlDocument("<a/>"))


def test_p11_what_contains_itself() -> None:
    table = Dictionary({"n": 1})
    vector = VectorObject([table])
    table["all"] = vector
    [back] = amf3_decode(amf3_encode(vector))
    shown = "Dictionary([('n', 1), ('all', [Dictionary([...])])])"
    assert back[0]["all"] is back and back[0]["n"] == 1 and repr(back[0]) == shown


def test_p11_values_share_tables() -> None:
    assert amf3_encode("text", "text") == bytes.fromhex("0609 74657874 0600")
    assert amf3_decode(amf3_encode("text", "text", 7)) == ["text", "text", 7]
    with pytest.raises(rtmpkit.AmfError):
        amf3_decode(b"\x0d\x05\x00")


def test_p11_a_dictionary_is_a_map_of_any_keys() -> None:
    table = Dictionary({"a": 1})
    table[{"x": 1}] = 2
    table["a"] = 3
    assert (table["a"], table[{"x": 1}], list(table)) == (3, 2, ["a", {"x": 1}])
    assert table == Dictionary([({"x": 1}, 2), ("a", 3)]) and table != {"a": 3} and table != 5
    del table[{"x": 1}]
    assert table == {"a": 3} and "b" not in table and table.get("b") is None
    with pytest.raises(KeyError):
        table["b"]
    with pytest.raises(KeyError):
        table.pop("b")


@pytest.mark.parametrize("wrong", [VectorInt([2**31]), VectorUint([-1]), VectorDouble(["x"])])  # type: ignore[list-item]
def test_p11_numbers_that_do_not_fit_are_told(wrong: Any) -> None:
    with pytest.raises(rtmpkit.AmfError, match=f"a {type(wrong).__name__} cannot hold"):
        amf3_encode(wrong)


def test_p11_to_amf0_they_go_as_what_is_nearest() -> None:
    assert amf0_decode(amf0_encode(VectorInt([1, 2]), Dictionary({"a": 1}))) == [[1, 2], {"a": 1}]
