"""Our calls above what the peer takes at a time, in their order, and what must stay behind them."""

from __future__ import annotations

from collections import deque

from broker._session.outbox import ENTRY
from broker._wire.parts import Parts

__all__ = ["Held"]


class Held:
    """The calls of one connection that are held back until the peer has answered others.

    Releases wait here as well: the object that a held call is made on, or that it gives back, must not be released
    before the call is sent.

    :ivar calls: request → the call's bytes, its lane, and whether it wants an answer.
    :ivar asking: how many of them want an answer.
    :ivar size: how many bytes they have.
    :ivar owed: how many bytes the releases have, and what holds them.
    """

    __slots__ = ("_behind", "asking", "calls", "owed", "size")

    def __init__(self) -> None:
        self.calls: dict[int, tuple[bytes | Parts, int | bytes, bool]] = {}
        self.asking = 0
        self.size = 0
        self.owed = 0
        #: What stays behind calls, each with the youngest of these.
        self._behind: deque[tuple[int, bytes]] = deque()

    def put(self, request: int, data: bytes | Parts, lane: int | bytes, wants_answer: bool) -> None:
        """Hold a call back."""
        self.calls[request] = data, lane, wants_answer
        self.asking += wants_answer
        self.size += len(data)

    def put_behind(self, data: bytes) -> None:
        """Hold back what must not pass the calls that are here."""
        self._behind.append((next(reversed(self.calls)), data))
        self.owed += len(data) + ENTRY

    def take(self, request: int) -> tuple[bytes | Parts, int | bytes]:
        """Take a call out, and return its bytes and its lane."""
        data, lane, wants_answer = self.calls.pop(request)
        self.asking -= wants_answer
        self.size -= len(data)
        return data, lane

    def released(self) -> list[bytes]:
        """Return, and forget, what stayed behind calls that are here no more."""
        oldest = next(iter(self.calls), 0)
        out = []
        while self._behind and (not oldest or self._behind[0][0] < oldest):
            data = self._behind.popleft()[1]
            self.owed -= len(data) + ENTRY
            out.append(data)
        return out
