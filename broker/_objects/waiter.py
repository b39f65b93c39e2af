"""What a call returns, and the deadlines of a connection's calls."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, Final, Literal

from twisted.internet.defer import Deferred

from broker.errors import DeadlineExceeded

if TYPE_CHECKING:
    from broker._objects.calling import Calling

__all__ = ["Cancel", "Deadlines", "Waiter"]

#: What cancelling does: ``"tell"`` the other end and forget, tell it and ``"wait"`` for the outcome, or ``"forget"``.
Cancel = Literal["tell", "wait", "forget"]
#: So many entries of the heap are kept without a look whether they are still needed.
_SPARE: Final = 64


class Waiter(Deferred[Any]):
    """The Deferred of one call's result.

    Cancelling it tells the other end to cancel what the method waits for, where the dialect can say so.
    """

    broker: Calling | None = None
    request = 0
    cancels: Cancel = "tell"
    #: What was counted for references in it, as long as it is held back.
    journal: Any = ()

    def cancel(self) -> None:
        """Give up waiting; see `RemoteReference.options` for how."""
        broker = self.broker
        if broker is not None and not self.called:
            unsent = self.cancels != "forget" and broker.withdraw(self)
            if self.cancels == "wait" and not unsent and broker.session.native is not None:
                # The answer will come: what was cancelled, or what came of it.
                return
        super().cancel()

    def expire(self, seconds: float) -> None:
        """The time is over: fail, and tell the other end."""
        broker = self.broker
        if broker is None or self.called:
            return
        broker.withdraw(self)
        # As for a cancelled Deferred: what the other end answers nevertheless finds nobody.
        self._suppressAlreadyCalled = True
        self.errback(DeadlineExceeded(f"no answer within {seconds:g} seconds"))


class Deadlines:
    """The deadlines of one connection's calls, in one heap with one timer.

    :param clock: has ``seconds`` and ``callLater``.
    """

    __slots__ = ("_clock", "_full", "_heap", "_number", "_timer")

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, float, Waiter]] = []
        self._number = 0
        #: How long the heap may become until it is looked through.
        self._full = _SPARE
        self._timer: Any = None

    def add(self, waiter: Waiter, seconds: float) -> None:
        """Have a call expire after so many seconds."""
        self._number += 1
        at = self._clock.seconds() + seconds
        heappush(self._heap, (at, self._number, seconds, waiter))
        if len(self._heap) > self._full:
            # Each time it has doubled: leave out the calls that were answered long before.
            self._heap = [entry for entry in self._heap if not entry[3].called]
            heapify(self._heap)
            self._full = max(_SPARE, 2 * len(self._heap))
        if self._timer is None or (self._heap and self._heap[0][1] == self._number):
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._heap:
            self._timer = self._clock.callLater(max(0.0, self._heap[0][0] - self._clock.seconds()), self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        due = []
        while self._heap and (self._heap[0][0] <= now or self._heap[0][3].called):
            due.append(heappop(self._heap))
        self._arm()
        for _, _, seconds, waiter in due:
            waiter.expire(seconds)

    def clear(self) -> None:
        """Forget all."""
        self._heap.clear()
        self._arm()
