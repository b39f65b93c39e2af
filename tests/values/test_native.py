"""Values come back from the native dialect as they were: types, sharing, boundaries; and what may not be sent."""

from __future__ import annotations

import gc
import inspect
import math
import sys
from collections import OrderedDict, namedtuple
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker._values.native import NativeEncoder
from broker._values.plain import NotPlain
from broker._values.unnative import NativeDecoder
from broker.errors import LimitExceeded
from tests.values.exact import assert_same

DEPTH = 60
ELEMENTS = 100_000
BERLIN = ZoneInfo("Europe/Berlin")


def encoder(depth: int = DEPTH, elements: int = ELEMENTS) -> NativeEncoder:
    return NativeEncoder(depth, elements)


def decoder(depth: int = DEPTH, elements: int = ELEMENTS) -> NativeDecoder:
    return NativeDecoder(depth, elements)


def there_and_back(value: Any) -> Any:
    data = encoder().encode(value)
    reader = decoder()
    got = reader.decode(b"before" + data + b"behind", 6, 6 + len(data))
    assert reader.position == 6 + len(data)
    return got


zones = st.one_of(
    st.none(),
    st.just(timezone.utc),
    st.integers(-86_399_999_999, 86_399_999_999).map(lambda micro: timezone(timedelta(microseconds=micro))),
    st.tuples(st.integers(-1439, 1439), st.text(max_size=20)).map(
        lambda pair: timezone(timedelta(minutes=pair[0]), pair[1])
    ),
    st.sampled_from([BERLIN, ZoneInfo("UTC"), ZoneInfo("Asia/Kathmandu")]),
)
folds = st.integers(0, 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
numbers = st.one_of(
    st.integers(-200, 200),
    st.integers(-(2**34), 2**34),
    st.integers(-(2**70), 2**70),
    st.builds(lambda power, off, sign: sign * (2**power + off), st.integers(0, 600), folds, st.sampled_from([1, -1])),
)
hashables = st.one_of(
    numbers,
    texts,
    st.binary(max_size=40),
    st.none(),
    st.booleans(),
    st.floats(allow_nan=False),
    st.decimals(allow_nan=False),
    st.complex_numbers(allow_nan=False),
    st.uuids(),
    st.timedeltas(),
    st.dates(),
    st.builds(lambda when, fold: when.replace(fold=fold), st.datetimes(timezones=zones), folds),
    st.builds(lambda when, zone, fold: when.replace(tzinfo=zone, fold=fold), st.times(), zones, folds),
)
scalars = st.one_of(
    hashables, st.floats(), st.complex_numbers(), st.sampled_from([Decimal("NaN"), Decimal("-sNaN7"), Decimal("-Inf")])
)
keys = st.recursive(
    hashables, lambda inner: st.lists(inner, max_size=4).map(tuple) | st.frozensets(inner, max_size=4), max_leaves=6
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=20),
        st.lists(inner, max_size=10).map(tuple),
        st.dictionaries(texts, inner, max_size=10),
        st.dictionaries(keys, inner, max_size=10),
        st.sets(keys, max_size=6),
        st.frozensets(keys, max_size=6),
        st.lists(numbers, min_size=14, max_size=40),
        st.lists(st.floats(), min_size=14, max_size=40),
        st.tuples(st.lists(texts, min_size=2, max_size=5, unique=True), inner, inner).map(
            lambda made: [dict.fromkeys(made[0], made[1]), dict.fromkeys(made[0], made[2])]
        ),
        inner.map(lambda value: [value, value, (value, value)]),
    ),
    max_leaves=30,
)


def twice(value: Any) -> Any:
    """Have a value come back from codecs that know its shapes already, and from new ones."""
    writer, reader = encoder(), decoder()
    first = writer.encode(value)
    assert writer.encode(value) == first
    reader.decode(first, 0, len(first))
    got = reader.decode(first, 0, len(first))
    assert_same(got, decoder().decode(first, 0, len(first)))
    return got


