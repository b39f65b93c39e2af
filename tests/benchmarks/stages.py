"""`stages`: microseconds of one operation in each stage, on both sides, peer beside peer."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from tests.benchmarks.peers import load
from tests.benchmarks.process import Pair, WorkerError
from tests.benchmarks.profiling import TIMED
from tests.benchmarks.watch import STAGES
from tests.benchmarks.workloads import FULL, WORKLOADS

__all__ = ["add_options", "main", "measure", "shown"]

#: Those that a watch can be put on: they run on Twisted.
_PEERS = ("stock", "broker-native", "broker-pb", "echo")

#: Those whose operations are all alike.
_ALIKE = [name for name in TIMED if not WORKLOADS[name].busy]
#: Microseconds by stage: of the server, then of the client.
Sides = tuple[dict[str, float], dict[str, float]]


def measure(peer: str, workload: str, seconds: float) -> Sides:
    """Run one workload with a watch on both sides."""
    with Pair(peer, watch=True) as pair:
        both = (pair.server, pair.client)
        for worker in both:
            worker.ask(10.0, do="watch-start")
        patience = 60.0 + 10 * seconds
        pair.client.ask(patience, do="run", workload=workload, seconds=seconds, sizes=asdict(FULL))
        server, client = [worker.ask(10.0, do="watch-stop") for worker in both]
    # The first one, which is made to see whether it works, is none of a loop.
    each = 1e6 / (client["operations"] + 1)
    return {stage: server[stage] * each for stage in STAGES}, {stage: client[stage] * each for stage in STAGES}


def shown(found: dict[str, Sides]) -> str:
    """Return the stages of some peers, by their titles, as a table in Markdown."""
    heads = [f"{title}, {side}" for title in found for side in ("server", "client")]
    sides = [side for both in found.values() for side in both]
    lines = ["| µs | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(sides)]
    for stage in STAGES:
        lines.append(f"| {stage} | " + " | ".join(_number(side[stage]) for side in sides) + " |")
    busy = [sum(side.values()) - side["waiting"] for side in sides]
    lines.append("| **busy** | " + " | ".join(_number(each) for each in busy) + " |")
    lines.append("| **one operation** | " + " | ".join(_number(sum(side.values())) for side in sides) + " |")
    return "\n".join(lines)


def _number(value: float) -> str:
    return "–" if value < 0.05 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the stages can be told."""
    parser.add_argument("workloads", metavar="workload", nargs="+", choices=_ALIKE, help="of " + ", ".join(_ALIKE))
    parser.add_argument("--peers", metavar="A,B", default="stock,broker-native", help="of " + ", ".join(_PEERS))
    parser.add_argument("--seconds", type=float, default=2.0, help="for how long each (2)")


def main(options: argparse.Namespace) -> int:
    """Measure and print."""
    names = options.peers.split(",")
    strange = [name for name in names if name not in _PEERS]
    if strange:
        print(f"no watch can be put on {strange[0]}")
        return 1
    for workload in options.workloads:
        found: dict[str, Sides] = {}
        for name in names:
            try:
                found[load(name).title] = measure(name, workload, options.seconds)
            except WorkerError as error:
                print(f"{load(name).title} failed: {error}")
                return 1
        print(f"{workload}\n\n{shown(found)}\n")
    return 0
