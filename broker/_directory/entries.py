"""What a name may stand for: a value, an object of ours, one that is made when it is wanted, one of a client's."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from twisted.logger import Logger

from broker._directory.importing import blame, find
from broker._directory.kept import Kept
from broker._directory.values import Stored
from broker._objects.reference import RemoteReference
from broker._objects.referenceable import Referenceable
from broker.errors import Error
from broker.interfaces import IPBRoot

if TYPE_CHECKING:
    from broker._objects.broker import Broker

__all__ = ["Entry", "NamedFactory", "NamedObject", "NamedValue", "Published", "made_by"]


class Entry(Protocol):
    """What a name stands for.

    :ivar kind: in one word, for listings: ``value``, ``object`` or ``client``.
    :ivar ours: whether it belongs to the owner of the directory, so that no peer replaces it or takes it away.
    """

    kind: ClassVar[str]

    @property
    def ours(self) -> bool:
        """See above."""

    def get(self) -> Any:
        """Return the value, the object or the reference."""

    def kept(self, name: str) -> Kept | None:
        """Return what is written into a file for it, or None."""


class NamedValue:
    """A value."""

    kind: ClassVar[str] = "value"

    def __init__(self, stored: Stored, ours: bool) -> None:
        self.stored = stored
        self.ours = ours

    def get(self) -> Any:
        """Return the value, made anew."""
        return self.stored.value

    def kept(self, name: str) -> Kept | None:
        """Return the value for the file."""
        return Kept(name, self.ours, self.stored.data, None)


class NamedObject:
    """An object of this process, which goes when the process goes.

    :param object: something referenceable, or something that makes one for each connection (`IPBRoot`).
    """

    kind: ClassVar[str] = "object"

    def __init__(self, object: Any, ours: bool) -> None:
        self.object = object
        self.ours = ours

    def get(self) -> Any:
        """Return the object."""
        return self.object

    def kept(self, name: str) -> Kept | None:
        """Return None."""
        return None


class NamedFactory:
    """An object that is made when it is first wanted.

    :param factory: ``package.module:Name`` of the object, or of a class or function that makes it without arguments.
    :param presented: returns what peers can be given a reference to, for what was made.
    """

    kind: ClassVar[str] = "object"
    ours = True
    log = Logger()

    def __init__(self, factory: str, presented: Callable[[Any], Any]) -> None:
        self.factory = factory
        self._presented = presented
        self._made: Any = None
        self._lock = RLock()

    def get(self) -> Any:
        """Return the object.

        :raises Error: it cannot be made. Why is in the log: it is not for peers.
        """
        try:
            return self.make()
        except ValueError as error:
            self.log.error("names: {reason}", reason=error)
            raise Error("the object of that name cannot be made at the moment") from None

    def make(self) -> Any:
        """Return the object, which is made now if it is not there.

        :raises ValueError: it cannot be; the text says why, in one line.
        """
        with self._lock:
            if self._made is None:
                made = made_by(self.factory)
                try:
                    self._made = self._presented(made)
                except TypeError as error:
                    raise ValueError(f"{self.factory!r} makes no object for peers: {error}") from None
            return self._made

    def kept(self, name: str) -> Kept | None:
        """Return the importable name for the file."""
        return Kept(name, True, None, self.factory)


class Published:
    """An object of a client, which goes when the client goes."""

    kind: ClassVar[str] = "client"
    ours = False

    def __init__(self, reference: RemoteReference) -> None:
        self.reference = reference

    @property
    def broker(self) -> Broker:
        """The connection of the client."""
        return self.reference.broker

    def get(self) -> Any:
        """Return the reference to it."""
        return self.reference

    def kept(self, name: str) -> Kept | None:
        """Return None."""
        return None


def made_by(factory: str) -> Any:
    """Return the object that a class or function makes, or what the name stands for itself.

    :param factory: ``package.module:Name``.
    :raises ValueError: there is none; the text says why, in one line.
    """
    found = find(factory, "factory")
    if isinstance(found, Referenceable) or (not isinstance(found, type) and IPBRoot(found, None) is not None):
        return found
    if not callable(found):
        raise ValueError(f"{factory!r} makes no object: it cannot be called")
    try:
        return found()
    except Exception as error:  # the user's code may raise anything; all of it is reported
        raise ValueError(f"{factory!r} makes no object: {blame(error)}") from error
