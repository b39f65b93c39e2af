"""The command without a word: compare the peers."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.bases import LETTERS
from tests.benchmarks.page import write
from tests.benchmarks.peers import ALL, DEFAULT, MODULES, load
from tests.benchmarks.runner import Comparison, Plan
from tests.benchmarks.screen import Progress
from tests.benchmarks.table import details, failures, outcomes, text
from tests.benchmarks.workloads import FULL, SMALL, WORKLOADS

__all__ = ["EPILOG", "add_options", "main"]

EPILOG = """\
workloads:
{workloads}

peers:
  {peers}
  (`all` is all of them but stock-again, which is stock under a second name: how they differ is noise)

examples:
  python -m tests.benchmarks                                        broker beside PB and the limit, some minutes
  python -m tests.benchmarks --peers all --rounds 3 --docs          everybody, and the page of the documentation
  python -m tests.benchmarks --peers all --rounds 1 --seconds 0.1   everybody, roughly
  python -m tests.benchmarks --workloads pipe-null,refs --rounds 5  two workloads, more certain
  python -m tests.benchmarks --workloads memory-ref --held 100000   memory of very many references
  python -m tests.benchmarks --peers stock,stock-again              how noisy is this machine?

reading the tables: a number is the median of the rounds, beside it their smallest and largest; ÷ P, ÷ T and ÷ B are
quotients of two medians, so where ↓ stands (latency, memory) less than 1 is better. The letters:
{letters}
Compare ratios, never numbers of two runs. Peers that are not installed are left out: `pip install broker[bench]`.
""".format(
    workloads="\n".join(f"  {name:<13} {workload.text} [{workload.unit}]" for name, workload in WORKLOADS.items()),
    peers="\n  ".join(f"{name:<18} {load(name).title}" for name in MODULES),
    letters="\n".join(f"  {letter}  {what}" for letter, what in LETTERS.items()),
)


def _names(known: Iterable[str], every: list[str]) -> Callable[[str], list[str]]:
    """Return what reads names with commas between them, or `all`."""

    def parse(value: str) -> list[str]:
        if value == "all":
            return every
        names = [name for name in value.split(",") if name]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names

    return parse


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the comparison can be told."""
    parser.add_argument(
        "--peers",
        type=_names(MODULES, ALL),
        default=DEFAULT,
        metavar="A,B",
        help=f"who is measured, `all` for everybody ({','.join(DEFAULT)})",
    )
    parser.add_argument(
        "--workloads",
        type=_names(WORKLOADS, list(WORKLOADS)),
        default=list(WORKLOADS),
        metavar="A,B",
        help="what is measured",
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each cell is measured (3)")
    parser.add_argument("--seconds", type=float, default=0.5, help="how long each time (0.5)")
    parser.add_argument("--small", action="store_true", help="small values: to see that it works, not how fast")
    parser.add_argument("--held", type=int, help=f"how many are held where memory is measured ({FULL.held})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to a file as well")
    parser.add_argument("--docs", action="store_true", help="write the page of the documentation and its chart")
    parser.add_argument("--again", type=Path, metavar="FILE", help="measure nothing: show a run that --json wrote")


def main(options: argparse.Namespace) -> int:
    """Measure, print, write; return 1 when a cell failed."""
    if options.again is not None:
        comparison = Comparison.from_json(json.loads(options.again.read_text(encoding="utf-8")))
        _show(comparison)
    else:
        comparison = _measured(options)
    if options.json is not None:
        options.json.write_text(json.dumps(comparison.as_json(), indent=1) + "\n", encoding="utf-8")
    if options.docs:
        print(f"written: {write(comparison)}")
    return int(any(cell.error for row in comparison.cells.values() for cell in row.values()))


def _measured(options: argparse.Namespace) -> Comparison:
    """Measure and print; what was measured is printed even when the run is interrupted."""
    sizes = SMALL if options.small else FULL
    if options.held is not None:
        sizes = replace(sizes, held=max(1, options.held))
    plan = Plan(options.peers, options.workloads, max(1, options.rounds), options.seconds, sizes)
    progress = Progress()
    comparison = Comparison(plan, progress)
    try:
        comparison.run()
    finally:
        progress.end()
        _show(comparison)
    return comparison


def _show(comparison: Comparison) -> None:
    for name in comparison.cells:
        print(text(details(comparison, name)) + "\n")
    targets = outcomes(comparison)
    if len(targets) > 1:
        print(text(targets, 3) + "\n")
    for line in failures(comparison):
        print(line)