@given(values)
@settings(max_examples=400, deadline=None)
def test_anything_comes_back(value: Any) -> None:
    assert_same(value, there_and_back(value))
    assert_same(value, twice(value))


@st.composite
def graphs(draw: st.DrawFn) -> Any:
    """Containers that are shared and cyclic in any way."""
    made: list[Any] = [draw(st.sampled_from([[], {}, set()]))]
    for _ in range(draw(st.integers(1, 12))):
        some = draw(st.lists(st.integers(0, len(made) - 1), max_size=4))
        parts = [made[number] for number in some]
        kind: Any = draw(st.sampled_from([list, tuple, "record", "ints", "fill"]))
        if kind == "record":
            made.append({f"key {number}": part for number, part in enumerate(parts)})
        elif kind == "ints":
            made.append(list(range(20)))
        elif kind == "fill" and type(made[-1]) is list:
            made[-1].extend(made)
        elif kind == "fill" and type(made[-1]) is dict:
            made[-1]["all"] = list(made)
        else:
            made.append(list(parts) if kind == "fill" else kind(parts))
    return made


def has_cycle_through_tuple(value: Any) -> bool:
    """Tell whether a tuple is met again within itself; it is met first where its first parent has it."""
    open_tuples: list[int] = []
    seen: set[int] = set()

    def visit(part: Any) -> bool:
        if type(part) not in (list, tuple, dict) or part == ():
            return False
        if id(part) in seen:
            return id(part) in open_tuples
        seen.add(id(part))
        if type(part) is tuple:
            open_tuples.append(id(part))
        found = any(map(visit, part.values() if type(part) is dict else part))
        if type(part) is tuple:
            open_tuples.pop()
        return found

    return visit(value)


@given(graphs())
@settings(max_examples=400, deadline=None)
def test_sharing_comes_back(value: Any) -> None:
    if has_cycle_through_tuple(value):
        with pytest.raises(NotPlain):
            encoder().encode(value)
    else:
        assert_same(value, there_and_back(value))


BOUNDARIES: list[Any] = [
    *[sign * (2**power) + off for power in (0, 5, 7, 8, 15, 16, 31, 32, 62, 63, 64, 448, 449, 100_000)
      for sign in (1, -1) for off in (-2, -1, 0, 1, 2)],
    *["x" * size for size in (0, 1, 31, 32, 255, 256, 65_535, 65_536)],
    "é" * 15, "é" * 16, "\U0001f600" * 7, "\U0001f600" * 8, "\0", "\x7f\x80",
    *[b"\xff" * size for size in (0, 1, 31, 32, 255, 256, 70_000)],
    *[["a"] * size for size in (0, 1, 15, 16, 17, 255, 256, 300)],
    *[list(range(size)) for size in (0, 1, 15, 16, 17, 300)],
    *[[edge] * 16 for edge in (127, 128, -128, -129, 2**15 - 1, 2**15, -(2**15), -(2**15) - 1, 2**31 - 1, 2**31,
                               -(2**31), -(2**31) - 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1)],
    [1] * 16 + [True], [1] * 16 + [1.0], [1.0] * 16 + [1], [True] * 16, [1.5, -0.0, math.inf, -math.inf, math.nan] * 4,
    *[("a",) * size for size in (0, 1, 7, 8, 9, 255, 256)],
    *[dict.fromkeys(range(size), "a") for size in (0, 1, 7, 8, 255, 256)],
    *[{f"key {number}": number for number in range(size)} for size in (0, 1, 2, 7, 8, 255, 256, 300)],
    *[set(range(size)) for size in (0, 1, 300)], *[frozenset(range(size)) for size in (0, 1, 300)],
    {"x" * 5000: 1, "y": 2}, {"x" * 40: 1, "y": 2}, {"": 1, "é" * 31: 2}, {1: 1, "y": 2}, {"y": 2, 1: 1},
    [{f"{number}": 1, f"{number}b": 2} for number in range(300)] * 2,
    [{f"{number}": 1, f"{number}b": 2} for number in range(4100)] + [{"4099": 1, "4099b": 2}, {"7": 1, "7b": 2}],
    [{f"{number} {'x' * 1000}": 1, "b": 2} for number in range(600)] * 2,
    -0.0, 0.0, math.inf, math.nan, -math.nan, 5e-324, complex(-0.0, math.nan), None, True, False,
    [[], [], (), (), {}, {}, set(), set(), frozenset(), frozenset()],
    {(1, (2, frozenset((3,)))): [()], None: None, 1.5: 2, b"x": b"y"},
]  # fmt: skip

