"""Live proxies: they read like the objects they stand for, and say nothing that nobody asked them."""

from __future__ import annotations

import collections.abc
import copy
import gc
import math
import numbers
import operator
import pickle
import threading
from typing import Any

import pytest
from twisted.internet.task import Clock

from broker._objects.reference import RemoteReference
from broker.errors import DeadReferenceError, InsecureJelly
from broker.testing import assert_empty
from broker.testing.harness import Pairs
from broker.transparent import (
    EXPOSED,
    HANDLES,
    LIVE,
    NATIVE,
    PB,
    SHARED,
    Expose,
    HiddenVerb,
    activate,
    describe,
    export,
    expose,
    live,
    ops,
    reference,
    release,
    same,
    value,
)
from tests.remote.scene import Num, Tree, Waiting, counted, proxied

WRITABLE = LIVE.but(expose=HANDLES.expose)


def test_attributes_and_calls(pairs: Pairs) -> None:
    tree = Tree()
    pair, proxy = proxied(pairs, tree, WRITABLE)
    with counted(pair) as messages:
        assert proxy.value == 4 and proxy.kind == "tree"
        proxy.value = 5
        del proxy.held
        assert proxy.echo(1) == 1 and proxy.echo(name=1, verb=2)["verb"] == 2
    assert messages.calls == 7, "a method is read and called in one message"
    assert tree.value == 5 and not hasattr(tree, "held")
    assert proxy.child(0) is proxy.child(0), "one object, one proxy"
    assert proxy.me() is proxy


def test_the_proxy_of_the_owner_is_its_object(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Tree())
    assert proxy.is_me(proxy) is True
    assert proxy.is_me(proxy.child(0)) is False
    assert proxy.child(0).is_me(proxy.child(0)) is True
    assert proxy.call(proxy.is_me, proxy) is True, "a method of it is its method"


def test_operands_are_what_they_are_at_the_owner(pairs: Pairs) -> None:
    tree = Tree()
    pair, proxy = proxied(pairs, tree)
    listed = proxy.items
    assert (listed == [1, 2, 3]) is True and (listed != [1, 2, 3]) is False
    assert ([1, 2, 3] == listed) is True
    assert (listed == [1]) is False and (listed == "text") is False
    assert value(listed + [4]) == [1, 2, 3, 4]
    assert value([0] + listed) == [0, 1, 2, 3]
    assert value(listed * 2) == [1, 2, 3, 1, 2, 3]
    assert 1 + proxy.value == 5
    number = proxy.number
    assert int(number + 1) == 6 and int(1 + number) == 6 and int(number + number) == 10
    assert number == 5 and number != 6 and number < 6 and 6 > number and not number < 5
    assert hash(number) == hash(5)
    with pytest.raises(TypeError):
        hash(listed)
    with pytest.raises(TypeError, match="can only concatenate"):
        operator.add(listed, 1)


def test_in_place_operators_keep_the_proxy(pairs: Pairs) -> None:
    tree = Tree()
    pair, proxy = proxied(pairs, tree, WRITABLE)
    listed, number = proxy.items, proxy.number
    before = listed, number
    listed += [4]
    number += 2
    assert listed is before[0] and number is before[1]
    assert tree.items == [1, 2, 3, 4] and tree.number.value == 7
    proxy.items += [5]
    proxy.items[0] += 10
    proxy.table["a"] += 1
    proxy.value += 1
    assert tree.items == [11, 2, 3, 4, 5] and tree.table == {"a": 2} and tree.value == 5
    counted_value = proxy.value
    counted_value += 1
    assert counted_value == 6 and tree.value == 5


