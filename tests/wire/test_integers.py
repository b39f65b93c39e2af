"""Runs of integers: the same as one by one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker._wire.banana import decode, encode, header, int_token
from broker._wire.digits import put_ints, read_ints
from broker._wire.integers import int_tokens, take_ints
from broker.errors import BananaError

NUMBERS = st.one_of(
    st.integers(0, 127),
    st.integers(0, 1 << 14),
    st.integers(-(1 << 14), 1 << 28),
    st.integers(-(1 << 36), 1 << 36),
    st.integers(-(1 << 448) + 1, (1 << 448) - 1),
)
EDGES = [
    sign * ((1 << bits) + more) for bits in (0, 7, 14, 21, 28, 31, 35, 56, 63) for more in (-1, 0) for sign in (1, -1)
]
TYPES = (b"\x81", b"\x83", b"\x85", b"\x86")


def one_by_one(numbers: list[int]) -> bytes:
    return b"".join(map(int_token, numbers))


def take_all(data: bytes, count: int, position: int = 0) -> tuple[list[int], int]:
    found: list[int] = []
    while len(found) < count:
        some, position = take_ints(data, position, count - len(found))
        if not some and data[position:].translate(None, bytes(range(0x80)))[:1] in TYPES:
            # Too long for the bytes it looked at: callers read such a one by itself.
            number, kind, position = header(data, position)
            if kind < 0x80:
                raise BananaError("too long")
            some = [-number if kind in b"\x83\x86" else number]
        if not some:
            break
        found += some
    return found, position


@given(st.lists(NUMBERS, min_size=2), st.sampled_from([1, 30, 300]))
def test_there_and_back_as_one_by_one(numbers: list[int], times: int) -> None:
    numbers = numbers * times
    data = int_tokens(numbers)
    assert data == one_by_one(numbers)
    assert take_all(data, len(numbers)) == (numbers, len(data))


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("count", [2, 23, 24, 255, 256, 257, 600])
def test_every_edge_at_every_count(edge: int, count: int) -> None:
    for numbers in ([edge] * count, [edge, *range(count - 1)]):
        data = int_tokens(numbers)
        assert data == one_by_one(numbers)
        assert take_all(data + b"\x01", count) == (numbers, len(data))


@given(
    st.lists(NUMBERS, min_size=1, max_size=40),
    st.integers(0, 50),
    st.sampled_from([b"", b"\x05", b"\x01\x82x", b"\x84"]),
)
def test_no_more_than_wanted_and_no_more_than_there(numbers: list[int], wanted: int, behind: bytes) -> None:
    data = b"\x01\x81" + one_by_one(numbers)
    found, position = take_all(data + behind, wanted, 2)
    assert found == numbers[:wanted]
    assert position == 2 + len(one_by_one(numbers[:wanted]))


@given(st.lists(NUMBERS, min_size=1, max_size=60), st.data())
def test_a_run_that_is_cut_gives_what_is_whole(numbers: list[int], data: Any) -> None:
    tokens = one_by_one(numbers)
    cut = data.draw(st.integers(0, len(tokens)))
    found, position = take_all(tokens[:cut], len(numbers))
    assert found == numbers[: len(found)]
    assert position == len(one_by_one(found)) <= cut
    assert len(found) == len(numbers) or cut < position + len(int_token(numbers[len(found)]))


@pytest.mark.parametrize("count", [3, 40, 700])
def test_odd_spellings(count: int) -> None:
    for token, number in ((b"\x81", 0), (b"\x05\x00\x00\x81", 5), (b"\x01" + bytes(20) + b"\x81", 1), (b"\x00\x83", 0)):
        assert take_all(token * count, count) == ([number] * count, len(token) * count)
        # LONGINT and LONGNEG for small numbers too.
        other = token[:-1] + bytes((token[-1] + (4 if token[-1] == 0x81 else 3),))
        expected, _ = decode(b"\x03\x80" + (token + other + token), vocabulary=True)
        assert take_all(token + other + token, 3)[0] == expected


def test_too_many_digits() -> None:
    fits = b"\x7f" * 64 + b"\x85"
    assert take_all(fits * 30, 30)[0] == [(1 << 448) - 1] * 30
    for data in (b"\x01" * 65 + b"\x81", b"\x01\x81" * 50 + b"\x01" * 65 + b"\x81"):
        with pytest.raises(BananaError, match="too long"):
            take_all(data, 60)
    assert take_ints(b"\x01" * 1000, 0, 400) == ([], 0)


def test_what_is_no_run() -> None:
    assert take_ints(b"\x82", 0, 5) == ([], 0)
    assert take_ints(encode([1, 2], vocabulary=True), 0, 5) == ([], 0)
    assert take_ints(b"", 0, 5) == ([], 0)


@given(st.lists(NUMBERS), st.integers(0, 40), st.booleans())
def test_the_plain_loop_does_the_same(numbers: list[int], cut: int, other: bool) -> None:
    data = put_ints(numbers)
    assert data == one_by_one(numbers)
    assert read_ints(data, 0, len(numbers)) == (numbers, len(data))
    if other:
        assert read_ints(data + b"\x01\x82a", 0, len(numbers) + 2) == (numbers, len(data))
    found, position = read_ints(data[: max(0, len(data) - cut)], 0, len(numbers))
    assert found == numbers[: len(found)]
    assert position == len(one_by_one(found))


def test_one_that_is_too_long_ends_the_run_of_the_plain_loop() -> None:
    assert read_ints(b"\x01" * 64, 0, 1) == ([], 0)
    assert read_ints(b"\x01" * 65, 0, 1) == ([], 0)
    assert read_ints(b"\x01\x81" + b"\x01" * 65 + b"\x81", 0, 2) == ([1], 2)
