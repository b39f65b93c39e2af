"""Made-up values, odd ones among them, and damaged bytes: without end, and the same for the same seed."""

from __future__ import annotations

import random
import struct
from collections import OrderedDict
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

__all__ = ["cut", "damaged", "form", "value"]

_WORDS = ["", "a", "None", "list", "message", "remote", "größe", "\x00", "𝄞" * 9, "k" * 31, "k" * 32, "x" * 300]
_KEYS = ["id", "name", "price", "tags", "active", "größe"]
_NAN = struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_0000_1234))[0]
_FLOATS = [0.0, -0.0, 1.5, -2.25, 1e300, float("inf"), float("-inf"), float("nan"), _NAN]
_DECIMALS = [*map(Decimal, ("0", "-0", "1.50", "-1E+5", "NaN", "sNaN", "-NaN7", "Infinity", "-Infinity", "9" * 140))]
_ZONES: list[tzinfo | None] = [None, None, timezone.utc, timezone(timedelta(hours=-3, minutes=7))]
_ZONES += [timezone(timedelta(1) / 2, "noon")]
_ZONES += [ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")]
_HEADS: list[Any] = [b"list", b"tuple", b"dictionary", b"set", b"frozenset", b"unicode", b"boolean", b"None"]
_HEADS += [b"reference", b"dereference", b"reference", b"dereference", b"decimal", b"date", b"time", b"datetime"]
_HEADS += [b"timedelta", b"class", b"instance", b"persistent", b"unpersistable", b"os.system", b"remote", b"odd", 5, []]
_EDGES = [0, 127, 128, 2**7, 2**14, 2**15, 2**28, 2**31, 2**32, 2**63, 2**64, 2**447, 2**448, 2**2000]


class Odd(int):
    """A number that is none: exact types only can be sent."""


def _integer(source: random.Random) -> int:
    kind = source.randrange(4)
    if kind == 0:
        return source.randrange(-40, 140)
    if kind == 1:
        return source.randrange(-(2**18), 2**18)
    if kind == 2:
        return source.choice((1, -1)) * (source.choice(_EDGES) + source.randrange(-1, 2))
    return source.getrandbits(source.randrange(1, 70)) * source.choice((1, -1))


def _moment(source: random.Random) -> Any:
    when = datetime(1, 1, 1) + timedelta(microseconds=source.randrange(3 * 10**17))
    zone = source.choice(_ZONES)
    kind = source.randrange(4)
    if kind == 0:
        return when.replace(tzinfo=zone, fold=source.randrange(2))
    if kind == 1:
        return when.date() if source.randrange(2) else date.max
    if kind == 2:
        return time(when.hour, when.minute, when.second, when.microsecond, zone, fold=source.randrange(2))
    return timedelta(source.randrange(-(10**6), 10**6), source.randrange(10**6), source.randrange(10**9))


def _odd(source: random.Random) -> Any:
    kind = source.randrange(8)
    if kind == 0:
        deep: Any = source.choice(_WORDS)
        for _ in range(source.choice((5, 55, 59, 60, 61, 65, 100))):
            deep = source.choice(([deep], (deep,), {"in": deep}))
        return deep
    if kind == 1:
        return "\ud800" + source.choice(_WORDS)
    things = (Odd(5), object, OrderedDict(a=1), bytearray(b"x"), range(3), lambda: None, float)
    return things[kind - 1]


_SCALARS: tuple[Callable[[random.Random], Any], ...] = (
    *(_integer, _integer, _integer),
    *(lambda source: source.choice(_WORDS), lambda source: source.choice(_WORDS)),
    lambda source: chr(source.randrange(32, 0xD7FF)) * source.randrange(40),
    lambda source: source.choice((None, True, False)),
    lambda source: source.choice((None, True, False)),
    lambda source: source.choice(_FLOATS) if source.randrange(2) else source.uniform(-1e6, 1e6),
    lambda source: source.randbytes(source.choice((0, 1, 3, 31, 32, 200, 300))),
    lambda source: source.choice(_DECIMALS) if source.randrange(2) else Decimal(_integer(source)) / 8,
    _moment,
    lambda source: complex(source.choice(_FLOATS), source.choice(_FLOATS)),
    lambda source: UUID(bytes=source.randbytes(16)),
)


def _scalar(source: random.Random) -> Any:
    return source.choice(_SCALARS)(source)


def _hashable(source: random.Random, depth: int) -> Any:
    if depth <= 0 or source.randrange(4):
        found = _scalar(source)
        # What is not equal to itself lies in a set at a place of its own in each form.
        return found if not isinstance(found, (float, complex, Decimal)) or "nan" not in str(found).lower() else 0
    parts = [_hashable(source, depth - 1) for _ in range(source.randrange(4))]
    return tuple(parts) if source.randrange(2) else frozenset(parts)


def _run(source: random.Random) -> Any:
    """A list that may go packed."""
    size = source.choice((3, 5, 13, 15, 16, 17, 40, 70))
    bits = source.choice((6, 7, 8, 15, 16, 30, 33, 63, 65))
    kind = source.randrange(3)
    if kind == 0:
        return [source.choice(_FLOATS) for _ in range(size)]
    items: list[Any] = [source.getrandbits(bits) * source.choice((1, -1)) for _ in range(size)]
    if kind == 1:
        items[source.randrange(size)] = _scalar(source)
    return items


def _container(source: random.Random, depth: int, made: list[Any]) -> Any:
    kind = source.randrange(8)
    if kind == 0:
        return _run(source)
    if kind == 1:
        keys = source.sample(_KEYS, source.randrange(len(_KEYS)))
        return [{key: _value(source, depth - 1, made) for key in keys} for _ in range(source.randrange(1, 4))]
    count = source.choice((0, 1, 2, 3, 4, 9, 17)) if depth > 2 else source.randrange(3)
    if kind == 2:
        return {_hashable(source, 2): _value(source, depth - 1, made) for _ in range(count)}
    if kind == 3:
        return source.choice((set, frozenset))(_hashable(source, 2) for _ in range(count))
    items = [_value(source, depth - 1, made) for _ in range(count)]
    if kind == 4 and items:
        # Perhaps a cycle.
        holder: Any = source.choice(made) if made else items
        if type(holder) is list:
            holder.append(items)
        elif type(holder) is dict:
            holder["cycle"] = items
    return tuple(items) if kind in (5, 6) else items


def _value(source: random.Random, depth: int, made: list[Any]) -> Any:
    chance = source.random()
    if chance < 0.01:
        return _odd(source)
    if chance < 0.06 and made:
        return source.choice(made)
    if depth <= 0 or chance < 0.55:
        return _scalar(source)
    found = _container(source, depth, made)
    made.append(found)
    return found


def value(source: random.Random) -> Any:
    """Return a made-up value."""
    return _value(source, source.randrange(6), [])


def form(source: random.Random, depth: int = 0) -> Any:
    """Return a made-up s-expression of the kind that values are lowered to in PB, right or wrong."""
    kind = source.randrange(8)
    if kind == 0:
        return source.choice((0, 1, 2, 3, -1, 128, 2**31, 2**64, 999_999, -(2**447)))
    if kind == 1:
        return source.choice((b"", b"a", b"true", b"false", b"\xff", b"1 2 3", b"2026 11 21", b"12 1 1 1", b"-1 0 5"))
    if kind == 2:
        return source.choice(_FLOATS)
    return [source.choice(_HEADS), *(form(source, depth + 1) for _ in range(source.randrange(4) if depth < 6 else 0))]


def damaged(source: random.Random, data: bytes) -> bytes:
    """Return bytes with a few of them changed, dropped, doubled or put in."""
    found = bytearray(data)
    for _ in range(source.randrange(0, 5)):
        place = source.randrange(len(found) or 1)
        kind = source.randrange(6)
        if kind == 0 and found:
            found[place] = source.randrange(256)
        elif kind == 1:
            del found[place : place + source.randrange(1, 9)]
        elif kind == 2:
            found[place:place] = found[place : place + source.randrange(1, 20)]
        elif kind == 3:
            found[place:place] = source.randbytes(source.randrange(1, 4))
        elif kind == 4 and found:
            found[place] = source.choice(
                b"\x80\x81\x82\x83\x84\x85\x86\x87\x00\x7f\xc8\xca\xcd\xd2\xd3\xd5\xd7\xda\xdd"
            )
        elif found:
            found[place] = (found[place] + source.choice((1, 255))) & 0xFF
    if not source.randrange(8):
        del found[source.randrange(len(found) + 1) :]
    return bytes(found)


def cut(source: random.Random, data: bytes) -> list[bytes]:
    """Return bytes in pieces."""
    if source.randrange(3) == 0:
        return [data]
    if source.randrange(8) == 0 and len(data) < 400:
        return [data[place : place + 1] for place in range(len(data))]
    places = sorted(source.randrange(len(data) + 1) for _ in range(source.randrange(1, 6)))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]