def test_containers(pairs: Pairs) -> None:
    tree = Tree()
    pair, proxy = proxied(pairs, tree)
    listed, table = proxy.items, proxy.table
    assert len(listed) == 3 and 2 in listed and 9 not in listed and listed[0] == 1
    assert listed[-1] == 3 and value(listed[1:]) == [2, 3]
    listed[0] = "new"
    del listed[1]
    listed.append(4)
    assert tree.items == ["new", 3, 4]
    assert list(listed) == ["new", 3, 4] and list(reversed(listed)) == [4, 3, "new"]
    assert sorted(proxy.child(0).items, reverse=True) == [3, 2, 1]
    table["b"] = 2
    assert table["b"] == 2 and table.get("c", 5) == 5 and set(table) == {"a", "b"}
    assert dict(table) == {"a": 1, "b": 2} == {**table}
    assert list(table.items()) == [("a", 1), ("b", 2)]
    with pytest.raises(KeyError):
        operator.getitem(table, "missing")
    with pytest.raises(IndexError):
        operator.getitem(listed, 99)
    first, *rest = listed
    assert (first, rest) == ("new", [3, 4])
    match listed:
        case [one, *_]:
            assert one == "new"
        case _:
            raise AssertionError("a proxy of a list is a sequence")


def test_conversions(pairs: Pairs) -> None:
    class Half:
        def __float__(self) -> float:
            return 0.5

        def __round__(self, digits: int | None = None) -> Any:
            return digits

        def __trunc__(self) -> int:
            return 1

        def __floor__(self) -> int:
            return 2

        def __ceil__(self) -> int:
            return 3

        def __index__(self) -> int:
            return 4

        def __complex__(self) -> complex:
            return 5j

        def __bytes__(self) -> bytes:
            return b"6"

        def __bool__(self) -> bool:
            return False

        def __neg__(self) -> str:
            return "neg"

        def __pow__(self, exponent: int, modulus: int | None = None) -> Any:
            return (exponent, modulus)

        def __format__(self, spec: str) -> str:
            return f"<{spec}>"

    pair, half = proxied(pairs, Half())
    assert float(half) == 0.5 and round(half) is None and round(half, 2) == 2
    assert (math.trunc(half), math.floor(half), math.ceil(half)) == (1, 2, 3)
    assert operator.index(half) == 4 and int(half) == 4 and complex(half) == 5j and bytes(half) == b"6"
    assert bool(half) is False and -half == "neg"
    assert half**2 == (2, None) and pow(half, 2, 3) == (2, 3)
    assert f"{half:>3}" == "<>3>" and [10, 11, 12, 13, 14][half] == 14
    assert isinstance(half, collections.abc.Hashable)


def test_what_the_type_lacks_the_proxy_lacks(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Tree())
    with counted(pair) as messages:
        assert not callable(proxy) and not hasattr(proxy, "__len__") and not hasattr(proxy, "__iter__")
        assert bool(proxy) is True
        for wrong in (
            len,
            iter,
            next,
            float,
            int,
            operator.index,
            reversed,
            lambda x: x[0],
            lambda x: x(),
            lambda x: x + 1,
        ):
            with pytest.raises(TypeError):
                wrong(proxy)
    assert messages.calls == 0
    assert callable(proxy.echo) and not isinstance(proxy, collections.abc.Iterable)


def test_a_miss_costs_nothing(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Tree())
    with counted(pair) as messages:
        assert not hasattr(proxy, "nosuch") and not hasattr(proxy, "_secret") and not hasattr(proxy.items, "keys")
        assert getattr(proxy, "nosuch", 5) == 5
    assert messages.calls == 1, "the list, and nothing else"


def test_new_attributes_are_seen_after_a_call(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Tree())
    assert not hasattr(proxy, "later")
    proxy.grow()
    assert proxy.later == 1 and "later" in dir(proxy)


def test_attributes_that_nobody_can_list_are_asked_for(pairs: Pairs) -> None:
    class Open:
        def __getattr__(self, name: str) -> str:
            if name.startswith("x"):
                return name
            raise AttributeError(name)

    pair, proxy = proxied(pairs, Open())
    assert proxy.xyz == "xyz"
    with counted(pair) as messages:
        assert not hasattr(proxy, "abc") and not hasattr(proxy, "__array__") and not hasattr(proxy, "_private")
    assert messages.calls <= 2


