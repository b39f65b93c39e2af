"""The chart as SVG: a panel for each workload, a line in it for each peer, the best first, on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from math import ceil, floor, log10

from tests.benchmarks.bases import base
from tests.benchmarks.peers import load
from tests.benchmarks.runner import Cell, Comparison
from tests.benchmarks.table import number, ranked, unit

__all__ = ["svg"]

_COLUMNS, _PANEL, _LABEL, _SCALE, _LINE = 2, 500, 190, 230, 15
#: Above the panels, and in each panel above and below its lines.
_TOP, _HEAD, _FOOT = 64, 38, 16
_COLOURS = {"ours": "#d00000", "peer": "#2a6f97", "limit": "#868e96"}
_KINDS = {"ours": "broker", "peer": "peers", "limit": "limits: no objects, only bytes"}


def svg(comparison: Comparison) -> str:
    """Return the chart as a document."""
    shown = {name: _shown(name, cells) for name, cells in comparison.cells.items()}
    panels = [(name, peers) for name, peers in shown.items() if peers]
    parts: list[str] = []
    top = _TOP
    for start in range(0, len(panels), _COLUMNS):
        row = panels[start : start + _COLUMNS]
        for column, (name, peers) in enumerate(row):
            parts += _panel(comparison, name, peers, column * _PANEL, top)
        top += _HEAD + _LINE * max(len(peers) for _, peers in row) + _FOOT
    width, height = _PANEL * _COLUMNS, top
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11" role="img">',
        "<title>Medians of all peers in all workloads, logarithmic scales</title>",
        '<rect width="100%" height="100%" fill="white"/>',
        *_legend(),
    ]
    return "\n".join([*head, *parts, "</svg>", ""])


def _shown(name: str, cells: dict[str, Cell]) -> list[str]:
    """Return the peers of a panel: a logarithmic scale has no place for zero."""
    positive = {peer: cell for peer, cell in cells.items() if not cell.error and min(cell.samples, default=0) > 0}
    return ranked(name, positive)


def _legend() -> list[str]:
    parts, x = ['<text x="8" y="20" font-weight="bold">Medians; the line is from smallest to largest</text>'], 8
    for kind, text in _KINDS.items():
        parts.append(f'<circle cx="{x + 5}" cy="38" r="4" fill="{_COLOURS[kind]}"/>')
        parts.append(f'<text x="{x + 14}" y="42">{escape(text)}</text>')
        x += 44 + 6 * len(text)
    parts.append(f'<line x1="{x + 5}" y1="30" x2="{x + 5}" y2="46" stroke="#000" stroke-dasharray="3 2"/>')
    parts.append(f'<text x="{x + 14}" y="42">twisted.spread.pb</text>')
    return parts


def _panel(comparison: Comparison, name: str, peers: list[str], left: int, top: int) -> list[str]:
    cells = comparison.cells[name]
    values = [value for peer in peers for value in cells[peer].samples]
    low, high = floor(log10(min(values))), max(ceil(log10(max(values))), floor(log10(min(values))) + 1)
    bottom = top + _HEAD + _LINE * len(peers)

    def x(value: float) -> float:
        return left + _LABEL + _SCALE * (log10(value) - low) / (high - low)

    parts = [f'<text x="{left + _LABEL}" y="{top + 14}" font-weight="bold">{escape(name)}, {escape(unit(name))}</text>']
    for power in range(low, high + 1):
        at = f"{x(10.0**power):.1f}"
        parts.append(f'<line x1="{at}" y1="{top + 32}" x2="{at}" y2="{bottom}" stroke="#ddd"/>')
        parts.append(f'<text x="{at}" y="{top + 28}" text-anchor="middle" font-size="9">{_power(power)}</text>')
    stock = base(comparison, name, "P")
    if stock is not None and stock.median > 0:
        at = f"{x(stock.median):.1f}"
        parts.append(f'<line x1="{at}" y1="{top + 32}" x2="{at}" y2="{bottom}" stroke="#000" stroke-dasharray="3 2"/>')
    for index, peer in enumerate(peers):
        parts += _dot(peer, cells[peer], left, top + _HEAD + _LINE * index + 8, x)
    return parts


def _power(power: int) -> str:
    """Return a power of ten, briefly."""
    for exponent, suffix in ((6, "M"), (3, "k")):
        if power >= exponent:
            return f"{10 ** (power - exponent)}{suffix}"
    return f"{10.0**power:g}"


def _dot(peer: str, cell: Cell, left: int, y: int, x: Callable[[float], float]) -> list[str]:
    colour, middle = _COLOURS[load(peer).kind], x(cell.median)
    weight = ' font-weight="bold"' if load(peer).kind == "ours" else ""
    title = load(peer).title.removeprefix("limit: ")
    return [
        f'<text x="{left + _LABEL - 8}" y="{y + 4}" text-anchor="end"{weight}>{escape(title)}</text>',
        f'<line x1="{x(min(cell.samples)):.1f}" y1="{y}" x2="{x(max(cell.samples)):.1f}" y2="{y}" '
        f'stroke="{colour}" stroke-width="2"/>',
        f'<circle cx="{middle:.1f}" cy="{y}" r="4" fill="{colour}"/>',
        f'<text x="{left + _LABEL + _SCALE + 12}" y="{y + 4}"{weight}>{number(cell.median)}</text>',
    ]
