"""The two kinds of table that hold very many things in little memory, each beside a dictionary that does the same."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker._session import identities
from broker._session.blocks import Blocks
from broker._session.exports import Exports
from broker._session.identities import Identities
from broker._session.imports import Imports
from tests.form import interpreted_only

NUMBERS = st.integers(0, 40) | st.integers(0, 2**66) | st.integers(-40, -1)
STEPS = st.lists(st.tuples(st.booleans(), NUMBERS), max_size=120)


class Thing:
    """Something that can be weakly referred to."""


@given(STEPS)
def test_blocks_do_what_a_dictionary_does(steps: list[tuple[bool, int]]) -> None:
    blocks, known = Blocks(), {}
    for put, number in steps:
        if put:
            known[number] = thing = object()
            blocks.put(number, thing)
        else:
            known.pop(number, None)
            blocks.remove(number)
        assert blocks.get(number) is known.get(number)
        assert blocks.size == len(known)
    assert dict(blocks.items()) == known
    for number in known:
        assert blocks.get(number) is known[number]
        assert (blocks.get(number + 1) is None) == (number + 1 not in known)


class Hashed:
    """`Identities` beside a dictionary. Objects stay, so that no two of them ever have one identity."""

    def __init__(self, objects: list[Any]) -> None:
        self.pool = objects
        self.objects = Blocks()
        self.table = Identities(self.objects)
        self.known: dict[int, int] = {}
        self.next = count(1)

    def toggle(self, thing: Any) -> None:
        identity = id(thing)
        number = self.known.pop(identity, 0)
        if number:
            self.table.remove(identity)
            self.objects.remove(number)
        else:
            number = self.known[identity] = next(self.next)
            self.objects.put(number, thing)
            self.table.add(identity, number)

    def check(self) -> None:
        for thing in self.pool:
            assert self.table.find(id(thing)) == self.known.get(id(thing), 0)


@given(st.integers(1, 70).flatmap(lambda size: st.lists(st.integers(0, size - 1), max_size=200)))
def test_identities_do_what_a_dictionary_does(places: list[int]) -> None:
    hashed = Hashed([Thing() for _ in range(70)])
    for place in places:
        hashed.toggle(hashed.pool[place])
    hashed.check()
    for thing in hashed.pool:
        if id(thing) in hashed.known:
            hashed.toggle(thing)
            hashed.check()


#: Where identities belong in tables where many belong to one place.
HOMES: list[Callable[[int], int]] = [lambda identity: 0, lambda identity: -1, lambda identity: identity >> 4 & 3]


@interpreted_only
@given(st.sampled_from(HOMES), st.lists(st.integers(0, 29), max_size=60))
def test_identities_that_belong_to_one_place(home: Callable[[int], int], places: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identities, "_home", home)
        hashed = Hashed([Thing() for _ in range(30)])
        for place in places:
            hashed.toggle(hashed.pool[place])
            hashed.check()


def test_identities_of_neighbours_spread() -> None:
    """Objects made one after the other lie at equal distances: they must not all belong to few places."""
    for distance in (16, 48, 64, 112, 4096):
        homes = {identities._home(0x7F30_1234_0000 + distance * number) & 8191 for number in range(4096)}
        assert len(homes) > 2400, f"at random it would be 3223, at a distance of {distance}"


def test_an_object_known_by_something_else() -> None:
    table = Exports(None, 100, "reference")
    plain, view, cached = Thing(), Thing(), Thing()
    assert table.add(plain, id(plain)) == 1
    assert table.add(view, ("view", 7)) == 2
    assert table.add(cached, id(cached), "somebody") == 3
    assert table.again(("view", 7)) == 2 and table.again(id(view)) is None and table.again(id(cached)) == 3
    assert table.numbers == {id(plain): 1, ("view", 7): 2, id(cached): 3}
    found = [table.entry(number) for number in (1, 2, 3)]
    assert [entry and (entry.identity, entry.perspective, entry.refcount) for entry in found] == [
        (id(plain), None, 1),
        (("view", 7), None, 2),
        (id(cached), "somebody", 2),
    ]
    for number, released in ((2, 2), (3, 2), (1, 1)):
        gone = table.release(number, released)
        assert gone is not None and gone.refcount == 0
        assert table.get(number) is None and table.entry(number) is None and table.count_of(number) == 0
    assert table.numbers == {} and table.number_of(("view", 7)) is None and table.number_of(id(plain)) is None


def test_an_object_whose_identity_is_a_number_of_its_own() -> None:
    table = Exports(None, 100, "reference")
    thing, other = Thing(), Thing()
    assert table.add(thing, 5) == 1 and table.again(5) == 1
    assert table.add(other, 2**80) == 2 and table.again(2**80) == 2 and table.again(-(2**80)) is None
    assert table.release(1, 2) is not None and table.number_of(5) is None
    assert table.number_of(2**80) == 2


MANY = 5000


def kept() -> int:
    """Return how many bytes are kept of what was allocated for this module: threads of other tests may go on."""
    # Which empties the interpreter's stock of tuples.
    gc.collect()
    ours = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, __file__, all_frames=True)])
    return sum(trace.size for trace in ours.traces)


def test_what_an_export_costs_and_that_all_of_it_comes_back() -> None:
    table = Exports(None, 10**6, "reference")
    things = [Thing() for _ in range(MANY)]
    tracemalloc.start(8)
    try:
        before = kept()
        for thing in things:
            table.add(thing, id(thing))
        full = kept()
        for number in range(1, MANY):
            assert table.release(number, 1) is not None
        del number
        left = kept()
    finally:
        tracemalloc.stop()
    assert 4 < (full - before) / MANY < 40, (
        "entries of dictionaries and integers for them would take more than a hundred"
    )
    assert table.numbers == {id(things[-1]): MANY}
    assert left - before < 3000


def test_what_an_import_costs_and_that_all_of_it_comes_back() -> None:
    table = Imports(lambda: None)
    held = [Thing() for _ in range(MANY)]
    numbers = [1000 + number for number in range(MANY)]
    tracemalloc.start(8)
    try:
        before = kept()
        for number, thing in zip(numbers, held, strict=True):
            table.add(number, thing)
        full = kept()
        del thing
        held.clear()
        gc.collect()
        assert sorted(table.releases()) == [(number, 1) for number in numbers]
        left = kept()
    finally:
        tracemalloc.stop()
    assert 88 <= (full - before) / MANY < 110, "of that, 88 are the weak reference"
    # What is left is the list of the notes, which keeps some of its room.
    assert left - before < 3000
