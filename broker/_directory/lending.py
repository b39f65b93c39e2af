"""Lending: in which form peers get what has a name, where it has no such form of its own."""

from __future__ import annotations

from typing import Any, Protocol

from broker._directory.values import Handle
from broker._objects.reference import RemoteReference
from broker._objects.referenceable import Referenceable
from broker._values.path import type_name
from broker.errors import Error

__all__ = ["Lending", "PlainLending"]


class Lending(Protocol):
    """In which form peers get what has a name; see `PlainLending` for the one that PB knows."""

    def handle(self, value: Any) -> Referenceable:
        """Return what stands for a kept value: peers may read it, not change it."""

    def offer(self, object: Any) -> Referenceable:
        """Return what offers an object that is not referenceable.

        :raises TypeError: nothing does.
        """

    def relay(self, reference: RemoteReference) -> Referenceable:
        """Return what one client gets for an object of another one.

        :raises Error: nothing does.
        """


class PlainLending:
    """What the objects of Perspective Broker have: references, and nothing that stands for other objects."""

    def handle(self, value: Any) -> Referenceable:
        """Return an object with a method ``value``."""
        return Handle(value)

    def offer(self, object: Any) -> Referenceable:
        """Refuse."""
        raise TypeError(f"a {type_name(type(object))} is neither referenceable nor a plain value")

    def relay(self, reference: RemoteReference) -> Referenceable:
        """Refuse."""
        raise Error("an object of another client is not passed on")
