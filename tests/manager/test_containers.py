"""Containers and values to share: they have what their originals have, and are references wherever they are."""

from __future__ import annotations

import array
import operator
from collections import deque
from multiprocessing.managers import SyncManager, public_methods
from typing import Any

import pytest
from twisted.internet.task import Clock

from broker._remote.names import FORWARDED, is_local
from broker._remote.proxy import Live
from broker._remote.verbs import Verb
from broker.errors import InsecureJelly
from broker.manager.policies import Policies
from broker.manager.registry import Types
from broker.manager.standard import standard_types
from broker.testing.harness import Pairs
from broker.transparent import value
from tests.manager.scene import Workers, clients

MADE: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "list": ([1, 2, 3], ([1, 2, 3],)),
    "dict": ({"a": 1}, ({"a": 1},)),
    "set": ({1, 2}, ([1, 2],)),
    "deque": (deque([1, 2], 5), ([1, 2], 5)),
    "Array": (array.array("i", [1, 2]), ("i", [1, 2])),
}
#: They want a file.
NOT_OFFERED = {"fromfile", "tofile"}


@pytest.mark.parametrize("typeid", MADE)
def test_everything_that_the_original_has(pairs: Pairs, typeid: str) -> None:
    _, ann = clients(pairs)
    original, args = MADE[typeid]
    proxy = ann.make(typeid, *args)
    names = {name for name in dir(original) if not name.startswith("_")} - NOT_OFFERED
    assert names <= set(dir(proxy))
    special = {name for name in FORWARDED if getattr(type(original), name, None) is not None}
    assert "__len__" in special and "__eq__" in special
    assert not {name for name in special if getattr(type(proxy), name, None) is None}
    assert not {name for name in NOT_OFFERED if name in dir(proxy)}
    # By name as well, as `_callmethod` does it.
    policy = Policies(standard_types()).of(typeid)
    for name in special:
        assert policy.check(None, original, Verb.CALL, name) == name


def test_everything_that_managers_have() -> None:
    """Every type of `multiprocessing.managers`, with every method that is exposed there."""
    types = standard_types()
    policies = Policies(types)
    services = {"clock": Clock(), "workers": Workers()}
    arguments: dict[str, tuple[Any, ...]] = {
        "Barrier": (2,),
        "Value": ("i", 1),
        "Array": ("i", [1]),
        "Pool": (1,),
        "AsyncResult": (),
    }
    registry: Any = SyncManager._registry  # type: ignore[attr-defined]
    for typeid, (make, exposed, _, proxytype) in registry.items():
        assert typeid in types, typeid
        if typeid in ("Iterator", "AsyncResult"):
            continue
        kind = types.get(typeid)
        resolved = kind.resolved()
        assert resolved is not None
        ours = resolved(*arguments.get(typeid, ()), **{name: services[name] for name in kind.needs})
        theirs = make(*arguments.get(typeid, ())) if exposed is None and not hasattr(proxytype, "_exposed_") else None
        names = exposed or getattr(proxytype, "_exposed_", None) or public_methods(theirs)
        for name in names:
            if is_local(name):
                # The right to use attributes.
                assert policies.of(typeid).expose.attributes
            else:
                assert hasattr(ours, name), f"{typeid}.{name}"
                assert policies.of(typeid).check(None, ours, Verb.CALL, name)


def test_operators(pairs: Pairs) -> None:
    _, ann = clients(pairs)
    items = ann.make("list", [1, 2])
    assert items == [1, 2] and items != [1] and not items < [1, 2]
    assert items + [3] == [1, 2, 3] and [0] + items == [0, 1, 2] and items * 2 == [1, 2, 1, 2]
    same = items
    items += [3]
    items *= 1
    assert items is same and items == [1, 2, 3] and items[1:] == [2, 3] and items[::-1] == [3, 2, 1]
    del items[0]
    items[0] = 5
    assert (list(items), len(items), 5 in items, list(reversed(items))) == ([5, 3], 2, True, [3, 5])
    table = ann.make("dict", {"a": 1}, b=2)
    table |= {"c": 3}
    assert table == {"a": 1, "b": 2, "c": 3} and table | {"d": 4} == {"a": 1, "b": 2, "c": 3, "d": 4}
    assert list(table.items()) == [("a", 1), ("b", 2), ("c", 3)] and table.pop("a") == 1
    some = ann.make("set", [1, 2])
    assert some | {3} == {1, 2, 3} and {1, 5} - some == {5} and some >= {1}
    some ^= {1}
    assert some == {2} and some.copy() == {2} and some.union([7]) == {2, 7}
    ends = ann.make("deque", [1, 2], 3)
    ends.extendleft([0])
    ends.append(9)
    assert (list(ends), ends.maxlen, ends.popleft(), ends.copy()) == ([1, 2, 9], 3, 1, [2, 9])
    numbers = ann.make("Array", "d", 2)
    numbers[0] = 1.5
    assert (list(numbers), numbers.typecode, numbers[0:1], numbers.tolist()) == ([1.5, 0.0], "d", [1.5], [1.5, 0.0])
    with pytest.raises(TypeError):
        numbers[0] = "text"


