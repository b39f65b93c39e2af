"""`scaling`: whether the codecs take the same time for each element, however many there are and however they come."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from math import log
from time import perf_counter
from typing import Any

from tests.benchmarks.codecs import CODECS, Codec

__all__ = ["SHAPES", "add_options", "exponent", "main", "measure", "series"]

SHAPES: dict[str, Callable[[int], Any]] = {
    "ints": lambda n: [i * 7919 % 1_000_003 for i in range(n)],
    "records": lambda n: [{"a": i, "b": str(i), "c": [i, i], "d": None} for i in range(n // 8)],
    "small tokens": lambda n: [b"x" if i % 2 else [] for i in range(n)],
    "one string": lambda n: b"12345678" * n,
}
#: How the bytes come to the decoder; None is the other way, encoding.
PIECES: dict[str, int | None] = {
    "encode": None,
    "decode whole": 1 << 40,
    "decode by 4096": 4096,
    "decode by 512": 512,
    "decode by 1": 1,
}
#: Time that grows faster than elements to this power is called quadratic.
LINEAR = 1.35


def measure(codec: Codec, value: Any, piece: int | None, budget: float) -> float:
    """Return the shortest of up to three times, in seconds."""
    data = b"" if piece is None else codec.encode(value)
    best, spent, runs = float("inf"), 0.0, 0
    while runs < 3 and spent < budget:
        started = perf_counter()
        if piece is None:
            codec.encode(value)
        else:
            codec.decode(data, piece)
        elapsed = perf_counter() - started
        best, spent, runs = min(best, elapsed), spent + elapsed, runs + 1
    return best


def series(codec: Codec, shape: str, how: str, sizes: list[int], budget: float) -> list[float]:
    """Return the time for each size, fewer of them where the next would take longer than the budget."""
    times: list[float] = []
    for size in sizes:
        if times and times[-1] * 2 > budget:
            break
        times.append(measure(codec, SHAPES[shape](size), PIECES[how], budget / 2))
    return times


def exponent(times: list[float]) -> float:
    """Return to which power of the size the time grows: 1 is linear, 2 quadratic; from the last three doublings."""
    last = times[-4:]
    return log(last[-1] / last[0]) / log(2) / (len(last) - 1) if len(last) > 1 else 0.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the measurement can be told."""
    parser.add_argument("--most", type=int, default=64, help="largest number of elements, in thousands (64)")
    parser.add_argument("--budget", type=float, default=1.0, help="seconds for one number; then it stops (1)")


def main(options: argparse.Namespace) -> int:
    """Print a line for each shape, way and codec; return 1 when one of ours is not linear."""
    sizes = [1024 << i for i in range(10) if 1 << i <= options.most]
    print("ns for each element at the first size, then the ratio of that time from doubling to doubling: 1 is linear,")
    print("2 quadratic. A dot is a size that was left out because it would take too long.\n")
    heads = "".join(f"{size // 1024:>6}k" for size in sizes[1:])
    print(f"{'shape':<13}{'way':<16}{'codec':<8}{sizes[0] // 1024:>8}k{heads}   at the largest")
    bad = 0
    for shape in SHAPES:
        for how in PIECES:
            for codec in CODECS:
                times = series(codec, shape, how, sizes, options.budget)
                grows = exponent(times) > LINEAR
                bad += grows and codec.ours
                print(f"{shape:<13}{how:<16}{codec.name:<8}{_line(times, sizes)}{'  GROWS' * grows}", flush=True)
    return int(bad > 0)


def _line(times: list[float], sizes: list[int]) -> str:
    each = [time / size * 1e9 for time, size in zip(times, sizes, strict=False)]
    ratios = "".join(f"{after / before:>7.2f}" for before, after in zip(each, each[1:], strict=False))
    dots = "      ." * (len(sizes) - len(times))
    return f"{each[0]:>9,.0f}{ratios}{dots}{each[-1]:>12,.0f} ns"
