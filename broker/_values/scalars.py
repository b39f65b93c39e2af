"""Dates, times and decimals: to their forms and back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from broker.errors import BadValue, InsecureJelly, LimitExceeded

__all__ = ["EXPONENT", "lift_decimal", "lift_moment", "lower_decimal", "lower_moment"]

#: Largest exponent of a Decimal, either sign; Python's own default. ``int(Decimal("1E99999999999"))`` would take all
#: memory there is, and the peer chooses the number.
EXPONENT: Final = 999_999
#: Most digits that an integer of 448 bits has, which is the largest one on the wire.
_DIGITS: Final = 135
#: The text of a date is far shorter. Python turns text into integers in quadratic time.
_TEXT: Final = 64


def lower_moment(value: Any) -> list[Any]:
    """Lower a date, time, datetime or timedelta, of exactly these types.

    :raises InsecureJelly: it has a time zone, for which the protocol has no form.
    """
    kind = type(value)
    parts: tuple[int, ...]
    if kind is timedelta:
        return [b"timedelta", b"%d %d %d" % (value.days, value.seconds, value.microseconds)]
    if kind is date:
        return [b"date", b"%d %d %d" % (value.year, value.month, value.day)]
    if value.tzinfo is not None:
        raise InsecureJelly(f"a {kind.__name__} with a time zone cannot be sent: there is no form for it")
    if kind is time:
        return [b"time", b"%d %d %d %d" % (value.hour, value.minute, value.second, value.microsecond)]
    parts = (value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond)
    return [b"datetime", b"%d %d %d %d %d %d %d" % parts]


def lower_decimal(value: Decimal) -> list[Any]:
    """Lower a Decimal. The sign of zero is lost: the form has none.

    :raises InsecureJelly: it is infinite or not a number, for which the protocol has no form.
    :raises LimitExceeded: it has more digits, or a larger exponent, than a receiver takes.
    """
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise InsecureJelly(f"Decimal {value} cannot be sent: there is no form for it")
    if len(digits) > _DIGITS or abs(exponent) > EXPONENT:
        raise LimitExceeded(f"a Decimal of {len(digits)} digits and exponent {exponent}")
    number = int("".join(map(str, digits)))
    return [b"decimal", -number if sign else number, exponent]


def lift_decimal(form: list[Any]) -> Decimal:
    """Lift ``(decimal number exponent)``.

    :raises BadValue: the form is malformed, or its numbers are out of bounds.
    """
    if len(form) != 3 or type(form[1]) is not int or type(form[2]) is not int:
        raise BadValue("a decimal that is not two integers")
    number, exponent = form[1], form[2]
    if abs(exponent) > EXPONENT or number.bit_length() > 448:
        raise BadValue("a decimal out of bounds")
    return Decimal((int(number < 0), Decimal(number).as_tuple().digits, exponent))


_MOMENTS: Final[dict[bytes, tuple[Callable[..., Any], int]]] = {
    b"datetime": (datetime, 7),
    b"date": (date, 3),
    b"time": (time, 4),
    b"timedelta": (timedelta, 3),
}


def lift_moment(form: list[Any]) -> Any:
    """Lift ``(datetime text)``, or the same with another of the four heads.

    :raises BadValue: the form is malformed, or there is no such date.
    """
    head = form[0]
    name = head.decode()
    maker, count = _MOMENTS[head]
    if len(form) != 2 or type(form[1]) is not bytes or len(form[1]) > _TEXT:
        raise BadValue(f"a {name} that is not one short byte string")
    try:
        parts = [int(part) for part in form[1].split()]
        if len(parts) != count:
            raise BadValue(f"a {name} that is not {count} numbers")
        return maker(*parts)
    except (ValueError, OverflowError):
        raise BadValue(f"a {name} that does not exist: {form[1]!r}") from None
