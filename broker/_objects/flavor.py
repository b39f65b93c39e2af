"""The base of everything that crosses a connection by a decision of its own, and how served methods are found."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from types import FunctionType
from typing import Any

from broker._values.jelly import Jellyable
from broker._values.jellyable import Unjellyable
from broker._values.registry import globalRegistry
from broker.errors import BadValue, NoSuchMethod

__all__ = ["Serializable", "find_method", "keywords", "positional", "registers"]


class Serializable(Jellyable):
    """An object that may be passed over a connection, in one of the flavors: by reference, as a copy or as a cache."""

    def processUniqueID(self) -> Hashable:
        """Return what identifies this object in this process; two objects with equal ids are one to the peer."""
        return id(self)


def registers(name: bytes) -> Callable[[Any], Any]:
    """Return a decorator that enters a class or function under a wire name, for the flavors of the protocol itself."""

    def register(lifter: Any) -> Any:
        globalRegistry.setUnjellyableForClass(name, lifter)
        return lifter

    return register


def find_method(target: object, prefix: str, name: str) -> Callable[..., Any]:
    """Return the method that a call names.

    Only attributes with the prefix can be reached, so no name from the wire leads to anything else. Of an object whose
    attributes a peer has filled, only methods of its class can: the peer must not bring its own.

    :raises NoSuchMethod: there is none.
    """
    if isinstance(target, Unjellyable):
        method = getattr(type(target), prefix + name, None)
        method = method.__get__(target, type(target)) if isinstance(method, FunctionType) else None
    else:
        method = getattr(target, prefix + name, None)
    if not callable(method):
        raise NoSuchMethod(f"No such method: {prefix}{name[:200]}")
    return method


def positional(value: Any) -> tuple[Any, ...]:
    """Return decoded positional arguments as a tuple. Old peers send a list.

    :raises BadValue: they are neither.
    """
    if type(value) is tuple:
        return value
    if type(value) is list:
        return tuple(value)
    raise BadValue(f"the arguments of a call are a {type(value).__name__}, not a tuple")


def keywords(value: Any) -> dict[str, Any]:
    """Return decoded keyword arguments with text keys. Python 2 peers send the names as bytes.

    :raises BadValue: they are no dictionary with names as keys.
    """
    if type(value) is not dict:
        raise BadValue(f"the keyword arguments of a call are a {type(value).__name__}, not a dictionary")
    for key in value:
        if type(key) is not str:
            break
    else:
        return value
    try:
        return {key if isinstance(key, str) else key.decode("utf-8"): item for key, item in value.items()}
    except (AttributeError, UnicodeDecodeError):
        raise BadValue("the keyword arguments of a call have a key that is no name") from None
