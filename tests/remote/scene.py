"""What the tests of transparent objects play with: a served object, a transport that waits, and a count of messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from broker._messages.messages import Call
from broker._remote.program import Program
from broker._session.events import Answered
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

    :ivar calls: the messages that the server got.
    :ivar answers: the answers that the client got.
    :ivar asked: the calls that the client got.
    :ivar writes: the writes of the client.
    """

    def __init__(self) -> None:
        self.calls = self.answers = self.asked = self.writes = 0


@contextmanager
def counted(pair: Pair) -> Iterator[Messages]:
    """Count the messages on a pair's wire."""
    messages = Messages()
    pair.flush()
    before = len(pair.transcript)
    server, client = pair.server.handle, pair.client.handle

    def at_server(event: Any) -> None:
        messages.calls += isinstance(event, Call)
        server(event)

    def at_client(event: Any) -> None:
        messages.answers += isinstance(event, Answered)
        messages.asked += isinstance(event, Call)
        client(event)

    pair.server.handle, pair.client.handle = at_server, at_client  # type: ignore[method-assign]
    try:
        yield messages
        pair.flush()
    finally:
        del pair.server.handle, pair.client.handle  # type: ignore[method-assign]
    messages.writes = sum(1 for written in pair.transcript[before:] if written.to == "server")


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
