"""Turns a scenario into tests: it must pass with our implementation and must fail with the stock one."""

from __future__ import annotations

import functools
import gc
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from twisted import version as twisted_version

from tests.defects.wire import Implementation, Sides

__all__ = ["Older", "defect", "kept"]

OURS = Implementation("broker.spread")
STOCK = Implementation("twisted.spread")

#: The pairings of a scenario, by the end whose mending the scenario shows.
BOTH = Sides(OURS, OURS)
BOTH_IN_PB = Sides(OURS, OURS, "pb")
BY_SERVER = Sides(server=OURS, client=STOCK)
BY_CLIENT = Sides(server=STOCK, client=OURS)
NOBODY = Sides(STOCK, STOCK)

PAIRS = {
    "ours": {"ours": BOTH, "ours-in-pb": BOTH_IN_PB},
    "our-server": {"our-server": BY_SERVER},
    "our-client": {"our-client": BY_CLIENT},
}


class Older(NamedTuple):
    """How stock peers of an older Twisted fare.

    :ivar before: major and minor number of the first Twisted where it is as `defect` says.
    :ivar stock: pattern that the failure matched before; None: there was none.
    :ivar raises: the class of that failure.
    """

    before: tuple[int, int]
    stock: str | None
    raises: type[BaseException] = AssertionError

    def applies(self) -> bool:
        """Say whether the Twisted that is there is older."""
        return (twisted_version.major, twisted_version.minor) < self.before


def defect(
    *pairs: str, stock: str, raises: type[BaseException] = AssertionError, older: Older | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Run a scenario once for each pairing, and once between two stock peers, where it must fail.

    Two ends of ours are tried in each dialect that they can speak.

    :param pairs: keys of `PAIRS`.
    :param stock: pattern that the failure between stock peers must match: the defect, not an accident.
    :param raises: the class of that failure.
    :param older: what to expect of an older Twisted instead.
    """
    expected: str | None = stock
    if older is not None and older.applies():
        expected, raises = older.stock, older.raises

    def decorate(scenario: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(scenario)
        def test(sides: Sides, **kwargs: Any) -> None:
            if sides is not NOBODY or expected is None:
                scenario(sides, **kwargs)
                return
            try:
                with pytest.raises(raises) as caught:
                    scenario(sides, **kwargs)
            finally:
                gc.collect()  # what stock leaves behind is reported here, not in a later test
            assert re.search(expected, str(caught.value)), f"failed for another reason: {caught.value!r}"

        cases = list(_cases(pairs))
        cases.append(pytest.param(NOBODY, id="stock-fails", marks=pytest.mark.filterwarnings("ignore")))
        decorated: Callable[..., Any] = pytest.mark.parametrize("sides", cases)(test)
        return decorated

    return decorate


def _cases(pairs: tuple[str, ...]) -> Iterator[Any]:
    for pair in pairs:
        for name, sides in PAIRS[pair].items():
            yield pytest.param(sides, id=name)


def kept(*pairs: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Run a scenario that stock passes too: what is right there and must stay so."""
    return pytest.mark.parametrize("sides", [*_cases(pairs), pytest.param(NOBODY, id="stock-passes")])
