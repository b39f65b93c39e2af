"""How a call from the peer is served: find the object, let it dispatch, send what comes of it.

What a call costs here is what all calls cost, so a method that returns at once is answered without a Deferred. The
answer goes out in the same turn as the call came in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker._messages.messages import Call
from broker._objects.failures import CopyableFailure, failure2Copyable, wire_name
from broker._values.jelly import Jellyable
from broker._values.payload import Payload
from broker.errors import Error, InsecureJelly, LimitExceeded, RemoteError

if TYPE_CHECKING:
    from broker._objects.broker import Broker

__all__ = ["fail", "serve", "WithArguments"]

_log = Logger()


def serve(broker: Broker, call: Call) -> None:
    """Serve one call of the peer."""
    try:
        target = broker.callTarget(call)
        if target is None:
            raise Error("Invalid Object ID")
        if call.wants_answer:
            broker.session.answers.admit()
        result = target.remoteMessageReceived(broker, call.method.decode("utf-8"), call.args, call.kwargs)
    except BaseException:  # noqa: BLE001
        # Even SystemExit: a peer must not be able to end this process, and the caller must get an answer.
        fail(broker, call, Failure())
        return
    if isinstance(result, Deferred):
        _answer_later(broker, call, result)
    elif call.wants_answer:
        _answer(broker, call, result)


def _answer(broker: Broker, call: Call, result: Any) -> None:
    """Send a result, or the reason why it cannot be sent."""
    try:
        payload = result if isinstance(result, Payload) else broker.serialize(result)
        broker.session.answer(call.request, payload)
    except Exception:  # noqa: BLE001  whatever a user's hooks raise while the result is lowered
        fail(broker, call, Failure())


def _answer_later(broker: Broker, call: Call, result: Deferred[Any]) -> None:
    """Send what a Deferred comes to; until then the call counts against the peer's calls in flight."""
    waiting = broker.session.answers.entries
    if call.wants_answer:
        waiting[call.request] = result

    def done(value: Any) -> None:
        waiting.pop(call.request, None)
        if broker.disconnected:
            return
        with broker.turn():
            if isinstance(value, Failure):
                fail(broker, call, value)
            elif call.wants_answer:
                _answer(broker, call, value)

    result.addBoth(done)


def fail(broker: Broker, call: Call, failure: Failure) -> None:
    """Send a failure, and log it unless it was to be expected."""
    refused = failure.value is broker.refused
    broker.refused = None
    if refused or isinstance(failure.value, LimitExceeded):
        # The peer's doing: one line, and no traceback of ours for it to fill the log with.
        _log.warn(
            "{name} of {peer} was refused: {reason}",
            name=ascii(call.method[:200]),
            peer=broker.peerName(),
            reason=str(failure.value)[:500],
        )
    elif failure.check(Error) is None:
        _log.failure("Peer will receive following PB traceback:", failure=failure)
    if not call.wants_answer:
        return
    try:
        payload = _failure_payload(broker, failure)
        broker.session.fail(call.request, payload)
    except Exception:  # noqa: BLE001  whatever a user's hooks raise while the failure is lowered
        _log.failure("a failure could not be sent")
        reason = Error(f"{wire_name(type(failure.value))}, which could not be sent")
        broker.session.fail(call.request, broker.serialize(failure2Copyable(Failure(reason))))


def _failure_payload(broker: Broker, failure: Failure) -> Payload:
    """Return a failure in the form that crosses: the exception itself where that is allowed, else a description."""
    value = failure.value
    if isinstance(value, Jellyable) or broker.security.isClassAllowed(type(value)):
        return broker.serialize(value)  # type: ignore[no-any-return]
    copyable = failure if isinstance(failure, CopyableFailure) else failure2Copyable(failure)
    copyable.unsafeTracebacks = broker.unsafeTracebacks
    if not isinstance(value, RemoteError) and broker.registry.exception_for(wire_name(type(value))) is type(value):
        try:
            return broker.serialize(WithArguments(copyable))  # type: ignore[no-any-return]
        except (InsecureJelly, LimitExceeded):
            # Arguments that may not cross: the text has to do.
            pass
    return broker.serialize(copyable)  # type: ignore[no-any-return]


class WithArguments(CopyableFailure):
    """A failure of a registered exception class, whose arguments cross too."""

    def __init__(self, failure: CopyableFailure) -> None:
        self.__dict__ = failure.__dict__.copy()

    def getStateToCopy(self) -> dict[str, Any]:
        """Return what crosses, the exception's arguments with it."""
        return {**super().getStateToCopy(), "args": list(self.value.args)}  # type: ignore[union-attr]
