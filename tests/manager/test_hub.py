"""What is made, what it may do, and how long it lives."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed

from broker.errors import RemoteError, UnknownName
from broker.manager.containers import List
from broker.manager.hub import Hub
from broker.manager.registry import Types, UnknownType
from broker.manager.standard import base_types, standard_types
from broker.testing.harness import Pairs
from tests.manager.scene import Server, Workers, came, clients, failed


class Counter:
    """A type of the user's."""

    def __init__(self, start: int = 0) -> None:
        self.count = start

    def add(self, number: int) -> int:
        self.count += number
        return self.count

    def part(self) -> list[int]:
        return [self.count]

    def numbers(self) -> Iterator[int]:
        yield from range(self.count)

    def _hidden(self) -> None:
        pass

    def fail(self) -> None:
        raise ZeroDivisionError("on purpose")

    def __len__(self) -> int:
        return self.count


class Slotted:
    """A type without room for weak references."""

    __slots__ = ("value",)

    def __init__(self, value: Any = None) -> None:
        self.value = value

    def get(self) -> Any:
        return self.value


class CounterProxy:
    """What clients make of proxies."""

    _exposed_ = ("add", "part")
    _method_to_typeid_ = {"part": "list"}


def counting(**options: Any) -> Types:
    made = standard_types()
    made.register("Counter", Counter, **options)
    return made


def test_public_methods_are_offered(pairs: Pairs) -> None:
    _, ann = clients(pairs, 1, counting())
    counter = ann.make("Counter", start=2)
    assert (counter.add(3), len(counter), counter.part(), list(counter.numbers())) == (5, 5, [5], [0, 1, 2, 3, 4])
    for name in ("_hidden", "count", "__dict__"):
        with pytest.raises(AttributeError):
            getattr(counter, name)
    with pytest.raises(AttributeError):
        counter.count = 3
    with pytest.raises(RemoteError) as caught:
        counter.fail()
    assert isinstance(caught.value, ZeroDivisionError) and "in fail" in caught.value.remoteTraceback


def test_exposed(pairs: Pairs) -> None:
    _, ann = clients(pairs, 1, counting(exposed=("add", "_hidden", "__len__")))
    counter = ann.make("Counter")
    assert counter.add(1) == 1 and len(counter) == 1 and counter._hidden() is None
    for call in (lambda: counter.part(), lambda: counter.fail()):
        with pytest.raises(AttributeError):
            call()
    with pytest.raises(TypeError):
        counter + 1


@pytest.mark.parametrize("where", ["type", "proxytype"])
def test_exposed_by_the_type_or_the_proxytype(pairs: Pairs, where: str) -> None:
    made = standard_types()
    kind = type("Kind", (Counter,), {"_exposed_": ("add",)})
    made.register("Counter", kind if where == "type" else Counter, proxytype=None if where == "type" else CounterProxy)
    _, ann = clients(pairs, 1, made)
    counter = ann.make("Counter")
    assert counter.add(1) == 1
    with pytest.raises(AttributeError):
        counter.numbers()
    if where == "proxytype":
        part = counter.part()
        part.append(2)
        assert part == [1, 2]


def test_rights_to_attributes(pairs: Pairs) -> None:
    _, ann = clients(pairs, 1, counting(exposed=("__getattribute__",)))
    counter = ann.make("Counter")
    assert counter.count == 0
    with pytest.raises(AttributeError):
        counter.count = 1


def test_results_of_a_type(pairs: Pairs) -> None:
    made = counting(method_to_typeid={"part": "list", "numbers": "Iterator"})
    _, ann = clients(pairs, 1, made)
    counter = ann.make("Counter", 3)
    part = counter.part()
    part += [4]
    assert part == [3, 4] and [part][0] is part
    assert list(counter.numbers()) == [0, 1, 2]
    walk = counter.numbers()
    assert next(walk) == 0
    walk.close()
    with pytest.raises(UnknownType, match="nowhere"):
        clients(pairs, 1, counting(method_to_typeid={"part": "nowhere"}))


