"""References: what is shared stays shared, and every cycle closes, through whatever it goes."""

from __future__ import annotations

from typing import Any

import pytest

from broker._values.jelly import Jellier, Jellyable
from broker._values.policy import SecurityOptions
from broker._values.registry import Registry, globalSecurity
from broker._values.unjelly import Unjellier, Unjellyable
from broker.errors import BadValue

U, R, D = b"unicode", b"reference", b"dereference"


class Node(Jellyable, Unjellyable):
    """Takes its state as a new dictionary, as RemoteCopy does: what patches the old one does not help."""

    def __init__(self, **state: Any) -> None:
        self.__dict__.update(state)

    def setStateFor(self, unjellier: Any, state: Any) -> None:
        self.__dict__ = dict(state)


class Keyed(Node):
    """Cannot be hashed before it has its state."""

    def __hash__(self) -> int:
        return hash(self.key)  # type: ignore[attr-defined]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keyed) and self.key == other.key  # type: ignore[attr-defined]


class Plain:
    def __init__(self, **state: Any) -> None:
        self.__dict__.update(state)


class Stated:
    def __init__(self, parts: Any) -> None:
        self.parts = parts

    def __getstate__(self) -> Any:
        return (self.parts,)

    def __setstate__(self, state: Any) -> None:
        (self.parts,) = state


ENTRIES = Registry()
for cls in (Node, Keyed):
    ENTRIES.setUnjellyableForClass(cls, cls)
POLICY = SecurityOptions()
POLICY.allowInstancesOf(Plain, Stated)


def there_and_back(value: Any) -> Any:
    form = Jellier(POLICY, strict=True).jelly(value)
    return Unjellier(POLICY, registry=ENTRIES).unjellyFull(form)


def lift(form: Any, registry: Registry = ENTRIES) -> Any:
    return Unjellier(globalSecurity, registry=registry).unjellyFull(form)


def test_shared_parts_stay_shared() -> None:
    part: Any
    for part in ([1], {"a": 1}, (1,), {1}, frozenset([1]), Node(a=1), Plain(a=1)):
        one, two = there_and_back([part, (part,)])
        assert one is two[0] and type(one) is type(part)


def test_none_and_texts_under_a_reference() -> None:
    assert lift([b"list", [R, 1, [b"None"]], [D, 1], [R, 2, [U, b"x"]], [D, 2], [R, 3, 5], [D, 3]]) == [
        None,
        None,
        "x",
        "x",
        5,
        5,
    ]


def test_list() -> None:
    value: list[Any] = []
    value.append(value)
    made = there_and_back(value)
    assert made[0] is made


def test_dictionary() -> None:
    value: dict[str, Any] = {}
    value["me"] = [value]
    made = there_and_back(value)
    assert made["me"][0] is made


def test_tuple() -> None:
    value: tuple[Any, ...] = ([], {}, [])
    value[0].append(value)
    value[1]["k"] = value
    value[2].append((value, value[0]))
    made = there_and_back(value)
    assert made[0][0] is made and made[1]["k"] is made
    assert made[2][0][0] is made and made[2][0][1] is made[0]


def test_tuples_in_tuples() -> None:
    hold: list[Any] = []
    inner = (hold,)
    outer = (inner, 5)
    hold += [inner, outer]
    made = there_and_back(outer)
    assert made[0][0] == [made[0], made] and made[0][0][1] is made and made[0][0][0] is made[0]


def test_node_with_itself() -> None:
    node = Node()
    node.me, node.all, node.by = node, [node], {"k": (node,)}  # type: ignore[attr-defined]
    made = there_and_back(node)
    assert type(made) is Node
    assert made.me is made and made.all[0] is made and made.by["k"][0] is made


@pytest.mark.parametrize("cls", [Node, Plain])
def test_two_nodes(cls: Any) -> None:
    one = cls()
    two = cls(other=one)
    one.other = two
    made = there_and_back([two, one])
    assert made[0].other is made[1] and made[1].other is made[0]


@pytest.mark.parametrize("cls", [Node, Plain])
def test_node_in_a_tuple_that_it_has(cls: Any) -> None:
    node = cls()
    node.whole = pair = (node, 1)
    made = there_and_back(node)
    assert made.whole[0] is made and type(made.whole) is tuple
    made = there_and_back(pair)
    assert type(made) is tuple and made[0].whole is made


