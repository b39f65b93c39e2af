"""The messages of a connection, whatever dialect puts them on the wire.

`our` and `their` are said from the side that handles the message: an id in a received `Call` was chosen by them, the
`target` by us.
"""

from __future__ import annotations

from typing import Any, Union

from broker._values.payload import Payload

__all__ = [
    "Abort",
    "Answer",
    "CacheReleased",
    "Call",
    "Cancel",
    "Failed",
    "GoAway",
    "Message",
    "NotUnderstood",
    "Nothing",
    "Ping",
    "Pong",
    "Release",
    "ReleaseCache",
    "Unknown",
    "Version",
]


class Call:
    """Call a method of an object of the receiver.

    Sent by either side at any time after the greeting. The receiver answers with exactly one `Answer` or `Failed`
    bearing the same `request`, unless `wants_answer` is false. `target` is a number that the receiver gave out in a
    reference, or the name of a preset object; for a `cached` call it is the number of a cached object, and only the
    owner of that object may send it. Request numbers count up from 1 in each direction and are never reused.

    `deadline` is how many milliseconds the call may still take, or -1 for no bound; the receiver does not begin a call
    that has none left, and takes it as the deadline of the calls that its method makes. A dialect without deadlines
    leaves it out.
    """

    __slots__ = ("args", "cached", "deadline", "kwargs", "method", "request", "target", "wants_answer")

    def __init__(
        self,
        request: int,
        target: int | bytes,
        method: bytes,
        wants_answer: bool,
        args: Payload,
        kwargs: Payload,
        cached: bool,
        deadline: int = -1,
    ) -> None:
        self.request = request
        self.target = target
        self.method = method
        self.wants_answer = wants_answer
        self.args = args
        self.kwargs = kwargs
        self.cached = cached
        self.deadline = deadline


class Answer:
    """The result of the receiver's call `request`; frees the question. Unknown requests are logged and dropped."""

    __slots__ = ("payload", "request")

    def __init__(self, request: int, payload: Payload) -> None:
        self.request = request
        self.payload = payload


class Failed:
    """The receiver's call `request` failed; `payload` is the failure. Frees the question, as `Answer` does."""

    __slots__ = ("payload", "request")

    def __init__(self, request: int, payload: Payload) -> None:
        self.request = request
        self.payload = payload


class Release:
    """The sender dropped `count` of the references it received to the receiver's object `target`."""

    __slots__ = ("count", "target")

    def __init__(self, target: int, count: int) -> None:
        self.target = target
        self.count = count


class ReleaseCache:
    """The sender dropped `count` of the copies it received of the receiver's cached object `target`."""

    __slots__ = ("count", "target")

    def __init__(self, target: int, count: int) -> None:
        self.target = target
        self.count = count


class CacheReleased:
    """The sender, owner of cached object `target`, will send no more calls to it; the receiver may forget it."""

    __slots__ = ("target",)

    def __init__(self, target: int) -> None:
        self.target = target


class Cancel:
    """The sender no longer wants the result of its call `request`.

    The receiver cancels what the method waits for, unless the method does not allow that, and answers all the same:
    the call takes its place among those in flight until it has really ended. A request that is not open is ignored;
    the answer was under way.
    """

    __slots__ = ("request",)

    def __init__(self, request: int) -> None:
        self.request = request


class Ping:
    """The sender wants to know whether the receiver is there; at most eight bytes of `data` come back in a `Pong`.

    May be sent at any time, and not more often than `Limits.controls` a second.
    """

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class Pong:
    """The answer to a `Ping`, with its `data`. One that nobody waits for is ignored."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class GoAway:
    """The sender is about to close the connection, for a `reason` in words, and begins no more of the receiver's calls.

    Calls in flight are finished and answered. A call that crosses this message on its way fails with `GoingAway`; it
    was not begun. The sender closes the connection when the last of its answers is out.
    """

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Abort:
    """The sender closes the connection because of an error, which `reason` tells the receiver. The last message."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Version:
    """The protocol version of the sender; the first message each side sends. A different one closes the connection."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


class NotUnderstood:
    """The sender did not know the command `command`, which the receiver had sent. Only logged."""

    __slots__ = ("command",)

    def __init__(self, command: bytes) -> None:
        self.command = command


class Nothing:
    """Bytes were read of which no message came; there may be more. So whoever reads can see to others meanwhile.

    `controls` is how many of the frames read asked for nothing and had nothing in them: releases of nothing, and
    messages that may be passed over. They count as a `Ping` does.
    """

    __slots__ = ("controls",)

    def __init__(self, controls: int) -> None:
        self.controls = controls


class Unknown:
    """A well-framed message with a command that this side does not know, or with fields that do not fit it.

    `fields` are the raw elements behind the command. `problem` says in words what does not fit. `request` is the
    request to be answered with an error, where one can be made out and is wanted, else None.
    """

    __slots__ = ("command", "fields", "problem", "request")

    def __init__(self, command: bytes, fields: list[Any], problem: str, request: int | None) -> None:
        self.command = command
        self.fields = fields
        self.problem = problem
        self.request = request


Message = Union[
    Call,
    Answer,
    Failed,
    Release,
    ReleaseCache,
    CacheReleased,
    Cancel,
    Ping,
    Pong,
    GoAway,
    Abort,
    Version,
    NotUnderstood,
    Nothing,
    Unknown,
]
