"""The usual operations, each in a few steps: what a program that is one of them does, mostly without a program."""

from __future__ import annotations

from collections.abc import Callable
from types import BuiltinMethodType, MethodType
from typing import Any, Final

from broker._remote.atoms import scalars
from broker._remote.expose import publication
from broker._remote.names import clean
from broker._remote.policy import Policy
from broker._remote.publish import given, with_context
from broker._remote.reaching import attribute, method
from broker._remote.side import Side
from broker._remote.verbs import Verb

__all__ = ["USUAL", "Calls", "is_one_step"]


def is_one_step(arguments: tuple[Any, ...]) -> bool:
    """Return whether the arguments of a program are those of a single step, with nothing but scalars in it and nothing
    said about its result.
    """
    if len(arguments) != 2 or type(arguments[0]) is not int or arguments[0]:
        return False
    steps = arguments[1]
    return type(steps) is list and len(steps) == 1 and type(steps[0]) is list and scalars(steps[0])


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


#: What is done for each of the others: called with policy, connection, object and operands.
USUAL: Final[dict[Verb, Callable[..., Any]]] = {
    Verb.GET: _get,
    Verb.GETITEM: _getitem,
    Verb.SETITEM: _setitem,
}
