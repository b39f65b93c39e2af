"""The fused codec of plain values against the long way of stock PB: jelly, then banana, and back."""

from __future__ import annotations

import datetime
import decimal
import enum
import math
from collections import OrderedDict, namedtuple
from datetime import date, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.spread import jelly as stock

from broker._limits import PB_SIZE
from broker._values.plain import NotPlain, PlainEncoder
from broker._values.unplain import Incomplete, PlainDecoder
from broker._wire import banana
from broker.errors import LimitExceeded
from tests.vectors.load import VECTORS

texts = st.text(st.characters(exclude_categories=("Cs",))) | st.sampled_from(["remote", "None", "list", "x" * 127])
naive = st.datetimes() | st.dates() | st.times() | st.timedeltas()
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=3) | st.integers(-(10**60), 10**60).map(Decimal)
_atoms = (
    st.none()
    | st.booleans()
    | st.integers(-(2**448) + 1, 2**448 - 1)
    | st.integers(-300, 40000)
    | st.floats(allow_nan=False)
    | st.binary(max_size=200)
    | texts
    | naive
    | decimals
)


@st.composite
def plain_atoms(draw: st.DrawFn) -> Any:
    """Any plain value that holds no other. A function, because hypothesis then says its name, not all that is in it."""
    return draw(_atoms)


atoms = plain_atoms()
_hashable = st.recursive(atoms, lambda inner: st.lists(inner, max_size=4).map(tuple) | st.frozensets(inner, max_size=4))


@st.composite
def hashables(draw: st.DrawFn) -> Any:
    """Any plain value that may be a key."""
    return draw(_hashable)


hashable = hashables()
_trees = st.recursive(
    hashable,
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(hashable, inner, max_size=5)
        | st.dictionaries(texts, inner, max_size=5)
        | st.sets(hashable, max_size=4)
        | st.lists(st.integers(-5, 2**35), min_size=4, max_size=30)
    ),
    max_leaves=25,
)


@st.composite
def plain_values(draw: st.DrawFn) -> Any:
    """Any plain value without sharing."""
    return draw(_trees)


trees = plain_values()


@st.composite
def tangles(draw: st.DrawFn) -> Any:
    """Containers that hold each other, and themselves, in any way."""
    pool: list[Any] = [draw(trees) for _ in range(draw(st.integers(1, 3)))]
    boxes: list[Any] = [draw(st.sampled_from([list, dict]))() for _ in range(draw(st.integers(1, 4)))]
    pool += boxes
    for _ in range(draw(st.integers(0, 3))):
        pool.append(tuple(draw(st.lists(st.sampled_from(pool), max_size=3))))
    for box in boxes:
        for number in range(draw(st.integers(0, 4))):
            item = draw(st.sampled_from(pool))
            if isinstance(box, list):
                box.append(item)
            else:
                box[number] = item
    return draw(st.sampled_from(pool)) if draw(st.booleans()) else pool


def long_way(value: Any, vocabulary: bool = True) -> bytes:
    return banana.encode(stock.jelly(value), vocabulary=vocabulary)


def stock_value(data: bytes) -> Any:
    return stock.unjelly(banana.decode(data, vocabulary=True)[0])


@given(trees)
def test_encode_gives_the_bytes_of_the_long_way(value: Any) -> None:
    for vocabulary in (True, False):
        assert PlainEncoder(vocabulary).encode(value) == long_way(value, vocabulary)


@given(tangles())
def test_sharing_and_cycles_give_the_bytes_of_the_long_way(value: Any) -> None:
    encoder = PlainEncoder(True)
    assert encoder.encode(value) == long_way(value)
    assert encoder.encode(value) == long_way(value)


@given(trees, st.booleans())
def test_decode_gives_the_value_back(value: Any, vocabulary: bool) -> None:
    data = PlainEncoder(vocabulary).encode(value)
    try:
        result, end = PlainDecoder(vocabulary).decode(b"\x01\x80" + data + b"\x02\x80", 2)
    except NotPlain:
        # A tuple as a key behind something shared: what hashing it costs is counted the long way.
        assert has_shared(data)
        return
    assert end == 2 + len(data)
    assert result == value
    assert shape(result) == shape(value)


def has_shared(data: bytes) -> bool:
    """Whether some part is referred to."""
    return b"\x03\x80\x04\x87" in data or b"reference" in data


def shape(value: Any) -> Any:
    """The types, which equality does not tell: 1 == True == 1.0."""
    if isinstance(value, (list, tuple)):
        return type(value), [shape(item) for item in value]
    if isinstance(value, dict):
        return dict, [(shape(key), shape(item)) for key, item in value.items()]
    if isinstance(value, (set, frozenset)):
        return type(value), sorted(map(repr, map(shape, value)))
    return type(value)