def test_a_new_instance_is_one_message(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Tree())
    with counted(pair) as messages:
        made = proxy.new()
    assert (messages.calls, messages.writes) == (1, 1)
    with counted(pair) as messages:
        again = proxy.new()
    assert messages.calls == 1 and type(made) is type(again)
    assert int(made) == 7


def test_listing_and_dropping_many(pairs: Pairs) -> None:
    tree = Tree()
    tree.items = [Num(number) for number in range(1000)]  # type: ignore[misc]
    tree.log = ["small"] * 1000
    pair, proxy = proxied(pairs, tree, clock=Clock())
    with counted(pair) as messages:
        assert len(list(proxy.log)) == 1000
    assert messages.calls <= 5
    with counted(pair) as messages:
        held = list(proxy.items)
    assert len(held) == 1000 and messages.calls <= 5
    tree.items = []
    with counted(pair) as messages:
        held.clear()
        gc.collect()
    assert messages.writes == 1, "one batch of releases"
    assert messages.others == (1 if pair.client.dialect == "broker/1" else 1000), "classic PB has a message for each"


def test_a_copy_is_one_message(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Tree())
    with counted(pair) as messages:
        table = proxy.table
        assert dict(value(table)) == {"a": 1}
    assert messages.calls == 2, "one for the proxy, one for all that is in it"
    with counted(pair) as messages:
        assert copy.deepcopy(table) == {"a": 1}
    assert messages.calls == 1
    other = copy.copy(table)
    assert other is not table and same(other, table)
    with pytest.raises(InsecureJelly, match="Num"):
        value(proxy.number)


# What a proxy is.


def test_a_proxy_does_not_lie_about_itself(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Tree())
    listed = proxy.items
    assert type(listed).__name__ == "Live" and listed.__class__ is type(listed)
    assert not isinstance(listed, list) and isinstance(listed, collections.abc.MutableSequence)
    assert isinstance(proxy.table, collections.abc.Mapping) and not isinstance(proxy.table, dict)
    assert not isinstance(listed, numbers.Number)
    assert ops.isinstance(listed, list) is True and ops.isinstance(proxy, Tree) is True
    assert ops.isinstance(proxy, Num) is False


def test_a_proxy_has_no_names_of_its_own(pairs: Pairs) -> None:
    class Everything:
        def __getattr__(self, name: str) -> str:
            return f"remote {name}"

    pair, proxy = proxied(pairs, Everything())
    for name in ("state", "reference", "value", "view", "node", "release", "describe", "callRemote", "broker", "kind"):
        assert getattr(proxy, name) == f"remote {name}"


def test_printing_and_logging_are_quiet(pairs: Pairs, capsys: pytest.CaptureFixture[str]) -> None:
    pair, proxy = proxied(pairs, Tree())
    listed = proxy.items
    with counted(pair) as messages:
        print(proxy, listed, f"{listed}", repr(listed), f"{proxy!r:>30}", [listed])
    assert messages.calls == 0
    assert "<Live Tree" in capsys.readouterr().out


def test_texts_are_remote_where_that_is_said(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Tree(), held=LIVE.but(text="str"))
    assert str(proxy.items) == "[1, 2, 3]" == f"{proxy.items}" and repr(proxy.items).startswith("<Live list")
    other = live(proxy, LIVE.but(text="remote"), transport=Waiting(pair))
    listed = other.items
    assert repr(listed) == "[1, 2, 3]"
    pair.drop()
    assert repr(listed).startswith("<Live list"), "a text, whatever happened"


