"""What the tests of transparent objects play with: a served object, a transport that waits, and a count of messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from broker._remote.program import Program
from broker._wire.banana import decode
from broker.testing import Pair
from broker.transparent import LIVE, Policy, export, live, transmit


class Waiting:
    """A transport that waits for answers by delivering what there is to deliver."""

    blocking = True

    def __init__(self, pair: Pair) -> None:
        self.pair = pair

    def perform(self, reference: Any, program: Program) -> Any:
        return self.pair.result(transmit(reference, program))


class Messages:
    """What went over a wire in a while.

    :ivar calls: the calls that were sent to the server.
    :ivar answers: the answers that were sent to the client.
    :ivar asked: the calls that were sent to the client.
    :ivar others: what else was sent to the server: releases.
    :ivar writes: the writes of the client.
    """

    def __init__(self) -> None:
        self.calls = self.answers = self.asked = self.others = self.writes = 0


@contextmanager
def counted(pair: Pair) -> Iterator[Messages]:
    """Count the messages on a pair's wire."""
    messages = Messages()
    pair.flush()
    before = len(pair.transcript)
    yield messages
    pair.flush()
    written = pair.transcript[before:]
    kinds = _frames if pair.client.session.native is not None else _expressions
    for kind in kinds(b"".join(data for to, data in written if to == "server")):
        messages.calls += kind == "call"
        messages.others += kind == "other"
    for kind in kinds(b"".join(data for to, data in written if to == "client")):
        messages.answers += kind == "answer"
        messages.asked += kind == "call"
    messages.writes = sum(1 for one in written if one.to == "server")


def _expressions(data: bytes) -> Iterator[str]:
    """Give the kinds of the messages of classic PB in some bytes."""
    position = 0
    while position < len(data):
        message, position = decode(data, position, vocabulary=True)
        yield {b"message": "call", b"answer": "answer", b"error": "answer"}.get(message[0], "other")


def _frames(data: bytes) -> Iterator[str]:
    """Give the kinds of the messages of the native dialect in some bytes."""
    position = 0
    while position < len(data):
        kind, length = data[position], int.from_bytes(data[position + 1 : position + 4], "little")
        if kind == 0x0E:
            # The last piece of a message in pieces: in these tests, of an answer.
            kind = 0x03
        yield {0x02: "call", 0x03: "answer", 0x04: "answer"}.get(kind, "other")
        position += 4 + length


def proxied(
    pairs: Callable[..., Pair], served: Any, policy: Policy = LIVE, *, held: Policy | None = None, **options: Any
) -> Any:
    """Serve an object; return the pair and a proxy for it that waits."""
    pair = pairs(export(served, policy), **options)
    proxy = live(pair.root, held or policy, transport=Waiting(pair))
    return pair, proxy


class Num:
    """A number of one's own, with operators."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __add__(self, other: Any) -> Num:
        return Num(self.value + (other.value if isinstance(other, Num) else other))

    __radd__ = __add__

    def __iadd__(self, other: Any) -> Num:
        self.value += other
        return self

    def __eq__(self, other: object) -> bool:
        return self.value == (other.value if isinstance(other, Num) else other)

    def __lt__(self, other: Any) -> bool:
        return bool(self.value < (other.value if isinstance(other, Num) else other))

    def __hash__(self) -> int:
        return hash(self.value)

    def __int__(self) -> int:
        return self.value


class Tree:
    """A served object with something of everything."""

    kind = "tree"
    _secret = "secret"

    def __init__(self) -> None:
        self.value = 4
        self.items = [1, 2, 3]
        self.table = {"a": 1}
        self.number = Num(5)
        self.log: list[str] = []
        self.children: list[Tree] = []
        self.held: Any = None

    def child(self, index: int) -> Tree:
        while len(self.children) <= index:
            self.children.append(Tree())
        return self.children[index]

    def echo(self, value: Any = None, **named: Any) -> Any:
        return named or value

    def new(self) -> Num:
        return Num(7)

    def is_me(self, value: Any) -> bool:
        return value is self

    def me(self) -> Tree:
        return self

    def add(self, one: Any, other: Any) -> Any:
        return one + other

    def note(self, text: str) -> None:
        self.log.append(text)

    def fail(self) -> None:
        raise ValueError("bad", 3)

    def grow(self) -> None:
        self.later = 1

    def count(self, most: int) -> Iterator[int]:
        try:
            for number in range(most):
                self.log.append(f"made {number}")
                yield number
        finally:
            self.log.append("closed")

    def call(self, function: Any, *args: Any) -> Any:
        return function(*args)

    def hold(self, value: Any) -> None:
        self.held = value
