"""The usual operations, each in a few steps: what a program that is one of them does, mostly without a program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from broker._remote.atoms import scalars
from broker._remote.names import clean
from broker._remote.policy import Policy
from broker._remote.publish import with_context
from broker._remote.reaching import attribute, method
from broker._remote.side import Side
from broker._remote.verbs import Verb

__all__ = ["USUAL", "is_one_step"]


def is_one_step(arguments: tuple[Any, ...]) -> bool:
    """Return whether the arguments of a program are those of a single step, with nothing but scalars in it and nothing
    said about its result.
    """
    if len(arguments) != 2 or type(arguments[0]) is not int or arguments[0]:
        return False
    steps = arguments[1]
    return type(steps) is list and len(steps) == 1 and type(steps[0]) is list and scalars(steps[0])


def _get(policy: Policy, side: Side, value: Any, name: Any) -> Any:
    name = clean(name)
    return attribute(value, policy.check(side.broker, value, Verb.GET, name), name)


def _call(policy: Policy, side: Side, value: Any, name: str, args: Any, kw: Any) -> Any:
    function = method(policy, side, value, name)
    return function(*args, **with_context(function, kw, side, {}))


def _getitem(policy: Policy, side: Side, value: Any, key: Any) -> Any:
    policy.check(side.broker, value, Verb.GETITEM, "__getitem__")
    return value[key]


def _setitem(policy: Policy, side: Side, value: Any, key: Any, item: Any) -> None:
    policy.check(side.broker, value, Verb.SETITEM, "__setitem__")
    value[key] = item


#: What is done for each of them: called with policy, connection, object and operands.
USUAL: Final[dict[Verb, Callable[..., Any]]] = {
    Verb.GET: _get,
    Verb.CALL: _call,
    Verb.GETITEM: _getitem,
    Verb.SETITEM: _setitem,
}
