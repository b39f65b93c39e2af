"""Expressions: one message for a chain, one turn at the owner, and loud errors for what cannot wait."""

from __future__ import annotations

import copy
import math
import operator
import pickle
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed

from broker.testing import NoResult
from broker.testing.harness import Pairs
from broker.transparent import HANDLES, LIVE, Expr, HiddenName, export, expr, ops, program, reference, value
from tests.remote.scene import Num, Tree, counted


def test_a_chain_is_one_message(pairs: Pairs) -> None:
    tree = Tree()
    pair = pairs(export(tree, LIVE))
    x = expr(pair.root)
    with counted(pair) as messages:
        result = pair.result((x.child(0).child(1).items[1] * 10 + 4).deferred())
    assert result == 24
    assert (messages.calls, messages.answers, messages.writes) == (1, 1, 1)


def test_results_are_arguments_in_the_same_message(pairs: Pairs) -> None:
    pair = pairs(export(Tree(), LIVE))
    x = expr(pair.root)
    with counted(pair) as messages:
        result = pair.result(x.add(x.child(0).value, x.child(1).value).deferred())
        nested = pair.result(x.echo({"a": [x.value, (x.items[0],)]})["a"][1][0].deferred())
    assert result == 8 and nested == 1 and messages.calls == 2


def test_another_object_of_the_same_owner_may_take_part(pairs: Pairs) -> None:
    pair = pairs(export(Tree(), LIVE))
    x = expr(pair.root)
    other = pair.result(x.child(0).deferred())
    with counted(pair) as messages:
        assert pair.result((x.value + expr(other).value * 2).deferred()) == 12
        assert pair.result(x.is_me(expr(other)).deferred()) is False
    assert messages.calls == 2


def test_a_step_that_is_used_twice_runs_once(pairs: Pairs) -> None:
    tree = Tree()
    pair = pairs(export(tree, LIVE))
    x = expr(pair.root)
    made = x.new()
    assert pair.result(ops.test(x.add(made, made) == 14)) is True


class Odd:
    """Says which of its methods were used."""

    def __init__(self) -> None:
        self.used: list[str] = []


def _noting(name: str) -> Any:
    def method(self: Odd, *operands: Any) -> str:
        self.used.append(name)
        return f"{name}{operands!r}"

    return method


TWO = "add sub mul matmul truediv floordiv mod lshift rshift and_ xor or_ lt le gt ge eq ne".split()
for name in [*TWO, "neg", "pos", "abs", "invert", "divmod", "pow", "round", "trunc", "floor", "ceil", "reversed"]:
    setattr(Odd, f"__{name.rstrip('_')}__", _noting(name.rstrip("_")))
for name in TWO[:12] + ["divmod", "pow"]:
    setattr(Odd, f"__r{name.rstrip('_')}__", _noting("r" + name.rstrip("_")))
Odd.__hash__ = object.__hash__  # type: ignore[method-assign]


@pytest.mark.parametrize("name", TWO)
def test_operators_of_two(pairs: Pairs, name: str) -> None:
    odd = Odd()
    pair = pairs(export(odd, LIVE))
    x = expr(pair.root)
    function = getattr(operator, name)
    bare = name.rstrip("_")
    mirrored = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq", "ne": "ne"}
    assert pair.result(function(x, 3).deferred()) == f"{bare}(3,)"
    assert pair.result(function(3, x).deferred()) == f"{mirrored.get(bare) or 'r' + bare}(3,)"


def test_other_operators(pairs: Pairs) -> None:
    pair = pairs(export(Odd(), LIVE))
    x = expr(pair.root)
    built = {
        "neg()": -x,
        "pos()": +x,
        "abs()": abs(x),
        "invert()": ~x,
        "divmod(2,)": divmod(x, 2),
        "rdivmod(2,)": divmod(2, x),
        "pow(2,)": x**2,
        "rpow(2,)": 2**x,
        "pow(2, 5)": pow(x, 2, 5),
        "round()": round(x),
        "round(1,)": round(x, 1),
        "trunc()": math.trunc(x),
        "floor()": math.floor(x),
        "ceil()": math.ceil(x),
        "reversed()": reversed(x),
    }
    for expected, expression in built.items():
        assert pair.result(expression.deferred()) == expected


