"""The outgoing half of a session: calls, answers and releases in, bytes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from broker._limits import Limits
from broker._messages.dialect import Dialect, Swizzler
from broker._messages.messages import (
    Abort,
    Answer,
    CacheReleased,
    Call,
    Cancel,
    Failed,
    GoAway,
    Message,
    NotUnderstood,
    Ping,
    Unknown,
)
from broker._messages.native import NAME, NativeDialect
from broker._messages.native_reader import NO_KEYWORDS
from broker._messages.pb import PBDialect
from broker._session.answers import Answers
from broker._session.caches import Caches
from broker._session.exports import Exports
from broker._session.held import Held
from broker._session.imports import Imports
from broker._session.outbox import SMALL, Outbox
from broker._session.questions import Questions
from broker._session.states import State
from broker._values.payload import Payload
from broker._wire.parts import Parts
from broker.errors import GoingAway, LimitExceeded

__all__ = ["COMMAND_SIZE", "Sending"]

#: Most bytes of an unknown command that are sent back; a longer one might be more than the peer accepts.
COMMAND_SIZE: Final = 80


class Sending:
    """The tables of one connection, and what they lead to on the wire; see `Session` for the parameters."""

    def __init__(
        self, listener: bool, limits: Limits, dialects: tuple[bytes, ...], plain: bool, wake: Callable[[], None]
    ) -> None:
        self.listener = listener
        self.limits = limits
        self.dialects = dialects
        self.plain = plain
        self.state = State.NEW
        #: Whether the peer has said that it closes the connection.
        self.aborted = False
        #: Why the peer takes no more calls, or None.
        self.peer_leaves: str | None = None
        self.dialect: Dialect | None = None
        self.native: NativeDialect | None = None
        self.exports = Exports(None, limits.references, "reference")
        self._wake = wake
        self._imports: Imports | None = None
        self._caches: Caches | None = None
        self._questions: Questions | None = None
        self.answers = Answers(limits.calls)
        self._spelled_out: PBDialect | None = None
        self._out: list[bytes] = []
        # Only there once something large was sent.
        self.outbox: Outbox | None = None
        # Only there once more calls were made than the peer takes at a time.
        self._held: Held | None = None

    def new_number(self) -> int:
        """Return a number for an object of ours, never used on this connection."""
        return self.exports.new_number()

    # Tables that a connection may never need are made when they are first asked for.

    @property
    def imports(self) -> Imports:
        """Their objects that we hold."""
        if self._imports is None:
            self._imports = Imports(self._wake)
        return self._imports

    @property
    def questions(self) -> Questions:
        """Our calls that they have not answered yet."""
        if self._questions is None:
            self._questions = Questions()
        return self._questions

    @property
    def caches(self) -> Caches:
        """The cached objects of both sides; few connections have any."""
        if self._caches is None:
            self._caches = Caches(self.exports.new_number, self.exports.limit, self._wake)
        return self._caches

    def call(
        self,
        target: int | bytes,
        method: bytes,
        args: Any,
        kwargs: Any,
        waiter: Any,
        swizzler: Swizzler,
        cached: bool = False,
        deadline: int = -1,
    ) -> int:
        """Send a call.

        :param args: the arguments, to be lowered; so are the keywords.
        :param waiter: comes back in the `Answered` event; None for a call that wants no answer.
        :param deadline: milliseconds it may take, or -1.
        :returns: the number of the request.
        :raises InsecureJelly: an argument may not cross; nothing was sent and nothing is pending. So it is with
        :raises LimitExceeded: the peer would not accept it, or too much waits to be sent.
        :raises GoingAway: the peer takes no more calls.
        """
        if self.peer_leaves is not None:
            raise GoingAway(f"the other end is going away: {self.peer_leaves}")
        questions = self.questions
        request = questions.number()
        dialect = self.sender
        if dialect is None or self.state is State.CLOSED:
            return request
        wants = waiter is not None
        data = dialect.encode_call(request, target, method, args, kwargs, wants, cached, deadline, swizzler)
        native = self.native
        if native is None:
            # Of PB, which has no pieces.
            assert isinstance(data, bytes)
            self._out.append(data)
        else:
            self._admit(len(data))
            if len(questions.entries) >= native.settings["calls"]:
                if self._held is None:
                    self._held = Held()
                self._held.put(request, data, target, wants)
            else:
                self._put(data, target)
        if wants:
            questions.entries[request] = waiter
        return request

    @property
    def owed(self) -> int:
        """Bytes that wait for the peer of what it caused itself: large answers, releases, and what waits for these."""
        owed = 0 if self.outbox is None else self.outbox.owed
        return owed if self._held is None else owed + self._held.owed

    @property
    def _waiting(self) -> int:
        """Bytes of our messages that wait for the peer, where anything does."""
        waiting = 0 if self.outbox is None else self.outbox.size
        return waiting if self._held is None else waiting + self._held.size

    def _admit(self, size: int) -> None:
        """Let one more call of ours pass, or not. One that finds nobody before it may have any size.

        :raises LimitExceeded: too much waits to be sent.
        """
        waiting = self._waiting
        if waiting and waiting + size > self.limits.buffer:
            raise LimitExceeded(f"more than {self.limits.buffer} bytes wait to be sent")

    def call_plain(self, target: int | bytes, method: bytes, args: Any, kwargs: Any, waiter: Any) -> int:
        """Send the usual kind of call, one with plain arguments that wants an answer.

        :returns: the number of the request; or 0, nothing having happened, for a call that must go by `call`.
        :raises LimitExceeded: the peer would not accept it; nothing was sent and nothing is pending.
        """
        native = self.native
        if native is None or not self.plain or self.state is not State.OPEN:
            return 0
        questions = self.questions
        if self.peer_leaves is not None or len(questions.entries) >= native.settings["calls"]:
            return 0
        data = native.encode_plain(questions.last + 1, target, method, args, kwargs)
        if data is None:
            return 0
        self._admit(len(data))
        self._put(data, target)
        request = questions.number()
        questions.entries[request] = waiter
        return request

    def usual_target(self, call: Call) -> Any:
        """Return the object that a call of the usual kind is for: its arguments are there, and nothing else is asked.

        :returns: None for another kind of call, or one that cannot be served.
        """
        if call.cached or call.deadline >= 0 or len(self.answers.entries) >= self.answers.limit:
            return None
        args = call.args
        kwargs = call.kwargs
        if args.data is not None or type(args.value) is not tuple or kwargs.data is not None:
            return None
        if kwargs is not NO_KEYWORDS:
            if type(kwargs.value) is not dict:
                return None
            for key in kwargs.value:
                if type(key) is not str:
                    return None
        return self.exports.get(call.target)

    def answer_plain(self, request: int, value: Any) -> bool:
        """Send the result of their call if it is plain.

        :returns: whether it was; otherwise nothing has happened.
        :raises LimitExceeded: the peer would not accept it.
        """
        native = self.native
        if native is None or not self.plain or self.state is not State.OPEN:
            return False
        data = native.encode_answer(request, value)
        if data is None:
            return False
        self._put(data, None)
        return True

    def holds(self, request: int) -> bool:
        """Return whether a call of ours was not sent yet."""
        return self._held is not None and request in self._held.calls

    def cancel(self, request: int, withdraw: bool = True) -> bool:
        """Say that the answer to a call of ours is not wanted any more; it will come all the same.

        :param withdraw: whether the call need not be sent, if it was not sent yet.
        :returns: whether it was not sent yet: then it is not sent at all, and nothing will come.
        """
        if withdraw and self._held is not None and request in self._held.calls:
            self._held.take(request)
            self.questions.entries.pop(request, None)
            self._let_go()
            return True
        if self.native is not None and self.state is State.OPEN:
            # The call may still be on its way out, in pieces: the other end would not know yet what is meant.
            data = self.native.encode(Cancel(request))
            if self.holds(request):
                self._follow(data)
            else:
                self._pass(data)
        return False

    def answer(self, request: int, payload: Payload) -> None:
        """Send the result of their call."""
        self._respond(Answer(request, payload))

    def fail(self, request: int, payload: Payload) -> None:
        """Send the failure of their call."""
        self._respond(Failed(request, payload))

    def _respond(self, message: Answer | Failed) -> None:
        if self.native is None:
            self._send(message)
        elif self.state is not State.CLOSED:
            parts = self.native.encode_response(message)
            self._put(b"".join(parts) if len(parts[1]) < SMALL else Parts(parts), None)

    def _put(self, data: bytes | Parts, lane: int | bytes | None) -> None:
        """Send a message of our own dialect that has a value in it, whole or in pieces."""
        outbox = self.outbox
        if outbox is None:
            if isinstance(data, bytes) and len(data) <= SMALL:
                self._out.append(data)
                return
            assert self.native is not None
            settings = self.native.settings
            self.outbox = outbox = Outbox(settings["streams"], settings["buffer"], self._out)
        outbox.put(data, lane, self._caches is not None and self._caches.ours.size > 0)

    def _let_go(self) -> None:
        """Send as many of the calls that are held back as the peer takes, and what stayed behind them."""
        held, native = self._held, self.native
        if held is None or native is None:
            return
        entries = self.questions.entries
        for data in held.released():
            self._pass(data)
        while held.calls and len(entries) - held.asking < native.settings["calls"]:
            self._put(*held.take(next(iter(held.calls))))
            for data in held.released():
                self._pass(data)

    def ping(self, data: bytes = b"") -> None:
        """Ask the peer whether it is there."""
        self._send(Ping(data))

    def go_away(self, reason: str) -> None:
        """Say that we begin no more calls."""
        self._send(GoAway(reason))

    def abort(self, reason: str) -> None:
        """Say why the connection is about to be closed, unless the peer said so first."""
        if self.native is not None and not self.aborted:
            self._send(Abort(reason))

    def not_understood(self, message: Unknown) -> None:
        """Say that a command was not understood."""
        self._send(NotUnderstood(message.command[:COMMAND_SIZE]))

    def release(self, number: int) -> None:
        """Send one release of an object of theirs."""
        self._send_releases([(number, 1)], False)

    def release_unlifted(self, owed: list[tuple[int, int]]) -> None:
        """Send releases of objects of theirs that were never received.

        :param owed: numbers, and how often each was sent.
        """
        self._send_releases(owed, False)

    def release_cache(self, number: int) -> None:
        """Send one release of a copy of an object of theirs."""
        self._send_releases([(number, 1)], True)

    def uncache(self, number: int) -> None:
        """Forget a cached object of ours that they hold no more, and say that no updates will come."""
        if self.caches.ours.forget(number) and self.dialect is not None:
            self._follow(self.dialect.encode(CacheReleased(number)))

    def release_dropped(self) -> None:
        """Send a release for everything of theirs that was dropped since the last time."""
        if self.state is not State.OPEN:
            return
        if self._imports is not None and self._imports.dropped:
            self._send_releases(self._imports.releases(), False)
        if self._caches is not None and self._caches.faces.dropped:
            self._send_releases(self._caches.faces.releases(), True)

    def _send_releases(self, owed: list[tuple[int, int]], cached: bool) -> None:
        if self.dialect is not None and self.state is not State.CLOSED:
            self._follow(self.dialect.encode_releases(owed, cached))

    def _follow(self, data: bytes) -> None:
        """Send something that must not pass what waits."""
        if self._held is not None and self._held.calls:
            self._held.put_behind(data)
        else:
            self._pass(data)

    def _pass(self, data: bytes) -> None:
        """Send something that must not pass what waits, but may pass calls that are held back."""
        if self.outbox is None:
            self._out.append(data)
        else:
            self.outbox.put_release(data)

    @property
    def pieces(self) -> bool:
        """Whether large messages wait to be sent in pieces."""
        return self.outbox is not None and self.outbox.pieces

    def next_piece(self) -> bytes:
        """Return, and forget, the next piece of a large message, or nothing when there is none."""
        return b"" if self.outbox is None else self.outbox.next_piece()

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

        The listening side can send before it knows the choice if that is between ``pb`` and ``none``: spelled out,
        which is right in both.
        """
        if self.dialect is None and self.listener and self.state is State.GREETING and NAME not in self.dialects:
            if self._spelled_out is None:
                self._spelled_out = PBDialect(self.limits, vocabulary=False)
            return self._spelled_out
        return self.dialect

    def _send(self, message: Message) -> None:
        dialect = self.dialect if self.state is State.OPEN else self.sender
        if dialect is not None and self.state is not State.CLOSED:
            self._out.append(dialect.encode(message))
