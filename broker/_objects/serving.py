"""How a call from the peer is served: find the object, let it dispatch, send what comes of it.

What a call costs here is what all calls cost, so a method that returns at once is answered without a Deferred. The
answer goes out in the same turn as the call came in.
"""

from __future__ import annotations

from time import monotonic
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker._messages.messages import Call
from broker._objects.context import CURRENT, Deadline
from broker._objects.failures import CopyableFailure, failure2Copyable, wire_name
from broker._objects.flavor import find_method
from broker._objects.referenceable import Referenceable
from broker._values.jelly import Jellyable
from broker._values.payload import Payload
from broker.errors import (
    BadValue,
    DeadlineExceeded,
    DeadReferenceError,
    Error,
    GoingAway,
    LimitExceeded,
    NoSuchMethod,
    PBConnectionLost,
    RemoteError,
)

if TYPE_CHECKING:
    from broker._objects.broker import Broker

__all__ = ["OF_VALUES", "WithArguments", "cancel", "fail", "serve"]

_log = Logger()

#: How the usual kind of object dispatches.
_USUAL: Final = Referenceable.remoteMessageReceived
#: The attribute of a `remoteMessageReceived` with another dispatch of the same class: one that takes the arguments as
#: values, which they mostly are by then.
OF_VALUES: Final = "ofValues"
#: What an object that dispatches in its own way may leave to be lowered here.
_SCALARS: Final = frozenset((type(None), bool, int, float, str, bytes))
#: What a call fails with because of what the peer sent, whoever raised it.
_REFUSALS: Final = (LimitExceeded, BadValue, NoSuchMethod)


def serve(broker: Broker, call: Call) -> None:
    """Serve one call of the peer."""
    session = broker.session
    try:
        target = session.usual_target(call)
        if target is None or broker.leaving is not None or CURRENT.get() is not None or broker.elsewhere is not None:
            result = _run(broker, call)
        elif (dispatch := getattr(target.remoteMessageReceived, "__func__", None)) is not _USUAL:
            # What `_run` looks for has been looked for.
            of_values = getattr(dispatch, OF_VALUES, None)
            if of_values is None:
                result = _received(broker, target, call)
            else:
                result = of_values(target, broker, _method_name(call), call.args.value, call.kwargs.value)
            if type(result) in _SCALARS and call.wants_answer and session.answer_plain(call.request, result):
                return
        else:
            # The usual kind of object, and plain arguments: the same in fewer steps.
            method = find_method(target, "remote_", _method_name(call))
            result = method(*call.args.value, **call.kwargs.value)
            if call.wants_answer and session.answer_plain(call.request, result):
                return
            result = broker.serialize(result, target.perspective)
    except BaseException:  # noqa: BLE001
        # Even SystemExit: a peer must not be able to end this process, and the caller must get an answer.
        fail(broker, call, Failure())
        broker.releaseUnread(call.args)
        broker.releaseUnread(call.kwargs)
        return
    if isinstance(result, Deferred):
        _answer_later(broker, call, result)
    elif call.wants_answer:
        _answer(broker, call, result)
    else:
        broker.discard(result)


def _run(broker: Broker, call: Call) -> Any:
    """Run the method of a call; return its result or a Deferred of that.

    :raises Error: there is no such object.
    :raises LimitExceeded: too many of the peer's calls are waiting.
    :raises GoingAway: this side takes no more calls.
    :raises DeadlineExceeded: the time of the call is over already.
    """
    target = broker.callTarget(call)
    if target is None:
        broker.refused = Error("Invalid Object ID")
        raise broker.refused
    broker.session.answers.admit()
    if broker.leaving is not None:
        broker.refused = GoingAway(f"the other end is going away: {broker.leaving}")
        raise broker.refused
    if call.deadline == 0:
        broker.refused = DeadlineExceeded("the time of the call was over when it came")
        raise broker.refused
    if call.deadline < 0 and CURRENT.get() is None:
        return _received(broker, target, call)
    # Under the deadline of the call, and under no other one that may be there.
    clock = monotonic if broker.reactor is None else broker.reactor.seconds
    token = CURRENT.set(Deadline(clock() + call.deadline / 1000, clock) if call.deadline > 0 else None)
    try:
        return _received(broker, target, call)
    finally:
        CURRENT.reset(token)


