"""Objects that are passed as copies: Copyable where they are, RemoteCopy where they arrive."""

from __future__ import annotations

from typing import Any

from broker._objects.flavor import Serializable
from broker._values.jelly import getInstanceState
from broker._values.path import brief
from broker._values.unjelly import Unjellyable, setInstanceState
from broker.errors import BadValue

__all__ = ["as_tag", "Copyable", "dotted_name", "RemoteCopy"]


def dotted_name(cls: type) -> str:
    """Return the name under which a class is known on the wire: its module and its bare name, nesting left out."""
    return f"{cls.__module__}.{cls.__name__}"


class Copyable(Serializable):
    """An object that is passed as a copy.

    The peer makes the copy with the class that it has registered for `getTypeToCopy`, usually a `RemoteCopy`.
    """

    def getStateToCopy(self) -> Any:
        """Return the state to send; by default the instance's ``__dict__``. It need not be a dictionary."""
        return self.__dict__

    def getStateToCopyFor(self, perspective: Any) -> Any:
        """Return the state to send to a perspective (None outside a login)."""
        return self.getStateToCopy()

    def getTypeToCopy(self) -> Any:
        """Return the tag, bytes or text, under which the peer finds its class; by default our dotted class name."""
        return dotted_name(self.__class__).encode("utf-8")

    def getTypeToCopyFor(self, perspective: Any) -> Any:
        """Return the tag to send to a perspective."""
        return self.getTypeToCopy()

    def jellyFor(self, jellier: Any) -> Any:
        """Lower to ``(tag state)``."""
        if jellier.invoker is None:
            return getInstanceState(self, jellier)
        perspective = jellier.invoker.serializingPerspective
        expression = jellier.prepare(self)
        expression.append(as_tag(self.getTypeToCopyFor(perspective)))
        expression.append(jellier.jelly(self.getStateToCopyFor(perspective)))
        return jellier.preserve(self, expression)


def as_tag(tag: Any) -> bytes:
    """Return a copy's tag as the bytes that go on the wire."""
    return tag.encode("utf-8") if isinstance(tag, str) else tag


class RemoteCopy(Unjellyable):
    """A copy of a peer's `Copyable`. It is made without ``__init__``, which must work without arguments if called."""

    def setCopyableState(self, state: Any) -> None:
        """Take the state that the peer sent. The default makes it the instance's ``__dict__``.

        :raises BadValue: it is none that could be that.
        """
        if not state:
            state = {}
        if not isinstance(state, dict):
            raise BadValue(f"the state of a {type(self).__name__} is {brief(state)}, not a dictionary")
        self.__dict__ = {key.decode("utf-8") if isinstance(key, bytes) else key: item for key, item in state.items()}

    def unjellyFor(self, unjellier: Any, expression: Any) -> Any:
        """Lift from ``(tag state)``."""
        if unjellier.invoker is None:
            return setInstanceState(self, unjellier, expression)
        self.setCopyableState(unjellier.unjelly(expression[1]))
        return self
