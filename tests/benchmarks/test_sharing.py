"""The comparison of managers runs: each operation does what it says, with both."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.benchmarks.sharing import OPERATIONS, measure


def test_every_operation_is_measured() -> None:
    # The main thread may have a reactor, and must not wait then.
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(measure, 1, seconds=0.0, processes=2, times=3).result()
    assert set(found) == {*OPERATIONS, "2 processes at once", "2 processes counting with a lock"}
    assert all(rate > 0 for rates in found.values() for rate in rates)
