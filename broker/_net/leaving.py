"""Going away: connections finish what is in flight, for a while, and close."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredList

__all__ = ["FAREWELL", "GRACE", "leave"]

#: Seconds that calls in flight are given, unless somebody says otherwise: most calls take less, and whoever stops a
#: server by hand waits no longer than that.
GRACE: Final = 5.0
#: Seconds from then on until a connection is cut whose peer does not take what was still to be written.
FAREWELL: Final = 1.0


def leave(connections: Iterable[Any], reason: str, grace: float | None, clock: Any) -> Deferred[None]:
    """Have connections finish what is in flight and close.

    :param reason: what the peers are told; their further calls fail.
    :param grace: seconds after which they are closed whatever is in flight; None for no bound.
    :param clock: has ``callLater``; without one there is no bound either.
    :returns: a Deferred that fires when all of them are gone.
    """
    # One whose transport could not be made, as where a certificate is no good, has nothing to finish.
    leaving = [connection for connection in connections if connection.transport is not None]
    gone = DeferredList([connection.goAway(reason) for connection in leaving])
    timers: list[Any] = []

    def close() -> None:
        timers.append(clock.callLater(FAREWELL, cut))
        for connection in leaving:
            connection.disconnect()

    def cut() -> None:
        for connection in leaving:
            if not connection.disconnected:
                connection.transport.abortConnection()

    def done(_: object) -> None:
        if timers and timers[-1].active():
            timers[-1].cancel()

    if grace is not None and clock is not None and not gone.called:
        timers.append(clock.callLater(grace, close))
    return gone.addCallback(done)