@given(tangles())
def test_decode_of_sharing_is_right_or_left_to_the_long_way(value: Any) -> None:
    data = long_way(value)
    try:
        result, end = PlainDecoder(True).decode(data)
    except NotPlain:
        assert b"\x03\x87" in data, "only a reference may be a reason"
    else:
        assert end == len(data)
        # The same identities again give the same bytes again; sets may have another order.
        if b"set" not in data:
            assert long_way(result) == data


def test_shared_containers_are_shared_again() -> None:
    inner = [1]
    result, _ = PlainDecoder(True).decode(long_way([inner, {"a": inner}, ((), ()), inner]))
    assert result == [[1], {"a": [1]}, ((), ()), [1]]
    assert result[0] is result[1]["a"] is result[3]


def test_numbers_of_references_count_second_sights() -> None:
    a: list[Any] = [1]
    b: list[Any] = [2]
    assert PlainEncoder(True).encode([a, b, b, a, b, a]) == long_way([a, b, b, a, b, a])
    b.append(b)
    assert PlainEncoder(True).encode({"a": a, "b": b}) == long_way({"a": a, "b": b})
    with pytest.raises(NotPlain, match="not met yet"):
        PlainDecoder(True).decode(long_way(b))


@pytest.mark.parametrize("data", [long_way({"k": [1, 200, 3.5, b"x", "é" * 70, (), None, True, {1}]})])
def test_every_beginning_is_incomplete(data: bytes) -> None:
    decoder = PlainDecoder(True)
    for length in range(len(data)):
        with pytest.raises(Incomplete):
            decoder.decode(data[:length])
    assert decoder.decode(data)[1] == len(data)


@given(trees, st.data())
def test_every_beginning_of_anything_is_incomplete(value: Any, data: st.DataObject) -> None:
    encoded = long_way(value)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises((Incomplete, NotPlain) if has_shared(encoded) else Incomplete):
        PlainDecoder(True).decode(encoded[:cut])


NOT_PLAIN = {"class", "builtin type", "plain instance, no security"}
NAMES = {"datetime": datetime, "Decimal": Decimal}


@pytest.mark.parametrize("vector", [v for v in VECTORS["jelly"] if "hex_pb" in v], ids=lambda v: v["name"])
def test_recorded_forms(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex_pb"])
    if vector["name"].startswith("cyclic") or vector["name"] in NOT_PLAIN:
        with pytest.raises(NotPlain):
            PlainDecoder(True).decode(data)
        return
    value, end = PlainDecoder(True).decode(data)
    assert end == len(data)
    assert value == eval(vector["python"], NAMES)
    assert PlainEncoder(True).encode(value) == data


class Colour(enum.IntEnum):
    RED = 1


class Text(str):
    __slots__ = ()


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    "value",
    [
        object(),
        Colour.RED,
        Text("x"),
        Point(1, 2),
        OrderedDict(),
        bytearray(b"x"),
        1j,
        range(3),
        int,
        len,
        datetime.datetime(2024, 1, 1, tzinfo=timezone.utc),
        time(1, 2, tzinfo=timezone.utc),
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("1" * 200),
        "\ud800",
        decimal,
    ],
    ids=repr,
)
def test_what_is_not_plain(value: Any) -> None:
    encoder = PlainEncoder(True)
    for holder in (value, [value], ("a", value), {"k": value}, {1: [value]}):
        with pytest.raises(NotPlain):
            encoder.encode(holder)
    with pytest.raises(NotPlain):
        encoder.encode([1, 2, 3, 4, 5, value, 7])
    # Nothing is left behind by a failure.
    assert encoder.encode([1, [2], [2]]) == long_way([1, [2], [2]])


def test_subclasses_of_text_are_no_keys_even_when_the_key_is_known() -> None:
    encoder = PlainEncoder(True)
    encoder.encode({"x": 1})
    with pytest.raises(NotPlain):
        encoder.encode({Text("x"): 1})


def test_booleans_and_floats_are_no_integers() -> None:
    for value in ([True] * 9, [1.0] * 9, [1, 2, 3, 4, 5, True], [False, 0, 0.0] * 3):
        assert PlainEncoder(True).encode(value) == long_way(value)