def test_python_decides_at_the_owner(pairs: Pairs) -> None:
    pair = pairs(export(Tree(), LIVE))
    x = expr(pair.root)
    assert pair.result(value(x.items + [4])) == [1, 2, 3, 4]
    assert pair.result(value([0] + x.items)) == [0, 1, 2, 3]
    assert pair.result((x.items == [1, 2, 3]).deferred()) is True
    assert pair.result((1 + x.value).deferred()) == 5
    assert pair.result(ops.int(1 + x.number)) == 6
    error = pair.failure((x.items + 1).deferred())
    assert isinstance(error, TypeError) and "can only concatenate" in str(error)


def test_a_failure_says_where(pairs: Pairs) -> None:
    tree = Tree()
    pair = pairs(export(tree, LIVE))
    error = pair.failure((expr(pair.root).child(0).fail().nothing + 1).deferred())
    assert isinstance(error, ValueError) and error.args == ("bad", 3)
    assert error.__notes__ == ["in step 2 of 4: (root.child(0).fail().nothing + 1)"]
    assert tree.children, "the steps before it ran"


def test_each_await_sends_again_and_once_does_not(pairs: Pairs) -> None:
    tree = Tree()
    pair = pairs(export(tree, LIVE))
    x = expr(pair.root)
    call = x.note("twice")
    pair.result(call.deferred())
    pair.result(call.deferred())
    once = x.note("once").once()
    one, other = once.deferred(), once.deferred()
    assert pair.result(one) is None and pair.result(other) is None and pair.result(once.deferred()) is None
    assert tree.log == ["twice", "twice", "once"]
    failing = x.fail().once()
    assert pair.failure(failing.deferred()) is pair.failure(failing.deferred())
    assert pair.result((once == None).deferred()) is True  # noqa: E711
    assert tree.log[-1] == "once" and len(tree.log) == 4, "used in another one, it is computed anew"


NATIVE = {
    "ops.bool": bool,
    "ops.len": len,
    "async for": iter,
    "ops.contains": lambda x: 1 in x,
    "ops.int": int,
    "ops.float": float,
    "ops.complex": complex,
    "ops.index": operator.index,
    "ops.bytes": bytes,
    "ops.format": lambda x: f"{x}",
    "ops.setattr": lambda x: setattr(x, "a", 1),
    "ops.delattr": lambda x: delattr(x, "a"),
    "ops.setitem": lambda x: operator.setitem(x, "a", 1),
    "ops.delitem": lambda x: operator.delitem(x, "a"),
}


@pytest.mark.parametrize("function", NATIVE)
def test_what_cannot_wait_names_what_can(pairs: Pairs, function: str) -> None:
    pair = pairs(export(Tree(), LIVE))
    x = expr(pair.root)
    with counted(pair) as messages, pytest.raises(TypeError, match=function.replace(".", "\\.")):
        NATIVE[function](x)
    assert messages.calls == 0


def test_comparisons_are_no_truths(pairs: Pairs) -> None:
    pair = pairs(export(Tree(), LIVE))
    x = expr(pair.root)
    with pytest.raises(TypeError, match="ops.bool"):
        if x.value < 5:
            raise AssertionError
    with pytest.raises(TypeError, match="ops.bool"):
        1 < x.value < 5  # noqa: B015
    assert pair.result(ops.test(x.value < 5)) is True


