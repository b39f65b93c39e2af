"""A bar chart as SVG: how many times better than the base each peer is, on a logarithmic scale."""

from __future__ import annotations

from html import escape
from math import floor, log10

from tests.benchmarks.runner import Comparison
from tests.benchmarks.table import number, ratio
from tests.benchmarks.workloads import WORKLOADS

__all__ = ["svg"]

_LEFT, _WIDTH, _BAR, _GAP, _TOP = 120, 560, 12, 10, 56
_COLOURS = ["#2a6f97", "#bc6c25", "#6a994e", "#7b2cbf", "#b5179e", "#495057"]


def gains(comparison: Comparison, base: str, peers: list[str]) -> dict[str, dict[str, float]]:
    """Return, for each workload, how many times better than the base each of the peers is."""
    table: dict[str, dict[str, float]] = {}
    for name, cells in comparison.cells.items():
        for peer in peers:
            quotient = ratio(cells.get(peer), cells.get(base))
            if quotient is not None and quotient > 0:
                gain = 1 / quotient if WORKLOADS[name].less_is_better else quotient
                table.setdefault(name, {})[peer] = gain
    return table


def svg(comparison: Comparison, base: str) -> str:
    """Return the chart as a document."""
    peers = [peer for peer in comparison.peers if peer != base]
    table = gains(comparison, base, peers)
    values = [gain for row in table.values() for gain in row.values()] or [1.0]
    low, high = floor(min(-0.3, log10(min(values)))), max(0.5, log10(max(values)) + 0.1)
    row_height = _BAR * len(peers) + _GAP
    height = _TOP + row_height * len(table) + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 60} {height}" '
        'font-family="sans-serif" font-size="11" role="img">',
        f"<title>Times better than {escape(comparison.titles[base])}, logarithmic scale</title>",
        '<rect width="100%" height="100%" fill="white"/>',
        *_legend(comparison, base, peers),
        *_grid(low, high, height),
    ]
    for index, (name, row) in enumerate(table.items()):
        parts += _bars(name, row, peers, _TOP + index * row_height, low, high)
    return "\n".join([*parts, "</svg>", ""])


def _x(value: float, low: float, high: float) -> float:
    return _LEFT + _WIDTH * (value - low) / (high - low)


def _legend(comparison: Comparison, base: str, peers: list[str]) -> list[str]:
    parts = [f'<text x="8" y="16" font-weight="bold">times better than {escape(comparison.titles[base])}</text>']
    x = 8
    for index, peer in enumerate(peers):
        colour, title = _COLOURS[index % len(_COLOURS)], comparison.titles[peer]
        parts.append(f'<rect x="{x}" y="24" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{x + 14}" y="33">{escape(title)}</text>')
        x += 34 + 7 * len(title)
    return parts


def _grid(low: float, high: float, height: int) -> list[str]:
    """Draw a line for each power of ten; the one at 1 is the base."""
    parts = []
    for power in range(int(low), int(high) + 1):
        x, colour = _x(power, low, high), "#000" if power == 0 else "#ccc"
        parts.append(f'<line x1="{x:.1f}" y1="{_TOP - 8}" x2="{x:.1f}" y2="{height - 8}" stroke="{colour}"/>')
        parts.append(f'<text x="{x:.1f}" y="{_TOP - 10}" text-anchor="middle">{10.0**power:g}</text>')
    return parts


def _bars(name: str, row: dict[str, float], peers: list[str], top: int, low: float, high: float) -> list[str]:
    middle = top + _BAR * len(peers) / 2 + 4
    parts = [f'<text x="{_LEFT - 8}" y="{middle:.1f}" text-anchor="end">{escape(name)}</text>']
    one = _x(0, low, high)
    for index, peer in enumerate(peers):
        if peer not in row:
            continue
        end, y = _x(log10(row[peer]), low, high), top + index * _BAR
        left, width = min(one, end), max(1.0, abs(end - one))
        colour = _COLOURS[index % len(_COLOURS)]
        parts.append(f'<rect x="{left:.1f}" y="{y}" width="{width:.1f}" height="{_BAR - 2}" fill="{colour}"/>')
        parts.append(f'<text x="{max(one, end) + 4:.1f}" y="{y + 9}" font-size="9">{number(row[peer])}</text>')
    return parts
