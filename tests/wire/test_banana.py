"""Tokens one way and the other, against recorded bytes and against stock banana."""

from __future__ import annotations

import math
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.spread import banana as stock

from broker._limits import PB_SIZE
from broker._wire import banana
from broker._wire.vocabulary import INCOMING, OUTGOING, TOKENS
from broker.errors import BananaError, LimitExceeded
from tests.vectors.load import VECTORS, expression

LARGEST = 2 ** (7 * 64) - 1

expressions = st.recursive(
    st.integers(-LARGEST, LARGEST)
    | st.integers(-20000, 20000)
    | st.floats(allow_nan=False)
    | st.binary()
    | st.sampled_from(sorted(OUTGOING)),
    st.lists,
)


def stock_encode(value: Any, dialect: bytes) -> bytes:
    coder = stock.Banana()
    coder.connectionMade()
    coder._selectDialect(dialect)
    out = BytesIO()
    coder._encode(value, out.write)
    return out.getvalue()


def test_vocabulary_is_the_recorded_one() -> None:
    assert {word.decode(): number for word, number in OUTGOING.items()} == VECTORS["meta"]["vocabulary"]
    assert INCOMING == {number: word for word, number in OUTGOING.items()}
    assert TOKENS[b"None"] == b"\x01\x87"


@pytest.mark.parametrize("vector", VECTORS["banana"], ids=lambda v: f"{v['dialect']}-{v['hex'][:24]}")
def test_encode_gives_the_recorded_bytes(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    value = expression(vector["value"])
    vocabulary = vector["dialect"] == "pb"
    assert banana.encode(value, vocabulary=vocabulary) == data
    assert banana.decode(data + b"\x01", vocabulary=vocabulary) == (value, len(data))


@given(expressions)
def test_encode_gives_what_stock_gives(value: Any) -> None:
    for dialect in (b"pb", b"none"):
        data = banana.encode(value, vocabulary=dialect == b"pb")
        assert data == stock_encode(value, dialect)
        assert banana.decode(data, vocabulary=dialect == b"pb") == (value, len(data))


@given(st.integers(0, LARGEST))
def test_digits_are_the_number(number: int) -> None:
    assert banana.digits_to_int(banana.int_to_digits(number)) == number
    assert banana.digits_to_int(banana.int_to_digits(number) + b"\0\0") == number


@pytest.mark.parametrize("power", range(6, 36))
def test_int_tokens_at_every_change_of_length(power: int) -> None:
    for number in (2**power - 1, 2**power, 2**power + 1):
        for signed in (number, -number):
            assert banana.int_token(signed) == stock_encode(signed, b"none")


def test_no_digits_for_a_negative_number() -> None:
    with pytest.raises(ValueError, match="-1"):
        banana.int_to_digits(-1)


def test_bool_tuple_and_subclasses_go_as_what_they_are() -> None:
    class Name(bytes):
        pass

    assert banana.encode((True, False, Name(b"remote")), vocabulary=True) == b"\x03\x80\x01\x81\x00\x81\x10\x87"


@pytest.mark.parametrize(("value", "name"), [("text", "builtins.str"), (None, "builtins.NoneType"), ({}, "dict")])
def test_what_banana_cannot_send(value: Any, name: str) -> None:
    with pytest.raises(BananaError, match=f"{name} objects"):
        banana.encode([1, [value]], vocabulary=False)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (b"x" * (PB_SIZE + 1), "655361 bytes"),
        ([0] * (PB_SIZE + 1), "655361 elements"),
        (LARGEST + 1, "449 bits"),
        (-LARGEST - 1, "449 bits"),
    ],
    ids=["string", "list", "int", "negative"],
)
def test_what_the_peer_would_not_accept_is_not_sent(value: Any, problem: str) -> None:
    with pytest.raises(LimitExceeded, match=problem):
        banana.encode([value], vocabulary=True)


def test_the_largest_that_the_peer_accepts_is_sent() -> None:
    for value in (b"x" * PB_SIZE, [0] * PB_SIZE, LARGEST, -LARGEST):
        data = banana.encode(value, vocabulary=True)
        assert banana.decode(data, vocabulary=True) == (value, len(data))


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_nesting_is_limited_not_by_the_stack_of_python() -> None:
    data = banana.encode(nested(5000), vocabulary=True)
    assert data == b"\x01\x80" * 4999 + b"\x00\x80"
    value, _ = banana.decode(data, vocabulary=True)
    depth = 1
    while value:
        (value,) = value
        depth += 1
    assert depth == 5000


def test_nesting_at_the_limit_and_beyond() -> None:
    data = banana.encode(nested(10), vocabulary=True, depth_limit=10)
    assert banana.decode(data, vocabulary=True, depth_limit=10)[0] == nested(10)
    with pytest.raises(LimitExceeded, match="deeper than 9"):
        banana.encode(nested(10), vocabulary=True, depth_limit=9)
    with pytest.raises(LimitExceeded, match="deeper than 9"):
        banana.decode(data, vocabulary=True, depth_limit=9)


def test_a_list_that_contains_itself_ends() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(LimitExceeded, match="nested"):
        banana.encode(value, vocabulary=True)


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x02\x82x", b"\x84" + bytes(7), b"\x02\x80\x01\x81", b"\x01\x01"])
def test_decoding_what_ends_early(data: bytes) -> None:
    with pytest.raises(BananaError, match="early"):
        banana.decode(data, vocabulary=True)


def test_not_a_number_passes() -> None:
    value, _ = banana.decode(banana.encode(math.nan, vocabulary=True), vocabulary=True)
    assert math.isnan(value)


def test_a_header_of_too_many_digits_is_not_made_a_number() -> None:
    assert banana.header(bytes(64) + b"\x81", 0) == (0, banana.INT, 65)
    assert banana.header(bytes(65) + b"\x81", 0)[1] < 0x80
