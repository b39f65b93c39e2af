"""The command without a word: compare the peers."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.benchmarks.page import write
from tests.benchmarks.peers import DEFAULT, MODULES
from tests.benchmarks.runner import Comparison, Plan
from tests.benchmarks.screen import Progress
from tests.benchmarks.table import failures, rows, text
from tests.benchmarks.workloads import FULL, SMALL, WORKLOADS

__all__ = ["EPILOG", "add_options", "main"]

EPILOG = """\
workloads:
{workloads}

peers:
  {peers}
  (stock-again is stock under a second name: the ratio between the two is the noise of the machine)

examples:
  python -m tests.benchmarks                                        the whole table, a few minutes
  python -m tests.benchmarks --workloads pipe-null,refs --rounds 5  two rows, more certain
  python -m tests.benchmarks --peers stock,stock-again              how noisy is this machine?
  python -m tests.benchmarks --base echo                            ratios against the limit
  python -m tests.benchmarks --rounds 5 --docs                      write docs/explanation/performance.md

reading the table: 1,234 (1,100–1,300) is the median of the rounds and their smallest and largest; a ratio is the
quotient of two medians, so in rows marked ↓ (latency, memory) less than 1 is better. A dash is a workload that the
peer does not offer. Compare ratios, never numbers of two runs.
""".format(
    workloads="\n".join(f"  {name:<13} {workload.text} [{workload.unit}]" for name, workload in WORKLOADS.items()),
    peers=", ".join(MODULES),
)


def _names(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Return what reads names with commas between them."""

    def parse(value: str) -> list[str]:
        names = [name for name in value.split(",") if name]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names

    return parse


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the comparison can be told."""
    parser.add_argument("--peers", type=_names(MODULES), default=DEFAULT, metavar="A,B", help="who is measured")
    parser.add_argument(
        "--workloads", type=_names(WORKLOADS), default=list(WORKLOADS), metavar="A,B", help="what is measured"
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each cell is measured (3)")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each time (1)")
    parser.add_argument("--base", choices=list(MODULES), default="stock", help="whom the ratios refer to (stock)")
    parser.add_argument("--small", action="store_true", help="small values: to see that it works, not how fast")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to a file as well")
    parser.add_argument("--docs", action="store_true", help="write the page of the documentation and its chart")


def main(options: argparse.Namespace) -> int:
    """Measure, print, write; return 1 when a cell failed."""
    plan = Plan(
        options.peers, options.workloads, max(1, options.rounds), options.seconds, SMALL if options.small else FULL
    )
    progress = Progress()
    comparison = Comparison(plan, progress)
    try:
        comparison.run()
    finally:
        progress.end()
        if comparison.cells:
            print(text(rows(comparison, options.base)))
    for line in failures(comparison):
        print(line)
    if options.json is not None:
        options.json.write_text(json.dumps(comparison.as_json(), indent=1) + "\n", encoding="utf-8")
    if options.docs:
        print(f"written: {write(comparison, options.base)}")
    return int(any(cell.error for row in comparison.cells.values() for cell in row.values()))