MOMENTS: list[Any] = [
    *[Decimal(text) for text in (
        "0", "-0", "0E5", "-0E-7", "1", "-1.50", "12345678901234567890.123", "1E999999", "-1E-999999", "9" * 10_000,
        "1" + "0" * 9_999, "NaN", "-NaN", "NaN7", "sNaN", "-sNaN123456", "Infinity", "-Infinity", "NaN" + "8" * 9_999,
    )],
    date.min, date.max, date(2024, 2, 29), time.min, time.max, time(1, 2, 3, 4, fold=1), datetime.min, datetime.max,
    datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=BERLIN), datetime(2024, 1, 1, tzinfo=timezone.utc),
    datetime(2024, 1, 1, tzinfo=timezone(timedelta(0))), datetime(2024, 1, 1, tzinfo=timezone(timedelta(0), "UTC")),
    datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1), "UTC+01:00")), time(3, tzinfo=BERLIN),
    datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=-3), "é" * 127)), time(3, tzinfo=timezone(timedelta(1, -1))),
    timedelta.min, timedelta.max, timedelta(0), timedelta(-1, 86_399, 999_999), UUID(int=0), UUID(int=2**128 - 1),
]  # fmt: skip


@pytest.mark.parametrize("value", BOUNDARIES + MOMENTS, ids=range(len(BOUNDARIES + MOMENTS)))
def test_boundaries(value: Any) -> None:
    assert_same(value, there_and_back(value))
    assert_same([value, value], twice([value, value]))


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (0, "00"), (127, "7f"), (-1, "ff"), (-32, "e0"), (-33, "c4df"), (128, "c58000"), (-129, "c57fff"),
        (2**15, "c600800000"), (2**31, "c70000008000000000"), (2**63, "c809000000" "000000000000008000"),
        ("", "80"), ("ab", "826162"), ("x" * 32, "c920" + "78" * 32), (b"ab", "cb026162"), (None, "c0"),
        (False, "c1"), (True, "c2"), (1.0, "c3000000000000f03f"), ([1, [2]], "a201a102"), ((), "b0"), ((1,), "b101"),
        ({}, "b8"), ({"a": 1}, "b9816101"), ({1: 2}, "b90102"), ({"a": 1, "b": 2}, "d202816181620102"),
        ([{"a": 1, "b": 2}] * 2, "a2d202816181620102d501000000"),
        ([{"a": 1, "b": 2}, {"a": 3, "b": 4}], "a2d202816181620102d3000304"),
        (set(), "d000000000"), (frozenset((1,)), "d10100000001"), ([1] * 16, "dd0110000000" + "01" * 16),
        ([300] * 16, "dd0210000000" + "2c01" * 16), ([1.0] * 16, "de10000000" + "000000000000f03f" * 16),
        (["a"] * 16, "cd10000000" + "8161" * 16), ((1,) * 8, "ce08000000" + "01" * 8),
        (1 + 2j, "d6" "000000000000f03f" "0000000000000040"), (Decimal("-1.5"), "d780ffffffff010015"),
        (Decimal("NaN"), "d702000000000000"),
        (date(2024, 2, 29), "d8e807021d"), (time(1, 2, 3, 4), "d90001020304000000"),
        (datetime(2024, 2, 29, 1, 2, 3, 4, timezone.utc), "da01e807021d01020304000000"),
        (timedelta(-1, 2, 3), "dbffffffff0200000003000000"), (UUID(int=1), "dc" + "00" * 15 + "01"),
        (time(1, 2, 3, 4, timezone(timedelta(0, 1), "x"), fold=1), "d98301020304000000" "40420f00000000000178"),
        (time(1, 2, 3, 4, ZoneInfo("UTC")), "d904010203040000000355" "5443"),
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_layout(value: Any, form: str) -> None:
    data = bytes.fromhex(form)
    assert encoder().encode(value) == data
    assert_same(value, decoder().decode(data, 0, len(data)))


