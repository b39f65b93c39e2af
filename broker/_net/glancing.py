"""A reactor that looks for a moment whether there is something to do before it sleeps: ``twistd --reactor glancing``.

To fall asleep and be woken costs more than most calls, and who waits for an answer often calls again at once. Where
nothing comes, looking is only a waste: each time that it was in vain, twice as many sleeps as the last time go without.
The process of a manager has this reactor; other programs choose it by its name.
"""

from __future__ import annotations

import os
import sys
from time import perf_counter
from typing import Any, Final

__all__ = ["install"]

#: Seconds for which it looks: twice what falling asleep and waking up cost, for a peer may have to call back first.
_GLANCE: Final = 100e-6
#: Seconds so few that it looks for all that time: more than `broker.manager.reigns.GRACE`.
_SHORT: Final = 250e-6
#: Seconds between two looks that tell that others have run on this processor meanwhile.
_OTHERS: Final = 15e-6
#: So many sleeps go without after two of these in a row. Who looks and yields goes on taking turns with the others on
#: one processor, even when another one is idle; who sleeps may be woken there.
_AWAY: Final = 7
#: Most sleeps in a row without.
_MOST: Final = 255
#: Seconds after which it sees to what else a reactor does, though there always is something ready.
_STAY: Final = 1e-3
#: Most events taken from the system at a time.
_EVENTS: Final = 128
#: What is used of Twisted's reactor that is not public.
_USED: Final = frozenset(("_poller", "_selectables", "_doReadOrWrite", "_newTimedCalls", "threadCallQueue"))


def install() -> None:
    """Have the program use such a reactor, unless it has one already, or it would be of no use here.

    Where there is no epoll or only one processor, Twisted chooses a reactor as usual.
    """
    if "twisted.internet.reactor" in sys.modules or (os.cpu_count() or 1) < 2:
        return
    try:
        from twisted.internet.epollreactor import EPollReactor
    except ImportError:
        # No Linux.
        return
    from twisted.internet.main import installReactor

    reactor = _reactor_class(EPollReactor)()
    # Another Twisted is not guessed at.
    if all(hasattr(reactor, name) for name in _USED):
        installReactor(reactor)


def _reactor_class(base: Any) -> Any:
    class GlancingReactor(base):  # type: ignore[misc]
        """An `EPollReactor` that looks before it sleeps."""

        #: Timers may be as short as a glance.
        glances = True
        _sleeps = _slept = 0
        _shared = False

        def doPoll(self, timeout: float | None) -> None:
            """Handle what there is to be handled; wait for it.

            :param timeout: seconds, or None.
            """
            poll, selectables = self._poller.poll, self._selectables
            seconds = _STAY if timeout is None else timeout
            # The system's own waiting is not that fine.
            short = seconds < _SHORT
            ready = poll(0, _EVENTS)
            if not ready and seconds:
                ready = self._look(seconds) if short else self._glance() or self._sleep(timeout)
            end = perf_counter() + min(seconds, _STAY)
            while ready:
                for number, event in ready:
                    selectable = selectables.get(number)
                    if selectable is not None:
                        self._doReadOrWrite(selectable, number, event)
                # What comes next is often there by now, or soon, and all else that a reactor does takes longer.
                if self._newTimedCalls or self.threadCallQueue or (left := end - perf_counter()) <= 0:
                    return
                ready = poll(0, _EVENTS) or (self._look(left) if short else self._glance())

        doIteration = doPoll

        def _glance(self) -> Any:
            """Look for what is ready soon, if that pays."""
            if self._sleeps:
                return ()
            ready = self._look(_GLANCE)
            if ready:
                self._slept = 0
            elif not self._sleeps:
                self._sleeps = self._slept = min(2 * self._slept + 1, _MOST)
            return ready

        def _sleep(self, timeout: float | None) -> Any:
            """Return what is ready as soon as something is, or nothing if the time is over."""
            self._sleeps -= 1
            return self._poller.poll(timeout, _EVENTS)

        def _look(self, seconds: float) -> Any:
            """Return what is ready as soon as something is, or nothing if the time is over or others have run."""
            poll, sched_yield = self._poller.poll, os.sched_yield
            now = perf_counter()
            end = now + seconds
            while True:
                # Others may have to run before there is something.
                sched_yield()
                ready, before, now = poll(0, _EVENTS), now, perf_counter()
                shared, self._shared = self._shared, now - before > _OTHERS
                if shared and self._shared:
                    self._sleeps = _AWAY
                    return ready
                if ready or now > end:
                    return ready

    return GlancingReactor
