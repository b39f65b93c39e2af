"""The page of the documentation, from the numbers of one run."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.chart import svg
from tests.benchmarks.process import ROOT
from tests.benchmarks.runner import Comparison, where
from tests.benchmarks.table import failures, rows
from tests.benchmarks.workloads import WORKLOADS

__all__ = ["page", "write"]

_INTRODUCTION = """\
# Performance

<!-- Written by `python -m tests.benchmarks --docs`; do not edit. -->

Server and client are separate processes on 127.0.0.1, each on a core of its own where there are two. The peers take
turns within one run. Rounds: {rounds}, of {seconds:g} s a cell. A cell shows the median of the rounds, and in
parentheses the smallest and the largest. Only ratios within the table mean anything: on another machine every number
is different, and on a busy one they vary by what the parentheses show. Rows marked ↓ are better when smaller.

Python {python}, Twisted {twisted}, {compiled}.

![times better than {base}](performance.svg)"""


def _markdown(table: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in table]
    lines.insert(1, "|---|---|" + "---:|" * (len(table[0]) - 2))
    return "\n".join(lines)


def page(comparison: Comparison, base: str) -> str:
    """Return the page in Markdown."""
    facts, plan = where(), comparison.plan
    head = _INTRODUCTION.format(
        rounds=plan.rounds,
        seconds=plan.seconds,
        python=facts["python"],
        twisted=facts["twisted"],
        compiled="the core of broker compiled" if facts["core_is_compiled"] else "the core of broker not compiled",
        base=comparison.titles[base],
    )
    parts = [head, _markdown(rows(comparison, base))]
    missing = failures(comparison)
    if missing:
        parts.append("\n".join(f"- {line}" for line in missing))
    parts.append("## The workloads")
    parts.append("\n".join(f"- **{name}**: {WORKLOADS[name].text}." for name in comparison.cells))
    parts.append(
        "Megabytes are 10⁶ bytes, counted in one direction. `memory` rows are what tracemalloc counts at the server,\n"
        "`rss` rows what its resident set grows by; both after a collection, per thing held, with what is made only\n"
        "once left out. A reference includes the object itself."
    )
    parts.append("Measure again with `python -m tests.benchmarks`; `--help` explains what else it measures.\n")
    return "\n\n".join(parts)


def write(comparison: Comparison, base: str, folder: Path = ROOT / "docs" / "explanation") -> Path:
    """Write the page and its chart, and return where the page is."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "performance.svg").write_text(svg(comparison, base), encoding="utf-8")
    target = folder / "performance.md"
    target.write_text(page(comparison, base), encoding="utf-8")
    return target
