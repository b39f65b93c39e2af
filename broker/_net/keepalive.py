"""Whether peers are still there: one timer asks all those that are silent, and gives up those that stay so.

A peer whose machine went away closes nothing, so nobody hears of it. Each connection is looked at once in an interval.
If nothing came since the last look the peer is asked by a ping; if nothing came within the patience after that, not
even the answer, it is gone. So it takes between one and two intervals until it is asked.

There is one timer, however many connections there are, and it runs only while there are some. The looks of one round
are spread over the interval in steps, so that a hundred thousand idle connections are not all asked in one turn of the
reactor.

When this process itself was away, suspended or busy, its timers are due before it has read what came meanwhile. So
nobody is given up before the reactor has read once more, and a late timer begins the patience anew.
"""

from __future__ import annotations

from typing import Final, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["STEP", "Keeper", "Watched"]

#: Most connections that are looked at in one turn. A ping takes some ten microseconds.
STEP: Final = 100


class Watched(Protocol):
    """What is asked of a connection.

    :ivar heard: set to true by whatever comes from the peer.
    """

    heard: bool

    def ping(self) -> None:
        """Ask the peer for an answer."""

    def silent(self, seconds: float) -> None:
        """Close: nothing came for about so many seconds. The connection is not watched any more."""


class Keeper:
    """Watches connections.

    :param clock: the reactor, or a test's clock.
    :param interval: seconds from one look at a connection to the next.
    :param patience: seconds that a peer has to answer; by default the interval.
    :raises ValueError: one of them is not positive.
    """

    def __init__(self, clock: IReactorTime, interval: float, patience: float | None = None) -> None:
        self.interval = interval
        self.patience = interval if patience is None else patience
        if not (self.interval > 0 and self.patience > 0):
            raise ValueError(f"interval and patience are positive, not {self.interval!r} and {self.patience!r}")
        self._clock = clock
        self._connections: dict[Watched, None] = {}
        #: Those that were asked, and when to give them up; the first one is due first.
        self._asked: dict[Watched, float] = {}
        #: Those that are given up unless something comes in the next turn.
        self._doomed: list[Watched] = []
        #: Those still to be looked at in this round, when the next step is, and seconds from step to step.
        self._round: list[Watched] = []
        self._next = 0.0
        self._pace = interval
        self._due = 0.0
        self._timer: IDelayedCall | None = None
        self._ticking = False

    def __len__(self) -> int:
        return len(self._connections)

    def add(self, connection: Watched) -> None:
        """Watch a connection from now on."""
        connection.heard = True
        if not self._connections:
            self._next = self._clock.seconds() + self.interval
        self._connections[connection] = None
        if self._timer is None and not self._ticking:
            self._schedule()

    def remove(self, connection: Watched) -> None:
        """Watch a connection no more, if it is watched."""
        self._connections.pop(connection, None)
        self._asked.pop(connection, None)
        if not self._connections:
            self._round.clear()
            self._doomed.clear()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _schedule(self) -> None:
        now = self._clock.seconds()
        self._due = now if self._doomed else min(self._next, next(iter(self._asked.values()), self._next))
        self._timer = self._clock.callLater(max(0.0, self._due - now), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._ticking = True
        now = self._clock.seconds()
        try:
            self._give_up()
            if now - self._due > self.patience / 2:
                self._asked = dict.fromkeys(self._asked, now + self.patience)
            if now >= self._next:
                self._look(now)
            while self._asked and next(iter(self._asked.values())) <= now:
                connection = next(iter(self._asked))
                del self._asked[connection]
                if not connection.heard:
                    self._doomed.append(connection)
        finally:
            self._ticking = False
            if self._connections:
                self._schedule()

    def _give_up(self) -> None:
        """Give up those from which nothing came in the last turn either."""
        doomed, self._doomed = self._doomed, []
        for connection in doomed:
            if connection in self._connections and not connection.heard:
                self.remove(connection)
                connection.silent(self.interval + self.patience)

    def _look(self, now: float) -> None:
        """Take the next step of a round."""
        if not self._round:
            self._round = list(self._connections)
            self._pace = self.interval / -(-len(self._round) // STEP)
        step, self._round = self._round[-STEP:], self._round[:-STEP]
        self._next = max(self._next + self._pace, now)
        for connection in step:
            if connection not in self._connections:
                continue
            if connection.heard:
                connection.heard = False
                self._asked.pop(connection, None)
            elif connection not in self._asked:
                self._asked[connection] = now + self.patience
                connection.ping()
