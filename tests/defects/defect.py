"""Turns a scenario into tests: it must pass with our implementation and must fail with the stock one."""

from __future__ import annotations

import functools
import gc
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.defects.wire import Implementation, Sides

__all__ = ["defect", "kept"]

OURS = Implementation("broker.spread")
STOCK = Implementation("twisted.spread")

#: The pairings of a scenario, by the end whose mending the scenario shows.
BOTH = Sides(OURS, OURS)
BY_SERVER = Sides(server=OURS, client=STOCK)
BY_CLIENT = Sides(server=STOCK, client=OURS)
NOBODY = Sides(STOCK, STOCK)

PAIRS = {"ours": BOTH, "our-server": BY_SERVER, "our-client": BY_CLIENT}


def defect(
    *pairs: str, stock: str, raises: type[BaseException] = AssertionError
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Run a scenario once for each pairing, and once between two stock peers, where it must fail.

    :param pairs: keys of `PAIRS`.
    :param stock: pattern that the failure between stock peers must match: the defect, not an accident.
    :param raises: the class of that failure.
    """

    def decorate(scenario: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(scenario)
        def test(sides: Sides, **kwargs: Any) -> None:
            if sides is not NOBODY:
                scenario(sides, **kwargs)
                return
            try:
                with pytest.raises(raises) as caught:
                    scenario(sides, **kwargs)
            finally:
                gc.collect()  # what stock leaves behind is reported here, not in a later test
            assert re.search(stock, str(caught.value)), f"failed for another reason: {caught.value!r}"

        cases = [pytest.param(PAIRS[pair], id=pair) for pair in pairs]
        cases.append(pytest.param(NOBODY, id="stock-fails", marks=pytest.mark.filterwarnings("ignore")))
        decorated: Callable[..., Any] = pytest.mark.parametrize("sides", cases)(test)
        return decorated

    return decorate


def kept(*pairs: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Run a scenario that stock passes too: what is right there and must stay so."""
    cases = [pytest.param(PAIRS[pair], id=pair) for pair in pairs] + [pytest.param(NOBODY, id="stock-passes")]
    return pytest.mark.parametrize("sides", cases)
