"""References of third parties: passed on through who holds them, or refused."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from broker._remote.elsewhere import decode_pass, name_elsewhere
from broker._remote.side import side_of
from broker._remote.verbs import DO
from broker.errors import BadValue, InsecureJelly, PBConnectionLost
from broker.testing import Pair, assert_empty
from broker.testing.harness import Pairs
from broker.transparent import LIVE, Foreign, export, live, reference, same, value
from tests.remote.scene import Tree, Waiting


class Between(Waiting):
    """Waits for answers that come over two wires."""

    def __init__(self, pair: Pair, other: Pair) -> None:
        super().__init__(pair)
        self.other = other

    def perform(self, reference: Any, program: Any) -> Any:
        from broker.transparent import transmit

        answer = transmit(reference, program)
        for _ in range(20):
            self.pair.flush()
            self.other.flush()
        return self.pair.result(answer)


def both(pairs: Pairs) -> tuple[Any, Any, Pair, Pair, Tree, Tree]:
    """Return proxies of one client for objects of two servers."""
    one_tree, other_tree = Tree(), Tree()
    one, other = pairs(export(one_tree, LIVE)), pairs(export(other_tree, LIVE))
    first = live(one.root, transport=Between(one, other))
    second = live(other.root, transport=Between(other, one))
    return first, second, one, other, one_tree, other_tree


def settle(one: Pair, other: Pair) -> None:
    for _ in range(2):
        gc.collect()
        for _ in range(10):
            one.flush()
            other.flush()


def test_an_object_of_a_third_party_works_through_the_one_between(pairs: Pairs) -> None:
    first, second, one, other, one_tree, other_tree = both(pairs)
    other_tree.items = [1, 2, "theirs"]
    first.hold(second)
    results: list[Any] = []
    one_tree.held.child(0).addCallback(results.append)
    one_tree.held.echo([1, {"a": 2j}]).addCallback(results.append)
    one_tree.held.items.addCallback(lambda items: value(items)).addCallback(results.append)
    settle(one, other)
    assert results[2] == [1, 2, "theirs"], "descriptors travel along"
    assert "echo" in dir(one_tree.held)
    failures: list[Any] = []
    one_tree.held.fail().addErrback(failures.append)
    settle(one, other)
    assert failures[0].check(ValueError)
    one_tree.held = None
    results.clear()
    failures.clear()
    settle(one, other)
    del first, second
    settle(one, other)
    assert_empty(one)
    assert_empty(other)


def test_a_relayed_object_is_itself_where_it_comes_home(pairs: Pairs) -> None:
    first, second, one, other, one_tree, other_tree = both(pairs)
    first.hold(second)
    answers: list[Any] = []
    one_tree.held.is_me(one_tree.held).addCallback(answers.append)
    settle(one, other)
    assert answers == [True], "sent back to its owner through the one between, it is the object"
    assert same(first.held, second), "and to the one between it is what it passed on"
    again = one_tree.held
    first.hold(second)
    assert one_tree.held is again, "passed on twice, it is one"
    one_tree.held = again = None
    answers.clear()


def test_callbacks_work_through_the_one_between(pairs: Pairs) -> None:
    first, second, one, other, one_tree, other_tree = both(pairs)
    first.hold(second)
    heard: list[Any] = []
    one_tree.held.call(heard.append, 5)
    settle(one, other)
    assert heard == [5]
    one_tree.held = None
    settle(one, other)


def test_what_is_lost_behind_the_one_between_is_named(pairs: Pairs) -> None:
    first, second, one, other, one_tree, other_tree = both(pairs)
    first.hold(second)
    other.drop()
    failures: list[Any] = []
    one_tree.held.me().addErrback(failures.append)
    settle(one, other)
    assert failures[0].check(PBConnectionLost) and "owner" in failures[0].getErrorMessage()
    assert first.value == 4, "the connection to the one between is as it was"
    one_tree.held = None
    failures.clear()
    settle(one, other)


def test_equal_numbers_of_two_owners_stay_apart(pairs: Pairs) -> None:
    first, second, one, other, one_tree, other_tree = both(pairs)
    mine, theirs = first.child(0), second.child(0)
    first.hold([mine, theirs])
    assert one_tree.held[0] is one_tree.children[0]
    assert one_tree.held[1] is not one_tree.held[0]
    answers: list[Any] = []
    one_tree.held[1].is_me(one_tree.held[1]).addCallback(answers.append)
    settle(one, other)
    assert answers == [True]
    one_tree.held = None
    settle(one, other)


def test_a_policy_may_refuse(pairs: Pairs) -> None:
    one, other = pairs(export(Tree(), LIVE)), pairs(export(Tree(), LIVE))
    policy = LIVE.but(foreign="refuse")
    first, second = live(one.root, policy, transport=Waiting(one)), live(other.root, transport=Waiting(other))
    with pytest.raises(Foreign, match="third party"):
        first.hold(second)
    with pytest.raises(InsecureJelly):
        first.echo({"a": [second]})


def test_another_connection_of_the_same_owner_leads_home(pairs: Pairs) -> None:
    tree = Tree()
    one = pairs(export(tree, LIVE))
    other = one.another()
    pairs.made.append(other)
    first, second = live(one.root, transport=Waiting(one)), live(other.root, transport=Waiting(other))
    child = first.child(0)
    second.hold([child, first])
    assert tree.held[0] is tree.children[0] and tree.held[1] is tree, (
        "the objects themselves, over whichever connection"
    )
    assert second.is_me(first) is True and second.child(0).is_me(child) is True
    tree.held = None


def test_what_is_not_held_elsewhere_is_not_reached(pairs: Pairs) -> None:
    tree = Tree()
    one = pairs(export(tree, LIVE))
    other = one.another()
    pairs.made.append(other)
    first, second = live(one.root, transport=Waiting(one)), live(other.root, transport=Waiting(other))
    child = first.child(0)
    held, used = (side_of(reference(proxy).broker).theirs for proxy in (first, second))
    luid = reference(child).luid
    good = name_elsewhere(held, used, luid)
    assert good is not None
    for wrong in (
        (*good[:3], b"\0" * 16),
        (*good[:2], luid + 1, good[3]),
        (good[0], used.connection, *good[2:]),
        (good[0], b"x", *good[2:]),
        good[:3],
        (good[0], good[1], [], good[3]),
        # For another connection than the one it is used on.
        name_elsewhere(held, held, luid),
    ):
        outcome = other.failure(other.root.callRemote(DO, 0, [[4, 0, "hold", [wrong], {}]]))
        assert isinstance(outcome, BadValue)
    del first, child
    settle(one, other)
    answer = other.failure(other.root.callRemote(DO, 0, [[4, 0, "hold", [good], {}]]))
    assert isinstance(answer, BadValue), "nobody holds it there any more"
    assert name_elsewhere(held, None, 1) is None and name_elsewhere(held, held._replace(family=b"other"), 1) is None
    with pytest.raises(BadValue):
        decode_pass((b"short", b"x" * 16, b"y" * 16))