@pytest.mark.parametrize("cls", [Node, Plain])
def test_node_in_a_frozenset_that_it_has(cls: Any) -> None:
    node = cls()
    node.whole = frozenset([node])
    made = there_and_back(node)
    assert made.whole == {made} and type(made.whole) is frozenset
    made = there_and_back(node.whole)
    (inner,) = made
    assert inner.whole is made


@pytest.mark.parametrize("cls", [Node, Plain])
def test_node_deep_in_a_tuple_that_it_has(cls: Any) -> None:
    node = cls()
    pair = ([{"k": node}], (node, (node,)))
    node.whole, node.nested = pair, [pair]
    made = there_and_back(pair)
    inner = made[1][0]
    assert made[0][0]["k"] is inner and made[1][1][0] is inner
    assert inner.whole is made and inner.nested[0] is made


@pytest.mark.parametrize("cls", [Node, Plain, Keyed])
def test_node_in_its_own_set_and_as_its_own_key(cls: Any) -> None:
    node = cls(key=7)
    node.set, node.dict, node.keys = {node}, {node: node}, {(node, 1): 2}
    made = there_and_back(node)
    assert list(made.set) == [made] and made in made.set
    assert made.dict[made] is made
    assert made.keys[made, 1] == 2 and next(iter(made.keys))[0] is made


def test_hook_sees_its_neighbours_complete() -> None:
    # B's hook runs while A is not complete; A is in B's set all the same, for hashing a blank A is no risk.
    sizes = []

    class Sized(Node):
        def setStateFor(self, unjellier: Any, state: Any) -> None:
            super().setStateFor(unjellier, state)
            sizes.append(len(state["others"]))

    one, two = Sized(), Sized()
    one.others, two.others = {two}, {one}  # type: ignore[attr-defined]
    entries = Registry()
    entries.setUnjellyableForClass(Sized, Sized)
    made = lift(Jellier(globalSecurity).jelly(one), entries)
    assert sizes == [1, 1]
    (other,) = made.others
    assert other.others == {made}


def test_setstate_in_a_cycle() -> None:
    stated = Stated([])
    stated.parts.append(stated)
    made = there_and_back(stated)
    assert made.parts[0] is made


def test_reference_that_comes_second() -> None:
    # A hook that lowers its parts in another order than it sends them makes these.
    assert lift([b"tuple", [D, 1], [R, 1, [b"tuple", 5]]]) == ((5,), (5,))
    made = lift([b"list", [D, 1], [R, 1, [b"list", 5]]])
    assert made[0] is made[1] == [5]
    made = lift([b"dictionary", [[D, 1], [R, 1, [b"tuple", 5]]]])
    assert made == {(5,): (5,)}
    made = lift([b"list", [b"dictionary", [[D, 1], [D, 2]]], [R, 1, [U, b"k"]], [R, 2, [b"list", 5]]])
    assert made[0] == {"k": [5]} and made[0]["k"] is made[2]
    made = lift([b"list", [b"set", [D, 1]], [b"frozenset", [D, 1]], [R, 1, 5]])
    assert made == [{5}, frozenset([5]), 5]
    made = lift([b"list", [b"tuple", [b"tuple", [D, 1]], 6], [R, 1, 5]])
    assert made == [((5,), 6), 5]
    made = lift([b"list", [b"tuple", [D, 1], [D, 2]], [R, 2, 6], [R, 1, 5]])
    assert made[0] == (5, 6)


def test_reference_that_comes_second_seen_by_a_hook() -> None:
    name = f"{__name__}.Node".encode()
    made = lift([b"list", [name, [b"dictionary", [[U, b"a"], [D, 1]]]], [R, 1, [b"list", 5]]])
    assert made[0].a is made[1] == [5]


def test_reference_in_a_reference() -> None:
    made = lift([b"list", [R, 2, [R, 1, [b"list", 5]]], [D, 1], [D, 2]])
    assert made[0] is made[1] is made[2]
    name = f"{__name__}.Node".encode()
    made = lift([R, 2, [R, 1, [name, [b"dictionary", [[U, b"a"], [D, 1]], [[U, b"b"], [D, 2]]]]]])
    assert made.a is made and made.b is made


