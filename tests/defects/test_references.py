"""Identity: what comes home, what compares equal, how often it is released."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import succeed

from tests.defects.defect import defect
from tests.defects.wire import Sides, Wire, collect, logged, value_of

TAG = b"tests.defects.Stock"


def echo_root(sides: Sides) -> Any:
    class Echo(sides.server.pb.Root):  # type: ignore[misc,name-defined]
        def remote_plain(self, value: Any) -> Any:
            return value

        def remote_fired(self, value: Any) -> Any:
            return succeed(value)

        def remote_contained(self, value: Any) -> Any:
            return [value, {"again": value}]

    return Echo()


def giving_root(sides: Sides) -> Any:
    pb = sides.server.pb

    class Giver(pb.Root):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.thing = pb.Referenceable()

        def remote_give(self) -> Any:
            return self.thing

        def remote_twice(self) -> Any:
            return [self.thing, self.thing]

    return Giver()


@pytest.mark.parametrize("method", ["plain", "fired", "contained"])
@defect("ours", "our-server", stock="None")
def test_2334_echoed_reference_comes_home(sides: Sides, method: str) -> None:
    """A Referenceable echoed back comes home as None, since the callee's decref overtakes the answer."""
    wire = Wire(sides, echo_root(sides))
    mine = sides.client.pb.Referenceable()
    answer = value_of(wire.call(method, mine))
    found = [answer[0], answer[1]["again"]] if method == "contained" else [answer]
    assert all(each is mine for each in found), f"came home as {answer!r}"
    del answer, found
    collect()
    wire.pump()
    assert list(wire.client.localObjects) == [], "the references taken for the call were not released"


@defect("ours", "our-client", stock="not supported|TypeError|escaped", raises=Exception)
def test_comparing_references(sides: Sides) -> None:
    """Comparing a reference with None, with one of another connection or with the root raises TypeError."""
    first, second = Wire(sides, giving_root(sides)), Wire(sides, giving_root(sides))
    here, there = value_of(first.call("give")), value_of(second.call("give"))
    root = first.root()
    assert here == here
    assert (here == None) is False  # noqa: E711 (the operator is what is tested)
    assert (here != None) is True  # noqa: E711
    assert (here == there) is False
    assert (root == here) is False
    assert (here == root) is False
    assert here not in [None, there, root, 1, "text"]
    assert [there, here].index(here) == 1


@defect("ours", "our-client", stock="__hash__|hash", raises=TypeError)
def test_hash_of_root(sides: Sides) -> None:
    """The root reference has no hash: it is computed from its name."""
    wire = Wire(sides, giving_root(sides))
    root = wire.root()
    assert {root: "root"}[wire.root()] == "root"


@defect("ours", "our-client", stock="not supported|TypeError", raises=TypeError)
def test_references_of_two_connections_as_keys(sides: Sides) -> None:
    """References of two connections cannot be keys of one dictionary: equal hashes make it compare them."""
    first, second = Wire(sides, giving_root(sides)), Wire(sides, giving_root(sides))
    here, there = value_of(first.call("give")), value_of(second.call("give"))
    assert here.luid == there.luid, "the scenario needs equal numbers"
    assert {here: "here", there: "there"} == {there: "there", here: "here"}
    assert len({here, there}) == 2


@defect("ours", "our-client", stock="two proxies")
def test_one_proxy_for_one_object(sides: Sides) -> None:
    """Each reception of one object makes another proxy; there must be one, and one release for each reception."""
    wire = Wire(sides, giving_root(sides))
    first, second = value_of(wire.call("give")), value_of(wire.call("give"))
    pair = value_of(wire.call("twice"))
    assert first is second, "two proxies"
    assert pair[0] is first and pair[1] is first
    number = first.luid
    assert wire.server.localObjects[number].refcount == 4
    del first, pair
    collect()
    wire.pump()
    assert number in wire.server.localObjects, "released while still held"
    del second
    with logged() as log:
        collect()
        wire.pump()
    assert number not in wire.server.localObjects, "the owner still counts references"
    assert log.errors() == []
    again = value_of(wire.call("give"))
    assert again.luid != number and wire.server.localObjects[again.luid].refcount == 1


def observed_root(sides: Sides) -> Any:
    pb = sides.server.pb

    class Stock(pb.Cacheable):  # type: ignore[misc,name-defined]
        """As in the howto: it keeps its observers in a list."""

        def __init__(self) -> None:
            self.observers: list[Any] = []

        def getTypeToCopy(self) -> bytes:
            return TAG

        def getStateToCacheAndObserveFor(self, _perspective: Any, observer: Any) -> Any:
            self.observers.append(observer)
            return {"price": 10}

        def stoppedObserving(self, _perspective: Any, observer: Any) -> None:
            self.observers.remove(observer)

    class Market(pb.Root):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.stock = Stock()

        def remote_stock(self) -> Any:
            return self.stock

    class RemoteStock(sides.client.pb.RemoteCache):  # type: ignore[misc,name-defined]
        pass

    sides.client.pb.setUnjellyableForClass(TAG, RemoteStock)
    return Market()


@defect("ours", "our-server", stock="observer leaked")
def test_9671_observers_of_two_clients(sides: Sides) -> None:
    """Observers of two clients cannot be compared, so the howto's ``observers.remove(observer)`` leaks one."""
    root = observed_root(sides)
    factory = sides.server.pb.PBServerFactory(root)
    first, second = Wire(sides, root, server_factory=factory), Wire(sides, root, server_factory=factory)
    held = [value_of(first.call("stock")), value_of(second.call("stock"))]
    assert len(root.stock.observers) == 2
    survivor = root.stock.observers[0]
    with logged() as log:
        held.pop()
        collect()
        second.pump()
        assert root.stock.observers == [survivor], "observer leaked"
        first.lose()
    assert root.stock.observers == [], "observer leaked at the loss"
    assert log.errors() == []


@defect("ours", "our-server", stock="not supported|TypeError", raises=TypeError)
def test_9671_observers_compare(sides: Sides) -> None:
    """Comparing a cache observer with None or with one of another client raises TypeError."""
    root = observed_root(sides)
    first, second = Wire(sides, root), Wire(sides, root)
    held = [value_of(first.call("stock")), value_of(second.call("stock"))]
    one, other = root.stock.observers
    assert (one == None) is False  # noqa: E711 (the operator is what is tested)
    assert (one == other) is False
    assert one != other and one == one
    assert [other, one].index(one) == 1
    assert len({one, other}) == 2
    assert len(held) == 2
