"""Copies that are kept up to date: sent once, updated, sent home, dropped, received again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from broker import Cacheable, InsecureJelly, ProtocolError, Registry, RemoteCache, Root, globalRegistry
from broker.testing import Pair, tables
from broker.testing.harness import Pairs


class Stock(Cacheable):
    def __init__(self) -> None:
        self.observers: list[Any] = []
        self.perspectives: list[Any] = []
        self.price = 1

    def getStateToCacheAndObserveFor(self, perspective: Any, observer: Any) -> dict[str, Any]:
        self.observers.append(observer)
        return {"price": self.price}

    def stoppedObserving(self, perspective: Any, observer: Any) -> None:
        self.observers.remove(observer)

    def set(self, price: int) -> list[Deferred[Any]]:
        self.price = price
        return [observer.callRemote("set", price) for observer in self.observers]


class StockCopy(RemoteCache):
    price: int

    def observe_set(self, price: int) -> int:
        self.price = price
        return price + 1


class Empty(StockCopy):
    """A copy that is false."""

    def __len__(self) -> int:
        return 0


class Unreadable(StockCopy):
    def setCopyableState(self, state: Any) -> None:
        raise ValueError("no state for me")


class Replaces(StockCopy):
    """A copy that replaces its attributes rather than updating them."""

    def setCopyableState(self, state: Any) -> None:
        self.__dict__ = {**state, "own": True}


class Exchange(Root):
    def __init__(self) -> None:
        self.stock = Stock()

    def remote_stock(self) -> Stock:
        return self.stock

    def remote_is_stock(self, other: Any) -> bool:
        return other is self.stock

    def remote_take(self, *values: Any) -> int:
        return len(values)


@pytest.fixture(params=[StockCopy, Empty, Replaces], ids=lambda cls: cls.__name__)
def registry(request: pytest.FixtureRequest) -> Iterator[Registry]:
    made = Registry(globalRegistry)
    made.setUnjellyableForClass(Stock, request.param)
    yield made


def kind(cls: type) -> Registry:
    made = Registry(globalRegistry)
    made.setUnjellyableForClass(Stock, cls)
    return made


def collect(pair: Pair) -> None:
    gc.collect()
    pair.flush()


def test_a_copy_is_updated_and_goes_home(pairs: Pairs, registry: Registry) -> None:
    exchange = Exchange()
    pair = pairs(exchange, registry=registry)
    root = pair.root
    copy = pair.call(root, "stock")
    assert copy.price == 1
    assert [pair.result(told) for told in exchange.stock.set(7)] == [8]
    assert copy.price == 7
    assert pair.call(root, "stock") is copy
    assert pair.call(root, "is_stock", copy) is True
    assert copy.broker is pair.client and copy.luid in pair.client.locallyCachedObjects


def test_observing_stops_when_the_copy_is_dropped(pairs: Pairs, registry: Registry) -> None:
    exchange = Exchange()
    pair = pairs(exchange, registry=registry)
    root = pair.root
    copies = [pair.call(root, "stock"), pair.call(root, "stock")]
    copies.pop()
    collect(pair)
    assert len(exchange.stock.observers) == 1
    copies.pop()
    collect(pair)
    assert exchange.stock.observers == []
    assert tables(pair.client)["cached_in"] == tables(pair.server)["cached_out"] == 0


def test_a_copy_dropped_and_received_again_has_its_state(pairs: Pairs) -> None:
    exchange = Exchange()
    pair = pairs(exchange, registry=kind(StockCopy))
    root = pair.root
    copies = [pair.call(root, "stock")]
    again = root.callRemote("stock")
    # The answer is on its way as the copy is dropped; the release crosses it.
    pair.deliver("server")
    copies.clear()
    gc.collect()
    (told,) = exchange.stock.set(5)
    copy = pair.result(again)
    assert pair.result(told) == 6 and copy.price == 5
    assert len(exchange.stock.observers) == 1
    (told,) = exchange.stock.set(6)
    assert pair.result(told) == 7 and copy.price == 6


def test_an_update_for_a_copy_that_nobody_holds_is_served(pairs: Pairs) -> None:
    exchange = Exchange()
    pair = pairs(exchange, registry=kind(StockCopy))
    pair.call(pair.root, "stock")
    (told,) = exchange.stock.set(5)
    gc.collect()
    assert pair.result(told) == 6
    assert pair.client.session.faults == pair.server.session.faults == 0


def test_losing_the_connection_stops_observing(pairs: Pairs) -> None:
    exchange = Exchange()
    pair = pairs(exchange, registry=kind(StockCopy))
    copy = pair.call(pair.root, "stock")
    pair.wire.drop()
    assert exchange.stock.observers == []
    # The copy stays what it was.
    assert copy.price == 1


def test_a_copy_whose_state_fails_is_released(pairs: Pairs) -> None:
    exchange = Exchange()
    pair = pairs(exchange, registry=kind(Unreadable))
    failure = pair.failure(pair.root.callRemote("stock"))
    assert isinstance(failure, ValueError)
    failure.__traceback__ = None
    collect(pair)
    assert exchange.stock.observers == []
    assert tables(pair.client)["cached_in"] == tables(pair.server)["cached_out"] == 0


def test_one_that_is_not_sent_after_all_is_not_spoken_of(pairs: Pairs) -> None:
    exchange, mine = Exchange(), Stock()
    pair = pairs(exchange, registry=kind(StockCopy))
    root = pair.root
    assert isinstance(pair.failure(root.callRemote("take", mine, object())), InsecureJelly)
    assert mine.observers == [] and tables(pair.client)["cached_out"] == 0
    # Not even to take back what was never said: a stock peer hangs up on that.
    assert pair.call(root, "take") == 0
    assert pair.server.session.faults == 0
    assert b"\x1f\x87" not in b"".join(data for _, data in pair.transcript)
    assert pair.call(root, "take", mine) == 1


def test_an_observer_is_of_no_use_before_the_copy_is_sent(pairs: Pairs) -> None:
    told: list[Any] = []

    class Eager(Stock):
        def getStateToCacheAndObserveFor(self, perspective: Any, observer: Any) -> dict[str, Any]:
            with pytest.raises(ProtocolError):
                observer.callRemote("set", 3)
            told.append(observer)
            return super().getStateToCacheAndObserveFor(perspective, observer)

    exchange = Exchange()
    exchange.stock = Eager()
    registry = Registry(globalRegistry)
    registry.setUnjellyableForClass(Eager, StockCopy)
    pair = pairs(exchange, registry=registry)
    copy = pair.call(pair.root, "stock")
    assert pair.result(told[0].callRemote("set", 3)) == 4 and copy.price == 3


def test_a_copy_goes_to_its_owner_only(pairs: Pairs) -> None:
    first, second = (pairs(Exchange(), registry=kind(StockCopy)) for _ in range(2))
    copy = first.call(first.root, "stock")
    assert isinstance(second.failure(second.root.callRemote("take", copy)), InsecureJelly)


def test_a_holder_that_raises_tells_the_owner(pairs: Pairs) -> None:
    class Fragile(StockCopy):
        def observe_set(self, price: int) -> int:
            raise ValueError("not this price")

    exchange = Exchange()
    pair = pairs(exchange, registry=kind(Fragile))
    copy = pair.call(pair.root, "stock")
    (told,) = exchange.stock.set(13)
    assert isinstance(pair.failure(told), ValueError)
    assert len(pairs.flush_logged(ValueError)) == 1
    assert copy.price == 1
