"""Dates, times, decimals, complex numbers and UUIDs in the native dialect: what is met least.

Layout, behind the tag, little-endian:

- complex: two floats.
- Decimal: a byte that is 0 for a number, 1 for infinity, 2 for NaN, 3 for a signaling NaN, plus 128 if negative; the
  exponent in four bytes, 0 if it is no number; in two bytes the size of what follows: the digits, two to a byte, the
  first ones first, with a zero in front if their number is odd; none for infinity and for a NaN that has none.
- date: the year in two bytes, month, day.
- time: a byte for the zone, hour, minute, second, four bytes of microseconds, then the zone.
- datetime: a byte for the zone, the year in two bytes, month, day, hour, minute, second, four bytes of microseconds,
  then the zone.
- timedelta: days, seconds and microseconds in four bytes each, days signed.
- UUID: its 16 bytes, the most significant one first.

The byte for the zone is 128 for a fold, plus: 0 naive, nothing follows; 1 UTC, nothing follows; 2 a fixed offset, eight
bytes of microseconds follow; 3 the same with a name, behind it the length of the name in one byte and the name;
4 a zone of the IANA database: the length of its key in one byte, and the key.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal, DecimalException
from struct import Struct
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from broker._values.plain import NotPlain
from broker._values.scalars import EXPONENT
from broker._values.tags import COMPLEX, DATE, DATETIME, DECIMAL, TIME, TIMEDELTA, UUID_
from broker._wire.pack import BytesWriter, read_f64_le, write_f64_le
from broker.errors import BadValue

__all__ = ["get_rare", "put_rare", "size_of_rare"]

#: Most digits of a Decimal.
_DIGITS: Final = 10_000
_DECIMAL: Final = Struct("<BiH")
_DATE: Final = Struct("<HBB")
_TIME: Final = Struct("<BBBBI")
_DATETIME: Final = Struct("<BHBBBBBI")
_TIMEDELTA: Final = Struct("<iII")
_OFFSET: Final = Struct("<q")

_FOLD: Final = 0x80
_NAIVE: Final = 0
_UTC: Final = 1
_FIXED: Final = 2
_NAMED: Final = 3
_REGION: Final = 4

_NUMBER: Final = 0
_INFINITY: Final = 1
_NAN: Final = 2
_SIGNALING: Final = 3
_EXPONENTS: Final = {"F": _INFINITY, "n": _NAN, "N": _SIGNALING}
_WORDS: Final = {_INFINITY: "Infinity", _NAN: "NaN", _SIGNALING: "sNaN"}

#: Zones that the decoder keeps. There are some 600; each one not kept is a file to be read.
_ZONES: Final = 1024
_MICROSECOND: Final = timedelta(microseconds=1)


def put_rare(writer: BytesWriter, value: Any) -> None:
    """Append a date, time, Decimal, complex number or UUID.

    :raises NotPlain: it is none of these, or one that there is no form for.
    """
    kind = type(value)
    if kind is datetime:
        zone, tail = _zone(value.tzinfo, value.fold)
        writer.append(DATETIME)
        writer.write(
            _DATETIME.pack(
                zone,
                value.year,
                value.month,
                value.day,
                value.hour,
                value.minute,
                value.second,
                value.microsecond,
            )
        )
        writer.write(tail)
    elif kind is Decimal:
        _put_decimal(writer, value)
    elif kind is date:
        writer.append(DATE)
        writer.write(_DATE.pack(value.year, value.month, value.day))
    elif kind is UUID:
        writer.append(UUID_)
        writer.write(value.bytes)
    elif kind is timedelta:
        writer.append(TIMEDELTA)
        writer.write(_TIMEDELTA.pack(value.days, value.seconds, value.microseconds))
    elif kind is time:
        zone, tail = _zone(value.tzinfo, value.fold)
        writer.append(TIME)
        writer.write(_TIME.pack(zone, value.hour, value.minute, value.second, value.microsecond))
        writer.write(tail)
    elif kind is complex:
        writer.append(COMPLEX)
        write_f64_le(writer, value.real)
        write_f64_le(writer, value.imag)
    else:
        raise NotPlain(f"a value of type {kind.__qualname__}")


def _zone(zone: tzinfo | None, fold: int) -> tuple[int, bytes]:
    """Return the byte for a zone and what follows behind the time."""
    kind = _FOLD if fold else 0
    if zone is None:
        return kind | _NAIVE, b""
    if zone is timezone.utc:
        return kind | _UTC, b""
    if type(zone) is timezone:
        # What its pickle is made of: the only place where a name that was given can be told from one that was not.
        state: tuple[Any, ...] = zone.__getinitargs__()  # type: ignore[attr-defined]
        offset = _OFFSET.pack(state[0] // _MICROSECOND)
        if len(state) == 1:
            return kind | _FIXED, offset
        return kind | _NAMED, offset + _short(state[1])
    if type(zone) is ZoneInfo and type(zone.key) is str:
        return kind | _REGION, _short(zone.key)
    raise NotPlain(f"a time zone of type {type(zone).__qualname__}")


def _short(text: str) -> bytes:
    """Return a text with its length in one byte."""
    data = text.encode()
    if len(data) > 255:
        raise NotPlain("a time zone with a long name")
    return bytes((len(data),)) + data


def _put_decimal(writer: BytesWriter, value: Decimal) -> None:
    """Append a Decimal, whatever it is."""
    parts = value.as_tuple()
    exponent: Any = parts.exponent
    digits = parts.digits
    kind = _NUMBER
    if type(exponent) is not int:
        kind, exponent = _EXPONENTS[exponent], 0
        if kind == _INFINITY:
            digits = ()
    if len(digits) > _DIGITS or not -EXPONENT <= exponent <= EXPONENT:
        raise NotPlain(f"a Decimal of {len(digits)} digits and exponent {exponent}")
    # Not as an integer: that takes time quadratic in the number of digits, here and there.
    text = "".join(map(str, digits))
    packed = bytes.fromhex("0" + text if len(digits) & 1 else text)
    writer.append(DECIMAL)
    writer.write(_DECIMAL.pack(kind | (parts.sign << 7), exponent, len(packed)))
    writer.write(packed)


def size_of_rare(tag: int, data: bytes, position: int, end: int) -> int:
    """Return how many bytes the value at `position` has, as far as can be told; more than there are if it is cut."""
    left = end - position
    if tag == DATE:
        return 5
    if tag == TIMEDELTA:
        return 13
    if tag == COMPLEX or tag == UUID_:
        return 17
    if tag == DECIMAL:
        return 8 if left < 8 else 8 + data[position + 6] + (data[position + 7] << 8)
    size = 9 if tag == TIME else 13
    if left < size:
        return size
    zone = data[position + 1] & ~_FOLD
    if zone == _FIXED or zone == _NAMED:
        size += 8
    if zone == _NAMED or zone == _REGION:
        size += 1
        if left >= size:
            size += data[position + size - 1]
    return size


def get_rare(tag: int, data: bytes, zones: dict[str, tzinfo]) -> Any:
    """Return a date, time, Decimal, complex number or UUID.

    :param data: the value in full, without its tag.
    :param zones: time zones found before; it is added to.
    :raises BadValue: there is no such value.
    """
    try:
        if tag == DATETIME:
            kind, year, month, day, hour, minute, second, micro = _DATETIME.unpack_from(data)
            zone = _zone_of(kind & ~_FOLD, data[12:], zones)
            return datetime(year, month, day, hour, minute, second, micro, zone, fold=kind >> 7)
        if tag == DECIMAL:
            return _get_decimal(data)
        if tag == DATE:
            year, month, day = _DATE.unpack(data)
            return date(year, month, day)
        if tag == UUID_:
            return UUID(bytes=data)
        if tag == TIMEDELTA:
            return _get_timedelta(data)
        if tag == TIME:
            kind, hour, minute, second, micro = _TIME.unpack_from(data)
            return time(hour, minute, second, micro, _zone_of(kind & ~_FOLD, data[8:], zones), fold=kind >> 7)
        return complex(read_f64_le(data, 0), read_f64_le(data, 8))
    except (ValueError, OverflowError) as error:
        raise BadValue(f"a value that does not exist: {error}") from None


def _get_timedelta(data: bytes) -> timedelta:
    days, seconds, micro = _TIMEDELTA.unpack(data)
    if seconds >= 86400 or micro >= 1_000_000:
        raise BadValue("a timedelta whose seconds are more than a day, or whose microseconds are more than a second")
    return timedelta(days, seconds, micro)


def _zone_of(kind: int, data: bytes, zones: dict[str, tzinfo]) -> tzinfo | None:
    """Return the zone that follows a time."""
    if kind == _NAIVE:
        return None
    if kind == _UTC:
        return timezone.utc
    if kind == _FIXED:
        return timezone(_offset(data))
    if kind == _NAMED:
        return timezone(_offset(data), data[9:].decode())
    if kind != _REGION:
        raise BadValue(f"a time zone of kind {kind}")
    key = data[1:].decode()
    zone = zones.get(key)
    if zone is None:
        try:
            zone = ZoneInfo(key)
        except (LookupError, OSError):
            raise BadValue(f"there is no time zone {key!r} here") from None
        if len(zones) >= _ZONES:
            zones.clear()
        zones[key] = zone
    return zone


def _offset(data: bytes) -> timedelta:
    return timedelta(microseconds=_OFFSET.unpack_from(data)[0])


def _get_decimal(data: bytes) -> Decimal:
    kind, exponent, _size = _DECIMAL.unpack_from(data)
    sign = "-" if kind & 0x80 else ""
    kind &= 0x7F
    digits = data[7:].hex()
    if len(digits) > _DIGITS or kind > _SIGNALING or not -EXPONENT <= exponent <= EXPONENT:
        raise BadValue("a Decimal out of bounds")
    if digits and not digits.isdigit() or kind == _INFINITY and digits or kind == _NUMBER and not digits:
        raise BadValue("a Decimal whose digits are none")
    try:
        if kind == _NUMBER:
            return Decimal(f"{sign}{digits}E{exponent}")
        return Decimal(sign + _WORDS[kind] + digits)
    except DecimalException:
        raise BadValue("a Decimal that does not exist") from None
