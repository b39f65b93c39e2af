"""Cached objects of a connection: ours that they keep copies of, theirs that we keep copies of.

Theory of operation. The owner counts how often it sent an object, as it does for references (`Exports`). The holder
keeps the copy's state from the first sending until the owner says that no more updates will come, which it does after
the holder has released every receipt. In between the holder's user may have dropped the copy, yet updates still
arrive and the object may be received again; so the state is kept strongly in `cores`, and what users hold is a
stand-in sharing that state, kept weakly in `faces` like any import.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from broker._session.exports import Exports
from broker._session.imports import Imports

__all__ = ["Caches"]


class Caches:
    """Both sides' cached objects of one connection.

    :param new_number: the connection's source of numbers, shared with its references.
    :param limit: most objects of ours cached there.
    :param wake: see `Imports`.
    """

    __slots__ = ("cores", "faces", "ours")

    def __init__(self, new_number: Callable[[], int], limit: int, wake: Callable[[], None]) -> None:
        self.ours = Exports(new_number, limit, "cache")
        self.cores: dict[int, Any] = {}
        self.faces = Imports(wake)

    def forget(self, number: int) -> None:
        """Their object `number` will get no more updates: drop its state.

        :raises LookupError: no such object is held.
        """
        del self.cores[number]
