"""The loop of a client on a reactor: keep so many operations in flight for so long, and count."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from tests.benchmarks.port import Operation

__all__ = ["Loop", "Timed", "percentile"]


def percentile(sorted_values: list[float], share: float) -> float:
    """Return the value below which that share of them lies."""
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


class Loop:
    """Starts an operation whenever another ends, until the time or the number is reached and the last one is back.

    :param operation: what to start.
    :param in_flight: how many of them at any time.
    :param seconds: for how long new ones are started; at least as many are as fit in flight.
    :param finished: called once, with None or with what went wrong.
    :param most: how many are started at most.
    """

    def __init__(
        self,
        operation: Operation,
        in_flight: int,
        seconds: float,
        finished: Callable[[Any], object],
        most: float = float("inf"),
    ) -> None:
        self._operation = operation
        self._in_flight = min(in_flight, most)
        self._seconds = seconds
        self._finished = finished
        self._most = most
        self._begun = 0
        self._over = False
        self._started = 0.0
        self.count = 0
        self.elapsed = 0.0

    def start(self) -> None:
        """Fill the flight."""
        self._started = perf_counter()
        while self._begun < self._in_flight and not self._over:
            self._begin()

    def stop(self) -> None:
        """Start no more."""
        self._seconds = 0.0

    def _begin(self) -> None:
        self._begun += 1
        self._operation(self._done, self._failed)

    def _done(self, result: Any) -> None:
        self.count += 1
        if self._begun < self._most and perf_counter() - self._started < self._seconds and not self._over:
            self._begin()
        elif self.count == self._begun and not self._over:
            self._over = True
            self.elapsed = perf_counter() - self._started
            self._finished(None)

    def _failed(self, problem: Any) -> None:
        if not self._over:
            self._over = True
            self._finished(problem)


class Timed:
    """An operation that notes how long each one took."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self.times: list[float] = []

    def __call__(self, done: Callable[[Any], object], failed: Callable[[Any], object]) -> None:
        """Start one and note its time before `done` is told."""
        started = perf_counter()

        def finished(result: Any) -> None:
            self.times.append(perf_counter() - started)
            done(result)

        self._operation(finished, failed)
