"""The half of a `Broker` that makes calls, and that ends with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker._objects.context import CURRENT
from broker._objects.tables import Tables
from broker._objects.waiter import Cancel, Deadlines, Waiter
from broker._session.session import Exports
from broker._session.states import State
from broker.errors import DeadlineExceeded, DeadReferenceError, LimitExceeded

__all__ = ["Calling"]

_log = Logger()

#: A bound of more seconds than these, thirty years, is none.
_LONGEST: Final = 1e9


class Calling(Tables):
    """Sends calls over a connection; see `Broker`."""

    disconnected: bool
    plain: bool
    #: Seconds that a call may take which says nothing else; None for no bound.
    callTimeout: float | None = None
    #: What gives the time, with ``seconds`` and ``callLater``; None where there is none.
    reactor: Any = None
    #: Why this side takes no more calls, or None.
    leaving: str | None = None
    #: What a call over the connection fails with once it is gone.
    stale = "Calling Stale Broker"
    _deadlines: Deadlines | None = None
    #: Calls made before it was known what is spoken.
    _early: list[tuple[Any, ...]] | None = None
    _turns = 0

    def flush(self) -> None:
        """Write what waits to be written."""
        raise NotImplementedError

    def disconnect(self) -> Deferred[None]:
        """Close the connection, after what was sent; return a Deferred that fires when it is gone."""
        raise NotImplementedError

    def notifyOnDisconnect(self, notifier: Callable[[], object]) -> None:
        """Have a function called when the connection goes; at once if it has gone."""
        raise NotImplementedError

    def jelly(self, value: Any, atoms: bool = False) -> Any:
        """Lower a value that is not plain; for the dialect."""
        raise NotImplementedError

    def unjelly(self, expression: Any) -> Any:
        """Lift a value that is not plain; for the dialect."""
        raise NotImplementedError

    @property
    def taster(self) -> Any:
        """The policy; for the dialect."""
        raise NotImplementedError

    def _undo(self, journal: list[tuple[Exports, int]]) -> None:
        """Take back the references counted for something that was not sent after all."""
        raise NotImplementedError

    def _sendMessage(
        self, prefix: bytes, perspective: Any, objectID: Any, message: bytes, args: Any, kw: Any
    ) -> Deferred[Any] | None:
        """Send a call that wants an answer; see `RemoteReference.callRemote`. The prefix ``cache`` calls a copy."""
        if not prefix and self.callTimeout is None and CURRENT.get() is None:
            # The usual kind of call, in few steps.
            waiter = Waiter()
            waiter.broker = self
            try:
                waiter.request = self.session.call_plain(objectID, message, args, kw, waiter)
                if waiter.request:
                    if not self._turns:
                        self.flush()
                    return waiter
            except LimitExceeded:
                waiter.errback(Failure())
                return waiter
        return self.ask(perspective, objectID, message, args, kw, prefix == b"cache")

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
    ) -> Waiter:
        """Send a call that wants an answer; see `RemoteReference.callRemote` and `RemoteReference.options`."""
        waiter = Waiter()
        waiter.broker = self
        waiter.cancels = cancels
        if timeout is None:
            timeout = self.callTimeout
        current = CURRENT.get()
        if current is not None:
            left = current.left
            timeout = left if timeout is None or left < timeout else timeout
        try:
            if timeout is None:
                self._send(cached, perspective, target, method, args, kw, waiter)
            else:
                self._send_within(timeout, cached, perspective, target, method, args, kw, waiter)
        except Exception:  # noqa: BLE001  whatever a user's hooks raise while the arguments are lowered
            waiter.errback(Failure())
        return waiter

    def _send_within(
        self,
        timeout: float,
        cached: bool,
        perspective: Any,
        target: Any,
        method: bytes,
        args: Any,
        kw: Any,
        waiter: Any,
    ) -> None:
        """Send a call that may take so many seconds."""
        if timeout <= 0:
            raise DeadlineExceeded("the time was over before the call was made")
        if timeout > _LONGEST:
            self._send(cached, perspective, target, method, args, kw, waiter)
            return
        self._send(cached, perspective, target, method, args, kw, waiter, max(1, int(timeout * 1000)))
        if self._deadlines is None and self.reactor is not None:
            self._deadlines = Deadlines(self.reactor)
        if self._deadlines is not None:
            self._deadlines.add(waiter, timeout)

    def send_only(self, perspective: Any, objectID: Any, message: bytes, args: Any, kw: Any) -> None:
        """Send a call that wants no answer; see `RemoteReference.callRemoteOnly`."""
        self._send(False, perspective, objectID, message, args, kw, None)

    def _send(
        self,
        cached: bool,
        perspective: Any,
        target: Any,
        method: bytes,
        args: Any,
        kw: Any,
        waiter: Any,
        deadline: int = -1,
    ) -> None:
        if self.disconnected or self.session.state is State.CLOSED:
            raise DeadReferenceError(self.stale)
        if self.session.dialect is None and self.session.sender is None:
            if self.session.state is not State.GREETING:
                raise DeadReferenceError("The connection is not open yet: nothing can be sent over it")
            self._early = self._early or []
            self._early.append((cached, perspective, target, method, args, kw, waiter, deadline))
            return
        outer = self._journal, self.serializingPerspective
        self._journal = []
        self.serializingPerspective = perspective
        try:
            request = self.session.call(target, method, args, kw, waiter, self, cached, deadline)
        except BaseException:
            self._undo(self._journal)
            raise
        else:
            if waiter is not None:
                waiter.request = request
                if self._journal and self.session.holds(request):
                    waiter.journal = self._journal
        finally:
            self._journal, self.serializingPerspective = outer
        if not self._turns:
            self.flush()

    def sendEarly(self) -> None:
        """It is known what is spoken: send the calls that were made before."""
        early, self._early = self._early or [], None
        for call in early:
            waiter = call[6]
            if waiter is not None and waiter.called:
                continue
            try:
                self._send(*call)
            except Exception:  # noqa: BLE001  whatever a user's hooks raise while the arguments are lowered
                if waiter is None:
                    _log.failure("a call that wants no answer could not be sent")
                else:
                    waiter.errback(Failure())

    def failEarly(self) -> None:
        """It will never be known what is spoken: fail the calls that were made."""
        early, self._early = self._early or [], None
        for call in early:
            if call[6] is not None:
                call[6].errback(DeadReferenceError("The connection went before anything could be sent over it"))

    def withdraw(self, waiter: Waiter) -> bool:
        """Tell the other end that nobody waits for a call any more.

        :returns: whether it was not sent yet, and now never will be.
        """
        journal = waiter.journal
        # A copy that is kept up to date crosses once: calls behind this one may count on it.
        needed = any(table is not self.session.exports for table, _ in journal)
        unsent = self.session.cancel(waiter.request, not needed)
        if unsent:
            self._undo(journal)
        else:
            self.flushSoon()
        return unsent

    def flushSoon(self) -> None:
        """Write what waits to be written, now or at the end of this turn."""
        if not self._turns:
            self.flush()

    def ping(self) -> None:
        """Ask the peer whether it is there, where the dialect can; that it is shows in its answer."""
        if self.session.native is not None and not self.disconnected:
            self.session.ping()
            self.flushSoon()

    def goAway(self, reason: str = "shutting down") -> Deferred[None]:
        """Take no more calls, finish those in flight, then close the connection.

        :param reason: what the peer is told; its further calls fail with `GoingAway`.
        :returns: a Deferred that fires when the connection is gone.
        """
        gone: Deferred[None] = Deferred()
        self.notifyOnDisconnect(lambda: gone.callback(None))
        if self.leaving is None and not self.disconnected:
            self.leaving = reason
            if self.session.native is not None:
                self.session.go_away(reason)
                self.flushSoon()
            self.leaveIfDone()
        return gone

    def leaveIfDone(self) -> None:
        """Close the connection if it is to be closed and nothing is left to be answered."""
        if self.leaving is not None and not self.session.answers.entries and not self.disconnected:
            self.disconnect()
