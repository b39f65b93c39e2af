"""`held`: what many connections and references cost, and that all of it comes back when they are released.

Both ends run in this process, over real sockets; each number is what both together cost.
"""

from __future__ import annotations

import argparse
import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from broker import Referenceable, Root, connect, serve
from tests.benchmarks.screen import Progress

__all__ = ["Step", "add_options", "main", "measure"]

#: Connections opened at a time.
BATCH = 50
#: Seconds that the last messages may take to arrive, and between two looks whether they have.
SETTLING = 20.0
LOOK = 0.1


class Maker(Root):
    """Gives out references and counts those that are held."""

    def remote_make(self, count: int) -> list[Referenceable]:
        """Return so many new objects."""
        return [Referenceable() for _ in range(count)]


class Step:
    """What there was at one moment: bytes of Python memory, resident bytes, and the sizes of the tables."""

    def __init__(self, name: str, listener: Any, clients: list[Any]) -> None:
        gc.collect()
        self.name = name
        self.traced = tracemalloc.get_traced_memory()[0]
        self.resident = int(Path("/proc/self/statm").read_text().split()[1]) * 4096 if _PROC else 0
        self.connections = len(listener.factory.connections)
        self.exports = sum(side.session.exports.size for side in listener.factory.connections)
        self.imports = sum(root.broker.session.imports.size for root in clients)


_PROC = Path("/proc/self/statm").exists()


async def measure(
    reactor: Any, connections: int, references: int, tell: Callable[[float, str], object] = lambda share, text: None
) -> list[Step]:
    """Open connections, pass references over each, drop them, close; return what there was after each step."""
    listener = await serve("tcp:0", Maker(), reactor=reactor)
    port = listener.getHost().port
    clients: list[Any] = []
    # What is made once, by the first connection, is no part of what each costs.
    first = await connect(f"tcp:127.0.0.1:{port}", reactor=reactor)
    await first.callRemote("make", 1)
    tracemalloc.start()
    steps = []
    try:
        steps.append(Step("at the start", listener, clients))
        for start in range(0, connections, BATCH):
            tell(start / connections / 2, f"{start} connections")
            opening = [
                connect(f"tcp:127.0.0.1:{port}", reactor=reactor) for _ in range(min(BATCH, connections - start))
            ]
            clients += [await each for each in opening]
        serving = listener.factory.connections
        await _settle(reactor, lambda: len(serving) > connections)
        steps.append(Step(f"{connections:,} connections", listener, clients))
        held: list[Any] = []
        for index, root in enumerate(clients):
            if not index % BATCH:
                tell(0.5 + index / connections / 2, f"{index * references // connections} references")
            share = references * (index + 1) // connections - references * index // connections
            held.append(await root.callRemote("make", share))
        steps.append(Step(f"and {references:,} references", listener, clients))
        held.clear()
        await _settle(reactor, lambda: not any(side.session.exports.size for side in serving))
        steps.append(Step("references released", listener, clients))
        closing = [root.broker.disconnect() for root in clients]
        clients.clear()
        del root
        for gone in closing:
            await gone
        await _settle(reactor, lambda: len(serving) == 1)
        steps.append(Step("connections closed", listener, clients))
    finally:
        tracemalloc.stop()
        await first.broker.disconnect()
        await listener.stopListening()
    return steps


async def _settle(reactor: Any, settled: Callable[[], bool]) -> None:
    """Wait until what is on its way has arrived."""
    gc.collect()
    for _ in range(int(SETTLING / LOOK)):
        waiting: Deferred[None] = deferLater(reactor, LOOK)
        await waiting
        if settled():
            break


def table(steps: list[Step], connections: int, references: int) -> str:
    """Return the steps as lines of a Markdown table."""
    lines = [
        "| both ends together | connections | exports | imports | Python memory | resident | for each |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    before = steps[0]
    for number, step in enumerate(steps):
        grown = step.traced - before.traced
        each = {1: f"{grown / connections:,.0f} B", 2: f"{grown / references:,.0f} B"}.get(number, "")
        lines.append(
            f"| {step.name} | {step.connections:,} | {step.exports:,} | {step.imports:,} "
            f"| {step.traced / 1e6:,.2f} MB | {step.resident / 1e6:,.1f} MB | {each} |"
        )
        before = step
    return "\n".join(lines)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be told."""
    parser.add_argument("--connections", type=int, default=1_000, help="(1000)")
    parser.add_argument("--references", type=int, default=100_000, help="over all of them (100,000)")


def main(options: argparse.Namespace) -> int:
    """Measure and print; fail if something stays."""
    from twisted.internet import reactor

    progress = Progress()
    found: list[Any] = []

    def run() -> None:
        working = Deferred.fromCoroutine(
            measure(reactor, options.connections, options.references, lambda share, text: progress.bar(share, text))
        )
        working.addBoth(found.append).addBoth(lambda _: reactor.stop())  # type: ignore[attr-defined]

    reactor.callWhenRunning(run)  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]
    progress.end()
    if not isinstance(found[0], list):
        print(found[0].getErrorMessage())
        return 1
    steps: list[Step] = found[0]
    print(table(steps, options.connections, options.references))
    last = steps[-1]
    left = last.exports + last.imports + last.connections - steps[0].connections
    grown = last.traced - steps[0].traced
    print(f"\nleft in the tables: {left}; Python memory above the start: {grown:,} bytes")
    return int(left != 0)
