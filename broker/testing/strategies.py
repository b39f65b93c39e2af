"""Hypothesis strategies for what crosses a connection; needs hypothesis."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise ImportError("broker.testing.strategies needs hypothesis: pip install hypothesis") from error

__all__ = ["plain_values", "scalars", "splits"]

#: PB's bound for integers: what fits into 64 digits of 7 bits.
_LARGEST = 2**448 - 1


def scalars() -> st.SearchStrategy[Any]:
    """Give values without parts that cross as they are: None, truth values, numbers, bytes, text, times."""
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-_LARGEST, _LARGEST),
        st.floats(allow_nan=False),
        st.binary(),
        st.text(st.characters(codec="utf-8")),
        st.datetimes(),
        st.dates(),
        st.times(),
        st.timedeltas(timedelta(days=-(10**6)), timedelta(days=10**6)),
        st.decimals(-(10**30), 10**30, allow_nan=False, allow_infinity=False),
    )


def plain_values(max_leaves: int = 20) -> st.SearchStrategy[Any]:
    """Give values that cross as they are, containers of every kind included; each equals itself when it arrives.

    :param max_leaves: about how many scalars one value has at most.
    """
    keys = st.recursive(
        scalars(), lambda inner: st.one_of(st.tuples(inner, inner), st.frozensets(inner, max_size=3)), max_leaves=4
    )

    def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.one_of(
            st.lists(inner, max_size=5),
            st.lists(inner, max_size=5).map(tuple),
            st.dictionaries(keys, inner, max_size=5),
            st.sets(keys, max_size=5),
            st.frozensets(keys, max_size=5),
        )

    return st.recursive(scalars(), containers, max_leaves=max_leaves)


def splits(data: bytes, max_cuts: int = 8) -> st.SearchStrategy[list[bytes]]:
    """Give ways of cutting bytes into pieces, none of them empty; joined they are the bytes again.

    :param max_cuts: most cuts.
    """
    if len(data) < 2:
        return st.just([data] if data else [])
    places = st.sets(st.integers(1, len(data) - 1), max_size=max_cuts)
    return places.map(lambda cuts: _cut(data, sorted(cuts)))


def _cut(data: bytes, cuts: list[int]) -> list[bytes]:
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