class Proxy(Unjellyable):
    """Returns another object than the one it is called on."""

    def unjellyFor(self, unjellier: Any, expression: Any) -> Any:
        other = Node()
        other.__dict__ = unjellier.unjelly(expression[1])
        return other


PROXIES = Registry()
PROXIES.setUnjellyableForClass("proxy", Proxy)


@pytest.mark.parametrize(
    "form",
    [
        [D, 1],
        [b"list", [D, 1]],
        [b"tuple", [D, 1]],
        [b"tuple", 5, [b"tuple", [b"list", [D, 1]], [D, 1]]],
        [b"set", [D, 1]],
        [b"frozenset", [D, 1]],
        [b"dictionary", [[D, 1], 5]],
        [b"dictionary", [5, [D, 1]]],
        [b"dictionary", [[D, 1], [D, 1]]],
        [b"dictionary", [[b"tuple", [D, 1]], [D, 1]]],
        [R, 2, [b"tuple", [D, 1], [b"list", [D, 2]]]],
    ],
    ids=repr,
)
def test_hook_that_returns_another_object(form: Any) -> None:
    made = lift([R, 1, [b"proxy", [b"dictionary", [[U, b"part"], form]]]], PROXIES)
    assert type(made) is Node
    found = list(parts(made.part, set()))
    assert found and all(part is made for part in found)


def parts(value: Any, seen: set[int]) -> Any:
    """Yield the instances in a value."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, dict):
        for key, item in value.items():
            yield from parts(key, seen)
            yield from parts(item, seen)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from parts(item, seen)
    elif isinstance(value, (Node, Proxy)) or "complete" in repr(value):
        yield value


def test_tuple_that_a_hook_has_seen_stays_the_one() -> None:
    class Hidden(Node):
        def setStateFor(self, unjellier: Any, state: Any) -> None:
            self.pair, self.hidden = state["pair"], [list(state["pair"]), {"deep": state["pair"]}]

    entries = Registry()
    entries.setUnjellyableForClass("hidden", Hidden)
    made = lift([R, 1, [b"hidden", [b"dictionary", [[U, b"pair"], [b"tuple", [D, 1], 5]]]]], entries)
    assert made.hidden[0][0] is made and made.hidden[1]["deep"] is made.pair and made.pair[0] is made


def test_slots_are_put_right_too() -> None:
    class Slotted(Unjellyable):
        __slots__ = ("whole",)

        def unjellyFor(self, unjellier: Any, expression: Any) -> Any:
            self.whole = unjellier.unjelly(expression[1])
            return self

    entries = Registry()
    entries.setUnjellyableForClass("slotted", Slotted)
    made = lift([R, 1, [b"tuple", [b"slotted", [D, 1]]]], entries)
    assert made[0].whole is made


def test_factory_in_a_cycle() -> None:
    class Made:
        def __init__(self, state: Any) -> None:
            self.state = state

    entries = Registry()
    entries.setUnjellyableFactoryForClass("made", Made)
    made = lift([R, 1, [b"made", [b"dictionary", [[U, b"me"], [D, 1]]]]], entries)
    assert made.state["me"] is made
    made = lift([R, 1, [b"made", [D, 1]]], entries)
    assert made.state is made


def test_function_that_passes_on_what_it_lifts() -> None:
    entries = Registry()
    entries.setUnjellyableForClass("same", lambda unjellier, expression: unjellier.unjelly(expression[1]))
    made = lift([R, 1, [b"tuple", [b"list", [b"same", [D, 1]]]]], entries)
    assert made[0][0] is made
    with pytest.raises(BadValue, match="not complete"):
        lift([R, 1, [b"tuple", [R, 2, [b"same", [D, 1]]]]], entries)


def test_loop_of_a_thousand_nodes_through_a_list() -> None:
    nodes = [Node(number=number) for number in range(1000)]
    for node, follower in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
        node.peers = [node]  # type: ignore[attr-defined]
        node.next_number = follower.number  # type: ignore[attr-defined]
    made = there_and_back(nodes + nodes)
    assert all(one is two and one.peers[0] is one for one, two in zip(made[:1000], made[1000:], strict=True))
