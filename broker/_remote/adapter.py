"""Owner: serves exported objects; takes the messages that carry verbs and answers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from broker._objects.reference import RemoteReference
from broker._remote.atoms import BATCH, FAILURE, LARGE, NAMES, PLAIN, SELF, scalars
from broker._remote.descriptors import describe, own_names
from broker._remote.elsewhere import Family
from broker._remote.exported import Exported
from broker._remote.expose import Expose
from broker._remote.faults import describe_exception, let_go
from broker._remote.forms import Form
from broker._remote.names import clean
from broker._remote.packing import Foreign, Packer
from broker._remote.policy import Override, Policy
from broker._remote.relay import Relay
from broker._remote.runner import SAME, Described, Opened, Run
from broker._remote.short import USUAL, Calls, Usual, only_step
from broker._remote.side import Kind, Side, side_of
from broker._remote.streams import Stream, Taken
from broker._remote.unpacking import Batch, Presenter, Unpacker
from broker._remote.verbs import DO, Refused, Step, Verb, Want
from broker.errors import BadValue, LimitExceeded, NoSuchMethod

if TYPE_CHECKING:
    from broker._objects.broker import Broker

__all__ = ["Owner", "References"]

#: What a stream offers, whatever its owner's policy.
_OF_STREAMS: Final = Expose(
    names=frozenset(("send", "throw", "close", "asend", "athrow", "aclose")),
    dunders=frozenset(("__next__", "__anext__")),
)
_MESSAGE: Final = DO.decode()
_GET: Final = USUAL[Verb.GET]
_CALL: Final = Verb.CALL


class References:
    """Shows objects of the peer as what they are: references."""

    def served(self, side: Side) -> Presenter:
        """Return this: references do what their connection does."""
        return self

    def present(self, reference: RemoteReference, kind: Kind | None) -> Any:
        """Return the reference."""
        return reference

    def present_stream(self, reference: RemoteReference | None, batch: Batch) -> Any:
        """Return the items that came with a stream, or the reference to it where there are more."""
        return batch.items if reference is None else reference


class Owner:
    """Serves objects under a policy; see `broker._remote.exported.Exported`.

    :param policy: what peers may do with them.
    :param presenter: how served code sees the peer's objects.
    """

    #: Whether served code gets exported objects that come home as what exports them, for that is what it deals in.
    adapters = False

    def __init__(self, policy: Policy, presenter: Presenter | None = None) -> None:
        self.policy = policy
        self._copies = policy.results.form(0) is Form.COPY
        self._calls = Calls(policy)
        #: Whether nothing is to be done around calls.
        self._quick = type(self).invoke is Owner.invoke
        self.presenter: Presenter = presenter or References()
        self._shared: WeakValueDictionary[int, Any] = WeakValueDictionary()
        self._others: dict[Policy, Owner] = {policy: self}
        self._streams: Owner | None = None
        self._relay: Relay | None = None
        self._family = Family()

    def under(self, policy: Policy) -> Owner:
        """Return the owner that serves under another policy what is reached through this one."""
        other = self._others.get(policy)
        if other is None:
            other = type(self)(policy, self.presenter)
            other._shared, other._others, other._family = self._shared, self._others, self._family
            self._others[policy] = other
        return other

    # What goes out.

    def adapter(self, side: Side, value: Any, override: Override | None = None) -> Exported:
        """Return the adapter by which a peer gets a reference to an object."""
        owner = self.under(override) if isinstance(override, Policy) else self
        owner._remember(value)
        fresh = Exported(value, owner)
        number = side.broker.session.exports.number_of(fresh.processUniqueID())
        known = None if number is None else side.broker.localObjectForID(number)
        return known if type(known) is Exported else fresh

    def exported(self, value: Any) -> Exported:
        """Return the adapter by which any peer is to get at an object."""
        self._remember(value)
        return Exported(value, self)

    def _remember(self, value: Any) -> None:
        if self.policy.shared:
            try:
                self._shared[id(value)] = value
            except TypeError:
                # Nothing can be remembered of an object without room for weak references.
                pass

    def was_shared(self, value: Any) -> bool:
        """Return whether an object was passed by reference before, and always is therefore."""
        return self.policy.shared and self._shared.get(id(value)) is value

    def introduction(self, side: Side, adapter: Exported, pushed: list[bytes]) -> tuple[Any, ...]:
        """Return what the peer is to be told with a reference; note in `pushed` the descriptors that it has in it."""
        policy, value = adapter.owner.policy, adapter.object
        if policy.describe == "no":
            return ()
        identity, descriptor = describe(value, policy, side.broker)
        names = self._names(side, adapter)
        if identity in side.told or identity in pushed:
            return (identity, names) if names else (identity,)
        given = self._family.pass_for(side)
        pushed.append(identity)
        if given.connection in side.told or given.connection in pushed:
            return (identity, names, descriptor.encoded())
        pushed.append(given.connection)
        return (identity, names, descriptor.encoded(), tuple(given))

    def _names(self, side: Side, adapter: Exported) -> tuple[str, ...]:
        adapter.told = _own(adapter.object)
        return tuple(own_names(adapter.object, adapter.owner.policy, side.broker)) if adapter.told else ()

    def open_stream(self, side: Side, value: Any) -> Stream:
        """Return an open stream of a value's items.

        :raises LimitExceeded: too many are open.
        """
        stream = Stream.over(side, value)
        # Given away as a stream, it is nobody else's any more.
        stream.ours = True
        stream.open(self.policy.quota.streams)
        return stream

    def stream_adapter(self, stream: Stream) -> Exported:
        """Return the adapter by which a peer gets at a stream."""
        if self._streams is None:
            policy = self.policy.but(expose=_OF_STREAMS, describe="no", shared=False, values=True)
            self._streams = self.under(policy)
        return Exported(stream, self._streams)

    def tracebacks(self, side: Side) -> bool:
        """Return whether tracebacks go with exceptions."""
        return self.policy.traceback or side.broker.unsafeTracebacks

    def relay(self, side: Side, reference: RemoteReference) -> Exported:
        """Return what stands here for an object of a third party.

        :raises Foreign: nothing does.
        """
        if self.policy.foreign != "relay":
            raise Foreign("a reference can only be sent back to its owner, not passed on to a third party")
        if self._relay is None:
            self._relay = Relay(self.policy)
        return self._relay.adapter(reference)

    # What comes in.

    def serve(
        self, adapter: Exported, broker: Broker, message: str, arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> Any:
        """Serve a program, or the call of one method.

        :raises BadValue: it is malformed.
        """
        side = side_of(broker)
        short = message[:1]
        # The usual operations, in fewer steps.
        if short == ".":
            if scalars(arguments) and (not named or scalars(named.values())):
                return self._call(side, adapter, clean(message[1:]), arguments, named)
        elif short == ":":
            return self._alone(side, adapter, _GET, clean(message[1:]))
        elif message == _MESSAGE and (form := only_step(arguments)) is not None:
            usual = USUAL.get(form[0])
            if usual is not None and len(form) == usual.length and not form[1]:
                return self._alone(side, adapter, usual, *form[2:])
            step = Step.decode(form, 1)
            return self._run(self._one_step(side, adapter, step.verb, *step.operands), adapter)
        homes: dict[int, tuple[Any, Policy]] = {}

        def home(come: Exported) -> Any:
            if self.adapters:
                return come
            value = come.object.iterator if isinstance(come.object, Stream) else come.object
            homes[id(value)] = (value, come.owner.policy)
            return value

        unpacker = Unpacker(side, self.presenter.served(side), home, self.policy.quota.types, self._family.find)
        want, notes = Want.AUTO, None
        if message == _MESSAGE:
            want, steps, notes = self._program(unpacker, arguments)
        else:
            name = clean(message[1:] if short == "." else message)
            steps = [Step(Verb.CALL, 0, name, unpacker.value(list(arguments)), unpacker.value(named))]
        run = Run(
            self.invoke,
            self.was_shared,
            side,
            adapter.object,
            self.policy,
            steps,
            homes,
            want,
            notes,
            unpacker.has_results,
        )
        if message != _MESSAGE and short != ".":
            return self._plainly(run)
        return self._run(run, adapter)

    def _one_step(self, side: Side, adapter: Exported, verb: Verb, *operands: Any) -> Run:
        return Run(self.invoke, self.was_shared, side, adapter.object, self.policy, [Step(verb, 0, *operands)], {})

    def _call(self, side: Side, adapter: Exported, name: str, args: tuple[Any, ...], kw: dict[str, Any]) -> Any:
        """Call a method with scalars as a program of one step does, mostly without one; return a scalar as it is."""
        if not self._quick or side.broker.elsewhere is not None:
            return self._run(self._one_step(side, adapter, _CALL, name, list(args), kw), adapter)
        try:
            result = self._calls.make(side, adapter.object, name, args, kw)
            override = self.policy.methods.get(name)
        except BaseException as error:  # noqa: BLE001  as in `_run`
            return self._failed_alone(error, side, adapter, _CALL, name, args, kw)
        return self._done_alone(result, override, side, adapter, _CALL, name, args, kw)

    def _alone(self, side: Side, adapter: Exported, usual: Usual, *operands: Any) -> Any:
        """Do another usual operation with nothing but scalars, in the same way."""
        if not self._quick or side.broker.elsewhere is not None:
            return self._run(self._one_step(side, adapter, usual.verb, *operands), adapter)
        try:
            result = usual.function(self.policy, side, adapter.object, *operands)
        except BaseException as error:  # noqa: BLE001  as in `_run`
            return self._failed_alone(error, side, adapter, usual.verb, *operands)
        return self._done_alone(result, None, side, adapter, usual.verb, *operands)

    def _done_alone(
        self, result: Any, override: Override | None, side: Side, adapter: Exported, verb: Verb, *operands: Any
    ) -> Any:
        kind = type(result)
        if self._copies and override is None and (kind in PLAIN or (kind is int and -LARGE < result < LARGE)):
            if adapter.told is None or _own(adapter.object) == adapter.told:
                return result
        if kind is Deferred:
            asked = (side, adapter, verb, *operands)
            return result.addCallbacks(self._done_alone, self._failed_later, (override, *asked), {}, asked)
        run = self._one_step(side, adapter, verb, *operands)
        return self._concluded(run, adapter, run.proceed(result, override))

    def _failed_alone(self, error: BaseException, side: Side, adapter: Exported, verb: Verb, *operands: Any) -> Any:
        run = self._one_step(side, adapter, verb, *operands)
        run.index = 1
        return self._failed(run, error)

    def _failed_later(self, failure: Failure, *asked: Any) -> Any:
        error = failure.value
        assert error is not None
        answer = self._failed_alone(error, *asked)
        let_go(failure)
        return answer

    def _program(self, unpacker: Unpacker, arguments: tuple[Any, ...]) -> tuple[Want, list[Step], dict[str, Any]]:
        if not 2 <= len(arguments) <= 3 or type(arguments[0]) is not int or type(arguments[1]) is not list:
            raise BadValue("a program is a wish, a list of steps and, if need be, notes")
        want, forms = arguments[0], arguments[1]
        notes = arguments[2] if len(arguments) == 3 else {}
        if not 0 <= want <= Want.NONE or not forms or type(notes) is not dict:
            raise BadValue("a program is a wish, a list of steps and, if need be, notes")
        if len(forms) > self.policy.quota.steps:
            raise LimitExceeded(f"a program of {len(forms)} steps; most are {self.policy.quota.steps}")
        unpacker.steps(forms)
        return Want(want), [Step.decode(form, number) for number, form in enumerate(forms, 1)], notes

    def invoke(self, run: Run, value: Any, name: str, function: Any, args: list[Any], kw: dict[str, Any]) -> Any:
        """Call a served method, or an object. Override it to do something around every call.

        :param run: the program; `Run.side` has the connection and `Run.notes` what the caller says about the call.
        :param value: the object.
        :param name: the name of the method, or ``""``.
        """
        return function(*args, **kw)

    def _run(self, run: Run, adapter: Exported) -> Any:
        try:
            result = _started(run)
        except BaseException as error:  # noqa: BLE001  the caller gets it, whatever it is
            return self._failed(run, error)
        return self._concluded(run, adapter, result)

    def _concluded(self, run: Run, adapter: Exported, result: Any) -> Any:
        if not isinstance(result, Deferred):
            return self._answer(run, adapter, result)

        def failed(failure: Failure) -> Any:
            error = failure.value
            assert error is not None
            answer = self._failed(run, error)
            let_go(failure)
            return answer

        return result.addCallbacks(lambda value: self._answer(run, adapter, value), failed)

    def _failed(self, run: Run, error: BaseException) -> Any:
        if run.want is Want.NONE:
            # Nobody hears of it, so it is logged.
            raise error
        form = describe_exception(error, self.tracebacks(run.side))
        return run.side.broker.serialize((FAILURE, form, run.index))

    def _answer(self, run: Run, adapter: Exported, result: Any) -> Any:
        broker = run.side.broker
        if run.want is Want.NONE:
            return broker.serialize(None)
        unchanged = adapter.told is None or _own(adapter.object) == adapter.told
        owner = self.under(run.policies[run.steps[-1].subject])
        if owner._copies and unchanged and run.override is None and run.want is Want.AUTO and scalars((result,)):
            return result
        packer = Packer(run.side, owner.policy.results, owner, run.want, run.override)
        try:
            packed = owner.packed(packer, run, result)
            if not unchanged:
                packed = (NAMES, packed, self._names(run.side, adapter))
            payload = broker.serialize(packed)
        except Exception as error:  # noqa: BLE001  whatever hooks of the user's raise: the caller gets it
            packer.abandon()
            return self._failed(run, error)
        packer.commit()
        return payload

    def packed(self, packer: Packer, run: Run, result: Any) -> Any:
        """Return a result in the form in which it is sent."""
        if result is SAME:
            return (SELF,)
        if isinstance(result, Taken):
            return (BATCH, *packer.batch(result))
        if isinstance(result, Opened):
            return packer.stream(result.stream, result.taken)
        if isinstance(result, Described):
            described = self.adapter(run.side, result.value)
            return [packer.offer(described), result.documents]
        if run.steps[-1].verb in (Verb.CONTAINS, Verb.EXIT) or self._converted(run):
            # By value, whatever the rules say.
            return Packer(run.side, self.policy.results, self, Want.VALUE, Form.COPY).value(result)
        return packer.value(result)

    def _converted(self, run: Run) -> bool:
        step = run.steps[-1]
        return step.verb is Verb.CONV and step.operands[0] not in ("round", "trunc", "floor", "ceil")

    def _plainly(self, run: Run) -> Any:
        """Serve a call of a peer that knows nothing of verbs: results and failures are those of PB."""
        broker = run.side.broker

        def answer(result: Any) -> Any:
            packer = Packer(run.side, self.policy.results, self, Want.AUTO, run.override, bare=True)
            payload = broker.serialize(packer.value(result))
            packer.commit()
            return payload

        try:
            result = _started(run)
        except Refused as error:
            # What such peers, and logs, expect.
            raise NoSuchMethod(str(error)) from None
        return result.addCallbacks(answer, _refused) if isinstance(result, Deferred) else answer(result)


def _started(run: Run) -> Any:
    """Run a program, here or where the connection has what it serves run; return its result or a Deferred of it."""
    elsewhere = run.side.broker.elsewhere
    return run.start() if elsewhere is None else elsewhere(run.start)


def _refused(failure: Failure) -> Failure:
    if failure.check(Refused) is None:
        return failure
    return Failure(NoSuchMethod(failure.getErrorMessage()))


def _own(value: Any) -> int:
    """Return how many attributes an object has itself."""
    return len(getattr(value, "__dict__", ())) if not isinstance(value, type) else -1
