"""Runs one program for a peer: each step passes the policy, then does what Python would do."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred

from broker._remote.bounds import check_conversion, check_operator
from broker._remote.descriptors import documentation
from broker._remote.exported import Exported
from broker._remote.faults import rebuild
from broker._remote.forms import Form, Said
from broker._remote.names import INTERPRETER, clean
from broker._remote.policy import Override, Policy
from broker._remote.publish import with_context
from broker._remote.reaching import attribute, method
from broker._remote.side import Side
from broker._remote.streams import Stream, Taken, enter
from broker._remote.verbs import (
    CONVERSIONS,
    INPLACE,
    OPERATORS,
    HiddenVerb,
    Refused,
    Result,
    Step,
    Verb,
    Want,
    dunders,
)
from broker.errors import BadValue

__all__ = ["Described", "Opened", "Run", "SAME"]

#: Stands for the object that the step worked on.
SAME: Final = object()


#: What the arguments of a call may be named by.
_NAMES: Final = frozenset((str,))
#: What brings a policy of its own along.
_MARKED: Final = frozenset((Exported, Said))


class Described:
    """The result of DESCRIBE."""

    __slots__ = ("documents", "value")

    def __init__(self, value: Any, documents: dict[str, list[str | None]]) -> None:
        self.value = value
        self.documents = documents


class Opened:
    """The result of ITER: a stream and its first batch."""

    __slots__ = ("stream", "taken")

    def __init__(self, stream: Stream, taken: Taken) -> None:
        self.stream = stream
        self.taken = taken


class Run:
    """One program on its way.

    :param invoke: calls a served method: ``invoke(run, object, name, function, args, kw)``.
    :param was_shared: says whether an object was passed by reference before.
    :param side: the connection that sent the program.
    :param target: the object that it was sent to.
    :param policy: the policy of that object.
    :param steps: the steps.
    :param homes: objects of ours among the operands, by identity, each with its policy.
    :param want: the form in which the peer wants the result.
    :param notes: what else the peer says about the call.
    :ivar index: the number of the step that runs, from 1.
    :ivar override: what the policy says about the form of the last result.
    """

    __slots__ = (
        *("homes", "index", "invoke", "notes", "override", "policies", "policy", "results"),
        *("side", "steps", "values", "want", "was_shared"),
    )

    def __init__(
        self,
        invoke: Callable[..., Any],
        was_shared: Callable[[Any], bool],
        side: Side,
        target: Any,
        policy: Policy,
        steps: list[Step],
        homes: dict[int, tuple[Any, Policy]],
        want: Want = Want.AUTO,
        notes: dict[str, Any] | None = None,
        results: bool = False,
    ) -> None:
        self.invoke = invoke
        self.was_shared = was_shared
        self.side = side
        self.policy = policy
        self.steps = steps
        self.homes = homes
        self.want = want
        self.notes = notes or {}
        self.results = results
        self.values = [target]
        self.policies = [policy]
        self.index = 0
        self.override: Override | None = None

    def start(self) -> Any:
        """Run the steps; return the last result, or a Deferred of it as soon as one of them has to wait."""
        for step in self.steps:
            result = self._step(step)
            if hasattr(type(result), "__await__"):
                return Deferred.fromCoroutine(self._rest(result))
            self._done(result)
        return self.values[-1]

    def proceed(self, result: Any, override: Override | None) -> Any:
        """Go on with the result of the first step; return the last one, or a Deferred of it, as `start` does."""
        self.index, self.override = 1, override
        if hasattr(type(result), "__await__"):
            return Deferred.fromCoroutine(self._rest(result))
        self._done(result)
        return self.values[-1]

    async def _rest(self, result: Any) -> Any:
        while True:
            if hasattr(type(result), "__await__"):
                result = await result
            self._done(result)
            if self.index == len(self.steps):
                return self.values[-1]
            result = self._step(self.steps[self.index])

    def _done(self, result: Any) -> None:
        step = self.steps[self.index - 1]
        last = self.index == len(self.steps)
        if step.verb is Verb.OP:
            if step.operands[0] in INPLACE and result is self.values[step.subject]:
                # The program goes on with the object; the peer is told that it is the one it has.
                result = SAME if last and step.subject == 0 else result
        elif last:
            self.values.append(result)
            return
        policy = self.policies[step.subject]
        if self.homes or self.override is not None or type(result) in _MARKED:
            policy = self._policy_of(result, step)
            if type(result) is Said and not last:
                # What the server has said to give away may be worked on.
                policy, result = result.policy or policy, result.value
                self.homes[id(result)] = (result, policy)
            if type(result) is Exported and not last:
                result = result.object
                self.homes[id(result)] = (result, policy)
        if not last and not policy.results.offers(type(result)) and self._withheld(result, policy):
            # What could not be had as a result is not to be had on the way to one.
            raise HiddenVerb(f"a {type(result).__name__} is not offered")
        self.values.append(result)
        self.policies.append(policy)

    def _withheld(self, result: Any, policy: Policy) -> bool:
        if isinstance(result, INTERPRETER):
            return True
        if policy.results.form(result) is not Form.REFUSE:
            return False
        return self.override is None and id(result) not in self.homes and not self.was_shared(result)

    def _policy_of(self, result: Any, step: Step) -> Policy:
        if type(result) is Exported:
            return result.owner.policy
        home = self.homes.get(id(result))
        if home is not None:
            return home[1]
        if isinstance(self.override, Policy):
            return self.override
        return self.policies[step.subject]

    def _step(self, step: Step) -> Any:
        self.index += 1
        self.override = None
        subject, policy = self.values[step.subject], self.policies[step.subject]
        operands = tuple(map(self._operand, step.operands)) if self.results else step.operands
        return _DO[step.verb](self, subject, policy, *operands)

    def _operand(self, value: Any) -> Any:
        """Return an operand with the results of earlier steps put in."""
        kind = type(value)
        if kind is Result:
            if not 0 <= value.number < len(self.values):
                raise BadValue(f"step {self.index} uses a result that is not there yet")
            return self.values[value.number]
        if kind in (list, tuple, set, frozenset):
            return kind(map(self._operand, value))
        if kind is dict:
            return {self._operand(key): self._operand(item) for key, item in value.items()}
        return value

    # Attributes and calls.

    def _check(self, policy: Policy, subject: Any, verb: Verb, name: str) -> str:
        return policy.check(self.side.broker, subject, verb, name)

    def _get(self, subject: Any, policy: Policy, name: Any) -> Any:
        name = clean(name)
        found = self._check(policy, subject, Verb.GET, name)
        return attribute(subject, found, name)

    def _set(self, subject: Any, policy: Policy, name: Any, value: Any) -> None:
        setattr(subject, self._check(policy, subject, Verb.SET, clean(name)), value)

    def _del(self, subject: Any, policy: Policy, name: Any) -> None:
        delattr(subject, self._check(policy, subject, Verb.DEL, clean(name)))

    def _call(self, subject: Any, policy: Policy, name: Any, args: Any, kw: Any) -> Any:
        if type(args) is not list or type(kw) is not dict or not set(map(type, kw)) <= _NAMES:
            raise BadValue("a call has a list of arguments and a dictionary of named ones")
        if name is None:
            self._check(policy, subject, Verb.CALL, "__call__")
            return self.invoke(self, subject, "", subject, args, with_context(subject, kw, self.side, self.notes))
        name = clean(name)
        function = method(policy, self.side, subject, name)
        self.override = policy.methods.get(name)
        return self.invoke(self, subject, name, function, args, with_context(function, kw, self.side, self.notes))

    # Operators.

    def _op(self, subject: Any, policy: Policy, name: Any, reflected: Any, *others: Any) -> Any:
        function = OPERATORS.get(name) if type(name) is str else None
        if function is None or type(reflected) is not bool or (reflected and len(others) != 1):
            raise BadValue("there is no such operator")
        name = self._may(policy, subject, name, reflected)
        function = OPERATORS[name]
        for other in others:
            home = self.homes.get(id(other))
            if home is not None:
                self._may(home[1], other, name, not reflected)
        operands = [*others, subject] if reflected else [subject, *others]
        check_operator(name, operands[0], operands[1:], policy.quota.size)
        return function(*operands)

    def _may(self, policy: Policy, value: Any, name: str, reflected: bool) -> str:
        """Check that an object may take part in an operator: by the special method for its side, or the other one.

        Return the operator that is meant: what may not be changed in place is treated as if it could not be.
        """
        try:
            self._check(policy, value, Verb.OP, dunders(name, reflected))
        except Refused:
            if name in INPLACE:
                return self._may(policy, value, name[1:], reflected)
            self._check(policy, value, Verb.OP, {"reversed": "__getitem__"}.get(name) or dunders(name, not reflected))
        return name

    def _conv(self, subject: Any, policy: Policy, name: Any, *operands: Any) -> Any:
        function = CONVERSIONS.get(name) if type(name) is str else None
        if function is None:
            raise BadValue("there is no such conversion")
        dunder = f"__{name}__"
        if name == "bool" and not hasattr(type(subject), "__bool__"):
            dunder = "__len__"
        self._check(policy, subject, Verb.CONV, dunder)
        check_conversion(name, subject, policy.quota.size)
        return function(subject, *operands)

    # Items.

    def _getitem(self, subject: Any, policy: Policy, key: Any) -> Any:
        self._check(policy, subject, Verb.GETITEM, "__getitem__")
        return subject[key]

    def _setitem(self, subject: Any, policy: Policy, key: Any, value: Any) -> None:
        self._check(policy, subject, Verb.SETITEM, "__setitem__")
        subject[key] = value

    def _delitem(self, subject: Any, policy: Policy, key: Any) -> None:
        self._check(policy, subject, Verb.DELITEM, "__delitem__")
        del subject[key]

    def _contains(self, subject: Any, policy: Policy, value: Any) -> bool:
        name = "__contains__" if hasattr(type(subject), "__contains__") else "__iter__"
        self._check(policy, subject, Verb.CONTAINS, name)
        return operator.contains(subject, value)

    # Iteration.

    def _iter(self, subject: Any, policy: Policy, count: Any) -> Any:
        asynchronous = hasattr(type(subject), "__aiter__") and not hasattr(type(subject), "__iter__")
        self._check(policy, subject, Verb.ITER, "__aiter__" if asynchronous else "__iter__")
        stream = Stream.over(self.side, subject)
        stream.open(policy.quota.streams)
        taken = stream.take(self._count(policy, count), policy.batch.size) if count else Taken([])
        if isinstance(taken, Deferred):
            return taken.addCallback(lambda batch: Opened(stream, batch))
        return Opened(stream, taken)

    def _next(self, subject: Any, policy: Policy, count: Any) -> Any:
        asynchronous = not isinstance(subject, Stream) and not hasattr(type(subject), "__next__")
        self._check(policy, subject, Verb.NEXT, "__anext__" if asynchronous else "__next__")
        stream = subject if isinstance(subject, Stream) else Stream(self.side, subject, False)
        return stream.take(self._count(policy, count), policy.batch.size)

    def _count(self, policy: Policy, count: Any) -> int:
        if type(count) is not int or count < 0:
            raise BadValue("the size of a batch is a number")
        return min(max(count, 1), policy.quota.batch)

    def _send(self, subject: Any, policy: Policy, value: Any) -> Any:
        return self._resume(subject, policy, Verb.SEND, "send", value)

    def _throw(self, subject: Any, policy: Policy, form: Any) -> Any:
        return self._resume(subject, policy, Verb.THROW, "throw", rebuild(form, self.side.broker.registry))

    def _resume(self, subject: Any, policy: Policy, verb: Verb, name: str, value: Any) -> Any:
        iterator = subject.iterator if isinstance(subject, Stream) else subject
        if hasattr(type(iterator), "a" + name):
            self._check(policy, subject, verb, "a" + name)
            return _resumed_later(getattr(iterator, "a" + name)(value))
        self._check(policy, subject, verb, name)
        try:
            return Taken([getattr(iterator, name)(value)])
        except StopIteration as end:
            return Taken([], True, None, end.value)

    def _close(self, subject: Any, policy: Policy) -> Any:
        if isinstance(subject, Stream):
            self._check(policy, subject, Verb.CLOSE, "close")
            return subject.close()
        name = "aclose" if hasattr(type(subject), "aclose") else "close"
        return attribute(subject, self._check(policy, subject, Verb.CLOSE, name), name)()

    # Contexts.

    def _enter(self, subject: Any, policy: Policy) -> Any:
        name = "__enter__" if hasattr(type(subject), "__enter__") else "__aenter__"
        self._check(policy, subject, Verb.ENTER, name)
        told = partial(with_context, kw={}, side=self.side, notes=self.notes)
        return enter(self.side, subject, policy.quota.contexts, told)

    def _exit(self, subject: Any, policy: Policy, form: Any) -> Any:
        name = "__exit__" if hasattr(type(subject), "__exit__") else "__aexit__"
        self._check(policy, subject, Verb.EXIT, name)
        for context in reversed(self.side.contexts):
            if context.value is subject:
                error = None if form is None else rebuild(form, self.side.broker.registry)
                return _truth(error, context.leave(error))
        raise HiddenVerb("the context was not entered, or has been left")

    # Descriptions, copies, other objects.

    def _describe(self, subject: Any, policy: Policy) -> Described:
        self._check(policy, subject, Verb.DESCRIBE, "")
        return Described(subject, documentation(subject, policy, self.side.broker))

    def _value(self, subject: Any, policy: Policy) -> Any:
        self._check(policy, subject, Verb.VALUE, "")
        self.want, self.override = Want.VALUE, Form.COPY
        return subject.iterator if isinstance(subject, Stream) else subject

    def _put(self, subject: Any, policy: Policy, value: Any) -> Any:
        if id(value) not in self.homes:
            raise BadValue("only an object of ours can be put into a program")
        return value


def _truth(error: BaseException | None, result: Any) -> Any:
    if hasattr(type(result), "__await__"):
        return _truth_later(error, result)
    return error is not None and bool(result)


async def _truth_later(error: BaseException | None, result: Any) -> bool:
    return bool(await result) and error is not None


async def _resumed_later(waiting: Any) -> Taken:
    try:
        return Taken([await waiting])
    except StopAsyncIteration:
        return Taken([], True)


_DO: Final[dict[Verb, Any]] = {verb: getattr(Run, f"_{verb.name.lower()}") for verb in Verb}
