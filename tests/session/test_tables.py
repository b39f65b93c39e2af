"""The tables of a connection: what enters, what leaves, and what a wrong number does."""

from __future__ import annotations

import gc
import sys
import threading
from itertools import count
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from broker._messages.messages import Call
from broker._session.answers import Answers
from broker._session.caches import Caches
from broker._session.exports import Exports
from broker._session.imports import Imports
from broker._session.questions import Questions
from broker._values.payload import Payload
from broker.errors import LimitExceeded


class Thing:
    """Something that can be weakly referred to."""


def exports(limit: int = 100) -> Exports:
    return Exports(count(1).__next__, limit, "reference")


def test_export_counts_and_never_reuses_a_number() -> None:
    table = exports()
    thing = Thing()
    assert table.add(thing, "a") == 1
    assert table.again("a") == 1
    assert table.release(1, 1) is None
    gone = table.release(1, 1)
    assert gone is not None and gone.object is thing and gone.identity == "a"
    assert not table.forget(1)
    assert table.targets() == [] and table.size == 0 and table.numbers == {}
    assert table.again("a") is None
    assert table.add(thing, "a") == 2


def test_room_for_many_odd_identities_is_given_back() -> None:
    table = exports(100_000)
    kept, things = Thing(), [Thing() for _ in range(20_000)]
    table.add(kept, "kept")
    numbers = [table.add(thing, ("odd", index)) for index, thing in enumerate(things)]
    for number in numbers:
        table.release(number, 1)
        table.forget(number)
    odd = table._odd
    assert odd is not None and list(odd.numbers) == ["kept"]
    assert sys.getsizeof(odd.numbers) + sys.getsizeof(odd.identities) < 200_000
    assert table.again("kept") == 1 and table.get(1) is kept


@pytest.mark.parametrize("number", [0, -1, 2, 2**64])
def test_release_of_an_unknown_number(number: int) -> None:
    table = exports()
    table.add(Thing(), "a")
    with pytest.raises(LookupError):
        table.release(number, 1)
    assert table.targets() == [1] and table.count_of(1) == 1


@pytest.mark.parametrize("amount", [0, -1, -1000, 2, 2**64])
def test_release_of_a_wrong_count(amount: int) -> None:
    table = exports()
    table.add(Thing(), "a")
    with pytest.raises(LookupError):
        table.release(1, amount)
    assert table.count_of(1) == 1


def test_an_object_sent_again_before_it_is_forgotten_stays() -> None:
    table = exports()
    table.add(Thing(), "a")
    gone = table.release(1, 1, keep=True)
    assert gone is not None and gone.refcount == table.count_of(1) == 0
    assert table.again("a") == 1
    assert not table.forget(1)
    assert table.count_of(1) == 1
    assert table.release(1, 1, keep=True) is not None
    assert table.forget(1) and not table.forget(1) and table.size == 0


def test_a_name_is_not_counted() -> None:
    table = exports()
    thing = Thing()
    table.name(b"root", thing)
    entry = table.entry(b"root")
    assert table.get(b"root") is thing and entry is not None and entry.object is thing
    assert table.size == 0 and table.targets() == [b"root"] and table.numbers == {}
    assert table.get(b"other") is None and table.entry(b"other") is None


def test_export_ceiling() -> None:
    table = exports(limit=2)
    for identity in "abc":
        table.add(Thing(), identity)
    with pytest.raises(LimitExceeded, match=r"reference count exceeded \(2\)"):
        table.add(Thing(), "d")
    assert table.violations == 1 and table.size == 3
    assert table.again("a") == 1, "an object they know already is no new entry"


def test_caches_share_the_numbers_of_references() -> None:
    numbers = count(1).__next__
    references = Exports(numbers, 10, "reference")
    caches = Caches(numbers, 10, lambda: None)
    assert [references.add(1, 1), caches.ours.add(2, 2), references.add(3, 3)] == [1, 2, 3]


def imports() -> tuple[Imports, list[str]]:
    woken: list[str] = []
    return Imports(lambda: woken.append(threading.current_thread().name)), woken


def test_import_is_released_with_its_count() -> None:
    table, woken = imports()
    thing = Thing()
    table.add(7, thing)
    table.count_again(7)
    table.count_again(7)
    assert table.get(7) is thing and not table.dropped and table.releases() == []
    del thing
    gc.collect()
    assert woken and table.dropped
    assert table.releases() == [(7, 3)]
    assert table.entries() == [] and table.size == 0 and not table.dropped and table.releases() == []


