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
#: Most sleeps in a row without.
_MOST: Final = 255
#: What is used of Twisted's reactor that is not public.
_USED: Final = frozenset(("_poller", "_selectables", "_doReadOrWrite", "_disconnectSelectable"))


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

        def doPoll(self, timeout: float | None) -> None:
            """Handle what there is to be handled; wait for it.

            :param timeout: seconds, or None.
            """
            ready = self._poller.poll(0)
            if not ready and timeout != 0:
                if timeout is not None and timeout < _SHORT:
                    # The system's own waiting is not that fine.
                    ready = self._look(timeout)
                else:
                    ready = self._glance()
                    if not ready:
                        super().doPoll(timeout)
                        return
            selectables = self._selectables
            for number, event in ready:
                selectable = selectables.get(number)
                if selectable is not None:
                    self._doReadOrWrite(selectable, number, event)

        doIteration = doPoll

        def _glance(self) -> Any:
            if self._sleeps:
                self._sleeps -= 1
                return ()
            ready = self._look(_GLANCE)
            self._slept = 0 if ready else min(2 * self._slept + 1, _MOST)
            self._sleeps = self._slept
            return ready

        def _look(self, seconds: float) -> Any:
            poll, sched_yield = self._poller.poll, os.sched_yield
            end = perf_counter() + seconds
            while True:
                # Others may have to run before there is something.
                sched_yield()
                ready = poll(0)
                if ready or perf_counter() > end:
                    return ready

    return GlancingReactor