def test_expressions_are_quiet(pairs: Pairs) -> None:
    pair = pairs(export(Tree(), LIVE))
    x = expr(pair.root)
    with counted(pair) as messages:
        assert repr(x.child(0).value + 4) == "<Expr (root.child(0).value + 4)>"
        assert repr(x.items[1:2]) == "<Expr root.items[a slice]>"
        assert str(x) == "<Expr root>" and hash(x) == hash(x) and len({x, x.a}) == 2
        assert not isinstance(x, Deferred) and dir(x) == ["deferred", "once"]
        assert succeed(x).result is x
        for wrong in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises((TypeError, AttributeError)):
                wrong(x)
        with pytest.raises(AttributeError):
            x.__array__  # noqa: B018
    assert messages.calls == 0


def test_names_of_its_own_are_reached_by_function(pairs: Pairs) -> None:
    class Shadowed:
        deferred = 1
        once = 2

    pair = pairs(export(Shadowed(), LIVE))
    x = expr(pair.root)
    assert pair.result(ops.getattr(x, "deferred")) == 1
    assert pair.result(x.__class__ and ops.getattr(x, "once")) == 2
    assert isinstance(x.node, Expr) and isinstance(x.more, Expr), "no other name is its own"


def test_only_remote_things_have_expressions() -> None:
    for wrong in (5, None, "text", object()):
        with pytest.raises(TypeError, match="no expression"):
            expr(wrong)


def test_conversions(pairs: Pairs) -> None:
    class All:
        def __bool__(self) -> bool:
            return False

        def __len__(self) -> int:
            return 3

        def __float__(self) -> float:
            return 1.5

        def __complex__(self) -> complex:
            return 1j

        def __index__(self) -> int:
            return 7

        def __bytes__(self) -> bytes:
            return b"b"

        def __str__(self) -> str:
            return "text"

        def __repr__(self) -> str:
            return "repr"

        def __hash__(self) -> int:
            return 11

        def __format__(self, spec: str) -> str:
            return f"<{spec}>"

        def __length_hint__(self) -> int:
            return 4

        def __contains__(self, item: object) -> bool:
            return item == "in"

    pair = pairs(export(All(), LIVE))
    x = expr(pair.root)
    wanted = {
        ops.bool: False,
        ops.len: 3,
        ops.float: 1.5,
        ops.complex: 1j,
        ops.index: 7,
        ops.int: 7,
        ops.bytes: b"b",
        ops.str: "text",
        ops.repr: "repr",
        ops.hash: 11,
        ops.length_hint: 3,
        ops.test: False,
    }
    for function, expected in wanted.items():
        back = pair.result(function(x))
        assert back == expected and type(back) is type(expected)
    assert pair.result(ops.format(x, ">5")) == "<>5>"
    assert pair.result(ops.contains(x, "in")) is True and pair.result(ops.contains(x, 1)) is False
    assert pair.result(ops.isinstance(x, All)) is True
    assert pair.result(ops.isinstance(x, "builtins.object")) is True
    assert pair.result(ops.isinstance(x, list)) is False


def test_updates_are_one_message_and_one_turn(pairs: Pairs) -> None:
    tree = Tree()
    pair = pairs(export(tree, HANDLES))
    x = expr(pair.root)
    with counted(pair) as messages:
        pair.result(ops.iadd_attr(x, "value", 3))
        pair.result(ops.iadd_item(x.table, "a", 5))
        pair.result(ops.update_attr(x, "value", "imul", 2))
        pair.result(ops.update_item(x.items, 0, "isub", 1))
    assert messages.calls == 4
    assert tree.value == 14 and tree.table == {"a": 6} and tree.items == [0, 2, 3]
    with pytest.raises(ValueError, match="in-place"):
        ops.update_attr(x, "value", "add", 1)


# Blocks.


def test_a_block_is_one_message(pairs: Pairs) -> None:
    tree = Tree()
    pair = pairs(export(tree, HANDLES))

    async def change() -> Any:
        block = program(pair.root)
        with block as p:
            p.value = 10
            p.value += 5
            p.items[0] = p.value
            p.items.append("x")
            del p.items[1]
            p.number += 2
            del p.held
            p.note("done")
        return await block

    with counted(pair) as messages:
        pair.result(change())
    assert messages.calls == 1
    assert tree.value == 15 and tree.items == [15, 3, "x"] and tree.number.value == 7
    assert tree.log == ["done"] and not hasattr(tree, "held")


