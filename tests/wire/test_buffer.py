"""Expressions out of bytes cut anywhere, and what hostile bytes may cost."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker._limits import PB_SIZE, Limits
from broker._wire.banana import UnknownToken, UnknownWord, WordNotAllowed, encode
from broker._wire.buffer import Decoder, Scanner
from broker.errors import BananaError
from tests.vectors.load import VECTORS, expression
from tests.wire.test_banana import expressions, nested

STOCK = Limits(string=PB_SIZE, elements=PB_SIZE)


def drain(decoder: Decoder) -> list[Any]:
    found = []
    while (item := decoder.next_expression()) is not None:
        found.append(item)
    return found


def feed(data: bytes, *cuts: int, limits: Limits = STOCK, vocabulary: bool = True) -> list[Any]:
    decoder = Decoder(limits, vocabulary=vocabulary)
    found = []
    for start, end in zip((0, *cuts), (*cuts, len(data)), strict=True):
        decoder.receive_data(data[start:end])
        found += drain(decoder)
    return found


@pytest.mark.parametrize("vector", VECTORS["banana_decode"], ids=lambda v: v["name"])
@pytest.mark.parametrize("one_by_one", [False, True])
def test_recorded_bytes(vector: dict[str, Any], one_by_one: bool) -> None:
    data = bytes.fromhex(vector["hex"])
    cuts = range(1, len(data)) if one_by_one else ()
    if "raises" in vector:
        with pytest.raises(BananaError):
            feed(data, *cuts)
    else:
        assert feed(data, *cuts) == [expression(item) for item in vector["items"]]


@given(st.lists(expressions, max_size=3), st.data())
def test_any_cuts_give_the_same(values: list[Any], data: st.DataObject) -> None:
    encoded = b"".join(encode(value, vocabulary=True) for value in values)
    assert feed(encoded) == values
    assert feed(encoded, *range(1, len(encoded))) == values
    cuts = sorted(data.draw(st.sets(st.integers(0, len(encoded)), max_size=5)))
    assert feed(encoded, *cuts) == values


@given(st.lists(st.integers(-5, 2**40) | st.binary(max_size=3), max_size=60), st.binary(max_size=20))
def test_the_end_is_found_whatever_follows(value: list[Any], rest: bytes) -> None:
    data = encode(value, vocabulary=True)
    scanner = Scanner(STOCK, True)
    assert scanner.advance(data + rest)
    assert scanner.position == len(data)


def test_each_byte_is_scanned_once_however_it_comes() -> None:
    # What is behind `position` is never looked at again; only an unfinished prefix is before it.
    data = encode([list(range(0, 2**34, 2**29 + 7)), b"x" * 300, [1.5, [b"list"] * 20], -(2**200)], vocabulary=True)
    scanner = Scanner(STOCK, True)
    buffer = bytearray()
    for byte in data[:-1]:
        before = scanner.position
        buffer.append(byte)
        assert not scanner.advance(buffer)
        assert scanner.position >= before
        assert len(buffer) - scanner.position <= 64
    buffer += data[-1:]
    assert scanner.advance(buffer)


def test_the_body_of_a_string_is_passed_over_without_a_look() -> None:
    scanner = Scanner(STOCK, True)
    assert not scanner.advance(encode(b"x" * 50_000, vocabulary=True)[:10])
    assert scanner.position == 50_004


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\x00\x00\x00\x00\x10\x82", "4294967296 bytes"),
        (b"\x00\x00\x00\x00\x10\x80", "4294967296 elements"),
        (b"\x01" * 65, "more than 64 bytes"),
        (b"\x01" * 65 + b"\x81", "more than 64 bytes"),
        (b"\x02\x80\x01\x81" + b"\x00" * 64 + b"\x01\x81", "more than 64 bytes"),
        (b"\x80\x88", "type 0x88"),
        (b"\x00\x87", "no word 0"),
        (b"\x20\x87", "no word 32"),
        (b"\x01\x01\x87", "no word 129"),
    ],
)
def test_what_is_refused_and_that_it_is_refused_at_once(data: bytes, problem: str) -> None:
    for cuts in ((), range(1, len(data))):
        with pytest.raises(BananaError, match=problem):
            feed(data, *cuts)


def test_long_prefixes_among_many_integers_are_seen() -> None:
    data = encode([1] * 50, vocabulary=True) + b"\x01\x81" * 50
    data = data.replace(b"\x32\x80", b"\x64\x80", 1)
    assert feed(data) == [[1] * 100]
    at = 2 + 2 * 60
    with pytest.raises(BananaError, match="prefix"):
        feed(data[:at] + b"\x00" * 65 + data[at:])
    assert feed(data[:at] + b"\x01" + b"\x00" * 62 + data[at:])[0][60] == 1 + 2**441


@pytest.mark.parametrize("digits", [6, 64, 65])
def test_long_tokens_in_the_middle_of_a_run(digits: int) -> None:
    token = b"\x01" * digits + b"\x81"
    data = b"\x2c\x02\x80" + b"\x01\x81" * 20 + token + b"\x01\x81" * 279
    if digits > 64:
        with pytest.raises(BananaError, match="prefix"):
            feed(data)
    else:
        assert feed(data + b"\x05\x81")[1] == 5


def test_a_run_ends_with_its_list_even_where_tokens_are_one_byte() -> None:
    for length in range(8, 30):
        data = bytes((length,)) + b"\x80\x01\x81" + b"\x81" * (length - 1)
        assert feed(data + b"\x81" * 40) == [[1] + [0] * (length - 1)] + [0] * 40


def test_a_declared_length_is_refused_before_it_comes() -> None:
    with pytest.raises(BananaError, match="more than 100 bytes"):
        feed(b"\x63\x80", limits=Limits(message=100))
    assert feed(b"\x62\x80", limits=Limits(message=100)) == []
    with pytest.raises(BananaError, match="more than 100 bytes"):
        feed(b"\x01\x80\x61\x82", limits=Limits(message=100))


def test_words_need_the_vocabulary() -> None:
    with pytest.raises(WordNotAllowed) as caught:
        feed(b"\x10\x87", vocabulary=False)
    assert caught.value.args[1] == b"remote"
    with pytest.raises(UnknownWord) as unknown:
        feed(b"\x7f\x87", vocabulary=False)
    assert unknown.value.args[1] == 127
    with pytest.raises(UnknownToken):
        feed(b"\xff", vocabulary=False)


@pytest.mark.parametrize(
    ("limits", "value", "problem"),
    [
        (Limits(message=10), [b"12345678"], "more than 10 bytes"),
        (Limits(message=100), [0] * 101, "more than 100 bytes"),
        (Limits(string=7), b"12345678", "8 bytes"),
        (Limits(elements=9), [[0] * 5, [0] * 3], "10 elements"),
        (Limits(prefix=2), 2**14, "more than 2 bytes"),
        (Limits(depth=3), nested(4), "deeper than 3"),
    ],
)
def test_ceilings(limits: Limits, value: Any, problem: str) -> None:
    data = encode(value, vocabulary=True)
    assert feed(data) == [value]
    for cuts in ((), range(1, len(data))):
        with pytest.raises(BananaError, match=problem):
            feed(data, *cuts, limits=limits)


def test_just_below_the_ceilings() -> None:
    assert feed(encode([b"12345678"], vocabulary=True), limits=Limits(message=12)) == [[b"12345678"]]
    assert feed(encode([[0] * 5, [0] * 3], vocabulary=True), limits=Limits(elements=10)) == [[[0] * 5, [0] * 3]]
    assert feed(encode(2**14 - 1, vocabulary=True), limits=Limits(prefix=2)) == [2**14 - 1]


def test_a_declared_size_costs_nothing() -> None:
    limits = Limits()
    claims = encode([0] * 8, vocabulary=True)[:2] + b"\x00\x00\x00\x07\x82"  # the eighth of a list: 14 MiB
    tracemalloc.start()
    try:
        decoder = Decoder(limits, vocabulary=True)
        decoder.receive_data(claims + b"\x00\x00\x7f\x80" * 3)
        assert decoder.next_expression() is None
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_lists_nested_without_end_stay_flat() -> None:
    decoder = Decoder(Limits(), vocabulary=True)
    for _ in range(100):
        decoder.receive_data(b"\x01\x80" * 1000)
        assert decoder.next_expression() is None
    decoder.receive_data(b"\x00\x80")
    with pytest.raises(BananaError, match="deeper than 300"):
        decoder.next_expression()


def test_the_rest_can_be_taken_away() -> None:
    decoder = Decoder(STOCK, vocabulary=False)
    decoder.receive_data(b"\x02\x82pb\x02\x80\x13")
    assert decoder.next_expression() == b"pb"
    assert decoder.next_expression() is None
    assert decoder.take_rest() == b"\x02\x80\x13"
    decoder.receive_data(b"\x01\x81")
    assert decoder.next_expression() == 1


def test_the_vocabulary_can_come_with_the_dialect() -> None:
    decoder = Decoder(STOCK, vocabulary=False)
    decoder.receive_data(b"\x02\x82pb\x10\x87")
    assert decoder.next_expression() == b"pb"
    decoder.vocabulary = True
    assert decoder.vocabulary
    assert decoder.next_expression() == b"remote"