def test_what_may_not_be_made(pairs: Pairs) -> None:
    made = counting(create_method=False)
    made.register("nothing")
    server, ann = clients(pairs, 1, made)
    for typeid in ("Counter", "nothing", "Iterator", "unknown", "Hub"):
        with pytest.raises(UnknownType):
            ann.make(typeid)
    with pytest.raises(UnknownType):
        ann.hub.create(["list"])
    assert "Counter" not in ann.hub.typeids() and "list" in ann.hub.typeids()
    with pytest.raises(TypeError):
        ann.make("Lock", clock=None)
    for name in ("_types", "exported", "close", "_owner"):
        with pytest.raises(AttributeError):
            getattr(ann.hub, name)


def test_named_by_where_it_is(pairs: Pairs) -> None:
    made = base_types()
    made.register("Fraction", "fractions:Fraction", exposed=("limit_denominator", "__add__", "__str__"))
    _, ann = clients(pairs, 1, made)
    assert str(ann.make("Fraction", 1, 3)) == "1/3"
    made.register("bad", "nowhere:Thing")
    with pytest.raises(ValueError, match="cannot import 'nowhere'"):
        Hub(made, None, Workers())
    made.register("bad", "nowhere")
    with pytest.raises(ValueError, match="names no callable"):
        Hub(made, None, Workers())


def test_wrong_registrations() -> None:
    made = Types()
    for arguments in (("",), (3,)):
        with pytest.raises(TypeError):
            made.register(*arguments)
    with pytest.raises(TypeError):
        made.register("list", list, exposed="append")
    with pytest.raises(TypeError, match="dictionary"):
        made.register("list", list, method_to_typeid=["append"])
    with pytest.raises(TypeError, match="no reactor"):
        made.register("list", list, needs=("clock", "reactor"))
    child = Types(made)
    child.register("list", list)
    assert "list" in child and "list" not in made


def test_made_later(pairs: Pairs) -> None:
    made = standard_types()
    made.register("later", lambda: succeed(Counter(4)))
    made.register("number", lambda: 7)
    _, ann = clients(pairs, 1, made)
    assert ann.make("later").add(1) == 5
    assert int(ann.make("number")) == 7


def test_methods_that_wait_run_in_threads(pairs: Pairs) -> None:
    server, ann = clients(pairs, 1, counting(threads=True))
    counter = ann.make("Counter")
    server.workers.held = []
    found: list[Any] = []
    ann.late(counter).add(2).addCallback(found.append)
    ann.pair.flush()
    assert found == []
    server.workers.held.pop()()
    ann.pair.flush()
    assert found == [2]


# Lifetimes.


def test_objects_live_as_long_as_somebody_has_them(pairs: Pairs) -> None:
    server, ann, bob = clients(pairs, 2)
    outer, inner = ann.make("list"), ann.make("dict", a=1)
    assert server.hub.number_of_objects() == 2
    assert ann.hub.debug_info() == "dict: {'a': 1}\nlist: []"
    outer.append(inner)
    del inner
    assert server.settle() == 2, "in the list"
    bobs = bob.take(ann, outer)
    del outer
    assert server.settle() == 2, "another client has it"
    assert bobs[0]["a"] == 1
    bobs.clear()
    assert server.settle() == 1
    secret = bob.hub.grant(bobs, 10)
    del bobs
    assert server.settle() == 1, "there is a grant"
    assert ann.hub.redeem(secret) == []
    assert server.settle() == 1
    server.clock.advance(10)
    assert server.settle() == 0
    with pytest.raises(UnknownName):
        ann.hub.redeem(secret)


def test_what_is_dropped_goes_without_the_collector(pairs: Pairs) -> None:
    """A process that has nothing to do has nothing to collect either."""
    server, ann, bob = clients(pairs, 2)

    def left() -> int:
        for pair in (ann.pair, bob.pair):
            pair.flush()
        return server.hub.number_of_objects()

    gc.collect()
    gc.disable()
    try:
        one, two = ann.make("list", [1]), ann.make("list")
        one.append(two)
        assert one[-1] is two and one + [2] == [1, two, 2] and str(one) == "[1, []]" and list(one) == [1, two]
        ann.hub.withdraw(ann.hub.grant(one))
        del one, two
        assert left() == 0
        items = ann.make("Queue")
        found = came(ann.late(items).get(True, 3))
        ann.pair.flush()
        server.clock.advance(3)
        assert left() == 1 and failed(found) is not None
        found.clear()
        del items
        assert left() == 0
        lock, event = ann.make("Lock"), bob.make("Event")
        with lock:
            came(bob.late(event).wait())
            bob.pair.flush()
            bob.pair.drop()
        del lock
        assert left() == 0
    finally:
        gc.enable()


