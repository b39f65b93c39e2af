"""Values that no dialect has a form for, written as tuples of plain values, and the tags of such tuples.

Whatever is not plain stands in a message as a tuple whose first item is a byte string that begins with a zero byte. A
tuple of the user's that looks like one is quoted.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import EllipsisType, NotImplementedType
from typing import Any, Final

from broker.errors import BadValue

__all__ = [
    "BATCH",
    "CARRIED",
    "ELSEWHERE",
    "FAILURE",
    "LARGE",
    "NAMES",
    "ODD",
    "PLAIN",
    "QUOTED",
    "RAISED",
    "REFERENCE",
    "RESULT",
    "SELF",
    "STREAM",
    "is_tagged",
    "lift_odd",
    "lower_odd",
    "scalars",
]

REFERENCE: Final = b"\0r"  #: A reference; then, as far as it is told, identity of its type, own names, descriptor.
CARRIED: Final = b"\0c"  #: An object with a flavor of its own.
QUOTED: Final = b"\0q"  #: A tuple of the user's, its items.
RESULT: Final = b"\0k"  #: The number of a value of the program.
STREAM: Final = b"\0s"  #: A reference to an iterator or None, and a batch: items, whether that is all, failure, value.
BATCH: Final = b"\0b"  #: A batch.
ELSEWHERE: Final = b"\0o"  #: An object of the receiver's, named as on another connection: connection, number, proof.
SELF: Final = b"\0="  #: The object that was asked.
NAMES: Final = b"\0n"  #: An answer, and the names of the attributes that the object asked has got by now.
RAISED: Final = b"\0e"  #: The description of an exception that is a value like others.
FAILURE: Final = b"\0!"  #: The description of an exception, and the number of the step that raised it.

_INT: Final = b"\0i"
_COMPLEX: Final = b"\0j"
_SLICE: Final = b"\0:"
_RANGE: Final = b"\0R"
_ELLIPSIS: Final = b"\0."
_NOT_IMPLEMENTED: Final = b"\0N"
_BYTEARRAY: Final = b"\0B"

#: Types whose values go as they are, however large.
PLAIN: Final[frozenset[type]] = frozenset(
    (type(None), bool, float, str, bytes, Decimal, date, time, datetime, timedelta)
)
#: Integers below this go as they are on every dialect.
LARGE: Final = 1 << 440
#: Types whose values are written as tagged tuples; integers are, when they are large.
ODD: Final[frozenset[type]] = frozenset((complex, slice, range, EllipsisType, NotImplementedType, bytearray))


def scalars(values: Iterable[Any]) -> bool:
    """Return whether values are nothing but scalars that go as they are."""
    for value in values:
        kind = type(value)
        if kind not in PLAIN and (kind is not int or not -LARGE < value < LARGE):
            return False
    return True


def is_tagged(value: tuple[Any, ...]) -> bool:
    """Return whether a tuple has the form of one that stands for something else."""
    return bool(value) and type(value[0]) is bytes and value[0][:1] == b"\0"


def lower_odd(value: Any) -> tuple[Any, ...]:
    """Return the tuple for a large integer, or a value of a type in `ODD`; a slice's parts are still to be packed."""
    kind = type(value)
    if kind is int:
        return (_INT, value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))
    if kind is complex:
        return (_COMPLEX, value.real, value.imag)
    if kind is slice:
        return (_SLICE, value.start, value.stop, value.step)
    if kind is range:
        return (_RANGE, value.start, value.stop, value.step)
    if kind is bytearray:
        return (_BYTEARRAY, bytes(value))
    return (_ELLIPSIS if value is ... else _NOT_IMPLEMENTED,)


def lift_odd(form: tuple[Any, ...]) -> Any:
    """Return the value that a tagged tuple stands for; its items are unpacked already.

    :raises BadValue: it stands for none.
    """
    tag, parts = form[0], form[1:]
    kinds = tuple(map(type, parts))
    if tag == _INT and kinds == (bytes,):
        return int.from_bytes(parts[0], "little", signed=True)
    if tag == _COMPLEX and kinds == (float, float):
        return complex(*parts)
    if tag == _SLICE and len(parts) == 3:
        return slice(*parts)
    if tag == _RANGE and kinds == (int, int, int) and parts[2]:
        return range(*parts)
    if tag == _BYTEARRAY and kinds == (bytes,):
        return bytearray(parts[0])
    if tag == _ELLIPSIS and not parts:
        return ...
    if tag == _NOT_IMPLEMENTED and not parts:
        return NotImplemented
    raise BadValue(f"a tagged tuple that means nothing: {tag[:20]!r} with {len(parts)} parts")
