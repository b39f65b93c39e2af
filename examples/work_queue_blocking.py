"""A work queue without Deferreds: workers are processes of `multiprocessing`, and a bar shows how far they are.

Run `python examples/work_queue_blocking.py [WORKERS [JOBS]]`. Where the output is no terminal, it is plain lines.
"""

from __future__ import annotations

import multiprocessing
import sys
from typing import Any

from broker.blocking import Manager

WIDTH = 40


class Progress:
    """Shows how much of something is done: as a bar on a terminal, elsewhere a line for each tenth."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.bar = sys.stdout.isatty()

    def show(self, count: int, busy: int) -> None:
        """Show that so many are done, and how many workers have something to do."""
        if self.bar:
            full = WIDTH * count // self.total
            end = "\n" if count == self.total else ""
            text = f"[{'#' * full}{'.' * (WIDTH - full)}] {count}/{self.total}, {busy} at work "
            print(f"\r{text}", end=end, flush=True)
        elif count * 10 // self.total > (count - 1) * 10 // self.total:
            print(f"{count} of {self.total}", flush=True)


def smallest_factor(number: int) -> int:
    """Return the smallest factor of a number: some work to do."""
    return next((factor for factor in range(2, int(number**0.5) + 1) if number % factor == 0), number)


def work(jobs: Any, done: Any, state: Any) -> None:
    """Be a worker: take numbers until there is None. The arguments are proxies, of objects in the manager's process."""
    me = multiprocessing.current_process().name
    while (number := jobs.get()) is not None:
        state[me] = number
        factor = smallest_factor(number)
        del state[me]
        done.put((number, factor))
        jobs.task_done()


def main(workers: int = 3, count: int = 40) -> None:
    """Start a manager and workers, give them work, show what comes of it."""
    context = multiprocessing.get_context("spawn")
    numbers = range(10**9 + 1, 10**9 + 1 + 2 * count, 2)
    with Manager() as manager:
        jobs, done, state = manager.JoinableQueue(), manager.Queue(), manager.dict()
        team = [context.Process(target=work, args=(jobs, done, state)) for _ in range(workers)]
        for worker in team:
            worker.start()
        for number in numbers:
            jobs.put(number)
        progress, primes = Progress(count), []
        for finished in range(1, count + 1):
            number, factor = done.get()
            if number == factor:
                primes.append(number)
            progress.show(finished, len(state))
        jobs.join()
        print("primes:", *sorted(primes))
        for _ in team:
            jobs.put(None)
        for worker in team:
            worker.join()
        print("workers ended with", [worker.exitcode for worker in team])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
