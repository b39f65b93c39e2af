"""What every client does: keep so many operations in flight for so long, count, and say what that comes to."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from tests.benchmarks.port import Operation
from tests.benchmarks.workloads import Workload, same

__all__ = ["Loop", "Timed", "check", "enough", "percentile", "percentiles", "rate"]


def percentile(sorted_values: list[float], share: float) -> float:
    """Return the value below which that share of them lies."""
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


def percentiles(times: list[float]) -> dict[str, Any]:
    """Return median, 99th percentile and worst of latencies in seconds, as microseconds."""
    ordered = sorted(times)
    p50, p99 = (percentile(ordered, share) * 1e6 for share in (0.5, 0.99))
    return {"value": p99, "p50": p50, "p99": p99, "worst": ordered[-1] * 1e6, "count": len(ordered)}


def rate(workload: Workload, value: Any, count: int, elapsed: float) -> dict[str, Any]:
    """Return what so many operations with that value in so many seconds come to, in the unit of the workload."""
    each = count / elapsed
    return {"value": each * len(value) / 1e6 if workload.unit == "MB/s" else each, "count": count}


def check(workload: Workload, sent: Any, got: Any) -> None:
    """See to it that an echo brought back what was sent, and that of an object was read what it has."""
    wanted = {"echo": sent, "attr": 1, "iterate": sent, "chain": 2, "steps": 2, "calls": 1}
    if workload.operation in wanted and not same(wanted[workload.operation], got):
        raise AssertionError(f"{workload.name}: not what was sent, or is there: {repr(got)[:200]}")


def enough(workload: Workload, took: float, seconds: float) -> bool:
    """Tell whether one operation, the first, took so long that it is measurement enough."""
    return took >= seconds and workload.in_flight == 1 and workload.unit != "us"


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