def test_cycles() -> None:
    items: list[Any] = [1]
    table: dict[str, Any] = {"items": items, "more": ({},)}
    table["more"][0]["table"] = table
    items += [items, table, table["more"]]
    with pytest.raises(NotPlain):
        # Beginning at the tuple it would be complete when it is met again, beginning at the table it is not.
        encoder().encode(table["more"])
    assert_same(items, there_and_back(items))


class Number(int):
    pass


class Word(str):
    __slots__ = ()


class Colour(IntEnum):
    RED = 1


Point = namedtuple("Point", "x y")
REFUSED: list[Any] = [
    Number(1), Word("a"), Colour.RED, Point(1, 2), OrderedDict(), bytearray(b"x"), memoryview(b"x"), range(3), object(),
    "\ud800", "ab\udfff", {"\ud800": 1, "b": 2}, {"\ud800": 1}, {Word("a"): 1, "b": 2}, {"a": 1, Word("b"): 2},
    [1] * 16 + [Number(1)], [1.0] * 16 + ["\ud800"], int, len, Ellipsis, NotImplemented,
    Decimal("1E1000000"), Decimal("1E-1000000"), Decimal("1" * 10_001), Decimal("NaN" + "1" * 10_001),
    datetime(2024, 1, 1, tzinfo=timezone(timedelta(0), "x" * 256)), time(tzinfo=timezone(timedelta(0), "\ud800")),
]  # fmt: skip


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: ascii(value)[:30])
@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: [v], lambda v: ("x" * 100, v), lambda v: {"a": 1, "b": v}])
def test_not_plain(value: Any, wrap: Any) -> None:
    writer = encoder()
    writer.writer.append(7)
    with pytest.raises(NotPlain):
        writer.put(wrap(value))
    assert writer.take() == b"\x07"
    assert writer.encode([{"a": 1, "b": 2}]) == encoder().encode([{"a": 1, "b": 2}])


def test_subclass_that_equals_a_known_key() -> None:
    writer = encoder()
    writer.encode({"a": 1, "b": 2})
    with pytest.raises(NotPlain):
        writer.encode({Word("a"): 1, "b": 2})


def test_writer_is_shared() -> None:
    writer = encoder()
    writer.writer.append(1)
    writer.put([2])
    assert writer.encode("x") == b"\x81x"
    assert writer.take() == b"\x01\xa1\x02"
    assert writer.take() == b""


def deep(levels: int, wrap: Any = lambda inner: [inner]) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = wrap(value)
    return value


WRAPS = [lambda v: [v], lambda v: (v,), lambda v: {1: v}, lambda v: {"a": v, "b": 1}, lambda v: {"a": v},
         lambda v: frozenset((v,))]  # fmt: skip


@pytest.mark.parametrize("wrap", WRAPS)
def test_depth(wrap: Any) -> None:
    data = encoder(depth=20).encode(deep(20, wrap))
    assert_same(decoder(depth=20).decode(data, 0, len(data)), deep(20, wrap))
    with pytest.raises(LimitExceeded):
        encoder(depth=19).encode(deep(20, wrap))
    with pytest.raises(LimitExceeded):
        decoder(depth=19).decode(data, 0, len(data))


@pytest.mark.parametrize("inner", [[], {}, set(), [1] * 20, [1.5] * 20])
def test_depth_of_the_innermost(inner: Any) -> None:
    data = encoder(depth=3).encode(deep(2, lambda v: [inner, v]))
    decoder(depth=3).decode(data, 0, len(data))
    with pytest.raises(LimitExceeded):
        encoder(depth=1).encode([inner])
    data = encoder().encode([inner])
    with pytest.raises(LimitExceeded):
        decoder(depth=1).decode(data, 0, len(data))


