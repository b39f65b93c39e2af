"""`harm`: how long the calls of a polite client take, alone and beside each of many attackers."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

from broker._net.protocol import SLICE
from tests.benchmarks.attacks import ATTACKS
from tests.benchmarks.process import Pair, WorkerError, cores
from tests.benchmarks.screen import Progress
from tests.benchmarks.sources import ROOT, environment, form

__all__ = ["add_options", "main", "measure", "table"]

#: How far an attacker steps back: it shares a core with the polite client, and it is the server that is looked at.
NICE = 10
#: Seconds that an attack goes on before anything is measured, that an answer may take, and that an attacker has to end.
LEAD = 0.5
PATIENCE = 120.0
ENDING = 20.0
#: The peer that serves.
PEER = "broker-native"
#: Where the table is in the docs.
PAGE = ROOT / "docs" / "explanation" / "under-attack.md"
PART = re.compile(r"(<!-- measured: harm -->\n).*?(<!-- end -->)", re.DOTALL)

Row = dict[str, Any]


def measure(name: str | None, seconds: float, peer: str = PEER) -> Row:
    """Return the polite client's `p50`, `p99` and `worst` in microseconds, and the attacker's `sent` and `cut`.

    :param name: of the attack; None for none.
    :raises WorkerError: somebody did not do what was asked.
    """
    with Pair(peer) as pair:
        if name is None:
            return {**pair.client.ask(PATIENCE, do="ping", seconds=seconds), "sent": 0, "cut": 0}
        core = cores()[1]
        command = [sys.executable, "-m", "tests.benchmarks.attacks", name, pair._where[1]]
        attacker = subprocess.Popen(
            [*command, str(-1 if core is None else core), str(NICE)],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert attacker.stdout is not None
            if not attacker.stdout.readline():
                raise WorkerError(f"the attacker did not begin: exit code {attacker.wait(ENDING)}")
            pair.client.ask(PATIENCE, do="ping", seconds=LEAD)
            got = pair.client.ask(PATIENCE + seconds, do="ping", seconds=seconds)
            told, _ = attacker.communicate(timeout=ENDING)
        finally:
            attacker.kill()
            attacker.wait()
        return {**got, **json.loads(told)}


def table(rows: dict[str, Row]) -> str:
    """Return the rows, the one of no attack first, as a table in Markdown."""
    alone = rows["alone"]
    lines = [
        "| attack | what it sends | p50 ms | p99 ms | worst ms | p99 ÷ alone | cut off |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for name, row in rows.items():
        text = ATTACKS[name].text if name in ATTACKS else "nothing: the polite client has the server for itself"
        if "error" in row:
            lines.append(f"| {name} | {text} | failed: {row['error']} | | | | |")
            continue
        times = " | ".join(f"{row[each] / 1000:,.2f}" for each in ("p50", "p99", "worst"))
        ratio = row["p99"] / alone["p99"] if "p99" in alone else 0.0
        lines.append(f"| {name} | {text} | {times} | {ratio:,.1f} | {row['cut']:,} |")
    return "\n".join(lines)


def run(names: list[str], seconds: float, tell: Callable[[int, int, str, float], object]) -> dict[str, Row]:
    """Measure without and with each of these attacks."""
    rows: dict[str, Row] = {}
    started = monotonic()
    cases: list[str | None] = [None, *names]
    for done, name in enumerate(cases):
        left = (monotonic() - started) / done * (len(cases) - done) if done else (seconds + 2) * len(cases)
        tell(done, len(cases), name or "alone", left)
        try:
            rows[name or "alone"] = measure(name, seconds)
        except (WorkerError, subprocess.TimeoutExpired) as error:
            rows[name or "alone"] = {"error": str(error)}
    return rows


def write(rows: dict[str, Row], seconds: float, page: Path = PAGE) -> None:
    """Put the table into the page."""
    note = f"\nEach measured for {seconds:g} seconds; a slice is {SLICE * 1000:g} ms. The core of broker is {form()}.\n"
    text = page.read_text(encoding="utf-8")
    page.write_text(PART.sub(lambda match: f"{match[1]}\n{table(rows)}\n{note}\n{match[2]}", text), encoding="utf-8")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the measurement can be told."""
    parser.add_argument("--seconds", type=float, default=3.0, help="for how long each case (3)")
    parser.add_argument("--attacks", default=",".join(ATTACKS), metavar="A,B", help="which ones (all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured there, too")
    parser.add_argument("--page", action="store_true", help="put the table into docs/explanation/under-attack.md")


def main(options: argparse.Namespace) -> int:
    """Measure and print; fail if a case could not be measured."""
    names = [name for name in options.attacks.split(",") if name]
    unknown = sorted(set(names) - set(ATTACKS))
    if unknown:
        print(f"{', '.join(map(repr, unknown))} is none of {', '.join(ATTACKS)}", file=sys.stderr)
        return 2
    progress = Progress()
    rows = run(names, options.seconds, progress)
    progress.end()
    print(table(rows))
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if options.page:
        write(rows, options.seconds)
    return int(any("error" in row for row in rows.values()))
