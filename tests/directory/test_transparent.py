"""Names for those who look at a directory as at a local object."""

from __future__ import annotations

from typing import Any

import pytest

from broker import Referenceable, Root
from broker.errors import InsecureJelly, NameTaken, NotAllowed, UnknownName
from broker.names import WRITE, Directory, directory
from broker.service import BuiltinRoot
from broker.testing import Pair
from broker.testing.harness import Pairs
from broker.transparent import EXPOSED, LIVE, describe, export, expose, expr, live, reference, transmit, value
from tests.directory.test_directory import Counter, Shop, settle
from tests.remote.scene import Waiting, counted


class Through(Waiting):
    """Waits for answers that come over several wires."""

    def __init__(self, pair: Pair, *others: Pair) -> None:
        super().__init__(pair)
        self.others = others

    def perform(self, reference: Any, program: Any) -> Any:
        answer = transmit(reference, program)
        settle(self.pair, *self.others, self.pair)
        return self.pair.result(answer)


def test_what_is_fetched_is_a_proxy_at_once(pairs: Pairs) -> None:
    names = directory()
    names.export(Shop(), "shop")
    names.export(export([1, 2], LIVE), "items")
    names.export({"a": 1}, "value")
    names.export(Counter(), "counter")
    pair = pairs(names)
    root = live(pair.root, transport=Waiting(pair))
    assert root.browse() == {"counter": "object", "items": "object", "shop": "object", "value": "value"}
    assert root.fetch("value") == {"a": 1}
    with counted(pair) as messages:
        assert root.fetch("shop").price("tea") == 3
    assert messages.calls == 2
    root.fetch("items").append(3)
    assert list(root.fetch("items")) == [1, 2, 3]
    assert pair.call(reference(root.fetch("counter")), "add", 2) == 2
    assert pair.result(expr(pair.root).fetch("shop").price("milk").deferred()) == 4
    with pytest.raises(UnknownName, match="there is no name 'x'"):
        root.fetch("x")
    with pytest.raises(NotAllowed, match="store is not allowed here"):
        root.store(1)
    with pytest.raises(AttributeError):
        root.close()
    assert describe(root).doc("fetch").startswith("fetch(name")
    assert describe(root).signature("fetch") == "(name: str, want: str = 'auto') -> Any"
    assert repr(root).startswith("<Live directory ")
    with pytest.raises(AttributeError, match="'directory' object has no attribute 'fetsch'"):
        root.fetsch("shop")


class Room:
    """What is registered: it returns itself, and another one that may be registered or not."""

    def __init__(self, other: Any = None) -> None:
        self.other = other

    @expose
    def me(self) -> Room:
        return self

    @expose
    def next(self) -> Any:
        return self.other


def test_objects_with_names_come_back_as_proxies(pairs: Pairs) -> None:
    """As Pyro has it: what is registered is a proxy wherever it turns up, what is not may not be sent."""
    names, hall = directory(), Room(Room())
    names.export(hall, "hall")
    names.export(Room(hall), "door")
    pair = pairs(names)
    root = live(pair.root, transport=Waiting(pair))
    found = root.fetch("hall")
    assert found.me() is found
    assert root.fetch("door").next() is found
    with pytest.raises(InsecureJelly, match="Room may not be sent"):
        found.next()
    alone = pairs(export(Room(), EXPOSED))
    assert reference(alone.result(expr(alone.root).me().deferred())).broker is alone.client


def test_handles_are_proxies(pairs: Pairs) -> None:
    names = directory(WRITE)
    pair = pairs(names)
    root = live(pair.root, transport=Waiting(pair))
    handle = root.store([1, 2])
    assert handle[0] == 1 and value(handle) == [1, 2]
    root.attach(handle, "list")
    root.export("text", "text")
    assert root.browse() == {"list": "value", "text": "value"}
    assert root.fetch("list", want="ref") is handle
    with pytest.raises(NameTaken):
        root.attach(handle, "list")
    root.withdraw("text")
    assert names.browse() == {"list": "value"}


def test_an_exported_object_keeps_its_policy_under_another_name(pairs: Pairs) -> None:
    names, items = directory(WRITE), [1]
    names.export(export(items, LIVE), "items")
    pair = pairs(names)
    root = live(pair.root, transport=Waiting(pair))
    root.attach(root.fetch("items"), "alias")
    root.fetch("alias").append(2)
    assert items == [1, 2] and names.browse()["alias"] == "object"


def test_clients_publish_any_object_and_others_use_it(pairs: Pairs) -> None:
    names = directory(WRITE)
    one, other = pairs(names), pairs(names)
    live(one.root, transport=Through(one)).export(Shop(), "shop")
    root = live(other.root, transport=Through(other, one))
    assert root.browse() == {"shop": "client"}
    shop = root.fetch("shop")
    assert shop.price("milk") == 4
    with pytest.raises(NotAllowed, match="by that client only"):
        root.attach(shop, "mine")
    mine = live(one.root, transport=Through(one)).fetch("shop")
    assert type(mine) is Shop
    del shop
    settle(other, one)
    one.call(one.root, "withdraw", "shop")


def test_the_builtin_root_reads_like_a_local_object(pairs: Pairs) -> None:
    builtin = BuiltinRoot(names=directory(WRITE))
    pair = pairs(builtin)
    root = live(pair.root, transport=Waiting(pair))
    assert root.echo([1, {"a": (2,)}]) == [1, {"a": (2,)}] and root.ping() == "pong"
    assert root.methods() == builtin.remote_methods() == pair.call(pair.root, "methods")
    assert list(root.version()) == ["broker", "python", "twisted"] and root.time()
    root.export(5, "five")
    assert root.fetch("five") == 5 == pair.call(pair.root, "fetch", "five")
    assert set(describe(root).methods) == set(root.methods())
    for name in ("names", "root", "serve", "for_user", "_table"):
        with pytest.raises(AttributeError):
            getattr(root, name)
    assert reference(root) != pair.root and describe(root).name == "built-in root"


def test_a_directory_without_transparent_objects_says_so(pairs: Pairs) -> None:
    pair = pairs(Directory())
    with pytest.raises(TypeError, match="the object takes no operations"):
        live(pair.root, transport=Waiting(pair))


def test_a_value_that_an_object_is_in_is_refused(pairs: Pairs) -> None:
    names = directory(WRITE)
    pair = pairs(names)
    root = live(pair.root, transport=Waiting(pair))
    handle = root.store([1])
    for thing in ([handle], [Referenceable()], {"a": Root()}):
        with pytest.raises(Exception, match="cannot be kept"):
            root.export(thing, "x")
    assert names.browse() == {}
