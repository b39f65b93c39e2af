"""Shared objects in another process, against `multiprocessing.managers`: ``python -m tests.benchmarks.sharing``.

Both managers run all the time, and take turns at each operation, so that whatever else the machine does falls on both.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any, Final

import broker.blocking

__all__ = ["OPERATIONS", "contend", "main", "measure"]

#: Seconds that each of them has at a time.
_TURN: Final = 0.15
#: How often each of several processes counts: so often that their first calls, in which they connect and find out what
#: there is, are a small part of the time.
_TIMES: Final = 400


def _repeat(function: Callable[[], Any], seconds: float) -> float:
    """Return how often a function can be called in a second."""
    count, begin = 0, perf_counter()
    end = begin + seconds
    while not count or perf_counter() < end:
        function()
        count += 1
    return count / (perf_counter() - begin)


def _append(manager: Any) -> Callable[[], Any]:
    numbers = manager.list()
    return lambda: numbers.append(1)


def _get(manager: Any) -> Callable[[], Any]:
    table = manager.dict(key=1)
    return lambda: table["key"]


def _set(manager: Any) -> Callable[[], Any]:
    table = manager.dict(key=1)

    def change() -> None:
        table["key"] = 2

    return change


def _queue(manager: Any) -> Callable[[], Any]:
    queue = manager.Queue()

    def turn() -> None:
        queue.put(1)
        queue.get()

    return turn


def _lock(manager: Any) -> Callable[[], Any]:
    lock = manager.Lock()

    def turn() -> None:
        with lock:
            pass

    return turn


def _iterate(manager: Any) -> Callable[[], Any]:
    table = manager.dict({number: number for number in range(10_000)})

    def turn() -> None:
        assert sum(1 for _ in table) == 10_000

    return turn


def _walk(manager: Any) -> Callable[[], Any]:
    numbers = manager.list(range(10_000))

    def turn() -> None:
        assert sum(1 for _ in numbers) == 10_000

    return turn


def _create(manager: Any) -> Callable[[], Any]:
    return lambda: manager.list()


#: What is measured: makes of a manager what does it once.
OPERATIONS: dict[str, Callable[[Any], Callable[[], Any]]] = {
    "list append": _append,
    "dict get": _get,
    "dict set": _set,
    "queue put and get": _queue,
    "with lock": _lock,
    "iterate a dict of 10,000": _iterate,
    "iterate a list of 10,000": _walk,
    "create a list": _create,
}


def _contender(numbers: Any, lock: Any, ready: Any, go: Any, times: int) -> None:
    numbers.append(0)
    ready.release()
    go.wait()
    for _ in range(times):
        if lock is None:
            numbers.append(1)
            continue
        with lock:
            numbers[0] += 1


def contend(manager: Any, processes: int = 8, times: int = _TIMES, locked: bool = True) -> float:
    """Have processes change one list, all at the same time; return how often that is done in a second.

    :param locked: they count together, each time with a lock: four calls. Else they append, one call.
    """
    context = multiprocessing.get_context("fork")
    ready, go = context.Semaphore(0), context.Event()
    numbers, lock = manager.list([0]), manager.Lock() if locked else None
    started = [context.Process(target=_contender, args=(numbers, lock, ready, go, times)) for _ in range(processes)]
    for one in started:
        one.start()
    for _ in started:
        ready.acquire()
    begin = perf_counter()
    go.set()
    for one in started:
        one.join()
    took = perf_counter() - begin
    assert (numbers[0] if locked else len(numbers) - processes - 1) == processes * times
    return processes * times / took


def measure(
    turns: int, seconds: float = _TURN, processes: int = 8, times: int = _TIMES
) -> dict[str, tuple[float, float]]:
    """Return for each operation how often a second ours and the other one does it; the median of some turns."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    with broker.blocking.Manager() as ours, multiprocessing.Manager() as theirs:
        for name, make in OPERATIONS.items():
            both = make(ours), make(theirs)
            rates = found[name] = ([], [])
            for _ in range(turns):
                for rate, function in zip(rates, both, strict=True):
                    rate.append(_repeat(function, seconds))
        for name, locked in (("at once", False), ("counting with a lock", True)):
            rates = found[f"{processes} processes {name}"] = ([], [])
            for _ in range(turns):
                for rate, manager in zip(rates, (ours, theirs), strict=True):
                    rate.append(contend(manager, processes, times if locked else 4 * times, locked))
    return {name: (median(one), median(other)) for name, (one, other) in found.items()}


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.turns)
    if options.json:
        print(json.dumps(found))
        return
    for name, (ours, theirs) in found.items():
        print(f"{name:32} {ours:10.0f}/s {theirs:10.0f}/s  {ours / theirs:5.2f}")


if __name__ == "__main__":
    main()
