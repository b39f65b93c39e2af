"""One connection without its transport: bytes in, events out; calls in, bytes out.

The session owns the tables and knows the protocol; it never touches an object, a Deferred or a socket. Feed it with
`receive_data`, take `next_event` until it returns None, and write what `data_to_send` returns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from broker._limits import Limits
from broker._messages.codecs import Codecs
from broker._messages.messages import (
    Abort,
    Answer,
    CacheReleased,
    Call,
    Cancel,
    Failed,
    GoAway,
    Message,
    Nothing,
    NotUnderstood,
    Ping,
    Pong,
    Release,
    ReleaseCache,
    Version,
)
from broker._messages.native import NativeDialect
from broker._session import hello
from broker._session.events import Answered, Cancelled, Event, Fault, Leaving, Opened, Quiet, Released
from broker._session.exports import Export, Exports
from broker._session.hello import DIALECTS, GREETING_PREFIX, GREETING_SIZE, Agreed, Greetings
from broker._session.imports import nobody
from broker._session.sending import COMMAND_SIZE, Sending
from broker._session.states import Happening, State, advance
from broker._wire.buffer import Decoder
from broker.errors import ProtocolError

__all__ = [
    "COMMAND_SIZE",
    "DIALECTS",
    "Export",
    "Exports",
    "GREETING_PREFIX",
    "GREETING_SIZE",
    "PROTOCOL_VERSION",
    "Session",
]

#: Messages in a row that those above need not know of, after which they may see to others.
_ROW: Final = 50
#: The one version of PB there has ever been on the wire.
PROTOCOL_VERSION: Final = 6


class Session(Sending):
    """The protocol state of one connection.

    :param listener: whether this side listened for the connection; the listening side offers the dialects.
    :param limits: ceilings for everything that the peer can make grow.
    :param dialects: names of the dialects to offer or to accept, best first.
    :param prefer: the one among them that this side takes, when it has to pick, wherever it stands in the offer.
    :param plain: whether plain values may be decoded while they are read, see `Payload`.
    :param wake: called, from any thread, when releases are waiting to be sent.
    """

    def __init__(
        self,
        listener: bool,
        limits: Limits,
        *,
        dialects: Sequence[bytes] = DIALECTS,
        prefer: bytes | None = None,
        plain: bool = True,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(listener, limits, tuple(dialects), plain, wake)
        self.prefer = prefer
        #: Shared with other connections, if whoever makes them says so before the greeting.
        self.codecs: Codecs | None = None
        self.greetings: Greetings | None = None
        self.faults = 0
        #: Pings and other messages that ask for nothing which came since whoever drives this looked.
        self.controls = 0
        #: What came before a dialect was fixed; it is taken apart where it is not what another peer said.
        self._said = b""
        self._greeting: Decoder | None = None

    # The life of the connection.

    def connected(self) -> None:
        """The transport is there: the listening side makes its offer."""
        self.state = advance(self.state, Happening.CONNECTED)
        if self.listener:
            greetings = self.greetings or Greetings()
            self._out.append(greetings.offered(self.dialects, self.limits))

    def closed(self) -> None:
        """The transport is gone, or is to go. The tables are left to the caller to empty."""
        self.state = advance(self.state, Happening.LOST)
        self._out.clear()
        self._held = None
        if self.outbox is not None:
            self.outbox.clear()

    # Bytes in, events out.

    @property
    def silent(self) -> bool:
        """Whether there is nothing to write and nothing to release."""
        return (
            not self._out
            and self.outbox is None
            and self._held is None
            and not (self._imports is not None and self._imports.dropped)
            and not (self._caches is not None and self._caches.faces.dropped)
        )

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they came from the transport, split anywhere."""
        if self.dialect is not None:
            self.dialect.receive_data(data)
        elif self._greeting is not None:
            self._greeting.receive_data(data)
        else:
            self._said += data

    def next_event(self) -> Event | None:
        """Return what happened next, or None when more bytes are needed.

        :raises ProtocolError: the peer broke the protocol; the connection must be closed.
        """
        if self.state is not State.OPEN:
            return self._greet() if self.state is State.GREETING else None
        assert self.dialect is not None
        row = 0
        while row < _ROW:
            message = self.dialect.next_message()
            if message is None or type(message) is Call:
                return message
            event = self._receive(message)
            if event is not None:
                return event
            row += 1
        return Quiet()

    def _greet(self) -> Event | None:
        """Read the offer or the choice, and fix the dialect."""
        agreed = self._agree()
        if agreed is None:
            return None
        name, settings = agreed.name, agreed.settings
        dialect = hello.dialect_for(name, settings, self.limits, self.plain, self.codecs or Codecs())
        dialect.receive_data(self._said)
        self._said = b""
        self._greeting = None
        self.dialect = dialect
        self.state = advance(self.state, Happening.AGREED)
        if not self.listener:
            self._out.append(hello.picked(name, settings, self.limits))
        if isinstance(dialect, NativeDialect):
            self.native = dialect
            self.exports.limit = min(self.exports.limit, dialect.settings["references"])
        else:
            self._send(Version(PROTOCOL_VERSION))
        return Opened(name)

    def _agree(self) -> Agreed | None:
        """Return what comes of what the peer said, leaving what it said behind that; None when it is not whole yet."""
        greetings = self.greetings
        if self._greeting is None:
            known = None
            if greetings is not None:
                known = greetings.find(self.listener, self._said, self.dialects, self.prefer, self.limits)
            if known is not None:
                self._said = self._said[len(known.said) :]
                return known
            self._greeting = hello.reader(self.limits)
            self._greeting.receive_data(self._said)
        else:
            # Not in one piece: not worth remembering.
            greetings = None
        expression = self._greeting.next_expression()
        if expression is None:
            return None
        name, settings = hello.agree(self.listener, expression, self.dialects, self.prefer)
        rest = self._greeting.take_rest()
        said = self._said[: len(self._said) - len(rest)]
        self._said = rest
        agreed = Agreed(said, name, settings, self.dialects, self.prefer, self.limits)
        if greetings is not None:
            greetings.remember(self.listener, agreed)
        return agreed

    def _receive(self, message: Message) -> Event | None:
        """Do to the tables what a message asks for; return what those above must know."""
        if isinstance(message, (Answer, Failed)):
            request = message.request
            waiter = None if self.holds(request) else self.questions.entries.pop(request, None)
            if waiter is None:
                return self.fault(f"an answer to request {request}, which is not open")
            if self._held is not None:
                self._let_go()
            return Answered(waiter, message.payload, isinstance(message, Failed))
        if isinstance(message, Release):
            return self._release(self.exports, message.target, message.count)
        if isinstance(message, ReleaseCache):
            return self._release(self.caches.ours, message.target, message.count)
        if isinstance(message, CacheReleased):
            try:
                self.caches.forget(message.target)
            except LookupError:
                return self.fault(f"an end of updates for cache {message.target}, which is not held")
            return None
        if isinstance(message, (Cancel, Ping, Pong, GoAway, Abort)):
            return self._control(message)
        if isinstance(message, Version):
            if message.number != PROTOCOL_VERSION:
                raise ProtocolError(f"Version Incompatibility: {PROTOCOL_VERSION} {message.number}")
            return None
        if isinstance(message, NotUnderstood):
            return self.fault(f"the peer did not understand {message.command[:80]!r}")
        if isinstance(message, Nothing):
            self.controls += message.controls
            return Quiet()
        return message

    def _control(self, message: Cancel | Ping | Pong | GoAway | Abort) -> Event | None:
        """Do what a message asks for that only our own dialect has."""
        if isinstance(message, Cancel):
            # One that is not being served has been answered, and that is under way.
            call = self.answers.of_request(message.request)
            return None if call is None else Cancelled(call)
        if isinstance(message, GoAway) and self.peer_leaves is None:
            self.peer_leaves = message.reason
            return Leaving(message.reason)
        if isinstance(message, Abort):
            self.aborted = True
            raise ProtocolError(f"the peer closes the connection: {message.reason}")
        self.controls += 1
        if isinstance(message, Ping):
            self._send(Pong(message.data))
        return None

    def _release(self, table: Exports, number: int, count: int) -> Event | None:
        cached = table is not self.exports
        try:
            # A cached object stays until its last update was sent.
            export = table.release(number, count, cached)
        except LookupError as error:
            return self.fault(str(error))
        return None if export is None else Released(number, export, cached)

    def fault(self, problem: str) -> Fault:
        """Count a wrong message.

        :raises ProtocolError: it was one too many.
        """
        self.faults += 1
        if self.faults > self.limits.faults:
            raise ProtocolError(f"too many wrong messages ({self.limits.faults}), the last one {problem}")
        return Fault(problem)

    def clear(self) -> tuple[list[Any], list[Export], list[Export]]:
        """Empty all tables; return those who waited for answers, the exports and our cached objects.

        Nobody is told any more that releases wait, so whoever drives this is not kept by it.
        """
        self._wake = nobody
        self.answers.clear()
        if self._imports is not None:
            self._imports.clear()
        waiting = [] if self._questions is None else self._questions.clear()
        caches = self._caches
        if caches is None:
            return waiting, self.exports.clear(), []
        caches.faces.clear()
        caches.cores.clear()
        return waiting, self.exports.clear(), caches.ours.clear()

    def statistics(self) -> dict[str, int]:
        """Return the size of every table."""
        caches = self._caches
        return {
            "exports": self.exports.size,
            "imports": 0 if self._imports is None else self._imports.size,
            "questions": 0 if self._questions is None else len(self._questions.entries),
            "answers": len(self.answers.entries),
            "cached_out": 0 if caches is None else caches.ours.size,
            "cached_in": 0 if caches is None else len(caches.cores),
        }
