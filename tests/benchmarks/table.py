"""The results as tables: who did what, how they compare, and which targets were met."""

from __future__ import annotations

from collections.abc import Sequence

from tests.benchmarks.bases import base, ratio
from tests.benchmarks.peers import MODULES, load
from tests.benchmarks.runner import Cell, Comparison
from tests.benchmarks.targets import Outcome, evaluate
from tests.benchmarks.workloads import WORKLOADS

__all__ = ["details", "failures", "matrix", "number", "outcomes", "text", "unit"]

#: In which order kinds of peers stand in a table.
_KINDS = {"ours": 0, "peer": 1, "limit": 2}
_MET = {True: "yes", False: "no", None: "–"}


def number(value: float) -> str:
    """Return a number with three digits that count."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def unit(workload: str) -> str:
    """Return the unit of a workload, with an arrow where less is better."""
    return WORKLOADS[workload].unit + (" ↓" if WORKLOADS[workload].less_is_better else "")


def ordered(comparison: Comparison) -> list[str]:
    """Return the peers that were measured: ours first, the limits last."""
    return sorted(comparison.peers, key=lambda peer: _KINDS[load(peer).kind])


def ranked(workload: str, cells: dict[str, Cell]) -> list[str]:
    """Return the peers of one workload, the best first, those that failed last."""
    sign = 1 if WORKLOADS[workload].less_is_better else -1
    return sorted(cells, key=lambda p: (cells[p].error is not None, sign * cells[p].median if cells[p].samples else 0))


def details(comparison: Comparison, workload: str) -> list[list[str]]:
    """Return the table of one workload: a heading, then a row for each peer, the best first."""
    cells = comparison.cells[workload]
    bases = {letter: base(comparison, workload, letter) for letter in "PTB"}
    table = [[workload, unit(workload), "smallest–largest", *[f"÷ {letter}" for letter in bases]]]
    for peer in ranked(workload, cells):
        cell = cells[peer]
        if cell.error is not None or not cell.samples:
            table.append([load(peer).title, "failed" if cell.error is not None else "–", *["–"] * 4])
            continue
        spread = f"{number(min(cell.samples))}–{number(max(cell.samples))}"
        quotients = [ratio(cell, other) for other in bases.values()]
        shown = ["–" if quotient is None else number(quotient) for quotient in quotients]
        table.append([load(peer).title, number(cell.median), spread, *shown])
    return table


def matrix(comparison: Comparison, workloads: Sequence[str]) -> list[list[str]]:
    """Return the medians of some workloads: a heading, then a row for each peer that offers any of them."""
    measured = [name for name in workloads if name in comparison.cells]
    table = [["", *[f"{name} {unit(name)}" for name in measured]]]
    for peer in ordered(comparison):
        row = [_short(comparison.cells[name].get(peer)) for name in measured]
        if any(cell != "–" for cell in row):
            table.append([load(peer).title, *row])
    return table


def _short(cell: Cell | None) -> str:
    if cell is None or (cell.error is None and not cell.samples):
        return "–"
    return "failed" if cell.error is not None else number(cell.median)


def outcomes(comparison: Comparison) -> list[list[str]]:
    """Return the table of the targets whose workload was measured."""
    table = [["", "workload", "target", "measured", "met"]]
    for outcome in evaluate(comparison):
        if outcome.target.workload in comparison.cells:
            table.append(_outcome(outcome))
    return table


def _outcome(outcome: Outcome) -> list[str]:
    target = outcome.target
    parts = [] if outcome.measured is None else [number(outcome.measured)]
    if outcome.spread is not None:
        parts.append(f"({number(outcome.spread[0])}–{number(outcome.spread[1])})")
    measured = " ".join([*parts, *([outcome.why] if outcome.why else [])])
    whose = load(target.subject).title if target.subject in MODULES else target.subject.replace("-", ", ")
    return [f"{target.level}, {whose}", target.workload, target.text(), measured, _MET[outcome.met]]


def text(table: list[list[str]], left: int = 1) -> str:
    """Return a table in columns, all but the first ones to the right."""
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    lines = []
    for row in table:
        cells = [
            value.ljust(width) if i < left else value.rjust(width)
            for i, (value, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def failures(comparison: Comparison) -> list[str]:
    """Return a line for each peer that is absent and each cell that failed."""
    lines = [f"{load(peer).title} is absent: {reason}" for peer, reason in comparison.absent.items()]
    for name, cells in comparison.cells.items():
        lines += [f"{name}, {load(p).title} failed: {c.error}" for p, c in cells.items() if c.error is not None]
    return lines
