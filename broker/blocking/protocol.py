"""BlockingProtocol: a connection whose references wait for the results of their calls.

Inside, where its driver runs its code, it is a connection like any other: calls return Deferreds. Threads outside get
the results themselves. What the peer calls here runs in workers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from broker._messages.messages import Call
from broker._net.protocol import BrokerProtocol
from broker._objects.reference import RemoteReference
from broker._objects.serving import serve
from broker._objects.waiter import Cancel
from broker._remote.program import Program
from broker._remote.sending import REACTOR, Transport, transmit
from broker._remote.side import side_of
from broker._session.events import Answered, Event, Opened, Quiet
from broker.blocking.driver import NOT_PLAIN, Driver
from broker.blocking.waits import Wait, bound
from broker.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BlockingProtocol", "LineProtocol"]


class _Outside:
    """Has operations on references wait, as their calls do."""

    blocking = True

    def perform(self, reference: RemoteReference, program: Program) -> Any:
        broker: Any = reference.broker
        return broker.driver.wait(bound(broker), transmit, reference, program)

    def __repr__(self) -> str:
        return "OUTSIDE"


_OUTSIDE: Final = _Outside()


class BlockingProtocol(BrokerProtocol):
    """One connection; see `broker._net.protocol.BrokerProtocol`.

    :ivar driver: runs it.
    """

    driver: Driver

    def drivenBy(self, driver: Driver) -> None:
        """Begin: say what runs this."""
        self.driver = driver
        self.elsewhere = driver.elsewhere
        # Made here, lest two threads make one each.
        side = side_of(self)
        side.transport, side.elsewhere = self._transport, _OUTSIDE

    def _transport(self) -> Transport:
        """Return how operations on references run: as their calls do."""
        return REACTOR if self.driver.held() else _OUTSIDE

    def askPlainly(self, wait: Wait, target: int | bytes, method: bytes, args: Any, kw: Any) -> bool:
        """Send the usual kind of call, with plain arguments; return whether it was one."""
        wait.request = self.session.call_plain(target, method, args, kw, wait)
        if wait.request and not self._turns:
            self.flush()
        return bool(wait.request)

    # Calls. The names and signatures are those of `Calling`; outside, results take the place of Deferreds.

    def _sendMessage(self, prefix: bytes, perspective: Any, objectID: Any, message: bytes, args: Any, kw: Any) -> Any:
        send, driver = super()._sendMessage, self.driver
        if driver.held():
            return send(prefix, perspective, objectID, message, args, kw)
        seconds = bound(self)
        if seconds is None and not prefix:
            result = driver.quick(objectID, message, args, kw, None)
            if result is not NOT_PLAIN:
                return result
        return driver.wait(seconds, send, prefix, perspective, objectID, message, args, kw)

    def ask(
        self,
        perspective: Any,
        target: Any,
        method: bytes,
        args: Any,
        kw: Any,
        cached: bool = False,
        timeout: float | None = None,
        cancels: Cancel = "tell",
    ) -> Any:
        """Send a call that wants an answer; wait for that where the thread is outside."""
        send, all_of_it = super().ask, (perspective, target, method, args, kw, cached, timeout, cancels)
        if self.driver.held():
            return send(*all_of_it)
        return self.driver.wait(bound(self, timeout), send, *all_of_it)

    def send_only(self, perspective: Any, objectID: Any, message: bytes, args: Any, kw: Any) -> None:
        """Send a call that wants no answer."""
        self.driver.run(super().send_only, perspective, objectID, message, args, kw)

    def ping(self) -> None:
        """Ask the peer whether it is there."""
        self.driver.run(super().ping)

    # The end.

    def _ended(self, function: Callable[..., Deferred[None]], *args: Any) -> Any:
        return function(*args) if self.driver.held() else self.driver.wait(None, function, *args)

    def disconnect(self) -> Any:
        """Close the connection, after what was sent; wait until it is gone where the thread is outside."""
        return self._ended(super().disconnect)

    def goAway(self, reason: str = "shutting down") -> Any:
        """Take no more calls, finish those in flight, close the connection, and wait until it is gone."""
        return self._ended(super().goAway, reason)


class LineProtocol(BlockingProtocol):
    """A connection that a `broker.blocking.line.Line` drives.

    The thread that reads may be waiting for something of its own, so it takes answers only. Whatever else comes is
    *parked*, and nothing behind it is read, until the thread that serves has taken it: the order is that of the wire.

    :ivar parked: what is parked, or None.
    :ivar serving: whether the thread that is inside is the one that serves.
    """

    parked: Event | None = None
    serving = False

    def _work(self) -> None:
        session = self.session
        self._turns += 1
        self._working = True
        if self._flow is not None:
            self._flow.burst = 0
        try:
            while True:
                event = self.parked or session.next_event()
                if type(event) is Answered:
                    self.answered(event)
                elif event is None:
                    break
                elif self.serving or type(event) is Quiet or type(event) is Opened:
                    self.parked = None
                    if type(event) is Call:
                        serve(self, event)
                    else:
                        self.handle(event)
                else:
                    self.parked = event
                    break
            if session.controls:
                self._police(session.controls)
                session.controls = 0
        except ProtocolError:
            self.failConnection(Failure())
        finally:
            self._working = False
            self._turns -= 1
            self.flush()

    def unpark(self) -> None:
        """Take what is parked, and what is behind it; for the thread that serves."""
        self.serving = True
        try:
            self._work()
        finally:
            self.serving = False
