"""Bounds of what one operator may cost: a peer chooses the operands, and a few bytes of it could take all memory."""

from __future__ import annotations

from typing import Any

from broker.errors import LimitExceeded

__all__ = ["check_conversion", "check_operator"]

_SEQUENCES = (str, bytes, bytearray, list, tuple)


def check_operator(name: str, left: Any, others: list[Any], size: int) -> None:
    """Check that an operator does not make much of little.

    :param size: most bytes or items of the result.
    :raises LimitExceeded: it would.
    """
    right = others[0] if others else None
    if name in ("mul", "imul"):
        for sequence, count in ((left, right), (right, left)):
            if isinstance(sequence, _SEQUENCES) and isinstance(count, int) and len(sequence) * count > size:
                raise LimitExceeded(f"a repetition of {len(sequence)} items {count} times")
    if not isinstance(left, int) or not isinstance(right, int):
        return
    # A sixteenth, as powers take longer to compute than they are large. With a modulus they stay small.
    if name in ("pow", "ipow") and len(others) == 1 and left.bit_length() * right > 8 * size // 16:
        raise LimitExceeded(f"a power of {left.bit_length()} times {right} bits")
    if name in ("lshift", "ilshift") and left.bit_length() + right > 8 * size:
        raise LimitExceeded(f"a shift by {right} bits")


def check_conversion(name: str, value: Any, size: int) -> None:
    """Check that a conversion does not make much of little.

    :raises LimitExceeded: it would.
    """
    if name == "bytes" and isinstance(value, int) and value > size:
        raise LimitExceeded(f"{value} zero bytes")
