"""References in an s-expression that was refused: its sender has counted them, so they have to be released."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from broker._values.policy import PLAIN_HEADS

__all__ = ["Unlifted", "references"]

_ITEMS: Final = frozenset((b"list", b"tuple", b"set", b"frozenset"))
#: No honest number of an object is larger, nor could a release name it in every dialect.
_NUMBERS: Final = 1 << 62


def references(expression: Any) -> Counter[int]:
    """Return the numbers of the references in an s-expression, each with how often it is there.

    Where forms have a meaning that is not known here they are passed over: a count too many stays until the
    connection ends, a release too many would take away an object that is in use.
    """
    found: Counter[int] = Counter()
    waiting = [expression]
    while waiting:
        form = waiting.pop()
        if type(form) is not list or len(form) < 2:
            continue
        head = form[0]
        if type(head) is not bytes:
            continue
        if head == b"remote":
            if len(form) == 2 and type(form[1]) is int and 0 <= form[1] < _NUMBERS:
                found[form[1]] += 1
        elif head in _ITEMS:
            waiting += form
        elif head == b"dictionary":
            for entry in form:
                if type(entry) is list and len(entry) == 2:
                    # An entry is no form, though it may look like one.
                    waiting += entry
        elif head == b"reference":
            waiting.append(form[-1])
        elif head not in PLAIN_HEADS and len(form) <= 3:
            # A name and a state, and of a cached object its number between them.
            waiting.append(form[-1])
    return found


class Unlifted:
    """Stands for a connection where a value is to be read, but not lifted: finds the references in it.

    :ivar found: their numbers.
    """

    __slots__ = ("found",)

    plain = True
    taster: Any = None

    def __init__(self) -> None:
        self.found: Counter[int] = Counter()

    def jelly(self, value: Any, atoms: bool = False) -> Any:
        """Nothing is lowered here."""
        raise NotImplementedError

    def unjelly(self, expression: Any) -> Any:
        """Take an s-expression that will not be lifted."""
        self.found += references(expression)