@pytest.mark.parametrize(
    "form",
    [
        [],
        [[]],
        [[b"list"]],
        [5, 1],
        [b"remote", 1],
        [b"local", 1],
        [b"pbvec.Pond", [b"dictionary"]],
        [b"nothing"],
        [b"None", 1],
        [b"unicode"],
        [b"unicode", 1],
        [b"unicode", [b"list"]],
        [b"unicode", b"\xff"],
        [b"unicode", b"a", b"b"],
        [b"boolean", b"maybe"],
        [b"boolean", 1],
        [b"boolean"],
        [b"list", []],
        [b"dictionary", 1],
        [b"dictionary", [1]],
        [b"dictionary", [1, 2, 3]],
        [b"dictionary", [[b"list"], 1]],
        [b"dictionary", [[b"unicode", b"\xff"], 1]],
        [b"set", [b"list"]],
        [b"frozenset", [b"dictionary"]],
        [b"date", b"2024 13 1"],
        [b"date", b"2024 1"],
        [b"date", b"x y z"],
        [b"date", b"0 " * 100],
        [b"datetime", b"2024 1 1"],
        [b"time", b"25 0 0 0"],
        [b"timedelta", b"9999999999 0 0"],
        [b"date", 5],
        [b"decimal", 1],
        [b"decimal", 1, b"2"],
        [b"decimal", 1.5, 2],
        [b"decimal", 1, 10**30],
        [b"dereference", 1],
        [b"dereference", b"x"],
        [b"reference", 1],
        [b"reference", 1, 5],
        [b"reference", b"x", [b"list"]],
        [b"list", [b"reference", 1, [b"list"]], [b"reference", 1, [b"list"]]],
        [b"reference", 1, [b"list", [b"dereference", 1]]],
        [b"persistent", 1],
        [b"instance", [b"class", b"a.B"], [b"dictionary"]],
    ],
    ids=repr,
)
def test_forms_left_to_the_long_way(form: Any) -> None:
    decoder = PlainDecoder(True)
    for vocabulary in (True, False):
        with pytest.raises(NotPlain):
            decoder.decode(banana.encode(form, vocabulary=vocabulary))
        with pytest.raises(NotPlain):
            decoder.decode(banana.encode([b"list", [b"dictionary", [1, form]]], vocabulary=vocabulary))


@pytest.mark.parametrize(
    "data",
    [b"\x88", b"\x00\x87", b"\x20\x87", b"\x02\x80\x08\x87\xff", b"\x02\x80\x08\x87\x20\x87", b"\x01" * 70 + b"\x81"],
)
def test_tokens_left_to_the_long_way(data: bytes) -> None:
    with pytest.raises(NotPlain):
        PlainDecoder(True).decode(data)


def test_words_as_numbers_need_the_vocabulary() -> None:
    for value in (None, [], (), {}, {"a": 1}, b"remote", "remote"):
        data = long_way(value)
        assert PlainDecoder(True).decode(data) == (value, len(data))
        with pytest.raises(NotPlain):
            PlainDecoder(False).decode(data)
        spelled = long_way(value, vocabulary=False)
        assert PlainDecoder(True).decode(spelled) == (value, len(spelled))
        assert PlainDecoder(False).decode(spelled) == (value, len(spelled))


@given(
    st.lists(st.sampled_from([b"\x81", b"\x05\x81", b"\x00\x00\x81", b"\x01" * 6 + b"\x81", b"\x07\x85"]), min_size=1)
)
def test_integers_in_unusual_spelling(tokens: list[bytes]) -> None:
    head = banana.int_to_digits(len(tokens) + 1) + b"\x80\x08\x87"
    data = head + b"".join(tokens)
    assert PlainDecoder(True).decode(data + b"\x01\x81\x02\x81") == (stock_value(data), len(data))


def test_a_run_of_integers_ends_with_its_list() -> None:
    for length in range(3, 12):
        value = [1, 2, 3, 4, 5, [6] * length, 7, 8, 9, 10, 11, 12, 300, 70_000] * 2
        data = long_way(value)
        assert PlainDecoder(True).decode(data) == (value, len(data))


def test_empty_texts_without_digits() -> None:
    text = b"\x02\x80\x07\x82unicode\x82"
    assert PlainDecoder(True).decode(b"\x03\x80\x08\x87" + text + b"\x82") == (["", b""], 17)
    assert PlainDecoder(True).decode(b"\x03\x80\x08\x87" + text + text)[0] == ["", ""]
    entries = b"\x03\x80\x05\x87\x02\x80\x01\x81" + text + b"\x02\x80\x02\x81" + text
    assert stock_value(entries) == {1: "", 2: ""}
    assert PlainDecoder(True).decode(entries) == ({1: "", 2: ""}, len(entries))


def test_integers_too_long_in_a_run_are_left_to_the_long_way() -> None:
    for digits, plain in ((64, True), (65, False)):
        data = b"\x0a\x80\x08\x87" + b"\x01\x81" * 8 + b"\x01" * digits + b"\x81"
        if plain:
            assert PlainDecoder(True).decode(data)[0][8] == banana.digits_to_int(b"\x01" * 64)
        else:
            with pytest.raises(NotPlain):
                PlainDecoder(True).decode(data)


