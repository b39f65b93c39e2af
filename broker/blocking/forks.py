"""Forking: in the child, nothing that was connected before is of any use, and says so."""

from __future__ import annotations

import os
from typing import Any, Final, Protocol
from weakref import WeakSet

__all__ = ["NO_REACTOR", "TEXT", "note"]

TEXT: Final = "the connection belongs to the process that this one was forked from: connect again in this one"
NO_REACTOR: Final = (
    "the reactor's thread stayed behind in the process that this one was forked from: what needs it, as TLS does, goes "
    "on in processes that are started by spawn or forkserver"
)


class _Forkable(Protocol):
    def forked(self) -> None:
        """This is the child."""


_noted: Final[WeakSet[Any]] = WeakSet()
_registered: Final[list[bool]] = []


def note(one: _Forkable) -> None:
    """Have something told, in each child that is forked while it lives."""
    if not _registered and hasattr(os, "register_at_fork"):
        _registered.append(True)
        os.register_at_fork(after_in_child=_forked)
    _noted.add(one)


def _forked() -> None:
    for one in list(_noted):
        one.forked()
