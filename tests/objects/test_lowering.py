"""The short way for references: what it makes is what the long way makes, and it leaves the rest to that."""

from __future__ import annotations

from typing import Any

import pytest

import broker
from broker._objects import lowering
from broker._objects.lowering import NOT_SHORT, lift_shortly, lower_shortly
from broker.errors import InsecureJelly
from broker.testing import Pair, pair


class Item(broker.Referenceable):
    pass


class Special(broker.Referenceable):
    """Lowers itself in its own way."""

    def jellyFor(self, jellier: Any) -> Any:
        return [b"remote", jellier.invoker.registerReference(ITEM)]


class Echo(broker.Root):
    def __init__(self) -> None:
        self.got: list[Any] = []

    def remote_take(self, *args: Any) -> Any:
        self.got.append(args)
        return args[0] if len(args) == 1 else args

    def remote_make(self) -> Any:
        return Item()


ITEM = Item()


@pytest.fixture
def connected() -> Pair:
    return pair(Echo())


def results(connected: Pair, *args: Any) -> Any:
    found: list[Any] = []
    connected.root.callRemote("take", *args).addBoth(found.append)
    connected.flush()
    return found[0]


ARGUMENTS: list[Any] = [
    (ITEM,),
    (ITEM, ITEM, 3),
    (ITEM, "text", None, True, 1.5, b"bytes", -7),
    (ITEM, "t\xe4xt"),
    (ITEM, [1]),
    ([ITEM],),
    ((ITEM, ITEM),),
    (Special(),),
    (ITEM, *range(30)),
]


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_both_ways_say_and_hear_the_same(
    connected: Pair, arguments: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_short = results(connected, *arguments)
    counted = connected.client.statistics(), connected.server.statistics()
    ways = [0, 0]

    def never(way: int) -> Any:
        def count(*args: Any) -> Any:
            ways[way] += 1
            return NOT_SHORT

        return count

    monkeypatch.setattr(lowering, "lower_shortly", never(0))
    monkeypatch.setattr(lowering, "lift_shortly", never(1))
    arguments = tuple(ITEM if isinstance(argument, Special) else argument for argument in arguments)
    assert results(connected, *arguments) == with_short == (arguments[0] if len(arguments) == 1 else arguments)
    assert min(ways) > 0
    del with_short
    assert (connected.client.statistics(), connected.server.statistics()) == counted


def test_what_it_takes_and_what_it_leaves(connected: Pair) -> None:
    ours = connected.root.broker
    number = lower_shortly(ours, ITEM, True)[1]
    form = [b"tuple", [b"remote", number], "a", [b"local", b"root"]]
    assert lower_shortly(ours, (ITEM, "a", connected.root), True) == form
    for left in ([ITEM], {1: ITEM}, (ITEM, "\xe4"), (ITEM, Special()), (ITEM, 2j), (*range(16), ITEM), Item):
        assert lower_shortly(ours, left, True) is NOT_SHORT
    assert lower_shortly(ours, (ITEM, "a"), False) is NOT_SHORT
    assert lift_shortly(ours, [b"tuple", [b"local", number], 3]) == (ITEM, 3)
    for left in ([b"remote", b"1"], [b"remote"], [b"tuple", [b"cached", 1]], [b"list", 1], [b"tuple", []], 5, []):
        assert lift_shortly(ours, left) is NOT_SHORT


def test_of_somebody_else_is_refused_by_the_long_way(connected: Pair) -> None:
    other = pair(Echo())
    assert lower_shortly(connected.root.broker, other.root, True) is NOT_SHORT
    assert results(connected, other.root).check(InsecureJelly)


def test_an_own_meaning_of_remote_is_kept(connected: Pair) -> None:
    registry = broker.Registry(connected.root.broker.registry)

    class Own(broker.RemoteReference):
        pass

    registry.setUnjellyableForClass(b"remote", Own)
    connected.root.broker.registry = registry
    found: list[Any] = []
    connected.root.callRemote("make").addCallback(found.append)
    connected.flush()
    assert type(found[0]) is Own
