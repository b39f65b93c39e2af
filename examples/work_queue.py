"""A work queue in a manager's process, workers in processes of their own, and a display of how far they are.

Run `python examples/work_queue.py [WORKERS [JOBS]]`.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from twisted.internet.defer import gatherResults
from twisted.internet.task import react

from broker.manager import Manager


async def lead(reactor: Any, workers: str = "3", jobs: str = "12") -> None:
    """Start a manager and workers, give them work, show what comes of it."""
    async with Manager() as manager:
        todo, done = await manager.JoinableQueue(), await manager.Queue()
        # For a minute, who knows these may ask for the two objects.
        grants = [await manager.hub.grant(one) for one in (todo, done)]
        told = " ".join([manager.address, manager.key.hex(), *(grant.hex() for grant in grants)])
        team = [start(told) for _ in range(int(workers))]
        await gatherResults([todo.put(number) for number in range(int(jobs))])
        total = 0
        for count in range(1, int(jobs) + 1):
            total += await done.get()
            print(f"\r{count} of {jobs}", end="", flush=True)
        await todo.join()
        print(f"\nthe sum of the squares is {total}")
        for _ in team:
            await todo.put(None)
        print("workers ended with", [worker.wait() for worker in team])


def start(told: str) -> subprocess.Popen[str]:
    """Start a worker; what it is told is secret, so it goes through a pipe."""
    worker = subprocess.Popen([sys.executable, __file__, "work"], stdin=subprocess.PIPE, text=True)
    assert worker.stdin is not None
    worker.stdin.write(told)
    worker.stdin.close()
    return worker


async def work(reactor: Any) -> None:
    """Be a worker: take numbers until there is none."""
    address, key, *grants = sys.stdin.read().split()
    manager = await Manager(address, bytes.fromhex(key)).connect()
    todo, done = [await manager.hub.redeem(bytes.fromhex(grant)) for grant in grants]
    while (number := await todo.get()) is not None:
        await done.put(number * number)
        await todo.task_done()
    await manager.shutdown()


if __name__ == "__main__":
    if sys.argv[1:] == ["work"]:
        react(lambda reactor: work(reactor))
    else:
        react(lambda reactor: lead(reactor, *sys.argv[1:]))
