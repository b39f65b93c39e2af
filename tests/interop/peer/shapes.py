"""Classes whose instances travel, the same on both sides; their names here are their names on the wire."""

# mypy: disable-error-code="misc"

from __future__ import annotations

from typing import Any

from peer import tree
from peer.spread import jelly, pb

__all__ = [
    "ByFactory",
    "ByPerspective",
    "Document",
    "Envelope",
    "ExpectedError",
    "FoundError",
    "ListState",
    "Node",
    "Plain",
    "Point",
    "Secret",
    "SpecialError",
    "Tagged",
    "TaggedCopy",
    "Ticker",
    "TickerCache",
    "UnexpectedError",
]


class Point(pb.Copyable, pb.RemoteCopy):
    """Sent and received as the same class."""

    def __init__(self, x: int = 0, y: int = 0) -> None:
        self.x, self.y = x, y


class Node(pb.Copyable, pb.RemoteCopy):
    """Points at other nodes, itself included."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.itself: Any = None
        self.links: list[Any] = []


class Envelope(pb.Copyable, pb.RemoteCopy):
    """Carries anything."""

    def __init__(self, content: Any) -> None:
        self.content = content


class Tagged(pb.Copyable):
    """Travels under a name of its own, and is another class over there."""

    def getTypeToCopy(self) -> bytes:
        return b"interop-tag"

    def getStateToCopy(self) -> dict[str, Any]:
        return {"value": 17}


class TaggedCopy(pb.RemoteCopy):
    """What a Tagged arrives as."""


class ListState(pb.Copyable, pb.RemoteCopy):
    """State need not be a dict."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    def getStateToCopy(self) -> list[Any]:
        return self.items

    def setCopyableState(self, state: list[Any]) -> None:
        self.items = state


class ByFactory(pb.Copyable):
    """Made by a function on the other side."""

    def __init__(self, number: int) -> None:
        self.number = number

    @classmethod
    def make(cls, state: dict[str, Any]) -> ByFactory:
        """Be the registered factory."""
        return cls(state["number"] + 1)


class ByPerspective(pb.Copyable, pb.RemoteCopy):
    """Shows each perspective something else."""

    def getStateToCopyFor(self, perspective: Any) -> dict[str, Any]:
        return {"shown": f"for {getattr(perspective, 'name', None)}"}


class Plain(jelly.Jellyable, jelly.Unjellyable):
    """Neither Copyable nor RemoteCopy: the lower level that they are made of."""

    def __init__(self, content: Any) -> None:
        self.content = content

    def getStateFor(self, jellier: Any) -> dict[str, Any]:
        return {"content": self.content}

    def setStateFor(self, unjellier: Any, state: dict[str, Any]) -> None:
        self.content = state["content"]


class Secret(pb.Copyable):
    """No side accepts it."""

    def __init__(self) -> None:
        self.word = "swordfish"


class Ticker(pb.Cacheable):
    """The owner's side of a cache."""

    def __init__(self, price: int = 10) -> None:
        self.price = price
        self.observers: list[Any] = []
        self.stopped = 0

    def getStateToCacheAndObserveFor(self, perspective: Any, observer: Any) -> dict[str, Any]:
        self.observers.append(observer)
        return {"price": self.price}

    def stoppedObserving(self, perspective: Any, observer: Any) -> None:
        # As the manual of Twisted has it.
        self.observers.remove(observer)
        self.stopped += 1

    def set_price(self, price: int) -> list[Any]:
        """Change, and tell all who watch.

        :returns: one Deferred per observer.
        """
        self.price = price
        return [observer.callRemote("price", price) for observer in self.observers]


class TickerCache(pb.RemoteCache):
    """The holder's side."""

    def setCopyableState(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.history = [state["price"]]

    def observe_price(self, price: int) -> str:
        self.price = price
        self.history.append(price)
        return f"noted {price}"

    def observe_failing(self) -> None:
        raise UnexpectedError("the cache failed")


class Document(pb.Copyable):
    """Found by the other side through the tree of a module's classes."""

    def __init__(self, title: str) -> None:
        self.title = title

    def getTypeToCopy(self) -> bytes:
        return b"peer.tree.DocumentCopy"


class ExpectedError(pb.Error):
    """An error that belongs to the conversation."""


class UnexpectedError(Exception):
    """An error that is a fault."""


class FoundError(LookupError, UnexpectedError):
    """Has more than one base."""


class SpecialError(pb.Error, pb.Copyable, pb.RemoteCopy):
    """Travels as itself."""


def _register() -> None:
    for sent, received in [
        (Point, Point),
        (Node, Node),
        (Envelope, Envelope),
        ("interop-tag", TaggedCopy),
        (ByPerspective, ByPerspective),
        (Plain, Plain),
        (Ticker, TickerCache),
        (SpecialError, SpecialError),
    ]:
        pb.setUnjellyableForClass(sent, received)
    # The two older names of the same thing.
    pb.setCopierForClass(f"{ListState.__module__}.ListState", ListState)
    pb.setFactoryForClass(ByFactory, ByFactory.make)
    pb.setUnjellyableForClassTree(tree, pb.RemoteCopy, prefix="peer.tree")


_register()
