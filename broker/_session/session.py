"""One connection without its transport: bytes in, events out; calls in, bytes out.

The session owns the tables and knows the protocol; it never touches an object, a Deferred or a socket. Feed it with
`receive_data`, take `next_event` until it returns None, and write what `data_to_send` returns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, Final

from broker._limits import PB_SIZE, Limits
from broker._messages.dialect import Dialect
from broker._messages.messages import (
    Answer,
    CacheReleased,
    Call,
    Failed,
    Message,
    NotUnderstood,
    Release,
    ReleaseCache,
    Unknown,
    Version,
)
from broker._messages.pb import PBDialect
from broker._session.answers import Answers
from broker._session.caches import Caches
from broker._session.events import Answered, Event, Fault, Opened, Released
from broker._session.exports import Export, Exports
from broker._session.imports import Imports
from broker._session.questions import Questions
from broker._session.states import Happening, State, advance
from broker._values.payload import Payload
from broker._wire import greeting
from broker._wire.buffer import Decoder
from broker.errors import ConnectionRefused, ProtocolError

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

#: The one version of PB there has ever been on the wire.
PROTOCOL_VERSION: Final = 6
#: Most bytes of an offer or a choice: room for dialect names yet to come, and nothing for strangers to fill.
GREETING_SIZE: Final = 64 * 1024
#: Most bytes of an unknown command that are sent back; a longer one might be more than the peer accepts.
COMMAND_SIZE: Final = 80
#: Longest length prefix in a greeting, in bytes. Text of another protocol is one endless prefix: a client that reaches
#: a web or mail server is to learn so at once and not when it loses patience.
GREETING_PREFIX: Final = 10
_GREETING: Final = Limits(message=GREETING_SIZE, prefix=GREETING_PREFIX)
#: The dialects that we speak, best first.
DIALECTS: Final[tuple[bytes, ...]] = (b"pb", b"none")


class Session:
    """The protocol state of one connection.

    :param listener: whether this side listened for the connection; the listening side offers the dialects.
    :param limits: ceilings for everything that the peer can make grow.
    :param dialects: names of the dialects to offer or to accept, best first.
    :param plain: whether plain values may be decoded while they are read, see `Payload`.
    :param wake: called, from any thread, when releases are waiting to be sent.
    """

    def __init__(
        self,
        listener: bool,
        limits: Limits,
        *,
        dialects: Sequence[bytes] = DIALECTS,
        plain: bool = True,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.listener = listener
        self.limits = limits
        self.dialects = tuple(dialects)
        self.plain = plain
        self.state = State.NEW
        # What this side tells the peer that it accepts.
        self._size = min(limits.string, limits.elements)
        self.faults = 0
        self.dialect: Dialect | None = None
        new_number = self.new_number = count(1).__next__
        self.exports = Exports(new_number, limits.references, "reference")
        self.caches = Caches(new_number, limits.references, wake)
        self.imports = Imports(wake)
        self.questions = Questions()
        self.answers = Answers(limits.calls)
        self._greeting: Decoder | None = Decoder(
            _GREETING
            if limits.message > GREETING_SIZE
            else replace(limits, prefix=min(limits.prefix, GREETING_PREFIX)),
            vocabulary=False,
        )
        self._spelled_out: PBDialect | None = None
        self._out: list[bytes] = []

    # The life of the connection.

    def connected(self) -> None:
        """The transport is there: the listening side makes its offer."""
        self.state = advance(self.state, Happening.CONNECTED)
        if self.listener:
            sized = [greeting.with_size(name, self._size) for name in self.dialects if name == b"pb"]
            self._out.append(greeting.offer([*sized, *self.dialects]))

    def closed(self) -> None:
        """The transport is gone, or is to go. The tables are left to the caller to empty."""
        self.state = advance(self.state, Happening.LOST)
        self._out.clear()

    # Bytes in, events out.

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they came from the transport, split anywhere."""
        if self.dialect is not None:
            self.dialect.receive_data(data)
        elif self._greeting is not None:
            self._greeting.receive_data(data)

    def next_event(self) -> Event | None:
        """Return what happened next, or None when more bytes are needed.

        :raises ProtocolError: the peer broke the protocol; the connection must be closed.
        """
        if self.state is not State.OPEN:
            return self._greet() if self.state is State.GREETING else None
        assert self.dialect is not None
        while True:
            message = self.dialect.next_message()
            if message is None or type(message) is Call:
                return message
            event = self._receive(message)
            if event is not None:
                return event

    def _greet(self) -> Event | None:
        """Read the offer or the choice, and fix the dialect."""
        assert self._greeting is not None
        expression = self._greeting.next_expression()
        if expression is None:
            return None
        settle = greeting.chosen if self.listener else greeting.choose
        agreed = settle(expression, self.dialects)
        if agreed is None:
            what = "chose" if self.listener else "offers"
            raise ConnectionRefused(f"the peer {what} no dialect that we speak: {str(expression)[:200]}")
        name, size = agreed
        accepted = PB_SIZE if size is None else size
        dialect = PBDialect(self.limits, vocabulary=name == b"pb", name=name, send_string=accepted)
        dialect.plain = self.plain
        dialect.receive_data(self._greeting.take_rest())
        self._greeting = None
        self.dialect = dialect
        self.state = advance(self.state, Happening.AGREED)
        if not self.listener:
            self._out.append(greeting.pick(name if size is None else greeting.with_size(name, self._size)))
        self._send(Version(PROTOCOL_VERSION))
        return Opened(name)

    def _receive(self, message: Message) -> Event | None:
        """Do to the tables what a message asks for; return what those above must know."""
        if isinstance(message, (Answer, Failed)):
            waiter = self.questions.entries.pop(message.request, None)
            if waiter is None:
                return self.fault(f"an answer to request {message.request}, which is not open")
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
        if isinstance(message, Version):
            if message.number != PROTOCOL_VERSION:
                raise ProtocolError(f"Version Incompatibility: {PROTOCOL_VERSION} {message.number}")
            return None
        if isinstance(message, NotUnderstood):
            return self.fault(f"the peer did not understand {message.command[:80]!r}")
        return message

    def _release(self, table: Exports, number: int, count: int) -> Event | None:
        try:
            export = table.release(number, count)
        except LookupError as error:
            return self.fault(str(error))
        if export is None:
            return None
        cached = table is self.caches.ours
        if not cached:
            table.forget(number)
        return Released(number, export, cached)

    def fault(self, problem: str) -> Fault:
        """Count a wrong message.

        :raises ProtocolError: it was one too many.
        """
        self.faults += 1
        if self.faults > self.limits.faults:
            raise ProtocolError(f"too many wrong messages ({self.limits.faults}), the last one {problem}")
        return Fault(problem)

    # Calls in, bytes out.

    def call(
        self, target: int | bytes, method: bytes, args: Payload, kwargs: Payload, waiter: Any, cached: bool = False
    ) -> int:
        """Send a call.

        :param waiter: comes back in the `Answered` event; None for a call that wants no answer.
        :returns: the number of the request.
        :raises LimitExceeded: the peer would not accept it; nothing was sent and nothing is pending.
        """
        questions = self.questions
        request = questions.number()
        self._send(Call(request, target, method, waiter is not None, args, kwargs, cached))
        if waiter is not None:
            questions.entries[request] = waiter
        return request

    def answer(self, request: int, payload: Payload) -> None:
        """Send the result of their call."""
        self._send(Answer(request, payload))

    def fail(self, request: int, payload: Payload) -> None:
        """Send the failure of their call."""
        self._send(Failed(request, payload))

    def not_understood(self, message: Unknown) -> None:
        """Say that a command was not understood."""
        self._send(NotUnderstood(message.command[:COMMAND_SIZE]))

    def release(self, number: int) -> None:
        """Send one release of an object of theirs."""
        self._send(Release(number, 1))

    def release_cache(self, number: int) -> None:
        """Send one release of a copy of an object of theirs."""
        self._send(ReleaseCache(number, 1))

    def uncache(self, number: int) -> None:
        """Forget a cached object of ours that they hold no more, and say that no updates will come."""
        if self.caches.ours.forget(number):
            self._send(CacheReleased(number))

    def release_dropped(self) -> None:
        """Send a release for everything of theirs that was dropped since the last time."""
        if self.state is not State.OPEN:
            return
        if self.imports.owing:
            for number, owed in self.imports.releases():
                self._send(Release(number, owed))
        if self.caches.faces.owing:
            for number, owed in self.caches.faces.releases():
                self._send(ReleaseCache(number, owed))

    def send_encoded(self, message: bytes) -> None:
        """Send a message that is encoded already, behind those before it."""
        if self.state is not State.CLOSED:
            self._out.append(message)

    def data_to_send(self) -> bytes:
        """Return, and forget, the bytes that wait to be written."""
        out = self._out
        if not out:
            return b""
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return data

    @property
    def sender(self) -> Dialect | None:
        """The dialect to send in, or None when nothing can be sent yet.

        The listening side can send before it knows the choice: spelled out, which is right in ``pb`` and in ``none``.
        """
        if self.dialect is None and self.listener and self.state is State.GREETING:
            if self._spelled_out is None:
                self._spelled_out = PBDialect(self.limits, vocabulary=False)
            return self._spelled_out
        return self.dialect

    def _send(self, message: Message) -> None:
        dialect = self.dialect if self.state is State.OPEN else self.sender
        if dialect is not None and self.state is not State.CLOSED:
            self._out.append(dialect.encode(message))

    def clear(self) -> tuple[list[Any], list[Export], list[Export]]:
        """Empty all tables; return those who waited for answers, the exports and our cached objects."""
        self.answers.clear()
        self.imports.clear()
        self.caches.faces.clear()
        self.caches.cores.clear()
        return self.questions.clear(), self.exports.clear(), self.caches.ours.clear()

    def statistics(self) -> dict[str, int]:
        """Return the size of every table."""
        return {
            "exports": len(self.exports.numbers),
            "imports": len(self.imports.entries),
            "questions": len(self.questions.entries),
            "answers": len(self.answers.entries),
            "cached_out": len(self.caches.ours.entries),
            "cached_in": len(self.caches.cores),
        }
