"""Bytes in parts: the same bytes, whatever is taken at a time, and no copy of the long ones."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker._wire.parts import Parts


@given(st.lists(st.binary(min_size=1)), st.binary(), st.lists(st.integers(1, 40)))
def test_what_is_taken_is_what_was_there(parts: list[bytes], last: bytes, sizes: list[int]) -> None:
    whole = b"".join([*parts, last])
    rest = Parts([*parts, last])
    assert len(rest) == len(whole)
    taken = b""
    for size in sizes:
        piece = b"".join(rest.take(size))
        assert len(piece) == min(size, len(whole) - len(taken))
        taken += piece
        assert len(rest) == len(whole) - len(taken)
    assert taken + b"".join(rest.take(len(whole))) == whole
    assert (len(rest), b"".join(rest.take(1))) == (0, b"")


def test_a_long_part_is_not_copied() -> None:
    long = bytes(100_000)
    views = Parts([b"head", long, b"tail"]).take(50_000)
    assert [len(view) for view in views] == [4, 49_996]
    assert views[1].obj is long
