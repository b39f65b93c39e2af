"""Sends programs: one message for each, and makes of the answer what its view shows."""

from __future__ import annotations

from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from broker._objects.reference import RemoteReference
from broker._objects.waiter import Waiter
from broker._remote.atoms import BATCH, FAILURE, NAMES, PLAIN, SELF, is_tagged, scalars
from broker._remote.faults import add_notes, rebuild
from broker._remote.names import clean
from broker._remote.packing import Packer
from broker._remote.program import Compiler, Node, Program, node_of
from broker._remote.side import Kind, Side, side_of
from broker._remote.unpacking import Unpacker
from broker._remote.verbs import DO, Verb, Want
from broker.errors import BadValue, NoSuchMethod

__all__ = ["Alone", "Answer", "REACTOR", "Reactor", "Transport", "kind_of", "quick_call", "transmit"]


class Alone(Protocol):
    """What a transport may have as ``alone``, which its proxies use then: one operation that needs no program."""

    def __call__(self, proxy: Any, verb: Verb, name: str, args: tuple[Any, ...] = (), kw: Any = None) -> Any:
        """Read an attribute of the object of a proxy, or call a method, with scalars.

        :returns: what `Transport.perform` returns.
        """


class Transport(Protocol):
    """How the operations of proxies are run.

    :ivar blocking: whether `perform` waits, so that an operation has its result when it returns. Proxies of a transport
        that does not wait return Deferreds, and refuse what Python wants at once.
    """

    @property
    def blocking(self) -> bool:
        """See above."""

    def perform(self, reference: RemoteReference, program: Program) -> Any:
        """Run a program.

        :param reference: the object that it is sent to.
        :param program: to be handed to `transmit`, in the thread of the reactor.
        :returns: its result, or a Deferred of it if the transport does not wait.
        """


class Reactor:
    """The transport that waits for nothing: each operation is sent at once and is a Deferred."""

    blocking = False

    def perform(self, reference: RemoteReference, program: Program) -> Deferred[Any]:
        """Send a program; return a Deferred of its result."""
        return transmit(reference, program)

    def __repr__(self) -> str:
        return "REACTOR"


REACTOR: Final = Reactor()

#: What objects that are not exported say that they have no method for.
_NOT_TAKEN: Final = ("_.", "_:", "_" + DO.decode())


def transmit(reference: RemoteReference, program: Program) -> Deferred[Any]:
    """Send a program.

    To be called in the thread of the reactor.

    :param reference: the object that it is sent to.
    :returns: a Deferred of the result, as the program's view shows it. It fails with what a step failed with; with
        `TypeError` or `InsecureJelly` for an operand that may not cross; with what `RemoteReference.callRemote` fails
        with. When it is cancelled, the answer is not waited for; what it brings is released.
    """
    side = side_of(reference.broker)
    view = program.view
    if view.policy.plain:
        plainly = _call_plainly(reference, program, side)
        if plainly is not None:
            return plainly
    quick = quick_call(reference, program)
    if quick is not None:
        name, args, kw, count = quick
        return Answer(side, program, count).of(reference.callRemote(name, *args, **kw))
    compiler = Compiler(reference)
    packer = Packer(side, view.arguments, view.owner, number=compiler.number)
    operands = Packer(side, view.operands, view.owner, number=compiler.number)
    compiler.packing(packer, operands)
    try:
        for node in program.nodes:
            compiler.emit(node)
        inner = _send(reference, program, compiler.steps)
    except Exception:  # noqa: BLE001  whatever hooks of the user's raise while operands are lowered
        packer.abandon()
        operands.abandon()
        return fail(Failure())
    finally:
        compiler.finished()
    if not (inner.called and isinstance(inner.result, Failure)):
        packer.commit()
        operands.commit()
    return Answer(side, program, len(compiler.steps)).of(inner)


def quick_call(reference: RemoteReference, program: Program) -> tuple[str | bytes, Any, dict[str, Any], int] | None:
    """Return the call that a program is: operations one on the other, with nothing but scalars as operands.

    :returns: the name, arguments and named ones of the call, and the number of steps; None for another program.
    """
    if len(program.nodes) != 1 or program.notes or not program.view.copies or program.view.policy.plain:
        return None
    (node,) = program.nodes
    subject, verb, operands = node.subject, node.verb, node.operands
    if subject is None or verb is None or node.reference is not reference:
        return None
    if subject.verb is not None:
        return _chain(node, program.want)
    if not _is_scalar(verb, operands):
        return None
    if program.want is Want.AUTO:
        if verb is Verb.CALL and operands[0] is not None:
            return "." + operands[0], operands[1], operands[2], 1
        if verb is Verb.GET:
            return ":" + operands[0], (), {}, 1
    return None if program.want is Want.NONE else (DO, (int(program.want), [[int(verb), 0, *operands]]), {}, 1)


def _is_scalar(verb: Verb, operands: tuple[Any, ...]) -> bool:
    """Say whether nothing but scalars goes with an operation."""
    if verb is Verb.CALL:
        _, args, kw = operands
        return scalars(args) and (not kw or scalars(kw.values()))
    return scalars(operands)


def _chain(node: Node | None, want: Want) -> tuple[bytes, Any, dict[str, Any], int] | None:
    """Return the call for operations one on the other, the last of which is given."""
    steps: list[list[Any]] = []
    while node is not None and node.verb is not None:
        if not _is_scalar(node.verb, node.operands):
            return None
        steps.append([int(node.verb), 0, *node.operands])
        node = node.subject
    steps.reverse()
    for number, step in enumerate(steps):
        step[1] = number
    return None if want is Want.NONE else (DO, (int(want), steps), {}, len(steps))


