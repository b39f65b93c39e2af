"""The messages of a connection, whatever dialect puts them on the wire.

`our` and `their` are said from the side that handles the message: an id in a received `Call` was chosen by them, the
`target` by us.
"""

from __future__ import annotations

from typing import Any, Union

from broker._values.payload import Payload

__all__ = [
    "Answer",
    "Call",
    "CacheReleased",
    "Failed",
    "Message",
    "NotUnderstood",
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
    """

    __slots__ = ("args", "cached", "kwargs", "method", "request", "target", "wants_answer")

    def __init__(
        self,
        request: int,
        target: int | bytes,
        method: bytes,
        wants_answer: bool,
        args: Payload,
        kwargs: Payload,
        cached: bool,
    ) -> None:
        self.request = request
        self.target = target
        self.method = method
        self.wants_answer = wants_answer
        self.args = args
        self.kwargs = kwargs
        self.cached = cached


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


Message = Union[Call, Answer, Failed, Release, ReleaseCache, CacheReleased, Version, NotUnderstood, Unknown]
