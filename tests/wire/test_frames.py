"""Frames of broker/1: heads, and numbers of variable length, checked against a way of reading that is not ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker._wire import frames
from broker._wire.frames import FRAME, HEAD, PIECE, frame, put_number, take_number, varint
from broker._wire.pack import BytesWriter
from broker.errors import ProtocolError

LONGEST = 2**63 - 1
EDGES = [(1 << bits) + more for bits in range(0, 64, 7) for more in (-1, 0) if (1 << bits) + more <= LONGEST]


def leb128(data: bytes) -> int:
    """The textbook way."""
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(data))


@given(st.integers(0, LONGEST) | st.sampled_from(EDGES), st.binary(max_size=3), st.binary(max_size=3))
def test_numbers_there_and_back(number: int, before: bytes, behind: bytes) -> None:
    data = varint(number)
    assert leb128(data) == number
    assert len(data) == max(1, -(-number.bit_length() // 7)) <= 9
    assert take_number(before + data + behind, len(before), len(before + data + behind)) == (number, len(before + data))
    writer = BytesWriter()
    writer.write(before)
    put_number(writer, number)
    assert writer.getvalue() == before + data


@pytest.mark.parametrize("number", EDGES)
def test_numbers_that_are_cut_have_no_end(number: int) -> None:
    data = varint(number)
    for end in range(len(data)):
        # What stands behind the end is another's.
        with pytest.raises(ProtocolError, match="a number without an end"):
            take_number(data + b"\x01", 0, end)


@pytest.mark.parametrize("data", [b"\x80" * 9, b"\xff" * 9 + b"\x00", b"\xff" * 8 + b"\x80\x01", b"\x80" * 20])
def test_numbers_of_more_than_63_bits_are_none(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="a number without an end"):
        take_number(data, 0, len(data))


def test_the_longest_number() -> None:
    assert take_number(b"\xff" * 8 + b"\x7f", 0, 9) == (LONGEST, 9)


@pytest.mark.parametrize("length", [0, 1, 255, 256, 65535, FRAME])
def test_a_frame_has_its_kind_and_its_length_in_front(length: int) -> None:
    data = frame(frames.CALL, b"x" * length)
    assert data[0] == frames.CALL
    assert int.from_bytes(data[1:HEAD], "little") == length
    assert data[HEAD:] == b"x" * length


def test_the_kinds_are_different_and_none_is_a_hint() -> None:
    kinds = [frames.HELLO, frames.CALL, frames.ANSWER, frames.FAILED, frames.RELEASE, frames.RELEASE_CACHE]
    kinds += [frames.CACHE_RELEASED, frames.CANCEL, frames.PING, frames.PONG, frames.GO_AWAY, frames.NOT_UNDERSTOOD]
    kinds += [frames.PART, frames.LAST, frames.ABORT]
    assert kinds == list(range(1, 0x10))
    assert max(kinds) < frames.HINTS == 0x80
    flags = [frames.WANTS_ANSWER, frames.CACHED, frames.NAMED, frames.DEADLINE, frames.KEYWORDS, frames.OPTIONS]
    assert [*flags, frames.PIPELINED] == [1 << place for place in range(7)]


def test_a_piece_with_the_longest_number_of_a_stream_fits_a_frame() -> None:
    assert len(varint(LONGEST)) + 1 + PIECE <= FRAME