def _received(broker: Broker, target: Any, call: Call) -> Any:
    """Let an object dispatch a call."""
    result = target.remoteMessageReceived(broker, _method_name(call), call.args, call.kwargs)
    return Deferred.fromCoroutine(result) if isinstance(result, CoroutineType) else result


def cancel(broker: Broker, call: Call) -> None:
    """The caller no longer wants the result: cancel what the method waits for, and send what comes of it."""
    waiting = broker.session.answers.entries.get(call)
    if waiting is not None:
        broker.guarded(waiting.cancel)


def _method_name(call: Call) -> str:
    """Return the name of the method called.

    :raises NoSuchMethod: it is no text, so no method has it.
    """
    try:
        return call.method.decode("utf-8")
    except UnicodeDecodeError:
        raise NoSuchMethod(f"No such method: {call.method[:200]!r}") from None


def _answer(broker: Broker, call: Call, result: Any) -> None:
    """Send a result, or the reason why it cannot be sent."""
    try:
        if type(result) in _SCALARS and broker.session.answer_plain(call.request, result):
            return
        payload = result if isinstance(result, Payload) else broker.serialize(result)
        broker.session.answer(call.request, payload)
        broker.sent()
    except BaseException:  # noqa: BLE001  whatever a user's hooks raise while the result is lowered
        fail(broker, call, Failure())


def _answer_later(broker: Broker, call: Call, result: Deferred[Any]) -> None:
    """Send what a Deferred comes to; until then the call counts against the peer's calls in flight."""
    answers = broker.session.answers
    answers.add(call, result)
    # The arguments have been taken: what the peer sent need not wait as well.
    call.args = call.kwargs = Payload(None)

    def done(value: Any) -> None:
        answers.remove(call)
        if broker.disconnected:
            if isinstance(value, Failure):
                _log_unheard(value)
            return
        # As `Broker.turn` does, in fewer steps.
        broker._turns += 1
        try:
            if isinstance(value, Failure):
                fail(broker, call, value)
            elif call.wants_answer:
                _answer(broker, call, value)
            else:
                broker.discard(value)
        finally:
            broker._turns -= 1
            broker.flushSoon()
        broker.leaveIfDone()

    result.addBoth(done)


def _log_unheard(failure: Failure) -> None:
    """Log a failure that nobody will hear of, the connection being gone, unless that is why it failed."""
    if failure.check(Error, DeadReferenceError, PBConnectionLost, CancelledError) is None:
        _log.failure("A call failed after its connection had gone:", failure=failure)


def fail(broker: Broker, call: Call, failure: Failure) -> None:
    """Send a failure, and log it unless it was to be expected."""
    refused = failure.value is broker.refused
    broker.refused = None
    if refused or isinstance(failure.value, _REFUSALS):
        _log_refusal(broker, call, failure)
    elif failure.check(Error, CancelledError) is None:
        _log.failure("Peer will receive following PB traceback:", failure=failure)
    if not call.wants_answer:
        return
    try:
        payload = _failure_payload(broker, failure)
        broker.session.fail(call.request, payload)
    except Exception:  # noqa: BLE001  whatever a user's hooks raise while the failure is lowered
        _log.failure("a failure could not be sent")
        reason = Error(f"{wire_name(type(failure.value))}, which could not be sent")
        try:
            broker.session.fail(call.request, broker.serialize(failure2Copyable(Failure(reason))))
        except LimitExceeded:
            # By what it said in the greeting, the peer accepts not even that: it cannot be answered at all.
            broker.failConnection(Failure())


def _log_refusal(broker: Broker, call: Call, failure: Failure) -> None:
    """Log what is the peer's doing: in one line, without a traceback of ours, and not without end."""
    broker.refusals += 1
    if broker.refusals > broker.limits.faults:
        return
    _log.warn(
        "{name} of {peer} was refused: {reason}",
        name=ascii(call.method[:200]),
        peer=broker.peerName(),
        reason=failure.getErrorMessage()[:500],
    )
    if broker.refusals == broker.limits.faults:
        _log.warn("{peer}: more refused calls are not logged", peer=broker.peerName())


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
        except Exception:  # noqa: BLE001  whatever the hooks of an argument raise
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
