"""What a session reports to the objects above it, one at a time and in the order of arrival."""

from __future__ import annotations

from typing import Any, Union

from broker._messages.messages import Call, Unknown
from broker._session.exports import Export
from broker._values.payload import Payload

__all__ = ["Answered", "Cancelled", "Event", "Fault", "Leaving", "Opened", "Quiet", "Released"]


class Opened:
    """The greeting is over; messages may be sent. `dialect` is its name."""

    __slots__ = ("dialect",)

    def __init__(self, dialect: bytes) -> None:
        self.dialect = dialect


class Answered:
    """A call of ours was answered. `waiter` is what was given to `Session.call`; `failed` tells which way it went."""

    __slots__ = ("failed", "payload", "waiter")

    def __init__(self, waiter: Any, payload: Payload, failed: bool) -> None:
        self.waiter = waiter
        self.payload = payload
        self.failed = failed


class Released:
    """They hold none of our object `number` any more.

    An object given out by reference has left the table. A `cached` one is still there, so that a last update can be
    sent; `Session.uncache` ends it.
    """

    __slots__ = ("cached", "export", "number")

    def __init__(self, number: int, export: Export, cached: bool) -> None:
        self.number = number
        self.export = export
        self.cached = cached


class Cancelled:
    """They no longer want the result of `call`, which is being served."""

    __slots__ = ("call",)

    def __init__(self, call: Call) -> None:
        self.call = call


class Leaving:
    """They are about to close the connection, for a `reason` in words, and take no more calls."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Fault:
    """A message that was well-framed and wrong; it was dropped. `problem` says what was wrong with it."""

    __slots__ = ("problem",)

    def __init__(self, problem: str) -> None:
        self.problem = problem


class Quiet:
    """Nothing that those above must know, for a while: they may see to others, and come back."""

    __slots__ = ()


Event = Union[Opened, Call, Answered, Released, Cancelled, Leaving, Unknown, Fault, Quiet]