def _call_plainly(reference: RemoteReference, program: Program, side: Side) -> Deferred[Any] | None:
    """Send a call alone as an ordinary one, which any PB peer understands, and return a Deferred of its result.

    Return None if the program is something else.
    """
    node = program.nodes[0]
    alone = len(program.nodes) == 1 and node.verb is Verb.CALL and node.subject is not None
    if not alone or node.subject.verb is not None or node.operands[0] is None:  # type: ignore[union-attr]
        return None
    operations: list[Any] = []

    def noted(value: Any) -> int | None:
        found = node_of(value)
        if found is None:
            return None
        operations.append(found)
        return 0

    name, args, kw = node.operands
    packer = Packer(side, program.view.arguments, program.view.owner, number=noted, bare=True)
    try:
        args, kw = packer.arguments(args), packer.arguments(kw)
    except Exception:  # noqa: BLE001  whatever hooks of the user's raise
        return fail(Failure())
    return None if operations else reference.callRemote(name, *args, **kw)


def _send(reference: RemoteReference, program: Program, steps: list[list[Any]]) -> Deferred[Any]:
    if program.want is Want.NONE:
        reference.callRemoteOnly(DO, int(program.want), steps, *_notes(program))
        done: Deferred[Any] = Deferred()
        done.callback(None)
        return done
    if not steps:
        # The object itself was asked for.
        steps = [[int(Verb.PUT), 0, (b"\0r", reference)]]
    if len(steps) == 1 and program.want is Want.AUTO and not program.notes:
        verb, _, *operands = steps[0]
        if verb == Verb.CALL and type(operands[0]) is str:
            return reference.callRemote("." + operands[0], *operands[1], **operands[2])
    return reference.callRemote(DO, int(program.want), steps, *_notes(program))


def _notes(program: Program) -> tuple[Any, ...]:
    return (program.notes,) if program.notes else ()


class Answer:
    """Waits for an answer, and makes of it what the view of its program shows.

    What was cancelled is taken all the same when it comes: it may tell what later answers rely on.

    :param count: how many steps were sent.
    """

    __slots__ = ("_count", "_inner", "_outer", "_program", "_side")

    def __init__(self, side: Side, program: Program, count: int) -> None:
        self._side = side
        self._program = program
        self._count = count
        self._inner: Deferred[Any] | None = None
        self._outer: Deferred[Any] | None = None

    def of(self, inner: Deferred[Any]) -> Deferred[Any]:
        """Return a Deferred of the result for the Deferred of the answer."""
        outer: Deferred[Any] = Deferred(self._give_up)
        self._inner, self._outer = inner, outer
        inner.addBoth(self._arrived)
        return outer

    def outcome(self, result: Any) -> Any:
        """Return what an answer comes to: a value, or a Failure."""
        if isinstance(result, Failure):
            return self.failed(result)
        try:
            return self.value(result)
        except Exception:  # noqa: BLE001  an answer that makes no sense
            return Failure()

    def _arrived(self, result: Any) -> None:
        outcome = self.outcome(result)
        # Nothing keeps anything else from now on.
        outer, self._outer, self._inner = self._outer, None, None
        if outer is not None and not outer.called:
            outer.callback(outcome)

    def _give_up(self, outer: Deferred[Any]) -> None:
        """Tell the owner that the result is not wanted any more, where the dialect can say so."""
        inner = self._inner
        if isinstance(inner, Waiter) and inner.broker is not None and inner.broker.session.native is not None:
            inner.cancels = "wait"
            inner.cancel()

    def failed(self, failure: Failure) -> Failure:
        """Return the failure of a call that did not get as far as the object."""
        if failure.check(NoSuchMethod) and any(mark in failure.getErrorMessage() for mark in _NOT_TAKEN):
            text = (
                "the object takes no operations: its owner does not export it (see broker.transparent.export); "
                "if it is one of PB, call reference(x).callRemote(name)"
            )
            return Failure(TypeError(text))
        return failure

    def value(self, packed: Any) -> Any:
        """Return the result in an answer, or a Failure.

        :raises BadValue: it is malformed.
        """
        kind = type(packed)
        if kind in PLAIN or kind is int:
            return packed
        program, view = self._program, self._program.view
        if kind is tuple and is_tagged(packed):
            tag = packed[0]
            if tag == NAMES and len(packed) == 3:
                self._told(packed[2])
                return self.value(packed[1])
            if tag == FAILURE and len(packed) == 3:
                return Failure(self._failure(packed[1], packed[2]))
            if tag == SELF:
                whole = program.whole
                return self._itself() if whole is None else whole
            if tag == BATCH:
                return Unpacker(self._side, view, types=view.policy.quota.types).batch(packed[1:])
        return Unpacker(self._side, view, types=view.policy.quota.types).value(packed)

    def _itself(self) -> Any:
        reference = self._program.reference
        return self._program.view.present(reference, self._side.kinds.get(reference))

    def _told(self, names: Any) -> None:
        kind = self._side.kinds.get(self._program.reference)
        if type(names) is not tuple:
            raise BadValue("the names of an object are a tuple")
        if kind is not None:
            kind.names = frozenset(map(clean, names))

    def _failure(self, form: Any, step: Any) -> BaseException:
        error = rebuild(form, self._side.broker.registry)
        if self._count > 1 and type(step) is int:
            note = f"in step {step} of {self._count}: {self._program.text}"
            add_notes(error, [note])
        return error


def kind_of(reference: RemoteReference) -> Kind | None:
    """Return what is known of a reference, or None."""
    return side_of(reference.broker).kinds.get(reference)