def test_documentation_and_signatures(pairs: Pairs) -> None:
    class Documented:
        """About it."""

        def method(self, one: int, *, two: str = "x") -> None:
            """Do it."""

        @staticmethod
        def still(one: list[Any]) -> None:
            pass

        @classmethod
        def classy(cls, one: Unknown = None) -> None:  # type: ignore[name-defined]  # noqa: F821
            pass

        def any(*args: int) -> None:
            pass

    pair, proxy = proxied(pairs, Documented())
    told = describe(proxy)
    assert told.doc() == "About it." and told.doc("method") == "Do it."
    assert told.signature("method") == "(one: int, *, two: str = 'x') -> None"
    assert told.signature("still") == "(one: list[Any]) -> None"
    assert told.signature("classy") == "(one: Unknown = None) -> None"
    assert told.signature("any") == "(*args: int) -> None"
    assert told.methods == ("any", "classy", "method", "still")
    assert told.mro[0].endswith("Documented") and told.doc("nosuch") is None
    assert "method" in repr(told) and "method" in dir(proxy)


def test_nothing_hidden_is_told(pairs: Pairs) -> None:
    class Careful:
        """Secret words."""

        _buried = 1
        other = 2

        def __init__(self) -> None:
            self._own = 1

        @expose
        def shown(self) -> Any:
            return self

        def buried(self) -> None:
            """More secret words."""

    pair = pairs(export(Careful(), EXPOSED))
    proxy = live(pair.root, EXPOSED, transport=Waiting(pair))
    told = describe(proxy)
    assert told.methods == ("shown",) and told.attributes == () and told.operations == ()
    assert dir(proxy) == ["shown"]
    old = pairs(export(Careful(), PB))
    with pytest.raises(HiddenVerb):
        live(old.root, transport=Waiting(old))
    with pytest.raises(HiddenVerb):
        old.result(describe(old.root))
    told_by_both = b"".join(data for _, data in [*pair.transcript, *old.transcript])
    for word in (b"buried", b"_own", b"More secret"):
        assert word not in told_by_both


def test_pickling_is_refused(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Tree())
    with counted(pair) as messages, pytest.raises(TypeError, match="pickled"):
        pickle.dumps(proxy)
    assert messages.calls == 0


def test_helpers(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Tree())
    listed = proxy.items
    assert isinstance(reference(listed), RemoteReference) and same(listed, reference(listed))
    assert not same(listed, proxy)
    with pytest.raises(TypeError):
        reference(5)
    release(listed)
    with pytest.raises(DeadReferenceError, match="released"):
        len(listed)
    assert repr(listed) == "<released proxy>"
    assert proxy.items is not listed and len(proxy.items) == 3


# Presets, as they are held.


def test_handles(pairs: Pairs) -> None:
    tree = Tree()
    pair, proxy = proxied(pairs, tree, HANDLES)
    four = proxy.value
    assert type(four).__name__ == "Live" and int(four) == 4 and str(value(four)) == "4"
    nothing = proxy.note("x")
    assert type(nothing).__name__ == "Live" and value(nothing) is None
    assert int(four + proxy.echo(1)) == 5
    equal = four == 4
    assert type(equal).__name__ == "Live" and bool(equal) is True
    proxy.hold([four, {"k": four}])
    assert tree.held == [4, {"k": 4}], "handles inside containers are resolved"
    proxy.table[four] = 5
    assert tree.table[4] == 5  # type: ignore[index]
    with pytest.raises(InsecureJelly):
        proxy.hold(Num(1))


def test_shared_objects(pairs: Pairs) -> None:
    tree = Tree()
    pair, proxy = proxied(pairs, tree, SHARED)
    assert proxy.echo([1, [2]]) == [1, [2]]
    assert list(proxy.count(3)) == [0, 1, 2]
    assert not hasattr(proxy, "value"), "methods only"
    assert str(proxy).startswith("<tests.remote.scene.Tree") and repr(proxy).startswith("<Live ")
    with pytest.raises(InsecureJelly):
        proxy.new()
    table = {"a": 1}
    pair, shared = proxied(pairs, table, SHARED)
    pair, listed = proxied(pairs, [1], SHARED)
    before = listed
    listed += [2]
    assert listed is before and listed == [1, 2], "itself, and not a copy, though results are copies"
    assert list(shared.keys()) == ["a"] and shared == {"a": 1} and shared["a"] == 1 and str(shared) == "{'a': 1}"


