"""Bytes of the native dialect that are cut, come in pieces, are damaged or mean harm."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker._values.native import NativeEncoder
from broker._values.plain import NotPlain
from broker._values.unnative import NativeDecoder
from broker.errors import BadValue, LimitExceeded
from tests.values.exact import assert_same
from tests.values.test_native import BOUNDARIES, MOMENTS, graphs, has_cycle_through_tuple, values

EXPECTED = (BadValue, LimitExceeded, NotPlain)
ELEMENTS = 100_000


def encode(value: Any) -> bytes:
    return NativeEncoder(60, ELEMENTS).encode(value)


def decoder() -> NativeDecoder:
    return NativeDecoder(60, ELEMENTS)


def decode(data: bytes) -> Any:
    return decoder().decode(data, 0, len(data))


def outcome(call: Callable[[], Any]) -> Any:
    """Return what a call returns, or the class of what it raises, if that may be."""
    try:
        return call()
    except EXPECTED as error:
        return type(error)


def fed(reader: NativeDecoder, data: bytes, sizes: list[int]) -> tuple[bool, int]:
    """Feed data in pieces of these sizes, the last one again and again; return whether, and where, the value ended."""
    reader.begin()
    position = 0
    for number in range(len(data)):
        size = sizes[min(number, len(sizes) - 1)]
        stop = min(position + size, len(data))
        if reader.feed(b"#" + data[position:stop] + b"#", 1, 1 + stop - position):
            return True, position + reader.position - 1
        position = stop
        if position == len(data):
            break
    return False, position


#: One of everything, with openings of every tag.
SAMPLES: list[bytes] = [
    *[encode(value) for value in BOUNDARIES + MOMENTS if len(encode(value)) < 400],
    encode([{"a": 1, "b": 2}, {"a": 3, "b": 4}, {"a": 5, "b": {"a": [], "b": ()}}]),
    # Longer than they need be, or made by nobody but the test.
    *[bytes.fromhex(form) for form in (
        "c405", "c50500", "c605000000", "c70500000000000000", "c80100000005", "c900", "ca00000000", "ca020000006162",
        "cb00", "cc00000000", "cc020000006162", "cd0100000005", "ce0100000005", "cf010000000506", "ce00000000",
        "cd00000000", "d202c90161ca010000006201 02", "a2d202816181620102d400000304", "dd0100000000", "de00000000",
        "c800000000", "a2a0d500000000", "a2b105d501000000", "a2d10100000005d501000000",
    )],
]  # fmt: skip


@pytest.mark.parametrize("data", SAMPLES, ids=lambda data: data.hex()[:24])
def test_truncations(data: bytes) -> None:
    reader = decoder()
    whole = reader.decode(data, 0, len(data))  # From now on it knows the shapes.
    for size in range(len(data)):
        with pytest.raises(BadValue):
            reader.decode(data, 0, size)
        with pytest.raises(BadValue):
            reader.decode(data[:size], 0, size)
        assert fed(reader, data[:size], [7]) == (False, size)
        assert reader.value is None
    for sizes in ([1], [2], [3, 1000], [len(data) - 1, 1], [1, 100]):
        assert fed(reader, data + b"more", sizes) == (True, len(data))
        assert_same(whole, reader.value)
    reader.begin()
    assert reader.value is None


def test_every_tag_is_among_the_samples() -> None:
    assert {data[0] for data in SAMPLES} | {0xD3, 0xD4, 0xD5} >= set(range(0xC0, 0xDF)) | {0x80, 0xA0, 0xB0, 0xB8, 0xE0}


@given(values, st.lists(st.integers(1, 50), min_size=1, max_size=5))
@settings(max_examples=200, deadline=None)
def test_pieces(value: Any, sizes: list[int]) -> None:
    data = encode(value)
    reader = decoder()
    for _ in range(2):  # The second time shapes are known.
        assert fed(reader, data, sizes) == (True, len(data))
        assert_same(value, reader.value)


@given(graphs(), st.integers(1, 9))
@settings(max_examples=100, deadline=None)
def test_pieces_of_graphs(value: Any, size: int) -> None:
    if not has_cycle_through_tuple(value):
        data = encode(value)
        reader = decoder()
        assert fed(reader, data, [size]) == (True, len(data))
        assert_same(value, reader.value)


LARGE: list[Any] = ["x" * 40_000, "é" * 20_000, b"\xff" * 40_000, 2**300_000, list(range(0, 10**6, 100)),
                    [n * 2**33 for n in range(5_000)], [n * 0.5 for n in range(5_000)]]  # fmt: skip


@pytest.mark.parametrize("value", LARGE, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("size", [1, 2, 1000, 5000, 65_536, 10**7])
def test_large_values_in_pieces(value: Any, size: int) -> None:
    data = encode([{"a": value, "b": 1}, (value, 2)])
    reader = decoder()
    assert fed(reader, data, [size]) == (True, len(data))
    assert_same([{"a": value, "b": 1}, (value, 2)], reader.value)


def copied(size: int, piece: int) -> int:
    """Return the most memory that is in use while a byte string comes in pieces."""
    data = encode(b"x" * size)
    reader = decoder()
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
    reader.begin()
    tracemalloc.start()
    try:
        for part in pieces:
            reader.feed(part, 0, len(part))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("piece", [3, 100, 4095, 65_536])
def test_memory_of_pieces(piece: int) -> None:
    assert copied(400_000, piece) < 3 * 400_000


class CountingBytes(bytes):
    """Bytes that count how many of them have been copied."""

    copied = 0

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        if isinstance(key, slice):
            CountingBytes.copied += len(found)
        return found


@pytest.mark.parametrize("piece", [1, 10, 1000])
@pytest.mark.skipif(not hasattr(NativeDecoder.decode, "__code__"), reason="compiled code takes bytes only")
def test_what_is_copied_is_proportional(piece: int) -> None:
    data = encode(["x" * 20_000, {"k" * 100: "y" * 500, "l" * 100: list(range(1000))}] + ["z" * 40] * 100)
    reader = decoder()
    reader.begin()
    CountingBytes.copied = 0
    done = False
    for at in range(0, len(data), piece):
        part = CountingBytes(data[at : at + piece])
        done = reader.feed(part, 0, len(part))
    assert done
    assert CountingBytes.copied < 2 * len(data)


@given(values, st.data())
@settings(max_examples=500, deadline=None)
def test_mutations(value: Any, data: st.DataObject) -> None:
    good = bytearray(encode(value))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(good) - 1))
        good[at] = data.draw(st.integers(0, 255) | st.sampled_from([*range(0xC0, 0xE0)]))
    bad = bytes(good)
    reader = decoder()
    whole = outcome(lambda: reader.decode(bad, 0, len(bad)))
    pieces = outcome(lambda: fed(reader, bad, [data.draw(st.integers(1, 40))]))
    if type(whole) is type:
        # In pieces a value that is cut is not known to be; and what else is wrong may be met first.
        assert type(pieces) is type or not pieces[0]
    else:
        assert pieces[0]
        assert_same(whole, reader.value)


@given(
    st.binary(max_size=60)
    | st.lists(st.sampled_from([*range(0xA0, 0xE0), 0, 1, 2, 0x81, 0x61]), max_size=40).map(bytes)
)
@settings(max_examples=1000, deadline=None)
def test_any_bytes(data: bytes) -> None:
    reader = decoder()
    whole = outcome(lambda: reader.decode(data, 0, len(data)))
    pieces = outcome(lambda: fed(reader, data, [1]))
    if type(whole) is not type:
        assert pieces[0]
        assert_same(whole, reader.value)
        again = encode(whole)
        assert_same(whole, decode(again))
    elif type(pieces) is not type:
        assert not pieces[0]
    value = [{"a": 1, "b": (2,)}]
    good = encode(value)
    assert_same(value, reader.decode(good, 0, len(good)))


HUGE = "ffffffff"
BAD: dict[str, str] = {
    "UTF-8": "81ff",
    "surrogate": "83eda080",
    "long UTF-8": "c902c3 28",
    "overlong": "82c080",
    "back to nothing": "d500000000",
    "back to itself as a tuple": "b1d500000000",
    "back to a tuple around": "b1a1d500000000",
    "back to a frozenset around": "d101000000b1d500000000",
    "back to the next": "a2d501000000a0",
    "a list as a key": "b9a001",
    "a list in a key": "b9b1a001",
    "a list as a member": "d001000000a0",
    "itself as a member": "d001000000d500000000",
    "itself in a member": "d001000000b1d500000000",
    "itself as a key": "b9d50000000001",
    "a set in a frozenset": "d101000000d000000000",
    "the same key twice": "d202816181610102",
    "the same key twice, three": "d203816181628161010203",
    "a key that is no text": "d20281610102 03",
    "a key that is a list": "d2028161a00102",
    "a record of one": "d201816101",
    "a record of none": "d200",
    "an unknown shape": "d30001",
    "an unknown shape, wide": "d4000001",
    "a shape of later": "a2d30001d202816181620102",
    "integers of 3 bytes": "dd0301000000010203",
    "integers of none": "dd0001000000",
    "jelly inside": "a1dfa0",
    "jelly as a key": "b9df01",
    "a decimal that is wrong": "d70400000000010001",
    "decimal digits": "d70000000000 01000a",
    "no digits": "d7000000000000 00",
    "digits of infinity": "d701000000000100 01",
    "exponent": "d70040420f0001 0001",
    "exponent, small": "d700c0bdf0ff010001",
    "digits": "d700000000008913" + "11" * 5001,
    "month": "d8e8070d01",
    "year 0": "d800000101",
    "day": "d8e807021e",
    "hour": "d900180000 00000000",
    "microsecond": "d90000000040420f00",
    "zone kind": "d90500000000000000",
    "fold and zone kind": "d97f00000000000000",
    "offset": "d902000000000000000000605c1d14000000",
    "no such zone": "d90400000000000000 064e6f7768657265",
    "zone outside": "d9040000000000000009 2e2e2f2e2e2f657463",
    "zone root": "d90400000000000000012f",
    "zone 0": "d9040000000000000002 6100",
    "zone empty": "d9040000000000000000",
    "zone folder": "d90400000000000000064575726f7065",
    "zone no text": "d9040000000000000001ff",
    "name no text": "d903000000000000000000000000000000 01ff",
    "days": "db00ca9a3b0000000000000000",
    "seconds": "db0000000080510100 00000000",
    "microseconds": "db000000000000000040420f00",
    "list": "cd" + "05000000" + "01" * 4,
    "tuple": "ce0500000001020304",
    "dict": "cf02000000010203",
    "set": "d00200000001",
    "frozenset": "d10200000001",
    "record": "d20281618162 01",
    "known": "a2d202816181620102d30001",
    "an unhashable decimal": "b9d7030000000000 0001",
    "a snan as a member": "d001000000d703000000000000",
}


@pytest.mark.parametrize("form", BAD.values(), ids=list(BAD))
def test_bad(form: str) -> None:
    data = bytes.fromhex(form)
    with pytest.raises(BadValue):
        decode(data)
    if b"\xd5" not in data:  # The numbers of containers would be others.
        with pytest.raises(BadValue):
            decode(b"\xa1" + data)
    pieces = outcome(lambda: fed(decoder(), data, [1]))
    assert pieces is BadValue or pieces == (False, len(data))


HUGE_FORMS = ["ca" + HUGE, "cc" + HUGE, "c8" + HUGE, "cd" + HUGE, "ce" + HUGE, "cf" + HUGE, "d0" + HUGE, "d1" + HUGE,
              "dd08" + HUGE, "de" + HUGE, "d5" + HUGE, "d2ff", "cd" + "a0860100", "cf50c30000"]  # fmt: skip


@pytest.mark.parametrize("form", HUGE_FORMS)
def test_declared_sizes_cost_nothing(form: str) -> None:
    data = bytes.fromhex(form) + b"\x01" * 20
    reader = decoder()
    tracemalloc.start()
    try:
        with pytest.raises((BadValue, LimitExceeded)):
            reader.decode(data, 0, len(data))
        pieces = outcome(lambda: fed(reader, data, [1]))
        assert pieces in (BadValue, LimitExceeded, (False, len(data)))
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("opening", ["a1", "b1", "b901", "b9", "cd01000000", "ce01000000", "cf0100000001", "d001000000",
                                     "d101000000", "d20281618162", "a2a1"])  # fmt: skip
def test_deep_nesting(opening: str) -> None:
    data = bytes.fromhex(opening) * 100_000
    reader = decoder()
    with pytest.raises(LimitExceeded):
        reader.decode(data, 0, len(data))
    with pytest.raises(LimitExceeded):
        fed(reader, data, [1])
    deep = NativeDecoder(10**6, 10**7)
    with pytest.raises(BadValue):  # Cut short: no limit, and no recursion either.
        deep.decode(data, 0, len(data))


def test_deep_nesting_that_is_allowed() -> None:
    data = b"\xa1" * 50_000 + b"\xa0"
    value = NativeDecoder(10**6, 10**7).decode(data, 0, len(data))
    for _ in range(50_000):
        (value,) = value
    assert value == []


def doubling(levels: int, use: bytes) -> bytes:
    """Return a list of tuples each of which holds the one before twice, then something."""
    made = [b"\xb2\x01\x02"]
    for number in range(1, levels):
        made.append(b"\xb2" + (b"\xd5" + number.to_bytes(4, "little")) * 2)
    return (
        b"\xcd"
        + (levels + 1).to_bytes(4, "little")
        + b"".join(made)
        + use
        + b"\xd5"
        + levels.to_bytes(4, "little")
        + b"\0"
    )


@pytest.mark.parametrize("use", ["b9", "d001000000", "d101000000", "b9b1", "d001000000d101000000"])
def test_keys_that_take_forever_to_hash(use: str) -> None:
    data = doubling(60, bytes.fromhex(use))
    for reader in (decoder(), decoder()):
        with pytest.raises(LimitExceeded):
            reader.decode(data, 0, len(data))
    assert fed_limit(data)


def fed_limit(data: bytes) -> bool:
    return outcome(lambda: fed(decoder(), data, [100])) is LimitExceeded


def test_a_chain_of_tuples_as_a_key() -> None:
    levels = 50_000
    made = [b"\xb1\x01"] + [b"\xb1\xd5" + number.to_bytes(4, "little") for number in range(1, levels)]
    data = (
        b"\xcd"
        + (levels + 1).to_bytes(4, "little")
        + b"".join(made)
        + b"\xb9\xd5"
        + levels.to_bytes(4, "little")
        + b"\0"
    )
    with pytest.raises(LimitExceeded):
        decode(data)


def test_keys_that_hash_alike() -> None:
    alike = 2**61 - 1 if sys.hash_info.modulus == 2**61 - 1 else sys.hash_info.modulus
    many = [alike * number for number in range(1, 5000)]
    for value in (many, [(number,) for number in many], [complex(-1000003 * n, n) for n in range(5000)]):
        body = b"".join(encode(key) + b"\0" for key in value)
        with pytest.raises(LimitExceeded):
            decode(b"\xcf" + len(value).to_bytes(4, "little") + body)
        body = b"".join(map(encode, value))
        for tag in (b"\xd0", b"\xd1"):
            with pytest.raises(LimitExceeded):
                decode(tag + len(value).to_bytes(4, "little") + body)


def test_a_large_integer_in_shared_keys() -> None:
    # Python computes the hash of an integer anew each time; here from 100 kB, of five bytes each.
    big = encode((2**800_000,))
    few = b"\xba" + b"\xd5\x01\0\0\0\0" * 2
    assert len(decode(b"\xa2" + big + few)) == 2
    with pytest.raises(LimitExceeded):
        decode(b"\xcd" + (3001).to_bytes(4, "little") + big + few * 3000)


def test_jelly_is_for_others() -> None:
    data = b"\xdf\xa1\x01"
    with pytest.raises(NotPlain):
        decode(data)
    reader = decoder()
    reader.begin()
    with pytest.raises(NotPlain):
        reader.feed(data, 0, 3)


def test_more_shapes_than_there_may_be() -> None:
    keys = [f"{number:05}".encode() for number in range(4097)]
    made = [b"\xd2\x02\x85" + key + b"\x81b\x01\x02" for key in keys]
    count = len(made).to_bytes(4, "little")
    with pytest.raises(BadValue):
        decode(b"\xcd" + count + b"".join(made))
    assert len(decode(b"\xcd" + (4096).to_bytes(4, "little") + b"".join(made[1:]))) == 4096


def test_shapes_that_begin_alike() -> None:
    reader, writer = decoder(), NativeEncoder(60, ELEMENTS)
    shapes = [{"same": 1, f"other {number}": [number]} for number in range(9)]
    for _ in range(3):
        for value in [*shapes, *reversed(shapes), shapes]:
            data = writer.encode(value)
            assert_same(value, reader.decode(data, 0, len(data)))


def test_shapes_are_forgotten_before_they_are_too_many() -> None:
    reader, writer = decoder(), NativeEncoder(60, ELEMENTS)
    tracemalloc.start()
    try:
        for number in range(3000):
            data = writer.encode({f"{number} {'x' * 500}": 1, f"{'y' * 500}": 2})
            reader.decode(data, 0, len(data))
        assert tracemalloc.get_traced_memory()[0] < 3_000_000
    finally:
        tracemalloc.stop()


def test_after_a_failure_in_pieces() -> None:
    reader = decoder()
    reader.begin()
    assert not reader.feed(b"\xa3\x01\xa2", 0, 3)
    with pytest.raises(BadValue):
        reader.feed(b"\xd5\x09\0\0\0", 0, 5)
    assert fed(reader, b"\xa1\x05", [1]) == (True, 2)
    assert reader.value == [5]
