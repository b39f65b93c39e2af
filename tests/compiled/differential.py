"""One case after the other in both forms of the core."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from tests.compiled import cases, twins
from tests.compiled.compare import Differ, outcome, the_same
from tests.compiled.subjects import SUBJECTS, Subject

__all__ = ["Pair", "pairs"]


class Pair:
    """A codec in both forms."""

    def __init__(self, kind: type[Subject], interpreted: twins.Core, compiled: twins.Core) -> None:
        self._kind = kind
        self._interpreted = interpreted
        self._compiled = compiled

    def lower(self, value: Any) -> bytes:
        """Lower a value in both forms, and return its bytes; none if it has no form."""
        wanted = outcome(lambda: self._kind(self._interpreted).lower(value))
        the_same(wanted, outcome(lambda: self._kind(self._compiled).lower(value)))
        # Nothing is kept from one case to the next: each is what its source says, and can be seen again.
        return wanted[1] if wanted[0] == "gave" else b""

    def lift(self, pieces: list[bytes]) -> None:
        """Lift bytes in both forms."""
        wanted = outcome(lambda: self._kind(self._interpreted).lift(pieces))
        the_same(wanted, outcome(lambda: self._kind(self._compiled).lift(pieces)))

    def invent(self, source: random.Random) -> bytes:
        """Return bytes to be lifted: those of a value, or of a form that there may be no value for."""
        if not source.randrange(4):
            data = self._kind(self._interpreted).invented(cases.form(source))
            if data is not None:
                return data
        value = cases.value(source)
        try:
            return self.lower(value)
        except Differ as error:
            raise Differ(f"{self._kind.__name__}: {error}\nFor the value {value!r}") from None

    def check(self, source: random.Random) -> int:
        """Try a value, and what is left of its bytes when they are damaged; returns how many cases it were.

        :raises Differ: the forms do not do the same; the text has what is needed to see it again.
        """
        data = self.invent(source)
        for _ in range(4):
            pieces = cases.cut(source, cases.damaged(source, data))
            try:
                self.lift(pieces)
            except Differ as error:
                raise Differ(f"{self._kind.__name__}: {error}\nFor the bytes {pieces!r}") from None
        return 5

    def run(self, seed: int) -> Iterator[int]:
        """Try cases without end; gives how many it were so far.

        :raises Differ: as `check` does.
        """
        source = random.Random(f"{self._kind.__name__} {seed}")
        done = 0
        while True:
            done += self.check(source)
            yield done


def pairs() -> dict[str, Pair]:
    """Return every subject in both forms, by name. What runs must be compiled."""
    interpreted, running = twins.interpreted(), twins.running()
    return {name: Pair(kind, interpreted, running) for name, kind in SUBJECTS.items()}
