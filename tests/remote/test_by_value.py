"""Instances of classes that are registered cross by value here as well, unless everything goes by reference."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest

from broker import Registry, globalRegistry
from broker.testing.harness import Pairs
from broker.transparent import HANDLES, LIVE, SHARED, Policy, ref, value
from tests.remote.scene import Tree, proxied


@dataclass(frozen=True)
class Point:
    x: int
    y: int


class Colour(Enum):
    RED = 1


def registry() -> Registry:
    made = Registry(globalRegistry)
    made.passByValue(Point)
    made.passByValue(Colour)
    return made


@pytest.mark.parametrize("policy", [LIVE, SHARED], ids=["live", "shared"])
@pytest.mark.parametrize("thing", [Point(1, 2), Colour.RED, [Point(1, 2), {"a": Colour.RED}]], ids=repr)
def test_there_and_back(pairs: Pairs, policy: Policy, thing: Any) -> None:
    tree = Tree()
    _, proxy = proxied(pairs, tree, policy, registry=registry())
    proxy.hold(thing)
    assert tree.held == thing and type(tree.held) is type(thing)
    back = value(proxy.echo(thing)) if policy is LIVE and isinstance(thing, list) else proxy.echo(thing)
    assert back == thing and type(back) is type(thing)


def test_a_server_may_say_otherwise(pairs: Pairs) -> None:
    class Shop:
        def point(self) -> Any:
            return ref(Point(3, 4))

    _, proxy = proxied(pairs, Shop(), LIVE, registry=registry())
    assert type(proxy.point()) is not Point and proxy.point() == Point(3, 4)


def test_handles_are_handles(pairs: Pairs) -> None:
    _, proxy = proxied(pairs, Tree(), HANDLES, registry=registry())
    assert type(proxy.echo(1)) is not int
    assert value(proxy.echo(Point(1, 2))) == Point(1, 2)
    assert type(proxy.echo(Point(1, 2))) is not Point


def test_what_is_not_registered_is_referred_to(pairs: Pairs) -> None:
    tree = Tree()
    _, proxy = proxied(pairs, tree, LIVE)
    proxy.hold(Point(1, 2))
    assert type(tree.held) is not Point
    tree.held = None
