"""Held: the base of every proxy, which keeps its state where no name leads to it."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any, Final

from broker._objects.reference import RemoteReference

__all__ = ["ASKS", "Held", "HeldState", "Pending", "bound_to", "reference_of", "set_state", "state_of"]


class HeldState:
    """What a proxy knows; see `broker._remote.proxy`.

    :ivar reference: the reference that it stands for.
    """

    __slots__ = ("__weakref__", "reference")

    def __init__(self, reference: RemoteReference) -> None:
        self.reference = reference


class Held:
    """An object that stands for an object of a peer. It has no attributes of its own."""

    __slots__ = ("__weakref__", "state")


class Pending:
    """The base of what stands for an operation that has not been sent."""

    __slots__ = ()


_STATE: Final[Any] = vars(Held)["state"]
# The slot goes on working through its descriptor; as an attribute it would hide one of the object.
del Held.state  # type: ignore[attr-defined]


#: Returns the state of a proxy. Everything that is done with one begins with this.
state_of: Final[Callable[[Held], Any]] = _STATE.__get__


def set_state(held: Held, state: Any) -> None:
    """Give a proxy its state."""
    _STATE.__set__(held, state)


def reference_of(value: Any) -> RemoteReference | None:
    """Return the reference that a value is, or stands for; or None."""
    # By the type: an instance check would ask the proxy for its class.
    kind = type(value)
    if issubclass(kind, RemoteReference):
        return value  # type: ignore[no-any-return]
    if issubclass(kind, Held):
        return state_of(value).reference  # type: ignore[no-any-return]
    return None


#: The attribute of functions in classes of proxies that call methods of the objects: the name there.
ASKS: Final = "__broker_asks__"


def bound_to(value: Any) -> tuple[Any, str] | None:
    """Return the proxy and the name of the method that such a function is bound to; None for everything else."""
    function = value.__func__ if type(value) is MethodType else None
    name = vars(function).get(ASKS) if type(function) is FunctionType else None
    return None if name is None else (value.__self__, name)
