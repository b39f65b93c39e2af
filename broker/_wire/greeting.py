"""The greeting of a connection: the listening side offers dialects, the connecting side picks one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from broker._wire.banana import encode

__all__ = ["choose", "chosen", "offer", "pick", "split", "with_size"]

#: Behind a dialect's name: the longest byte string, and list, that who says it accepts.
_SIZE: Final = b";size="
_DIGITS: Final = 12


def with_size(name: bytes, size: int) -> bytes:
    """Return a dialect's name with the size of strings and lists that this side accepts in it.

    Stock peers do not know such a name and pass it over. A peer that does answers with its own size in the same way, so
    that both know what the other accepts before the first message.
    """
    return name + _SIZE + b"%d" % size


def split(name: Any) -> tuple[Any, int | None]:
    """Return a dialect's bare name, and the size said with it or None."""
    if isinstance(name, bytes):
        bare, mark, digits = name.partition(_SIZE)
        if mark and digits.isdigit() and len(digits) <= _DIGITS:
            return bare, int(digits)
    return name, None


def offer(names: Sequence[bytes]) -> bytes:
    """Return the first bytes of the listening side.

    :param names: the dialects it speaks, best first.
    """
    return encode(list(names), vocabulary=False)


def choose(expression: Any, known: Sequence[bytes]) -> tuple[bytes, int | None] | None:
    """Return the dialect that the connecting side takes from an offer, and the size said with it if there was one.

    The order of the offer counts, as in PB, so that either end can tell the outcome. Entries that are no known name
    are passed over, whatever they are: a later version may say more there.

    :param expression: the offer as it was decoded.
    :param known: the dialects this side speaks.
    :returns: None when there is no dialect in common.
    """
    if not isinstance(expression, list):
        return None
    for entry in expression:
        name, size = split(entry)
        if isinstance(name, bytes) and name in known:
            return name, size
    return None


def pick(name: bytes) -> bytes:
    """Return the first bytes of the connecting side: the dialect it took."""
    return encode(name, vocabulary=False)


def chosen(expression: Any, offered: Sequence[bytes]) -> tuple[bytes, int | None] | None:
    """Return the dialect that the connecting side took, and the size it said with it if it did.

    :param expression: what the connecting side wrote, decoded.
    :param offered: the bare names of the dialects that were offered.
    :returns: None when it is not one that was offered.
    """
    name, size = split(expression)
    if isinstance(name, bytes) and name in offered:
        return name, size
    return None