def deep(depth: int, make: Any) -> Any:
    value = make(None)
    for _ in range(depth - 1):
        value = make(value)
    return value


def test_depth_is_bounded_both_ways() -> None:
    for make, levels in ((lambda v: [v], 64), (lambda v: (v,), 64), (lambda v: {"k": v}, 32), (lambda v: {v}, 64)):
        if make(None) == {None}:
            make = lambda v: frozenset((v,))  # noqa: E731
        value = deep(levels, make)
        data = PlainEncoder(True).encode(value)
        assert PlainDecoder(True).decode(data)[0] == value
        with pytest.raises(NotPlain, match="deep"):
            PlainEncoder(True).encode(deep(levels + 1, make))
        with pytest.raises(NotPlain, match="deep"):
            PlainDecoder(True).decode(long_way(deep(levels + 1, make)))
    assert PlainEncoder(True, depth=2).encode([[1]]) == long_way([[1]])
    with pytest.raises(NotPlain):
        PlainEncoder(True, depth=2).encode([[[1]]])
    with pytest.raises(NotPlain):
        PlainDecoder(True, depth=2).decode(long_way([[[1]]]))


@pytest.mark.parametrize(
    "unit", [b"\x01\x80", b"\x02\x80\x08\x87", b"\x03\x80\x04\x87\x01\x81", b"\x02\x80\x05\x87\x02\x80"]
)
def test_hostile_depth_does_not_recurse(unit: bytes) -> None:
    with pytest.raises(NotPlain):
        PlainDecoder(True).decode(unit * 100_000)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (b"x" * (PB_SIZE + 1), "655361 bytes"),
        ("x" * (PB_SIZE + 1), "655361 bytes"),
        ("é" * (PB_SIZE // 2 + 1), "655362 bytes"),
        ([0] * PB_SIZE, "655360 items"),
        (dict.fromkeys(range(PB_SIZE)), "655360 items"),
        (2**448, "449 bits"),
        (-(2**448), "449 bits"),
    ],
    ids=["bytes", "text", "utf-8", "list", "dict", "int", "negative"],
)
def test_what_the_peer_would_not_accept_is_not_sent(value: Any, problem: str) -> None:
    for holder in (value, [1, value], {"k": value}):
        with pytest.raises(LimitExceeded, match=problem):
            PlainEncoder(True).encode(holder)


def test_the_largest_that_the_peer_accepts_is_sent() -> None:
    for value in (b"x" * PB_SIZE, "x" * PB_SIZE, [0] * (PB_SIZE - 1), 2**448 - 1):
        assert PlainEncoder(True).encode(value) == long_way(value)


def test_a_small_limit_holds_for_short_texts_and_lists_too() -> None:
    encoder = PlainEncoder(True, string_limit=3)
    assert encoder.encode(["abc", b"abc"]) == long_way(["abc", b"abc"])
    for value in (["abcd"], {"k": "abcd"}, {"abcd": 1}, b"abcd", [1, 2, 3], {1: 1, 2: 2, 3: 3}):
        with pytest.raises(LimitExceeded):
            encoder.encode(value)


def test_the_memo_of_keys_is_bounded_both_ways() -> None:
    encoder = PlainEncoder(True)
    decoder = PlainDecoder(True)
    for start in range(0, 10_000, 500):
        value = {f"key{number}": 1 for number in range(start, start + 500)}
        value["k" * 100] = 2
        data = encoder.encode(value)
        assert data == long_way(value)
        assert decoder.decode(data)[0] == value
        assert 0 < len(encoder._keys) <= 2048
        assert 0 < len(decoder._keys) <= 2048
    assert "k" * 100 not in encoder._keys
    assert b"k" * 100 not in decoder._keys


def test_not_a_number_and_signed_zero() -> None:
    value, _ = PlainDecoder(True).decode(PlainEncoder(True).encode([math.nan, -0.0]))
    assert math.isnan(value[0])
    assert math.copysign(1, value[1]) == -1
    # PB's form of a Decimal has no place for the sign of zero.
    assert PlainEncoder(True).encode(Decimal("-0.00")) == long_way(Decimal("-0.00"))


def test_dates_at_their_ends() -> None:
    for value in (datetime.datetime.min, datetime.datetime.max, date.min, date.max, timedelta.min, timedelta.max):
        data = PlainEncoder(True).encode(value)
        assert data == long_way(value)
        assert PlainDecoder(True).decode(data) == (value, len(data))


def test_nothing_of_a_value_is_kept() -> None:
    encoder = PlainEncoder(True)
    shared = {"a": 2}
    encoder.encode([1, shared, shared])
    assert encoder._splices == [] and encoder._seen == {}
    decoder = PlainDecoder(True)
    inner = [1]
    decoder.decode(long_way([inner, inner]))
    assert decoder._shared is None
