"""`fairness`: how long the calls of one client take while another one sends as fast as it can."""

from __future__ import annotations

import argparse
from typing import Any

from tests.benchmarks.peers import load
from tests.benchmarks.process import Pair, WorkerError

__all__ = ["add_options", "main", "measure"]

#: What the greedy client does, and the rest of the command that makes it do it.
CASES: dict[str, dict[str, Any] | None] = {
    "alone": None,
    "1,000 always in flight": {"in_flight": 1_000},
    "batches of 20,000": {"in_flight": 20_000, "batches": True},
}
#: How far the greedy client steps back: the two share a core, and it is the server's fairness that is of interest.
NICE = 10
PATIENCE = 60.0
_PEERS = "stock,broker-pb,broker-native"


def measure(peer: str, greed: dict[str, Any] | None, seconds: float) -> dict[str, float]:
    """Return the polite client's `p50`, `p99` and `worst` in microseconds, and the greedy one's `rate` per second."""
    with Pair(peer) as pair:
        if greed is None:
            return {**pair.client.ask(PATIENCE, do="ping", seconds=seconds), "rate": 0.0}
        greedy = pair.another("--nice", str(NICE))
        greedy.send(do="many", operation="echo", seconds=seconds * 1.5, most=None, **greed)
        got = pair.client.ask(PATIENCE + seconds, do="ping", seconds=seconds)
        taken = greedy.receive(PATIENCE + seconds)
        return {**got, "rate": taken["count"] / taken["elapsed"]}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the measurement can be told."""
    parser.add_argument("--seconds", type=float, default=3.0, help="for how long each case (3)")
    parser.add_argument("--peers", default=_PEERS, metavar="A,B", help=f"({_PEERS})")


def main(options: argparse.Namespace) -> int:
    """Measure each peer in each case and print a line for it."""
    print(
        "The polite client sends echo(1) every 5 ms. How long after that the answer is there,\n"
        "while the greedy client is at work:\n"
    )
    print(f"{'peer':<26}{'greedy client':<24}{'p50 us':>10}{'p99 us':>10}{'worst us':>10}{'greedy /s':>12}")
    code = 0
    for name, greed in CASES.items():
        for peer in options.peers.split(","):
            title, reason = load(peer).title, load(peer).missing()
            if reason is not None:
                print(f"{title:<26}absent: {reason}")
                continue
            try:
                got = measure(peer, greed, options.seconds)
            except WorkerError as error:
                print(f"{title:<26}{name:<24}failed: {error}")
                code = 1
                continue
            figures = f"{got['p50']:>10,.0f}{got['p99']:>10,.0f}{got['worst']:>10,.0f}{got['rate']:>12,.0f}"
            print(f"{title:<26}{name:<24}{figures}", flush=True)
    return code
