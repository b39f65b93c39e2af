"""The compiled core does what its sources do, with any value and any damaged bytes: the same result or the same error.

``python -m tests.compiled`` is the long form of this.
"""

from __future__ import annotations

import os
import random
from collections import OrderedDict
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker import _about
from tests.compiled import twins
from tests.compiled.compare import Differ, the_same
from tests.compiled.differential import Pair, pairs
from tests.compiled.subjects import SUBJECTS

#: Cases for each subject.
COUNT = 10_000

compiled_only = pytest.mark.skipif(_about.form() != "compiled", reason="there is but one form of the core here")


@cache
def both() -> dict[str, Pair]:
    """Every subject in both forms."""
    return pairs()


@compiled_only
@pytest.mark.parametrize("name", SUBJECTS)
def test_many_cases(name: str) -> None:
    seed = 0 if os.environ.get("CI") else random.randrange(10**9)
    print(f"seed {seed}")
    assert next(done for done in both()[name].run(seed) if done >= COUNT)


@compiled_only
@given(st.sampled_from(list(SUBJECTS)), st.randoms(use_true_random=False))
@settings(max_examples=500)
def test_any_case(name: str, source: random.Random) -> None:
    both()[name].check(source)


@compiled_only
def test_there_are_two_forms() -> None:
    interpreted, running = twins.interpreted(), twins.running()
    for name in ("_wire.banana", "_values.native", "_messages.pb"):
        assert interpreted[name].__file__.endswith(".py")
        assert not running[name].__file__.endswith(".py")
    # What is compared is no mixture of the two.
    assert type(interpreted["_messages.pb"].PBDialect.encode).__name__ == "function"
    assert type(running["_messages.pb"].PBDialect.encode).__name__ != "function"
    assert interpreted["errors"].LimitExceeded is not running["errors"].LimitExceeded


def test_differences_are_seen() -> None:
    shared: list[int] = [1]
    cycle: list[object] = []
    cycle.append(cycle)
    same = [1, True, -0.0, float("nan"), "x", b"x", (1, 2), {1: [2]}, {3, "a"}, None, cycle, [shared, shared]]
    for value in same:
        the_same(value, value)
    the_same([[1], [1]], [[1], [1]])
    the_same("at 0x7f00deadbeef", "at 0x7f00deadbee0")
    different: list[tuple[object, object]] = [
        *((1, True), (0.0, -0.0), ("x", b"x"), ([1], (1,)), ({1, 2}, {1, 3}), ({"a": 1, "b": 2}, {"b": 2, "a": 1})),
        *(([shared, shared], [[1], [1]]), (cycle, [cycle]), (cycle, [[]]), ([1], [1, 2]), ({}, OrderedDict())),
        (("raised", "builtins", "TypeError", "a"), ("raised", "builtins", "TypeError", "b")),
        (("raised", "builtins", "TypeError", "a"), ("gave", 1)),
    ]
    for left, right in different:
        with pytest.raises(Differ):
            the_same(left, right)
        with pytest.raises(Differ):
            the_same(right, left)
