"""What is refused before it is received is released all the same: the caller has counted it."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from broker._objects.copyable import Copyable, RemoteCopy
from broker._objects.referenceable import Referenceable, Root
from broker._values.registry import Registry
from broker._values.unlifted import references
from broker.errors import Error
from broker.testing.leftovers import assert_empty
from broker.testing.pairs import Pair, pair


@dataclass
class Picky:
    """Sent by everybody, accepted by nobody."""

    part: Any

    def __post_init__(self) -> None:
        raise ValueError("never")


class Box(Copyable, RemoteCopy):
    def __init__(self, part: Any) -> None:
        self.part = part


class Service(Root):
    def __init__(self) -> None:
        self.kept: list[Any] = []
        self.given: Any = None

    def remote_take(self, *values: Any, **named: Any) -> None:
        self.kept += values

    def remote_give(self) -> Any:
        return self.given

    def remote_lend(self) -> Any:
        self.lent = Referenceable()
        return self.lent


def picky(part: Any = None) -> Picky:
    made = object.__new__(Picky)
    made.part = part
    return made


@pytest.fixture
def connected() -> Pair:
    registry = Registry()
    registry.passByValue(Picky)
    registry.setUnjellyableForClass(Box, Box)
    return pair(Service(), registry=registry)


def refused(connected: Pair, *args: Any, **named: Any) -> BaseException:
    return connected.failure(connected.root.callRemote("take", *args, **named))


def counts(connected: Pair) -> list[int]:
    """Return how often the server holds each object of the client's, once garbage is collected."""
    gc.collect()
    connected.flush()
    return [entry.refcount for entry in connected.client.localObjects.values()]


one, two = Referenceable(), Referenceable()

REFUSED: dict[str, Callable[[], tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "behind": lambda: ((picky(), one, two, one), {}),
    "before and behind": lambda: ((one, two, picky(), one, two, two), {}),
    "inside": lambda: ((picky([one, {"k": (two,)}]),), {}),
    "in containers": lambda: ((picky(), [{"k": ({one: two}, {two}, frozenset([one]))}]), {}),
    "in an object met twice": lambda: ((picky(), *[[one]] * 2, *[Box(two)] * 2), {}),
    "in copies": lambda: ((Box([one, picky(), two]), Box(one)), {}),
    "in keywords": lambda: ((picky(),), {"a": one, "b": [two]}),
    "in keywords, refused there": lambda: ((one,), {"a": one, "b": picky(), "c": [two]}),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_nothing_stays(connected: Pair, kind: str) -> None:
    args, named = REFUSED[kind]()
    for _ in range(3):
        assert "never" in str(refused(connected, *args, **named))
        assert counts(connected) == []
    assert connected.server.session.faults == connected.client.session.faults == 0
    assert_empty(connected)


def test_what_is_held_stays_held(connected: Pair) -> None:
    connected.call(connected.root, "take", one, one)
    for _ in range(2):
        refused(connected, one, picky(), one, two)
        assert len(counts(connected)) == 1
    taken = connected.server_factory.root.kept
    assert taken[0] is taken[1]
    taken.clear()
    assert_empty(connected)


def test_a_call_to_nobody(connected: Pair) -> None:
    lent = connected.call(connected.root, "lend")
    assert connected.server.session.exports.release(lent.luid, 1) is not None
    error = connected.failure(lent.callRemote("take", one, [two], key=one))
    assert isinstance(error, Error)
    assert counts(connected) == []


def test_a_call_that_is_one_too_many(connected: Pair) -> None:
    connected.server.session.answers.limit = 0
    assert "Too many calls" in str(refused(connected, one, key=two))
    assert counts(connected) == []


def test_a_method_that_is_not_there(connected: Pair) -> None:
    connected.failure(connected.root.callRemote("nothing", one, key=two))
    assert counts(connected) == []


def test_a_method_that_fails_has_had_its_arguments(connected: Pair) -> None:
    service = connected.server_factory.root

    def keep(value: Any, other: Any) -> None:
        service.kept.append(value)
        raise Error("after that")

    service.remote_keep = keep
    connected.failure(connected.root.callRemote("keep", one, two))
    assert counts(connected) == [1]
    service.kept.clear()
    assert_empty(connected)


def test_a_result_that_is_refused(connected: Pair) -> None:
    service = connected.server_factory.root
    service.given = [one, picky(), two, one]
    assert "never" in str(connected.failure(connected.root.callRemote("give")))
    service.given = None
    assert_empty(connected)


def test_what_looks_like_a_reference(connected: Pair) -> None:
    """An entry of a dictionary, a key of which is the word, is none."""
    connected.call(connected.root, "take", one)
    assert "never" in str(refused(connected, picky(), {b"remote": 1, b"k": {b"remote": 2}}, [b"remote", 1]))
    assert counts(connected) == [1]
    assert connected.client.session.faults == 0


def test_references_in_a_form() -> None:
    reference = [b"remote", 3]
    form = [
        *(
            b"tuple",
            reference,
            [b"remote", 4],
            [b"local", 5],
            [b"remote", b"root"],
            [b"remote", -1],
            [b"remote", 1 << 70],
        ),
        [b"dictionary", [b"remote", 6], [reference, [b"list", reference]], [b"remote", 7, 8], 9],
        [b"reference", 1, [b"module.Copy", [b"set", reference]]],
        [b"module.Cache", 10, [b"list", reference]],
        [b"custom", 11, reference, reference],
        [b"unicode", reference],
        [],
        [[b"remote", 12]],
        ["remote", 13],
    ]
    assert references(form) == Counter({3: 5, 4: 1})
    assert references(7) == references([b"remote"]) == Counter()
