"""Any plain value, with shared parts and cycles: lowered as stock jelly does it, and lifted to what it was.

Stock itself does not lift all of them: in a tuple in a list that is in the tuple it can leave placeholders of its own.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.spread import jelly as stock

from broker._values.jelly import Jellier
from broker._values.registry import globalSecurity
from broker._values.unjelly import Unjellier
from broker.errors import InsecureJelly, LimitExceeded

ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.binary(max_size=8),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.datetimes(),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.decimals(allow_nan=False, allow_infinity=False).filter(lambda d: not (d == 0 and d.is_signed())),
)
KEYS = st.one_of(st.integers(), st.text(st.characters(exclude_categories=["Cs"]), max_size=5), st.binary(max_size=5))
KINDS = ["list", "dict", "tuple", "set", "frozenset"]


@st.composite
def graphs(draw: st.DrawFn) -> Any:
    """Draw containers that contain atoms and one another in any way that Python can make."""
    nodes: list[Any] = []
    for _ in range(draw(st.integers(1, 7))):
        kind = draw(st.sampled_from(KINDS))
        if kind == "tuple":
            chosen = draw(st.lists(st.sampled_from(nodes), max_size=3)) if nodes else []
            nodes.append((*draw(st.lists(ATOMS, max_size=2)), *chosen))
        elif kind in ("set", "frozenset"):
            made = set(draw(st.lists(st.one_of(KEYS, st.tuples(KEYS, KEYS)), max_size=3)))
            nodes.append(made if kind == "set" else frozenset(made))
        else:
            nodes.append([] if kind == "list" else {})
    for node in nodes:
        if isinstance(node, list):
            node += draw(st.lists(ATOMS, max_size=3)) + draw(st.lists(st.sampled_from(nodes), max_size=3))
        elif isinstance(node, dict):
            node.update(draw(st.dictionaries(KEYS, st.one_of(ATOMS, st.sampled_from(nodes)), max_size=3)))
    return draw(st.sampled_from(nodes))


def same(one: Any, two: Any, pairs: dict[int, Any]) -> bool:
    """Return whether two values have the same types, contents and shape, shared parts included."""
    if type(one) is not type(two):
        return False
    if not isinstance(one, (list, tuple, dict, set, frozenset)):
        return bool(one == two) and str(one) == str(two)
    # An empty tuple or frozenset is one object in the whole process.
    if one and id(one) in pairs:
        return pairs[id(one)] is two
    pairs[id(one)] = two
    if len(one) != len(two):
        return False
    if isinstance(one, (set, frozenset)):
        return bool(one == two)
    if isinstance(one, dict):
        return all(
            same(key, other, pairs) and same(one[key], two[other], pairs) for key, other in zip(one, two, strict=True)
        )
    return all(same(a, b, pairs) for a, b in zip(one, two, strict=True))


def lower(value: Any) -> Any:
    return Jellier(globalSecurity, strict=True).jelly(value)


def lift(form: Any) -> Any:
    return Unjellier(globalSecurity).unjellyFull(form)


@given(graphs())
def test_forms_are_stocks(value: Any) -> None:
    assert lower(value) == stock.jelly(value)


@given(graphs())
def test_there_and_back(value: Any) -> None:
    # Kept while the pairs are compared: their identities must stay theirs.
    made = lift(lower(value))
    assert same(value, made, {})


@given(ATOMS)
def test_atoms(value: Any) -> None:
    assert lower(value) == stock.jelly(value)
    assert same(value, lift(lower(value)), {})


HEADS = [
    *(b"None", b"boolean", b"unicode", b"list", b"tuple", b"dictionary", b"set", b"frozenset", b"datetime"),
    *(b"date", b"time", b"timedelta", b"decimal", b"reference", b"dereference", b"unpersistable", b"persistent"),
    *(b"class", b"instance", b"m.C", b"x", b"true", b"2024 1 1", b"\xff", b""),
]
PARTS = st.one_of(st.integers(-3, 3), st.sampled_from(HEADS), st.floats(), st.integers())
FORMS = st.recursive(
    PARTS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(st.sampled_from(HEADS), inner).map(list),
        st.tuples(st.just(b"dictionary"), st.tuples(inner, inner).map(list)).map(list),
        st.tuples(st.just(b"reference"), st.integers(0, 3), inner).map(list),
        st.tuples(st.just(b"dereference"), st.integers(0, 3)).map(list),
        st.tuples(st.sampled_from(HEADS[3:8]), inner, inner).map(list),
    ),
    max_leaves=12,
)


@given(FORMS)
def test_any_form_is_lifted_or_refused_and_nothing_else(form: Any) -> None:
    try:
        made = lift(form)
    except (InsecureJelly, LimitExceeded):
        return
    assert type(made) in KNOWN and "not complete" not in repr(made)


KNOWN = {
    *(int, float, bytes, str, bool, type(None), list, tuple, dict, set, frozenset, Decimal),
    *(datetime.datetime, datetime.date, datetime.time, datetime.timedelta),
    type(lift([b"unpersistable", b""])),
}
