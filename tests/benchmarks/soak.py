"""`soak`: very many calls with references both ways on one connection, after which nothing may be left."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from time import monotonic

from tests.benchmarks.pb_shape import PBPeer
from tests.benchmarks.peers import MODULES, load
from tests.benchmarks.process import Pair, Worker, WorkerError
from tests.benchmarks.screen import Progress

__all__ = ["Report", "add_options", "main", "soak"]

#: Into how many parts a soak is cut at most; the progress moves with each.
PARTS = 100
#: Calls in a part at least.
LEAST = 100
IN_FLIGHT = 50
#: Seconds that the last releases may take to arrive.
SETTLING = 10.0
#: What the resident set may grow by after the first tenth: a share of it, and bytes.
GROWTH, SLACK = 0.05, 1 << 20


@dataclass
class Report:
    """What a soak found.

    :ivar rss: for each side, its resident set in bytes after each part.
    :ivar left: for each side, the tables that are not at their start: name → size at the start, at the end.
    """

    calls: int = 0
    seconds: float = 0.0
    rss: dict[str, list[int]] = field(default_factory=lambda: {"server": [], "client": []})
    left: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)

    def at(self, side: str, share: float) -> int:
        """Return the resident set of a side when that share of the calls was done."""
        parts = self.rss[side]
        return parts[max(0, round(len(parts) * share) - 1)]

    def problems(self) -> list[str]:
        """Return a line for each thing that is not as it was."""
        lines = [
            f"{side}: table {name} had {before} entries at the start and has {after} at the end"
            for side, tables in self.left.items()
            for name, (before, after) in tables.items()
        ]
        for side in self.rss:
            early, late = self.at(side, 0.1), self.at(side, 1.0)
            if late > early * (1 + GROWTH) + SLACK:
                lines.append(f"{side}: resident memory grew from {early:,} to {late:,} bytes")
        return lines


def soak(peer: str, calls: int, progress: Progress | None = None) -> Report:
    """Make that many calls and return what was found.

    :raises WorkerError: a call failed, gave a wrong result, or took too long.
    """
    report = Report()
    started, parts = monotonic(), max(1, min(PARTS, calls // LEAST))
    with Pair(peer) as pair:
        sides = {"server": pair.server, "client": pair.client}
        before = {side: worker.ask(SETTLING, do="tables") for side, worker in sides.items()}
        for part in range(parts):
            most = calls * (part + 1) // parts - report.calls
            patience = 60.0 + most / 50
            command = {"operation": "soak", "in_flight": IN_FLIGHT, "seconds": patience, "most": most}
            report.calls += int(pair.client.ask(patience, do="many", **command)["count"])
            for side, worker in sides.items():
                report.rss[side].append(int(worker.ask(60.0, do="memory")["rss"]))
            if progress is not None:
                rate = report.calls / (monotonic() - started)
                progress.bar((part + 1) / parts, f"{report.calls:,} calls, {rate:,.0f} /s")
        report.left = {side: left for side, worker in sides.items() if (left := _left(worker, before[side]))}
    report.seconds = monotonic() - started
    return report


def _left(worker: Worker, before: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Return what differs from the start, once the last releases have had time to arrive."""
    deadline = monotonic() + SETTLING
    while True:
        after = worker.ask(SETTLING, do="tables")
        left = {name: (size, after[name]) for name, size in before.items() if after[name] != size}
        if not left or monotonic() > deadline:
            return left


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the soak can be told."""
    parser.add_argument("--calls", type=int, default=1_000_000, help="how many (1,000,000)")
    peers = [name for name in MODULES if isinstance(load(name), PBPeer)]
    parser.add_argument("--peer", choices=peers, default="broker-pb", help="(broker-pb)")


def main(options: argparse.Namespace) -> int:
    """Soak, print what was found, and return 1 when something is left."""
    reason = load(options.peer).missing()
    if reason is not None:
        print(reason)
        return 1
    progress = Progress()
    try:
        report = soak(options.peer, options.calls, progress)
    except WorkerError as error:
        print(f"{load(options.peer).title} failed: {error}")
        return 1
    finally:
        progress.end()
    print(f"{load(options.peer).title}: {report.calls:,} calls in {report.seconds:,.0f} s")
    for side in report.rss:
        at = ", ".join(f"{report.at(side, share) / 1e6:.1f} MB at {share:.0%}" for share in (0.1, 0.5, 1.0))
        print(f"  {side}: resident memory {at}")
    problems = report.problems()
    print("\n".join(f"  {line}" for line in problems) or "  every table is at its start, memory is flat")
    return int(bool(problems))