def test_an_import_received_again_before_its_release() -> None:
    table, _ = imports()
    first: Any = Thing()
    table.add(7, first)
    del first
    gc.collect()
    second = Thing()
    assert table.get(7) is None
    table.add(7, second)
    assert table.releases() == [], "the second one owes for both"
    del second
    gc.collect()
    assert table.releases() == [(7, 2)]


def test_an_import_dropped_by_another_thread_wakes_and_no_more() -> None:
    table, woken = imports()
    held = [Thing()]
    table.add(1, held[0])
    thread = threading.Thread(target=held.clear, name="elsewhere")
    thread.start()
    thread.join()
    assert woken == ["elsewhere"]
    assert table.releases() == [(1, 1)]


def test_questions_are_numbered_from_one() -> None:
    table = Questions()
    assert [table.number(), table.number()] == [1, 2]
    table.entries[2] = "b"
    table.entries[1] = "a"
    assert table.clear() == ["b", "a"] and table.entries == {}


def test_answers_have_a_ceiling() -> None:
    table = Answers(1)
    table.admit()
    table.entries[1] = "waiting"
    with pytest.raises(LimitExceeded):
        table.admit()
    assert table.clear() == ["waiting"]
    table.admit()


class Link(RuleBasedStateMachine):
    """An exporter and an importer with messages under way in both directions, delivered in any order that FIFO allows.

    Whatever the interleaving, the exporter keeps an object as long as the importer holds it or will receive it, and
    forgets it when everything is delivered and dropped.
    """

    objects = Bundle("objects")
    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.exports = exports(limit=10**6)
        self.imports = Imports(lambda: None)
        self.to_importer: list[int] = []
        self.to_exporter: list[tuple[int, int]] = []

    @rule(target=objects)
    def create(self) -> Any:
        return Thing()

    @rule(thing=objects)
    def send(self, thing: Any) -> None:
        number = self.exports.again(id(thing))
        self.to_importer.append(self.exports.add(thing, id(thing)) if number is None else number)

    @rule(target=held, amount=st.integers(1, 3))
    def deliver(self, amount: int) -> Any:
        received = []
        for _ in range(min(amount, len(self.to_importer))):
            number = self.to_importer.pop(0)
            stand_in = self.imports.get(number)
            if stand_in is None:
                stand_in = Thing()
                self.imports.add(number, stand_in)
            else:
                self.imports.count_again(number)
            received.append([stand_in])
        return multiple(*received)

    @rule(holder=consumes(held))
    def drop(self, holder: list[Any]) -> None:
        holder.clear()

    @rule()
    def flush(self) -> None:
        self.to_exporter.extend(self.imports.releases())

    @rule()
    def deliver_release(self) -> None:
        if self.to_exporter:
            number, amount = self.to_exporter.pop(0)
            if self.exports.release(number, amount) is not None:
                assert self.exports.get(number) is None

    @invariant()
    def what_is_held_is_exported(self) -> None:
        for entry in self.imports.entries():
            if entry() is not None:
                assert self.exports.get(entry.number) is not None
        for number in self.to_importer:
            assert self.exports.get(number) is not None
        owed: dict[Any, int] = {}
        for number in self.to_importer:
            owed[number] = owed.get(number, 0) + 1
        for number, amount in self.to_exporter:
            owed[number] = owed.get(number, 0) + amount
        for entry in self.imports.entries():
            owed[entry.number] = owed.get(entry.number, 0) + self.imports.count_of(entry.number)
        assert owed == {number: self.exports.count_of(number) for number in self.exports.numbers.values()}


TestLink = Link.TestCase


def test_calls_that_have_ended_can_be_cancelled_no_more() -> None:
    table = Answers(10)
    one, again, other = (Call(number, 1, b"m", True, Payload(()), Payload({}), False) for number in (1, 1, 2))
    for call in (one, again, other):
        table.add(call, None)
    # Of two with one number, which only a wrong peer sends, the later one is meant.
    assert table.of_request(1) is again and table.of_request(2) is other
    table.remove(one)
    assert table.of_request(1) is again
    table.remove(again)
    table.remove(again)
    assert table.of_request(1) is None and list(table.entries) == [other]
    table.remove(other)
    assert not table.requests and not table.entries
