"""What a number is compared with: stock PB (P), bare Twisted echo (T), the best peer (B), or anybody by name."""

from __future__ import annotations

from tests.benchmarks.peers import ALL, load
from tests.benchmarks.runner import Cell, Comparison
from tests.benchmarks.workloads import WORKLOADS

__all__ = ["LETTERS", "base", "missing", "quotients", "ratio"]

#: Letter → what it stands for.
LETTERS = {
    "P": "`twisted.spread.pb`",
    "T": "bare Twisted echo",
    "B": "the best peer that is neither broker nor a limit",
    "S": "the best of those that send a message for each call",
}


def base(comparison: Comparison, workload: str, name: str) -> Cell | None:
    """Return what one of the letters, or the name of a peer, stands for in a workload; None where it was not measured.

    :param name: a letter, or the name of a peer.
    """
    cells = comparison.cells.get(workload, {})
    if name in ("P", "T"):
        return _measured(cells.get("stock" if name == "P" else "echo"))
    if name not in LETTERS:
        return _measured(cells.get(name))
    best: Cell | None = None
    for peer, cell in cells.items():
        if _candidate(peer, workload, name) and _measured(cell) and (best is None or _better(workload, cell, best)):
            best = cell
    return best


def missing(comparison: Comparison, workload: str, name: str) -> list[str]:
    """Return the peers that might be the best one (B or S) in a workload, if they had been measured."""
    cells = comparison.cells.get(workload, {})
    return [peer for peer in ALL if _candidate(peer, workload, name) and _measured(cells.get(peer)) is None]


def _candidate(peer: str, workload: str, name: str) -> bool:
    adapter = load(peer)
    if adapter.kind != "peer" or workload not in adapter.offers:
        return False
    return name != "S" or workload not in adapter.batched


def _measured(cell: Cell | None) -> Cell | None:
    return cell if cell is not None and cell.samples and cell.error is None else None


def _better(workload: str, one: Cell, other: Cell) -> bool:
    return one.median < other.median if WORKLOADS[workload].less_is_better else one.median > other.median


def ratio(cell: Cell | None, other: Cell | None) -> float | None:
    """Return the quotient of two medians, None where one of them is missing."""
    if cell is None or other is None or not cell.samples or not other.samples or not other.median:
        return None
    return cell.median / other.median


def quotients(cell: Cell, other: Cell) -> list[float]:
    """Return the quotients within each round: what the machine did then, it did to both."""
    if len(cell.samples) != len(other.samples):
        return []
    return [mine / theirs for mine, theirs in zip(cell.samples, other.samples, strict=True) if theirs]