def test_inert_until_activated(pairs: Pairs) -> None:
    tree = Tree()
    pair, proxy = proxied(pairs, tree, NATIVE)
    with counted(pair) as messages:
        assert "Inert" in repr(proxy) and "Inert" in str(proxy) and type(proxy).__name__ == "Inert"
        assert not callable(proxy)
        for wrong in (len, iter, lambda x: x[0], lambda x: x(), lambda x: x + 1):
            with pytest.raises(TypeError):
                wrong(proxy)
        with pytest.raises(AttributeError, match="activate"):
            getattr(proxy, "value")  # noqa: B009
        active = activate(proxy)
    assert messages.calls == 0
    assert active.value == 4 and active.items[0] == 1, "what an active one returns is active"
    assert active.is_me(proxy) and active.is_me(active)
    assert (active.items + [4])[3] == 4 and active.items == [1, 2, 3]
    assert repr(proxy).startswith("<Inert")
    separate, other = proxied(pairs, Tree(), NATIVE.but(inherit=False))
    assert type(activate(other).items).__name__ == "Inert"


def test_identity_is_compared_here_where_that_is_said(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Tree(), held=LIVE.but(compare="identity"))
    listed = proxy.items
    with counted(pair) as messages:
        assert listed != [1, 2, 3] and listed == copy.copy(listed) and {listed: 1}[listed] == 1
    assert messages.calls == 0


def test_operations_that_are_not_offered(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, [1], LIVE.but(expose=Expose(dunders=frozenset(("__len__",)))))
    assert len(proxy) == 1
    with pytest.raises(TypeError):
        proxy[0]
    assert not hasattr(proxy, "append")


def test_a_local_operand_that_cannot_cross_gets_its_chance(pairs: Pairs) -> None:
    class Local:
        def __radd__(self, other: Any) -> str:
            return "local"

        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    pair, proxy = proxied(pairs, Tree(), held=HANDLES)
    assert proxy.items + Local() == "local"
    assert proxy.items == Local()


# Without waiting.


def test_a_proxy_that_does_not_wait(pairs: Pairs) -> None:
    tree = Tree()
    pair = pairs(export(tree, LIVE))
    proxy = pair.result(live(pair.root))
    listed = pair.result(proxy.items)
    assert pair.result(proxy.child(0)) is pair.result(proxy.child(0))
    assert pair.result(listed[0]) == 1 and pair.result(value(pair.result(listed + [4]))) == [1, 2, 3, 4]
    assert pair.result(ops.int(pair.result(pair.result(proxy.number) + 1))) == 6
    assert pair.result(ops.len(listed)) == 3
    for wrong, named in {
        len: "ops.len",
        bool: "ops.bool",
        iter: "async for",
        int: "int",
        (lambda x: 1 in x): "ops.contains",
        (lambda x: operator.setitem(x, 0, 1)): "ops.setitem",
    }.items():
        with pytest.raises(TypeError, match=named):
            wrong(listed)  # type: ignore[operator]
    with pytest.raises(TypeError, match="ops.setattr"):
        proxy.value = 5
    with pytest.raises(TypeError, match="value"):
        copy.deepcopy(listed)
    assert listed != [1, 2, 3] and hash(listed) and f"{listed}" == repr(listed)
    with pytest.raises(TypeError, match="ops.format"):
        f"{listed:>10}"
    again = pair.result(live(pair.root))
    assert again is proxy


def test_nothing_is_left_after_proxies_of_any_thread(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Tree())
    held = [proxy.new() for _ in range(50)]
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    gc.collect()
    assert proxy.value == 4
    release(proxy)
    assert_empty(pair)


def test_waiting_for_a_type_is_one_message_and_knowing_it_none(pairs: Pairs) -> None:
    pair = pairs(export(Tree(), LIVE))
    root = pair.root
    with counted(pair) as messages:
        proxy = pair.result(live(root))
        assert live(root).called
    assert messages.calls == 1 and same(proxy, root)
    with pytest.raises(TypeError):
        live(5)
