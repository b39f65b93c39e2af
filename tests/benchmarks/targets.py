"""What broker is to reach, as data, and whether it did in a run.

A target is a workload and an expression: `>=` or `<=`, a factor, and what it is a factor of: a letter of `bases`, the
name of a peer, or `self:` and another workload of broker's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from tests.benchmarks.bases import LETTERS, base, missing, quotients, ratio
from tests.benchmarks.peers import MODULES, load
from tests.benchmarks.runner import Comparison

__all__ = ["TARGETS", "Outcome", "Target", "evaluate"]

NATIVE, BLOCKING, BATCH = "broker-native", "broker-blocking", "broker-batch"
#: Both ends on the reactor that looks before it sleeps.
GLANCING = "broker-native-glancing"
COMPILED, INTERPRETED = "broker-pb", "broker-pb-pure"

#: Level, whose number, workload, expression.
_DATA = [
    ("must", NATIVE, "seq-null", ">= 1.1 T"),
    ("must", NATIVE, "seq-null", ">= 2.2 P"),
    ("aim", NATIVE, "seq-null", ">= 1.4 T"),
    ("must", BLOCKING, "seq-null", ">= 1.0 rpyc"),
    ("aim", BLOCKING, "seq-null", ">= 1.0 rpyc-fetched"),
    ("aim", BLOCKING, "seq-null", ">= 1.0 managers"),
    ("must", NATIVE, "pipe-null", ">= 13 P"),
    ("must", NATIVE, "pipe-null", ">= 0.5 T"),
    ("must", NATIVE, "pipe-null", ">= 6 S"),
    ("aim", NATIVE, "pipe-null", ">= 0.8 T"),
    ("aim", BATCH, "pipe-null", ">= 1.0 pyro-msgpack"),
    ("must", NATIVE, "seq-struct", ">= 1.0 T"),
    ("aim", NATIVE, "seq-struct", ">= 1.3 T"),
    ("must", NATIVE, "pipe-struct", ">= 120 P"),
    ("must", NATIVE, "pipe-struct", ">= 10 rpyc"),
    ("must", NATIVE, "pipe-struct", ">= 10 rpyc-fetched"),
    ("must", NATIVE, "pipe-struct", ">= 10 capnp"),
    ("aim", NATIVE, "pipe-struct", ">= 0.6 T"),
    ("must", NATIVE, "bulk-ints", ">= 130 P"),
    ("must", NATIVE, "bulk-ints", ">= 1.3 B"),
    ("aim", NATIVE, "bulk-ints", ">= 2 B"),
    ("must", NATIVE, "bulk-recs", ">= 150 P"),
    ("must", NATIVE, "bulk-recs", ">= 1.2 B"),
    ("aim", NATIVE, "bulk-recs", ">= 2 B"),
    ("must", NATIVE, "bytes-512k", ">= 10 P"),
    ("must", NATIVE, "bytes-512k", ">= 1.0 grpc"),
    ("aim", NATIVE, "bytes-512k", ">= 1.0 foolscap"),
    ("must", NATIVE, "bytes-16m", ">= 1.0 T"),
    ("aim", NATIVE, "bytes-16m", ">= 1.0 grpc"),
    ("must", NATIVE, "refs", ">= 2 P"),
    ("aim", NATIVE, "refs", ">= 3 P"),
    ("must", NATIVE, "callback", ">= 2 P"),
    ("aim", NATIVE, "callback", ">= 3 P"),
    ("must", NATIVE, "connect", ">= 1.2 P"),
    ("aim", NATIVE, "connect", ">= 0.8 T"),
    *(("must", GLANCING, "seq-null", base) for base in (">= 1.1 T", ">= 2.2 P")),
    ("aim", GLANCING, "seq-null", ">= 1.4 T"),
    ("must", GLANCING, "seq-struct", ">= 1.0 T"),
    ("aim", GLANCING, "seq-struct", ">= 1.3 T"),
    *(("must", GLANCING, workload, ">= 2 P") for workload in ("refs", "callback")),
    *(("aim", GLANCING, workload, ">= 3 P") for workload in ("refs", "callback")),
    ("must", GLANCING, "connect", ">= 1.2 P"),
    ("aim", GLANCING, "connect", ">= 0.8 T"),
    ("must", BLOCKING, "attr", ">= 1.5 rpyc"),
    ("must", BLOCKING, "iterate", ">= 20 rpyc"),
    ("must", BLOCKING, "chain", ">= 3 self:steps"),
    ("aim", BLOCKING, "chain", ">= 3 self:calls-5"),
    ("must", NATIVE, "latency", "<= 0.8 P"),
    ("aim", NATIVE, "latency", "<= 1.0 T"),
    ("must", NATIVE, "latency-busy", "<= 1/12 P"),
    ("must", NATIVE, "latency-busy", "<= 1.0 grpc"),
    ("aim", NATIVE, "latency-busy", "<= 3 self:latency"),
    ("must", NATIVE, "memory-conn", "<= 0.6 P"),
    ("aim", NATIVE, "memory-conn", "<= 1.5 T"),
    ("must", NATIVE, "memory-ref", "<= 0.7 P"),
    ("aim", NATIVE, "memory-ref", "<= 0.4 P"),
    ("must", NATIVE, "memory-import", "<= 0.7 P"),
    ("aim", NATIVE, "memory-import", "<= 0.4 P"),
    ("must", INTERPRETED, "pipe-null", ">= 2 P"),
    ("must", INTERPRETED, "pipe-struct", ">= 5 P"),
    ("must", INTERPRETED, "bulk-ints", ">= 10 P"),
    ("must", INTERPRETED, "bulk-recs", ">= 10 P"),
    ("must", COMPILED, "pipe-null", ">= 4 P"),
    ("must", COMPILED, "pipe-struct", ">= 15 P"),
    ("must", COMPILED, "bulk-ints", ">= 30 P"),
    ("must", COMPILED, "bulk-recs", ">= 30 P"),
]
_FORM = re.compile(r"(>=|<=) ([0-9./]+) (\S+)")


@dataclass(frozen=True)
class Target:
    """One line.

    :param subject: the peer whose number it is.
    :param level: `must` or `aim`.
    """

    level: str
    subject: str
    workload: str
    expression: str

    def parts(self) -> tuple[bool, float, str]:
        """Return whether more is asked for (not less), the factor, and of what."""
        found = _FORM.fullmatch(self.expression)
        assert found is not None, self.expression
        return found[1] == ">=", float(Fraction(found[2])), found[3]

    def text(self) -> str:
        """Return the expression for eyes."""
        relation, factor, of = self.expression.split()
        own = of.startswith("self:")
        name = of if of in LETTERS else f"its own {of[5:]}" if own else load(of).title
        return f"{'≥' if relation == '>=' else '≤'} {factor} {'' if of in LETTERS else '× '}{name}"


TARGETS = [Target(*line) for line in _DATA]


@dataclass(frozen=True)
class Outcome:
    """What became of a target.

    :param measured: the quotient that is asked for, None where it was not measured.
    :param spread: the smallest and the largest quotient within a round, where there are several.
    :param why: why it was not measured, or what must be known of the number.
    """

    target: Target
    measured: float | None
    spread: tuple[float, float] | None = None
    why: str = ""

    @property
    def met(self) -> bool | None:
        """Whether it was reached; None when nobody knows."""
        if self.measured is None:
            return None
        more, factor, _ = self.target.parts()
        return self.measured >= factor if more else self.measured <= factor


def subject(comparison: Comparison, name: str) -> tuple[str | None, str]:
    """Return the peer of a run that stands for a subject, or None and why there is none."""
    form = comparison.where["form"]
    if name not in MODULES:
        return None, "not offered yet"
    if name == INTERPRETED and form == "pure":
        # Nothing is compiled: the one form that there is is the interpreted one.
        return COMPILED, ""
    if name == COMPILED and form != "compiled":
        return None, "not compiled here" if form == "pure" else f"{form} here"
    return name, ""


def evaluate(comparison: Comparison) -> list[Outcome]:
    """Return what became of every target."""
    return [_outcome(comparison, target) for target in TARGETS]


def _outcome(comparison: Comparison, target: Target) -> Outcome:
    peer, why = subject(comparison, target.subject)
    if peer is None:
        return Outcome(target, None, why=why)
    _, _, of = target.parts()
    cell = base(comparison, target.workload, peer)
    other = base(comparison, of[5:], peer) if of.startswith("self:") else base(comparison, target.workload, of)
    measured = ratio(cell, other)
    if cell is None or other is None or measured is None:
        return Outcome(target, None, why="not measured")
    within = quotients(cell, other)
    absent = len(missing(comparison, target.workload, of)) if of in "BS" else 0
    why = f"without {absent} of the peers" if absent else ""
    return Outcome(target, measured, (min(within), max(within)) if len(within) > 1 else None, why)
