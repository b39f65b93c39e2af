"""The comparison: every cell of the table, the peers in turn."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Any

from tests.benchmarks.installed import release
from tests.benchmarks.peers import load
from tests.benchmarks.process import Pair, WorkerError, cores
from tests.benchmarks.sources import ROOT, form_of
from tests.benchmarks.workloads import FULL, WORKLOADS, Sizes, Workload

__all__ = ["Cell", "Comparison", "Plan"]

#: Seconds that a cell may take beyond three times its time.
PATIENCE = 30.0
#: How many connections or references a second anybody manages to open.
HOLDING = 20
#: Rounds of memory that is counted, which is the same each time, and of resident memory, which each takes processes.
COUNTED, RESIDENT = 1, 2
#: What the peers are made of.
_DISTRIBUTIONS = ["foolscap", "rpyc", "Pyro5", "serpent", "msgpack", "grpcio", "pycapnp", "uvloop"]


@dataclass
class Plan:
    """What is to be measured.

    :param peers: names of the peers, in the order in which they take turns.
    :param seconds: for how long each cell starts new operations.
    """

    peers: Sequence[str]
    workloads: Sequence[str]
    rounds: int = 3
    seconds: float = 1.0
    sizes: Sizes = FULL


@dataclass
class Cell:
    """What one peer did in one workload: a number for each round, and what went wrong, if anything."""

    samples: list[float] = field(default_factory=list)
    error: str | None = None

    @property
    def median(self) -> float:
        """Return the middle sample, or the mean of the two in the middle."""
        ordered, half = sorted(self.samples), len(self.samples) // 2
        return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


class Comparison:
    """One run of a plan.

    :param progress: told before each cell: how many are done, how many there are, what comes, seconds left.
    """

    def __init__(self, plan: Plan, progress: Callable[[int, int, str, float], object]) -> None:
        self.plan = plan
        self._progress = progress
        #: Peers that cannot be measured here, and why.
        self.absent: dict[str, str] = {}
        for name in plan.peers:
            reason = load(name).missing()
            if reason is not None:
                self.absent[name] = reason
        self.peers = [name for name in plan.peers if name not in self.absent]
        self.where = where()
        self.cells: dict[str, dict[str, Cell]] = {}
        self._pairs: dict[str, Pair] = {}
        self._took: list[float] = []

    def run(self) -> None:
        """Measure everything. A cell that fails is noted and not tried again; the others go on."""
        try:
            for name in self.plan.workloads:
                self._row(WORKLOADS[name])
        finally:
            for peer in list(self._pairs):
                self._end(peer)

    def _row(self, workload: Workload) -> None:
        offering = [peer for peer in self.peers if workload.name in load(peer).offers]
        row = self.cells[workload.name] = {peer: Cell() for peer in offering}
        for turn in range(self._rounds(workload)):
            for peer in offering:
                self._tell(workload, peer, turn)
                if row[peer].error is None:
                    self._cell(workload, peer, row[peer])

    def _rounds(self, workload: Workload) -> int:
        if workload.unit != "B":
            return self.plan.rounds
        return min(self.plan.rounds, COUNTED if workload.traced else RESIDENT)

    def _cell(self, workload: Workload, peer: str, cell: Cell) -> None:
        started = monotonic()
        try:
            cell.samples.append(self._held(workload, peer) if workload.unit == "B" else self._timed(workload, peer))
        except (WorkerError, OSError) as error:
            cell.error = str(error)
            self._end(peer)
        self._took.append(monotonic() - started)

    def _timed(self, workload: Workload, peer: str) -> float:
        if peer not in self._pairs:
            self._pairs[peer] = Pair(peer)
        command = {"workload": workload.name, "seconds": self.plan.seconds, "sizes": asdict(self.plan.sizes)}
        patience = PATIENCE + 3 * self.plan.seconds
        return float(self._pairs[peer].client.ask(patience, do="run", **command)["value"])

    def _held(self, workload: Workload, peer: str) -> float:
        """Measure memory in processes of its own. A tenth is opened first, so that what is made once is not counted."""
        kind, held = "traced" if workload.traced else "rss", self.plan.sizes.held
        patience = PATIENCE + held / HOLDING
        with Pair(peer, trace=workload.side if workload.traced else "") as pair:
            side = pair.server if workload.side == "server" else pair.client
            pair.client.ask(patience, do="hold", what=workload.operation, count=max(1, held // 10))
            before = side.ask(PATIENCE, do="memory")[kind]
            pair.client.ask(patience, do="hold", what=workload.operation, count=held)
            return float(side.ask(PATIENCE, do="memory")[kind] - before) / held

    def _end(self, peer: str) -> None:
        pair = self._pairs.pop(peer, None)
        if pair is not None:
            pair.close()

    def _tell(self, workload: Workload, peer: str, turn: int) -> None:
        total, done = sum(map(self._cells, self.plan.workloads)), len(self._took)
        each = sum(self._took) / done if done else self.plan.seconds * 1.2 + 0.2
        what = f"{workload.name} {load(peer).title} round {turn + 1}/{self._rounds(workload)}"
        self._progress(done, total, what, each * (total - done))

    def _cells(self, name: str) -> int:
        return self._rounds(WORKLOADS[name]) * len([1 for peer in self.peers if name in load(peer).offers])

    def as_json(self) -> dict[str, Any]:
        """Return everything that was measured."""
        cells = {
            workload: {
                peer: asdict(cell) | ({"median": cell.median} if cell.samples else {}) for peer, cell in row.items()
            }
            for workload, row in self.cells.items()
        }
        return {
            "plan": asdict(self.plan),
            "where": self.where,
            "absent": self.absent,
            "cells": cells,
        }

    @classmethod
    def from_json(cls, written: dict[str, Any]) -> Comparison:
        """Return a run that `as_json` described, as if it had just been made."""
        plan = Plan(**{**written["plan"], "sizes": Sizes(**written["plan"]["sizes"])})
        self = cls(plan, lambda *_: None)
        self.where, self.absent = written["where"], written["absent"]
        self.peers = [name for name in plan.peers if name not in self.absent]
        self.cells = {
            workload: {peer: Cell(cell["samples"], cell["error"]) for peer, cell in row.items()}
            for workload, row in written["cells"].items()
        }
        return self


def where() -> dict[str, Any]:
    """Return what the numbers depend on."""
    return {
        "python": platform.python_version(),
        "twisted": release("twisted"),
        "platform": sys.platform,
        "cores": cores(),
        "form": form_of(ROOT),
        "releases": {name: release(name) for name in _DISTRIBUTIONS},
    }
