"""The greeting of a connection: the listening side offers dialects, the connecting side picks one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from broker._wire.banana import encode

__all__ = ["choose", "chosen", "offer", "pick"]


def offer(names: Sequence[bytes]) -> bytes:
    """Return the first bytes of the listening side.

    :param names: the dialects it speaks, best first.
    """
    return encode(list(names), vocabulary=False)


def choose(expression: Any, known: Sequence[bytes]) -> bytes | None:
    """Return the dialect that the connecting side takes from an offer, or None when there is none in common.

    The order of the offer counts, as in PB, so that either end can tell the outcome. Entries that are no known name
    are passed over, whatever they are: a later version may say more there.

    :param expression: the offer as it was decoded.
    :param known: the dialects this side speaks.
    """
    if not isinstance(expression, list):
        return None
    for entry in expression:
        if isinstance(entry, bytes) and entry in known:
            return entry
    return None


def pick(name: bytes) -> bytes:
    """Return the first bytes of the connecting side: the dialect it took."""
    return encode(name, vocabulary=False)


def chosen(expression: Any, offered: Sequence[bytes]) -> bytes | None:
    """Return the dialect that the connecting side took, or None when it is not one that was offered.

    :param expression: what the connecting side wrote, decoded.
    :param offered: the dialects that were offered.
    """
    if isinstance(expression, bytes) and expression in offered:
        return expression
    return None