def test_depth_that_the_peer_takes_but_the_encoder_does_not() -> None:
    writer = encoder(depth=10**9, elements=10**9)
    for levels in (301, 100_000):
        value = deep(levels)
        with pytest.raises(NotPlain):
            writer.encode(value)
        while value != 1:  # Taken apart by hand, since its destruction is no part of this.
            value = value.pop()
    data = encoder(depth=300).encode(deep(300))
    assert_same(decoder(depth=300).decode(data, 0, len(data)), deep(300))
    with pytest.raises(LimitExceeded):
        encoder(depth=300).encode(deep(301))


def test_a_stack_that_is_nearly_full() -> None:
    def down(levels: int) -> bytes:
        return encoder(depth=300).encode(deep(299)) if levels == 0 else down(levels - 1)

    # Where recursion is counted, there is not enough of it left; else it works.
    try:
        assert len(down(sys.getrecursionlimit() - 400)) == 300
    except NotPlain:
        assert hasattr(NativeEncoder.encode, "__code__")


CHARGES = [
    ([1, "a"], 2), ((1, 2, 3), 3), ({1: 2}, 2), ({"a": 1, "b": 2}, 4), (set(), 4), ({1, 2}, 6), (frozenset(), 4),
    (frozenset((1,)), 5), ([1] * 20, 20), ([1.5] * 20, 20), ([[], {}, ()], 3), ([[1], [[2]]], 5), ("x" * 99, 0),
    ((), 0),
    ([{"a": 1, "b": 2}, {"a": 1, "b": 2}], 10), ([frozenset()], 5), ({f"{i}": 1 for i in range(300)}, 600),
]  # fmt: skip


@pytest.mark.parametrize(("value", "cost"), CHARGES, ids=lambda value: repr(value)[:30])
def test_elements(value: Any, cost: int) -> None:
    data = encoder(elements=cost).encode(value)
    reader = decoder(elements=cost)
    for _ in range(3):  # The ceiling is for one value.
        assert_same(value, reader.decode(data, 0, len(data)))
    if cost:
        with pytest.raises(LimitExceeded):
            encoder(elements=cost - 1).encode(value)
        with pytest.raises(LimitExceeded):
            decoder(elements=cost - 1).decode(data, 0, len(data))


def test_keys_are_the_same_objects_each_time() -> None:
    writer, reader = encoder(), decoder()
    made = [writer.encode({"alpha": 1, "beta": 2}), writer.encode({"beta": 1, "alpha": 2}), writer.encode({"alpha": 3})]
    names = [list(reader.decode(data, 0, len(data))) for data in made]
    assert names[0][0] is names[1][1] is names[2][0]
    assert names[0][1] is names[1][0]


def holders(part: Any, *own: Any) -> list[Any]:
    """Return the containers that hold something, besides these."""
    found = [holder for holder in gc.get_referrers(part) if not inspect.isframe(holder)]
    return [holder for holder in found if not any(holder is one for one in own)]


def test_nothing_is_kept() -> None:
    writer, reader = encoder(), decoder()
    value = [[1], {"a": [], "b": ([],)}]
    data = writer.encode(value)
    with pytest.raises(NotPlain):
        writer.encode((value, object()))
    assert not holders(value)
    assert not holders(value[0], value)
    got = reader.decode(data, 0, len(data))
    assert not holders(got)
    assert not holders(got[0], got)
    assert not holders(got[1], got)
    assert not holders(got[1]["a"], got[1])
    assert not holders(got[1]["b"], got[1])
    assert not holders(got[1]["b"][0], got[1]["b"])


def test_identity_of_the_dead_is_not_taken_for_that_of_the_living() -> None:
    writer = encoder()
    for number in range(200):
        # Each list has very likely the address of the one before.
        assert writer.encode([number]) == b"\xa1" + encoder().encode(number)
