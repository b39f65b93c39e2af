"""Properties: values come back as they were, operators mean what they mean here, and no program does harm."""

from __future__ import annotations

import operator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from broker._remote.verbs import DO, OPERATORS
from broker.testing import pair
from broker.testing.harness import LoggedFailures
from broker.transparent import HANDLES, LIVE, PB, SHARED, export, expr, value
from tests.remote.scene import Tree

scalars = st.one_of(
    *(st.none(), st.booleans(), st.integers(-(2**600), 2**600), st.floats(allow_nan=False), st.text(max_size=8)),
    *(st.binary(max_size=8), st.complex_numbers(allow_nan=False), st.just(...), st.builds(range, st.integers(-9, 9))),
    *(st.sampled_from([b"\0r", b"\0", b"\0q", b"\0!", b"\0="]), st.builds(slice, st.integers(0, 5), st.none())),
)
hashable = st.recursive(
    scalars.filter(lambda scalar: not isinstance(scalar, slice)),
    lambda inner: st.lists(inner, max_size=4).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)
values = st.recursive(
    scalars | hashable,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(hashable, inner, max_size=3)
        | st.lists(inner, max_size=4).map(tuple)
        | st.sets(hashable, max_size=3)
    ),
    max_leaves=12,
)


def alike(one: Any, other: Any) -> bool:
    """Say whether two values are equal, type by type."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, dict):
        return alike(list(one), list(other)) and alike(list(one.values()), list(other.values()))
    return bool(one == other)


@given(values)
@settings(max_examples=60)
def test_values_come_back(thing: Any) -> None:
    connected = pair(export(Tree(), LIVE))
    assert alike(connected.result(value(expr(connected.root).echo(thing))), thing)
    connected.result(expr(connected.root).hold(thing).deferred())


numbers = st.one_of(st.integers(-50, 50), st.floats(-50, 50), st.booleans(), st.lists(st.integers(0, 9), max_size=3))
TWO = sorted({*OPERATORS} - {"neg", "pos", "abs", "invert", "reversed", "pow", "ipow", "divmod", "lshift", "ilshift"})


@given(st.sampled_from(TWO), numbers, numbers, st.booleans())
@settings(max_examples=150)
def test_operators_mean_what_they_mean_here(name: str, left: Any, right: Any, reflected: bool) -> None:
    function = OPERATORS[name]
    if name[0] == "i" and name != "invert":
        reflected = False
    connected = pair(export([left, right], HANDLES))
    x = expr(connected.root)
    plain = {"and": operator.and_, "or": operator.or_}.get(name, function)
    local_left = list(left) if isinstance(left, list) else left
    try:
        expected: Any = plain(local_left, right)
    except Exception as error:  # noqa: BLE001  whatever Python says here it has to say there
        expected = type(error)
    remote = plain(left, x[1]) if reflected else plain(x[0], right)
    waiting = value(remote)
    if isinstance(expected, type):
        assert isinstance(connected.failure(waiting), expected)
    else:
        assert alike(connected.result(waiting), expected)


words = st.sampled_from(
    """value items table child echo me fail count call hold number new add is_me append keys __class__ __dict__ _secret
    __init__ add mul eq iadd radd len iter str hash bool format int bytes send throw close""".split()
)
operands = st.recursive(
    st.one_of(
        *(st.none(), st.integers(-3, 70), words, st.booleans(), st.just(b"x"), st.floats(), st.just({})),
        st.tuples(
            st.sampled_from([b"\0k", b"\0r", b"\0s", b"\0c", b"\0q", b"\0i", b"\0:", b"\0b", b"\0?"]),
            st.integers(-1, 5),
        ),
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(words, inner, max_size=2)
        | st.lists(inner, max_size=6).map(lambda parts: (b"\0s", *parts))
        | st.lists(inner, max_size=4).map(lambda parts: (b"\0r", *parts))
    ),
    max_leaves=5,
)
steps = st.lists(
    st.one_of(
        st.builds(
            lambda verb, subject, more: [verb, subject, *more],
            st.integers(0, 21),
            st.integers(0, 3),
            st.lists(operands, max_size=4),
        ),
        st.builds(lambda subject, name: [1, subject, name], st.integers(0, 2), words),
        st.builds(
            lambda subject, name, args: [4, subject, name, args, {}],
            st.integers(0, 2),
            words,
            st.lists(operands, max_size=2),
        ),
        operands,
    ),
    max_size=4,
)


@given(st.sampled_from([LIVE, HANDLES, SHARED, PB]), st.integers(0, 3), steps)
@settings(max_examples=300)
def test_no_program_does_harm(policy: Any, want: int, program: list[Any]) -> None:
    logged = LoggedFailures()
    logged.start()
    try:
        connected = pair(export(Tree(), policy))
        root = connected.root
        outcome: list[Any] = []
        root.callRemote(DO, want, program).addBoth(outcome.append)
        connected.flush()
        again: list[Any] = []
        root.callRemote("echo", 1).addBoth(again.append)
        connected.flush()
        assert len(outcome) == len(again) == 1, "answered, and the connection goes on"
        assert not connected.wire.escaped
        # With nobody waiting for the failure of a program it is logged, which is as it should be.
        assert want == 3 or not logged.events, logged.events[0]["log_failure"].getTraceback()
    finally:
        logged.stop()
        logged.let_go()
