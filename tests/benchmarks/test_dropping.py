"""The measurement of objects that come and go, in short: nothing is left of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.benchmarks.dropping import Memory, drop


def test_thousands_of_objects_are_made_and_dropped() -> None:
    # The main thread may have a reactor, and must not wait then.
    with ThreadPoolExecutor(1) as pool:
        first, before, after = pool.submit(drop, 5000, 500).result()
    assert first.objects == before.objects == after.objects == 1, "the pool"
    assert after.as_before(before), f"{before}, then {after}"
    assert before.as_before(Memory(1, first.blocks * 2, first.resident)), f"{first}, then {before}"


def test_more_than_there_was_is_seen() -> None:
    before = Memory(1, 100_000, 50 << 20)
    assert before.as_before(before)
    assert not Memory(2, 100_000, 50 << 20).as_before(before)
    assert not Memory(1, 102_000, 50 << 20).as_before(before)
    assert not Memory(1, 100_000, 60 << 20).as_before(before)
