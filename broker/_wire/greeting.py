"""The greeting of a connection: the listening side offers dialects, the connecting side picks one.

Behind the name of a dialect each side says what it accepts, as in ``pb;size=655360``. Stock peers do not know such a
name and pass it over. A peer that does answers in the same way, so that both know what the other accepts before the
first message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from broker._wire.banana import encode

__all__ = ["choose", "chosen", "offer", "pick", "split", "with_settings"]

#: Most digits of a number, and most settings, that are looked at.
_DIGITS: Final = 12
_SETTINGS: Final = 32


def with_settings(name: bytes, settings: Mapping[str, int]) -> bytes:
    """Return a dialect's name with what this side accepts behind it."""
    return name + b"".join([b";%s=%d" % (key.encode(), value) for key, value in settings.items()])


def split(name: Any) -> tuple[Any, dict[str, int]]:
    """Return a dialect's bare name, and what was said behind it.

    Settings of a form that is not known are passed over: a later version may say more. Where the name itself is none,
    it is returned as it is.
    """
    settings: dict[str, int] = {}
    if not isinstance(name, bytes):
        return name, settings
    bare, *parts = name.split(b";", _SETTINGS)
    for part in parts:
        key, _, digits = part.partition(b"=")
        if digits.isdigit() and len(digits) <= _DIGITS and key.isalpha():
            settings[key.decode("ascii", "replace")] = int(digits)
    return bare, settings


def offer(names: Sequence[bytes]) -> bytes:
    """Return the first bytes of the listening side.

    :param names: the dialects it speaks, best first.
    """
    return encode(list(names), vocabulary=False)


def choose(expression: Any, known: Sequence[bytes], prefer: bytes | None = None) -> tuple[bytes, dict[str, int]] | None:
    """Return the dialect that the connecting side takes from an offer, and what was said behind it.

    The order of the offer counts, as in PB, so that either end can tell the outcome. Entries that are no known name
    are passed over, whatever they are: a later version may say more there.

    :param expression: the offer as it was decoded.
    :param known: the dialects this side speaks.
    :param prefer: one that this side takes wherever it stands in the offer.
    :returns: None when there is no dialect in common.
    """
    if not isinstance(expression, list):
        return None
    found: tuple[bytes, dict[str, int]] | None = None
    for entry in expression:
        name, settings = split(entry)
        if isinstance(name, bytes) and name in known:
            if name == prefer or prefer is None:
                return name, settings
            found = found or (name, settings)
    return found


def pick(name: bytes) -> bytes:
    """Return the first bytes of the connecting side: the dialect it took."""
    return encode(name, vocabulary=False)


def chosen(expression: Any, offered: Sequence[bytes]) -> tuple[bytes, dict[str, int]] | None:
    """Return the dialect that the connecting side took, and what it said behind it.

    :param expression: what the connecting side wrote, decoded.
    :param offered: the bare names of the dialects that were offered.
    :returns: None when it is not one that was offered.
    """
    name, settings = split(expression)
    if isinstance(name, bytes) and name in offered:
        return name, settings
    return None