def test_texts(pairs: Pairs) -> None:
    _, ann = clients(pairs)
    for typeid, (original, args) in MADE.items():
        assert str(ann.make(typeid, *args)) == str(original)
        assert repr(ann.make(typeid, *args)).startswith(f"<Live {typeid} ")
    assert str(ann.make("set")) == "set()"
    assert str(ann.make("Namespace", x=1, _y=2)) == "Namespace(x=1)"
    assert str(ann.make("Value", "i", 3)) == "Value('i', 3)"


def test_nesting(pairs: Pairs) -> None:
    _, ann = clients(pairs)
    a, b = ann.make("list"), ann.make("list")
    a.append(b)
    assert (str(a), str(b)) == ("[[]]", "[]")
    b.append("hello")
    assert (str(a), str(b)) == ("[['hello']]", "['hello']")
    assert isinstance(a[0], Live) and a[0] is b
    copied = a[:]
    assert type(copied) is list and copied[0] is b
    (taken,) = value(a)
    assert taken is b
    table = ann.make("dict", inner=a)
    table["inner"][0].append("more")
    assert b == ["hello", "more"]
    assert table.copy()["inner"] is a
    assert ann.make("list", b) == ["hello", "more"], "made of one, not one of it"


def test_nested_types_are_what_they_are(pairs: Pairs) -> None:
    _, ann, bob = clients(pairs, 2)
    kept = ann.make("list", [ann.make("Lock"), ann.make("Namespace", x=1), ann.make("Queue")])
    lock, names, items = bob.take(ann, kept)[:]
    assert lock.acquire() is True and lock.release() is None
    names.y = 2
    items.put(names)
    assert items.get() is names and names.y == 2
    with pytest.raises(AttributeError):
        lock._holder  # noqa: B018
    assert "<Live Namespace" in repr(names)


def test_back_at_its_owner_it_is_the_object(pairs: Pairs) -> None:
    _, ann, bob = clients(pairs, 2)
    a = ann.make("list")
    a.append(a)
    assert a[0] is a and str(a) == "[[...]]"
    bobs = bob.take(ann, a)
    bobs.append(bobs)
    assert a[1] is a and len(a) == 2
    assert ann.make("list", [a]).index(a) == 0


def test_iteration(pairs: Pairs) -> None:
    _, ann = clients(pairs)
    items = ann.make("list", range(2500))
    before = len(ann.pair.transcript)
    assert list(items) == list(range(2500))
    assert len(ann.pair.transcript) - before <= 12, "in batches"
    table = ann.make("dict", {number: number for number in range(10)})
    seen = [(key, table[key]) for key in table]
    assert seen == [(number, number) for number in range(10)]
    many = ann.make("dict", {number: number for number in range(3000)})
    walk = iter(many)
    next(walk)
    many["new"] = 1
    with pytest.raises(RuntimeError, match="changed size"):
        list(walk)


def test_sorting_by_a_function_of_the_client(pairs: Pairs) -> None:
    _, ann = clients(pairs)
    items = ann.make("list", ["ccc", "a", "bb"])
    items.sort()
    assert items == ["a", "bb", "ccc"]
    items.sort(key=lambda text: -len(text))
    assert items == ["ccc", "bb", "a"]
    items.sort(key=len, reverse=False)
    assert items == ["a", "bb", "ccc"]

    later = ann.late(items)

    def changing(text: str) -> Any:
        return later.append("x").addCallback(lambda _: len(text))

    with pytest.raises(ValueError, match="modified"):
        items.sort(key=changing)

    def bad(text: str) -> int:
        raise KeyError(text)

    with pytest.raises(KeyError):
        items.sort(key=bad)
    pairs.flush_logged(KeyError)


def test_namespaces_and_values(pairs: Pairs) -> None:
    _, ann = clients(pairs)
    names = ann.make("Namespace", x=1)
    names.y = names.x + 1
    assert names.y == 2
    del names.x
    with pytest.raises(AttributeError):
        names.x  # noqa: B018
    with pytest.raises(AttributeError):
        names._hidden = 1
    number = ann.make("Value", "i", 4)
    number.value += 1
    assert (number.value, number.get()) == (5, 5)
    number.set(7)
    assert number.value == 7
    with pytest.raises(AttributeError):
        number.other = 1


def test_what_has_no_copy_is_refused_clearly(pairs: Pairs) -> None:
    _, ann = clients(pairs)
    with pytest.raises(InsecureJelly, match="cannot be copied"):
        value(ann.make("Namespace"))


@pytest.mark.parametrize("name", ["__class__", "__dict__", "__init__", "__reduce__", "_holder", "__setattr__"])
def test_what_is_not_offered(pairs: Pairs, name: str) -> None:
    _, ann = clients(pairs)
    for typeid in ("list", "Lock", "Namespace", "Value"):
        policy = Policies(Types(standard_types())).of(typeid)
        with pytest.raises((AttributeError, TypeError)):
            policy.check(None, object(), Verb.CALL, name)
    assert operator.length_hint(ann.make("list", [1])) == 1
