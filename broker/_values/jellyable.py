"""Objects that lower and lift themselves: the two base classes, and the state that an instance has by itself."""

from __future__ import annotations

from types import MemberDescriptorType
from typing import Any

from zope.interface import implementer

from broker._values.policy import dotted_name
from broker.errors import BadValue
from broker.interfaces import IJellyable, IUnjellyable

__all__ = [
    "Jellyable",
    "Unjellyable",
    "Unpersistable",
    "getInstanceState",
    "give_state",
    "setInstanceState",
    "state_of",
]


def state_of(instance: Any) -> Any:
    """Return what an instance consists of: what its ``__getstate__`` says, else its ``__dict__``, else None."""
    getter = getattr(instance, "__getstate__", None)
    return getter() if getter is not None else getattr(instance, "__dict__", None)


def give_state(instance: Any, state: Any) -> None:
    """Give a blank instance what `state_of` returned for its original.

    :raises BadValue: the class has no ``__setstate__`` and the state is none that an instance has by itself.
    """
    setter = getattr(instance, "__setstate__", None)
    if setter is not None:
        setter(state)
        return
    attributes, slots = state if type(state) is tuple and len(state) == 2 else (state, None)
    if isinstance(attributes, dict) and hasattr(instance, "__dict__"):
        instance.__dict__ = attributes
    elif attributes:
        raise BadValue(f"a {type(instance).__name__} cannot have a {type(state).__name__} as its state")
    for name, item in (slots or {}).items():
        # Python's own state of an instance with __slots__ is a pair; nothing but its slots may be set that way.
        if not isinstance(getattr(type(instance), name, None), MemberDescriptorType):
            raise BadValue(f"a {type(instance).__name__} has no slot {name!r:.60}")
        setattr(instance, name, item)


def getInstanceState(inst: Any, jellier: Any) -> Any:
    """Lower an instance to ``(dotted class name, state)`` in the usual way; for a `jellyFor` of one's own."""
    expression = jellier.prepare(inst)
    expression.append(dotted_name(inst.__class__).encode("utf-8"))
    expression.append(jellier.jelly(state_of(inst)))
    return jellier.preserve(inst, expression)


def setInstanceState(inst: Any, unjellier: Any, jellyList: Any) -> Any:
    """Lift an instance in the usual way, and return it; for an `unjellyFor` of one's own.

    :raises BadValue: the form has no state, or one that the instance cannot take.
    """
    if len(jellyList) != 2:
        raise BadValue(f"an instance of {type(inst).__name__} without a state")
    give_state(inst, unjellier.unjelly(jellyList[1]))
    return inst


class Unpersistable:
    """What stands in a received value for something that its sender could not send.

    :param reason: why, as the sender says.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __repr__(self) -> str:
        return f"Unpersistable({self.reason!r})"


@implementer(IJellyable)
class Jellyable:
    """An object that may be sent: as its dotted class name and its state."""

    def getStateFor(self, jellier: Any) -> Any:
        """Return the state to send; by default the instance's ``__dict__``."""
        return self.__dict__

    def jellyFor(self, jellier: Any) -> Any:
        """Return the s-expression to send; see `IJellyable`."""
        expression = jellier.prepare(self)
        expression.append(dotted_name(self.__class__).encode("utf-8"))
        expression.append(jellier.jelly(self.getStateFor(jellier)))
        return jellier.preserve(self, expression)


@implementer(IUnjellyable)
class Unjellyable:
    """An object that can be received: a blank instance takes the state. Its ``__init__`` is not called."""

    def setStateFor(self, unjellier: Any, state: Any) -> None:
        """Take the state; by default it becomes the instance's ``__dict__``."""
        self.__dict__ = state

    def unjellyFor(self, unjellier: Any, expression: Any) -> Any:
        """Take the contents; see `IUnjellyable`.

        :raises BadValue: the form has no state.
        """
        if len(expression) < 2:
            raise BadValue(f"a form for {type(self).__name__} without a state")
        self.setStateFor(unjellier, unjellier.unjelly(expression[1]))
        return self
