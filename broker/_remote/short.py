"""The usual operations, each in a few steps: what a program that is one of them does, mostly without a program."""

from __future__ import annotations

from collections.abc import Callable
from types import BuiltinMethodType, MethodType
from typing import Any, Final, NamedTuple

from broker._remote.atoms import scalars
from broker._remote.expose import publication
from broker._remote.names import clean
from broker._remote.policy import Policy
from broker._remote.publish import given, with_context
from broker._remote.reaching import attribute, method
from broker._remote.side import Side
from broker._remote.verbs import Verb

__all__ = ["USUAL", "Calls", "Usual", "only_step"]


def only_step(arguments: tuple[Any, ...]) -> list[Any] | None:
    """Return the form of the step of a program that has no other, with nothing but scalars in it and nothing said about
    its result; None for every other program.

    :param arguments: those of the message that carries the program.
    """
    if len(arguments) != 2 or type(arguments[0]) is not int or arguments[0]:
        return None
    steps = arguments[1]
    if type(steps) is not list or len(steps) != 1:
        return None
    step = steps[0]
    if type(step) is not list or len(step) < 2 or type(step[0]) is not int or type(step[1]) is not int:
        return None
    return step if scalars(step) else None


class Calls:
    """How calls of methods are made that were made before: what the policy said, and whether a context goes along.

    :param policy: the policy.
    """

    __slots__ = ("_known", "_policy", "_stable")

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        #: Whether what it says once it always says.
        self._stable = type(policy).check is Policy.check
        self._known: dict[tuple[type, str], tuple[str, Any, bool]] = {}

    def make(self, side: Side, value: Any, name: str, args: Any, kw: Any) -> Any:
        """Call a method; return its result.

        :param name: as `clean` returns it.
        :raises HiddenName: it is not offered.
        """
        known = self._known.get((type(value), name))
        if known is not None:
            found, plain, ctx = known
            function = attribute(value, found, name)
            # It may be another one than that of the class.
            if getattr(function, "__func__", None) is plain:
                return function(*args, **given(function, kw, side, {})) if ctx else function(*args, **kw)
        function = method(self._policy, side, value, name)
        self._learn(side, value, name, function)
        return function(*args, **with_context(function, kw, side, {}))

    def _learn(self, side: Side, value: Any, name: str, function: Any) -> None:
        kind = type(value)
        if not self._stable or issubclass(kind, type) or not isinstance(function, (MethodType, BuiltinMethodType)):
            return
        if len(self._known) >= _MOST:
            # Names come from peers.
            self._known.clear()
        said = publication(function)
        found = self._policy.check(side.broker, value, Verb.CALL, name)
        self._known[kind, name] = found, getattr(function, "__func__", None), said is not None and said.ctx


#: So many methods are remembered.
_MOST: Final = 4096


def _get(policy: Policy, side: Side, value: Any, name: Any) -> Any:
    name = clean(name)
    return attribute(value, policy.check(side.broker, value, Verb.GET, name), name)


def _getitem(policy: Policy, side: Side, value: Any, key: Any) -> Any:
    policy.check(side.broker, value, Verb.GETITEM, "__getitem__")
    return value[key]


def _setitem(policy: Policy, side: Side, value: Any, key: Any, item: Any) -> None:
    policy.check(side.broker, value, Verb.SETITEM, "__setitem__")
    value[key] = item


class Usual(NamedTuple):
    """One of the other operations.

    :ivar length: of the form of such a step.
    :ivar function: does it; called with policy, connection, object and operands.
    """

    verb: Verb
    length: int
    function: Callable[..., Any]


#: The others, by the number that stands in the form.
USUAL: Final[dict[int, Usual]] = {
    int(one.verb): one
    for one in (Usual(Verb.GET, 3, _get), Usual(Verb.GETITEM, 3, _getitem), Usual(Verb.SETITEM, 4, _setitem))
}
