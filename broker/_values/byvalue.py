"""What a registry knows about a class whose instances cross by value: the base of the kinds of such classes."""

from __future__ import annotations

import inspect
from typing import Any, Final

from broker._values.path import CAUGHT, brief, type_name
from broker.errors import BadValue, InsecureJelly

__all__ = ["ByValue", "check_constructor", "said"]

#: Most characters of what a class says about a value that it refuses.
_SAID: Final = 200


class ByValue:
    """What a registry knows about a class whose instances cross by value.

    :ivar cls: the class.
    :ivar name: its name on the wire.
    :ivar title: its name in messages.
    :ivar is_blank: whether instances are made without the constructor.
    """

    __slots__ = ("cls", "is_blank", "name", "title")

    def __init__(self, cls: Any, name: bytes) -> None:
        self.cls: Any = cls
        self.name = name
        self.title = type_name(cls)
        self.is_blank = False

    def lower(self, obj: Any, jellier: Any) -> Any:
        """Return the form to send for an instance; the rest of the contract is that of `IJellyable.jellyFor`.

        :raises InsecureJelly: the instance is part of itself, or is in no state that can cross.
        """
        form = jellier.prepare(obj)
        form.append(self.name)
        form.append(jellier.jelly(self.state(obj)))
        sent = jellier.preserve(obj, form)
        if sent is not form and not self.is_blank:
            raise InsecureJelly(self.in_a_cycle())
        return sent

    def in_a_cycle(self) -> str:
        """Return what is to be said of an instance that would be needed before it is there."""
        return f"a {self.title} cannot be part of itself: it is made of its parts"

    def state(self, obj: Any) -> Any:
        """Return what to send of an instance."""
        raise NotImplementedError

    def make(self, state: Any) -> Any:
        """Return an instance with a state that a peer sent.

        :raises BadValue: the class has no such instances.
        """
        raise NotImplementedError

    def fill(self, blank: Any, state: Any) -> Any:
        """Give a blank instance a state that a peer sent, and return it.

        :raises BadValue: the class has no such instances.
        """
        raise NotImplementedError

    def blank(self) -> Any:
        """Return an instance without a state, or None where the constructor is to make the instances."""
        return self.cls.__new__(self.cls) if self.is_blank else None

    def parts(self, obj: Any) -> tuple[Any, ...]:
        """Return what is looked at to hash an instance."""
        return ()

    def construct(self, items: tuple[Any, ...], fields: dict[str, Any]) -> Any:
        """Call the class with what a peer sent.

        :raises BadValue: it raises something.
        """
        try:
            made = self.cls(*items, **fields)
        except CAUGHT:
            raise
        except Exception as error:  # whatever the class thinks of values that the peer chose
            raise BadValue(f"{self.title} refuses it: {said(error)}") from error
        if type(made) is not self.cls:
            raise BadValue(f"the constructor of {self.title} makes {brief(made)} of it")
        return made


def check_constructor(cls: Any, items: tuple[Any, ...], fields: dict[str, Any], remedy: str) -> None:
    """Check that a class can be called with its fields.

    :raises TypeError: it cannot.
    """
    try:
        signature = inspect.signature(cls)
    except (ValueError, NameError):
        # There is none to be had, or annotations in it name what only type checkers know. The first peer will tell.
        return
    try:
        signature.bind(*items, **fields)
    except TypeError as error:
        raise TypeError(f"the constructor of {type_name(cls)} does not take its fields: {error}; {remedy}") from None


def said(error: Exception) -> str:
    """Return what an exception says, without describing values of any size that it may hold."""
    text = error.args[0] if error.args and type(error.args[0]) is str else ""
    return f"{type(error).__name__}: {text[:_SAID]}" if text else type(error).__name__
