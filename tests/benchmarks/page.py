"""The page of the documentation, from the numbers of one run."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from textwrap import fill

from tests.benchmarks.bases import LETTERS
from tests.benchmarks.chart import svg
from tests.benchmarks.peers import MODULES, load
from tests.benchmarks.runner import Comparison
from tests.benchmarks.sources import ROOT
from tests.benchmarks.table import details, failures, matrix, ordered, outcomes
from tests.benchmarks.workloads import WORKLOADS

__all__ = ["page", "write"]

_INTRODUCTION = """\
# Performance

<!-- Written by `python -m tests.benchmarks --docs`; do not edit. -->

Server and client are separate processes on 127.0.0.1, each on a core of its own where there are two. The peers take
turns within one run. Rounds: {rounds}, of {seconds:g} s a cell (memory: one round where it is counted, at most two
where it is resident). Numbers are medians of the rounds. Only ratios within the run mean anything: on another machine
every number is different, and on a busy one they vary by what the tables below show. Columns marked ↓ are better when
smaller. A dash is a workload that the peer does not offer.

{facts}

![medians of all peers in all workloads](performance.svg)"""
_FORMS = {
    "compiled": "compiled",
    "pure": "not compiled",
    "partly compiled": "compiled in part only",
    "stale": "compiled, but from other sources than those of this tree",
}
_GROUPS = {
    "Calls": ["seq-null", "pipe-null", "seq-struct", "pipe-struct", "latency", "latency-busy"],
    "Large values": ["bulk-ints", "bulk-recs", "bytes-512k", "bytes-16m"],
    "Objects and connections": ["refs", "callback", "connect"],
    "Proxies": ["attr", "iterate", "chain", "steps", "calls-5"],
    "Memory": ["memory-conn", "memory-ref", "memory-import", "rss-conn", "rss-ref"],
}
_UNITS = """\
Megabytes are 10⁶ bytes, counted in one direction. `memory` rows are what tracemalloc counts, so Python's own memory:
peers that keep theirs in a C library have none. `rss` rows are what the resident set of the server grows by. Both after
a collection, per thing held, with what is made only once left out. A reference includes the object itself."""
_TARGETS = """\
What is asked for, and what came of it: the quotient of two medians, in parentheses the smallest and the largest
quotient within a round. *must* is what a release needs, *aim* what would be good."""


def _markdown(table: list[list[str]], left: int = 1) -> str:
    lines = ["| " + " | ".join(cell or " " for cell in row) + " |" for row in table]
    lines.insert(1, "|" + "---|" * left + "---:|" * (len(table[0]) - left))
    return "\n".join(lines)


def page(comparison: Comparison) -> str:
    """Return the page in Markdown."""
    facts, plan = comparison.where, comparison.plan
    known = {"Python": facts["python"], "Twisted": facts["twisted"], **facts["releases"]}
    releases = ", ".join(f"{name} {release}" for name, release in known.items() if release[0].isdigit())
    head = _INTRODUCTION.format(
        rounds=plan.rounds,
        seconds=plan.seconds,
        facts=fill(f"The core of broker is {_FORMS[facts['form']]}. {releases}.", 120),
    )
    parts = [
        head,
        *_groups(comparison),
        "## The targets",
        f"{_TARGETS} {_letters()}",
        _markdown(outcomes(comparison), 3),
    ]
    missing = failures(comparison)
    if missing:
        parts += ["## What is absent or failed", _list(missing)]
    parts += ["## The workloads", _list([f"**{name}**: {WORKLOADS[name].text}." for name in comparison.cells]), _UNITS]
    parts += ["## The peers", _list(_peers(comparison))]
    parts += ["## In detail", f"The columns ÷ P, ÷ T and ÷ B are quotients. {_letters()}"]
    parts += [_markdown(details(comparison, name)) for name in comparison.cells]
    parts.append("Measure again with `python -m tests.benchmarks`; `--help` explains what else it measures.\n")
    return "\n\n".join(parts)


def _groups(comparison: Comparison) -> list[str]:
    """Return the overview, a table for each group of workloads."""
    parts = []
    for title, names in _GROUPS.items():
        if any(name in comparison.cells for name in names):
            parts += [f"## {title}", _markdown(matrix(comparison, names))]
    return parts


def _letters() -> str:
    return "; ".join(f"{letter}: {text}" for letter, text in LETTERS.items()) + "."


def _peers(comparison: Comparison) -> list[str]:
    """Return what each module of peers says of itself."""
    titles: dict[str, list[str]] = {}
    for peer in ordered(comparison):
        text = import_module(MODULES[peer].partition(":")[0]).__doc__ or ""
        titles.setdefault(" ".join(text.split()), []).append(load(peer).title)
    return [f"**{'**, **'.join(names)}**: {text}" for text, names in titles.items()]


def _list(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def write(comparison: Comparison, folder: Path = ROOT / "docs" / "explanation") -> Path:
    """Write the page and its chart, and return where the page is."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "performance.svg").write_text(svg(comparison), encoding="utf-8")
    target = folder / "performance.md"
    target.write_text(page(comparison), encoding="utf-8")
    return target
