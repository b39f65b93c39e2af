"""The directory: names for objects and values, served like any other object."""

from __future__ import annotations

from typing import Any, TypeVar

from broker._directory.entries import NamedFactory
from broker._directory.lending import Lending, PlainLending
from broker._directory.rules import READ, NameLimits, Rule, Visitor
from broker._directory.table import Table
from broker._directory.visit import REQUESTS, Visit
from broker._objects.broker import Broker
from broker._objects.flavor import keywords, positional
from broker._objects.referenceable import Referenceable, Root
from broker.errors import NoSuchMethod

__all__ = ["AnyVisit", "Directory"]

AnyVisit = TypeVar("AnyVisit", bound=Visit)


class Directory(Root):
    """Names for objects and values.

    The methods are for the owner, who may do everything. What peers may do, with ``callRemote``, is ``browse``,
    ``fetch``, ``export``, ``store``, ``attach`` and ``withdraw``, as far as the rule lets them. Nobody but the owner
    replaces or takes away what the owner has named, and nobody but the client what a client has published of its own
    objects; the names of these end with the connection. The rest belongs to all who may.

    :param rule: who may do what; by default everybody may browse and fetch.
    :param limits: ceilings.
    :param lending: in which form peers get what has a name.
    """

    def __init__(self, rule: Rule = READ, *, limits: NameLimits | None = None, lending: Lending | None = None) -> None:
        self.rule = rule
        self._lending: Lending = lending or PlainLending()
        self._table = Table(limits or NameLimits(), self._lending)

    # For the owner.

    def export(self, thing: Any, name: str) -> None:
        """Give an object or a value a name, in the place of what had it.

        :param thing: something referenceable; something that makes such an object for each connection, as `Root` and
            portals do; a plain value, which is copied; or any object that the lending has a form for.
        :raises Error: it is no name.
        :raises TypeError: peers cannot be given such an object.
        :raises LimitExceeded: there are too many names, or the value is too large.
        :raises Unusable: the file cannot be written.
        """
        with self._table.lock:
            self._table.put(self._table.checked(name), self._table.entry(thing, True))

    def provide(self, name: str, factory: str) -> None:
        """Name an object by how it is made, which a file of names can tell the next process.

        :param factory: ``package.module:Name`` of a class or function that makes it, called without arguments; or of
            the object itself.
        :raises ValueError: there is none, or peers cannot be given such an object; the text says why, in one line.
        :raises Error: it is no name.
        """
        entry = NamedFactory(factory, self._table.presented)
        entry.make()
        with self._table.lock:
            self._table.put(self._table.checked(name), entry)

    def fetch(self, name: str) -> Any:
        """Return what has a name: a value, an object, or the reference to one of a client's.

        :raises UnknownName: nothing has.
        """
        return self._table.found(name).get()

    def browse(self, prefix: str = "") -> dict[str, str]:
        """Return the names that begin so, each with what it stands for: ``value``, ``object`` or ``client``."""
        return {name: entry.kind for name, entry in self._table.listed(prefix)}

    def withdraw(self, name: str) -> None:
        """Take a name away.

        :raises UnknownName: there is none.
        :raises Unusable: the file cannot be written.
        """
        with self._table.lock:
            self._table.found(name)
            self._table.drop(self._table.checked(name))

    def keep_in(self, path: str) -> None:
        """Keep names in a file from now on, and take those that it has; what has a name here already goes first.

        Kept are values, and what `provide` was told. Other objects, and those of clients, are not.

        :param path: of a file of SQLite, which no other process may use meanwhile. It is made if it is not there. What
            it calls a factory is imported, so it must be nobody else's to write.
        :raises Unusable: it cannot be used; the text says why, in one line.
        """
        self._table.keep_in(path)

    def close(self) -> None:
        """Let others use the file. The names stay, in memory."""
        self._table.close()

    def statistics(self) -> dict[str, int]:
        """Return how many names there are, and how many bytes the values have, those with nothing but handles too."""
        return {"names": len(self._table.entries), "bytes": self._table.values.total}

    # For peers.

    def remoteMessageReceived(self, broker: Broker, message: str, args: Any, kw: Any) -> Any:
        """Serve somebody who has not logged in."""
        return self.serve(Visitor(broker), message, args, kw)

    def for_user(self, user: Any) -> Referenceable:
        """Return the directory as somebody who has logged in gets it, so that the rule knows who asks.

        :param user: the avatar's id. A realm may return this as the avatar.
        """
        return _ForUser(self, user)

    def serve(self, visitor: Visitor, message: str, args: Any, kw: Any) -> Any:
        """Serve one request, see `Referenceable.remoteMessageReceived`.

        :param visitor: who asks.
        """
        broker = visitor.broker
        arguments, named = positional(broker.unserialize(args)), keywords(broker.unserialize(kw))
        request = REQUESTS.get(message)
        if request is None:
            raise NoSuchMethod(f"No such method: remote_{message[:200]}")
        return broker.serialize(request(self.visit(visitor), *arguments, **named))

    def visit(self, visitor: Visitor, kind: type[AnyVisit] = Visit) -> AnyVisit:  # type: ignore[assignment]
        """Return an object whose methods are the requests of one visitor.

        :param kind: its class; one of your own may offer more.
        """
        return kind(self._table, self._lending, self.rule, visitor)


class _ForUser(Referenceable):
    """A directory, for somebody who has logged in."""

    def __init__(self, directory: Directory, user: Any) -> None:
        self._directory = directory
        self._user = user

    def remoteMessageReceived(self, broker: Broker, message: str, args: Any, kw: Any) -> Any:
        """Serve one request."""
        return self._directory.serve(Visitor(broker, self._user), message, args, kw)
