"""The results as a table for eyes."""

from __future__ import annotations

from tests.benchmarks.runner import Cell, Comparison
from tests.benchmarks.workloads import WORKLOADS

__all__ = ["failures", "number", "ratio", "rows", "text"]


def number(value: float) -> str:
    """Return a number with three digits that count."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def ratio(cell: Cell | None, base: Cell | None) -> float | None:
    """Return the quotient of two medians, None where one of them is missing."""
    if cell is None or base is None or not cell.samples or not base.samples or not base.median:
        return None
    return cell.median / base.median


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return "–"
    if cell.error is not None:
        return "failed"
    if not cell.samples:
        return "–"
    low, high = min(cell.samples), max(cell.samples)
    return f"{number(cell.median)} ({number(low)}–{number(high)})"


def rows(comparison: Comparison, base: str) -> list[list[str]]:
    """Return the table: a heading, then a row for each workload with each peer and its ratio to the base."""
    others = [peer for peer in comparison.peers if peer != base]
    order = [base, *others] if base in comparison.peers else others
    head = ["workload", "unit"]
    for peer in order:
        head += [comparison.titles[peer]] if peer == base else [comparison.titles[peer], "ratio"]
    table = [head]
    for name, cells in comparison.cells.items():
        row = [name, WORKLOADS[name].unit + (" ↓" if WORKLOADS[name].less_is_better else "")]
        for peer in order:
            row.append(_cell(cells.get(peer)))
            if peer != base:
                quotient = ratio(cells.get(peer), cells.get(base))
                row.append("–" if quotient is None else f"{number(quotient)}×")
        table.append(row)
    return table


def text(table: list[list[str]]) -> str:
    """Return a table in columns, numbers to the right."""
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    lines = []
    for row in table:
        cells = [
            value.ljust(width) if i < 2 else value.rjust(width)
            for i, (value, width) in enumerate(zip(row, widths, strict=False))
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def failures(comparison: Comparison) -> list[str]:
    """Return a line for each peer that is absent and each cell that failed."""
    lines = [f"{comparison.titles[peer]} is absent: {reason}" for peer, reason in comparison.absent.items()]
    for name, cells in comparison.cells.items():
        lines += [f"{name}, {comparison.titles[p]} failed: {c.error}" for p, c in cells.items() if c.error is not None]
    return lines
