"""`profile`: where one side of a workload spends its time."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.peers import MODULES, load
from tests.benchmarks.process import Pair, WorkerError
from tests.benchmarks.workloads import FULL, WORKLOADS

__all__ = ["TIMED", "add_options", "main", "profile"]

#: Those that run an operation over and over.
TIMED = [name for name, workload in WORKLOADS.items() if workload.unit != "B"]


def profile(peer: str, workload: str, side: str, seconds: float, lines: int) -> str:
    """Run one workload with one side under cProfile, and return the functions with the most time of their own."""
    with Pair(peer) as pair:
        worker = pair.server if side == "server" else pair.client
        worker.ask(10.0, do="profile-start")
        patience = 60.0 + 10 * seconds
        got = pair.client.ask(patience, do="run", workload=workload, seconds=seconds, sizes=asdict(FULL))
        text = worker.ask(30.0, do="profile-stop", lines=lines)["text"]
    return f"{load(peer).title}, {workload}, {side}, {got['value']:,.0f} {WORKLOADS[workload].unit}\n{text}"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the profile can be told."""
    parser.add_argument("workload", choices=TIMED)
    parser.add_argument("--side", choices=["client", "server"], default="server", help="who is profiled (server)")
    parser.add_argument("--peer", choices=list(MODULES), default="broker-pb", help="(broker-pb)")
    parser.add_argument("--seconds", type=float, default=3.0, help="for how long (3)")
    parser.add_argument("--lines", type=int, default=40, help="how many functions are shown (40)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the text to a file instead")


def main(options: argparse.Namespace) -> int:
    """Profile and print."""
    reason = load(options.peer).missing()
    if reason is not None:
        print(reason)
        return 1
    try:
        text = profile(options.peer, options.workload, options.side, options.seconds, options.lines)
    except WorkerError as error:
        print(f"{load(options.peer).title} failed: {error}")
        return 1
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")
    else:
        print(text)
    return 0