def test_a_lost_client_has_nothing(pairs: Pairs) -> None:
    server, ann, bob = clients(pairs, 2)
    kept = [bob.make("list"), bob.make("Lock")]
    bob.pair.drop()
    assert server.settle() == 0
    assert len(kept) == 2


def test_cycles_go_as_well(pairs: Pairs) -> None:
    server, ann = clients(pairs)
    one, two = ann.make("list"), ann.make("list")
    one.append(two)
    two.append(one)
    del one, two
    assert server.settle() == 0


def test_an_exception_keeps_nothing(pairs: Pairs) -> None:
    server, ann = clients(pairs)
    items = ann.make("list")
    for number in range(3):
        with pytest.raises(IndexError):
            items[number]
    del items
    assert server.settle() == 0


@pytest.mark.parametrize("make", [Slotted, dict], ids=["slotted", "dict"])
def test_objects_without_weak_references(pairs: Pairs, make: Any) -> None:
    made = standard_types()
    there = make()
    made.register("it", lambda: there)
    server, ann, bob = clients(pairs, 2, made)
    one, two = ann.make("it"), bob.make("it")
    kept = ann.make("list", [one])
    assert kept[0] is one and server.hub.number_of_objects() == 2
    del one
    assert server.settle() == 2, "the other client has it"
    assert type(kept[0]) is type(two)
    del two
    assert server.settle() == 1


def test_one_object_of_many_calls(pairs: Pairs) -> None:
    made = standard_types()
    there = Counter()
    made.register("the", lambda: there)
    _, ann, bob = clients(pairs, 2, made)
    assert ann.make("the") is ann.make("the")
    bob.make("the").add(4)
    assert there.count == 4


def test_grants(pairs: Pairs) -> None:
    _, ann = clients(pairs)
    items = ann.make("list")
    for seconds in (0, -1, 1e9, float("nan")):
        with pytest.raises(ValueError):
            ann.hub.grant(items, seconds)
    for other in (3, [items], lambda: 3):
        with pytest.raises(TypeError):
            ann.hub.grant(other)
    secret = ann.hub.grant(items)
    assert ann.hub.redeem(secret) is items and ann.hub.redeem(secret) is items
    ann.hub.withdraw(secret)
    for wrong in (secret, b"", 3, None):
        with pytest.raises(UnknownName):
            ann.hub.redeem(wrong)


def test_shutdown_is_for_those_who_may(pairs: Pairs) -> None:
    _, ann = clients(pairs)
    with pytest.raises(PermissionError):
        ann.hub.shutdown()
    stopped: list[bool] = []
    other = Server(pairs, stop=lambda: stopped.append(True)).client()
    other.hub.shutdown()
    assert stopped == [True]


@pytest.mark.in_dialects("broker/1")
def test_room_for_many_is_given_back(pairs: Pairs) -> None:
    server, ann = clients(pairs)
    kept = [ann.make("list") for _ in range(3)]
    there = [List() for _ in range(20_000)]
    marks = server.hub._marks
    policy = server.hub._policies.of("list")
    for one in there:
        marks.mark(one, policy)
    assert len(marks) == 20_003
    there.clear()
    del one
    assert len(marks) == 3 and marks.policy_of(None) is None
    assert sys.getsizeof(marks._cell[0]) < 10_000
    kept[0].append(kept[1])
    assert kept[0][0] is kept[1], "what was there still is"


@pytest.mark.in_dialects("broker/1")
def test_thousands_of_objects(pairs: Pairs) -> None:
    server, ann = clients(pairs)

    def made(count: int) -> None:
        for _ in range(count):
            waiting = [ann.later.create("list", [1]) for _ in range(1000)]
            ann.pair.flush()
            assert all(isinstance(one, Deferred) and one.called for one in waiting)
            # What was delivered is kept for tests to look at.
            ann.pair.transcript.clear()
            del waiting
            ann.pair.flush()

    def traced() -> int:
        assert server.settle() == 0
        ann.pair.transcript.clear()
        return tracemalloc.get_traced_memory()[0]

    made(7)
    tracemalloc.start()
    try:
        made(1)
        before = traced()
        made(2)
        grown = traced() - before
    finally:
        tracemalloc.stop()
    assert grown < 10_000, grown
    assert ann.pair.tables()["server"]["exports"] == 1