def test_a_block_runs_in_order(pairs: Pairs) -> None:
    tree = Tree()
    pair = pairs(export(tree, HANDLES))

    async def swap() -> None:
        async with program(pair.root) as p:
            before = p.value
            p.value = 99
            p.table["before"] = before

    pair.result(swap())
    assert tree.table["before"] == 4 and tree.value == 99


def test_a_block_that_fails_here_is_not_sent(pairs: Pairs) -> None:
    tree = Tree()
    pair = pairs(export(tree, HANDLES))
    root = pair.root
    with counted(pair) as messages:
        with pytest.raises(KeyError), program(root) as p:
            p.value = 1
            raise KeyError
        empty = program(root)
        with empty:
            pass
        assert pair.result(_awaiting(empty)) is None
    assert messages.calls == 0 and tree.value == 4


async def _awaiting(block: Any) -> Any:
    return await block


def test_a_block_stops_at_the_first_failure(pairs: Pairs) -> None:
    tree = Tree()
    pair = pairs(export(tree, HANDLES))

    async def change() -> None:
        async with program(pair.root) as p:
            p.value = 1
            p.fail()
            p.value = 2

    error = pair.failure(change())
    assert isinstance(error, ValueError) and "step 2 of 3" in error.__notes__[0]
    assert "root.value = 1; root.fail(); root.value = 2" in error.__notes__[0]
    assert tree.value == 1


def test_a_block_has_no_branches(pairs: Pairs) -> None:
    pair = pairs(export(Tree(), HANDLES))
    with pytest.raises(TypeError, match="ops.bool"), program(pair.root) as p:
        if p.value:
            p.value = 3


def test_calls_alone_suffice_for_a_policy_of_calls(pairs: Pairs) -> None:
    class Old:
        def remote_add(self, one: int, other: int) -> int:
            return one + other

    pair = pairs(export(Old()))

    async def add() -> Any:
        block = program(pair.root)
        with block as p:
            p.add(1, p.add(2, 3))
        return await block

    assert pair.result(add()) == 6


# What results are, cancelling.


def test_results_of_expressions_about_references_are_references(pairs: Pairs) -> None:
    pair = pairs(export(Tree(), LIVE))
    child = pair.result(expr(pair.root).child(0).deferred())
    assert reference(child) is child
    assert pair.result(expr(child).value.deferred()) == 4


def test_what_is_wanted_by_reference_is_one(pairs: Pairs) -> None:
    pair = pairs(export(Tree(), LIVE))
    number = pair.result(ops.ref(expr(pair.root).value))
    assert pair.result((expr(number) + 1).deferred()) == 5
    (again,) = {pair.result(ops.ref(expr(number)))}
    assert again == number


def test_a_late_answer_releases_what_it_carries(pairs: Pairs) -> None:
    waiting: Deferred[Any] = Deferred()
    tree = Tree()
    tree.slow = lambda: waiting  # type: ignore[attr-defined]
    pair = pairs(export(tree, LIVE))
    result = expr(pair.root).slow().deferred()
    pair.flush()
    result.addErrback(lambda failure: failure.type.__name__)
    result.cancel()
    assert pair.result(result) == "CancelledError"
    waiting.callback([Num(1), Num(2)])
    pair.flush()
    # The type that came with it is known all the same.
    assert pair.result(ops.int(expr(pair.root).new())) == 7
    with pytest.raises(NoResult):
        pair.result(Deferred())


def test_hidden_names_fail_where_they_are_awaited(pairs: Pairs) -> None:
    pair = pairs(export(Tree(), LIVE))
    hidden = expr(pair.root)._secret
    assert isinstance(pair.failure(hidden.deferred()), HiddenName)
    assert isinstance(pair.failure(hidden.deferred()), AttributeError)
