"""What peers can ask of a directory: each request passes the rule first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from twisted.logger import Logger

from broker._directory.entries import Entry, NamedValue, Published
from broker._directory.kept import Unusable
from broker._directory.lending import Lending
from broker._directory.rules import VERBS, Rule, Visitor
from broker._directory.table import Table
from broker._directory.values import Stored
from broker._objects.referenceable import Referenceable
from broker._values.path import brief, type_name
from broker.errors import Error, InsecureJelly, NameTaken, NotAllowed
from broker.interfaces import IPBRoot

__all__ = ["REQUESTS", "Visit"]

_log = Logger()
#: In which form a peer may want what it fetches.
_WANTS: Final = ("auto", "value", "ref")


class Visit:
    """One request of a peer.

    :param table: the names.
    :param lending: in which form peers get what has a name.
    :param rule: who may do what.
    :param visitor: who asks.
    """

    def __init__(self, table: Table, lending: Lending, rule: Rule, visitor: Visitor) -> None:
        self._table = table
        self._lending = lending
        self._rule = rule
        self._visitor = visitor

    def browse(self, prefix: str = "") -> dict[str, str]:
        """browse(prefix=""): the names that begin so, each with "value", "object" or "client"."""
        self._may("browse", "")
        if type(prefix) is not str:
            raise Error("the beginning of a name is a text")
        return {
            name: entry.kind for name, entry in self._table.listed(prefix) if self._rule(self._visitor, "fetch", name)
        }

    def fetch(self, name: str, want: str = "auto") -> Any:
        """fetch(name, want="auto"): the value of that name, or a reference to the object; "value" or "ref" insists."""
        if want not in _WANTS:
            raise Error(f"{brief(want)} is no way to want something; there are {', '.join(_WANTS)}")
        name = self._table.checked(name)
        self._may("fetch", name)
        entry = self._table.found(name)
        if isinstance(entry, NamedValue):
            return self._handle(entry.stored) if want == "ref" else entry.get()
        if want == "value":
            raise Error(f"{name!r} is the name of an object, of which there is no copy")
        return self._presented(entry)

    def export(self, thing: Any, name: str, replace: bool = False) -> None:
        """export(thing, name, replace=False): name a value, or an object of the caller's or the server's."""
        name = self._table.checked(name)
        self._may("export", name)
        with self._table.lock:
            self._free(name, replace)
            self._name(self._entry(thing), name)

    def store(self, value: Any) -> Referenceable:
        """store(value): have a value kept; the result is a handle, by which it may be given a name."""
        self._may("store", "")
        with _foreseen(), self._table.lock:
            return self._handle(self._table.values.keep(self._table.values.encode(value)))

    def attach(self, handle: Any, name: str, replace: bool = False) -> None:
        """attach(handle, name, replace=False): name what there is a handle or a reference for."""
        name = self._table.checked(name)
        self._may("attach", name)
        with self._table.lock:
            self._free(name, replace)
            entry = self._entry(handle)
            if isinstance(entry, NamedValue) and self._table.values.of_handle(handle) is None:
                raise Error(f"a handle or a reference can be attached, not a {type_name(type(handle))}: store it first")
            self._name(entry, name)

    def withdraw(self, name: str) -> None:
        """withdraw(name): take a name away."""
        name = self._table.checked(name)
        self._may("withdraw", name)
        with _foreseen(), self._table.lock:
            self._may_change(name, self._table.found(name))
            self._table.drop(name)

    # What they have in common.

    def _may(self, verb: str, name: str) -> None:
        if not self._rule(self._visitor, verb, name):
            about = f" {name!r}" if name else ""
            raise NotAllowed(f"{verb}{about} is not allowed here")

    def _entry(self, thing: Any) -> Entry:
        with _foreseen():
            return self._table.entry(thing, False)

    def _free(self, name: str, replace: bool) -> None:
        """Check that a name can be given."""
        before = self._table.entries.get(name)
        if before is not None:
            if replace is not True:
                raise NameTaken(f"there is a name {name!r} already")
            self._may_change(name, before)

    def _name(self, entry: Entry, name: str) -> None:
        if isinstance(entry, Published) and entry.broker is not self._visitor.broker:
            # Its names would count as that client's.
            raise NotAllowed("an object of another client is given names by that client only")
        with _foreseen():
            self._table.put(name, entry)

    def _may_change(self, name: str, entry: Entry) -> None:
        """Check that what has a name is not somebody else's."""
        if entry.ours:
            raise NameTaken(f"the name {name!r} belongs to the server")
        if isinstance(entry, Published) and entry.broker is not self._visitor.broker:
            raise NameTaken(f"the name {name!r} belongs to another client, for as long as that is connected")

    def _handle(self, stored: Stored) -> Referenceable:
        with self._table.lock:
            handle = stored.handle
            if handle is None:
                handle = self._table.values.handed_out(stored, self._lending.handle(stored.value))
            return handle

    def _presented(self, entry: Entry) -> Any:
        """Return an object in the form in which this peer gets it."""
        if isinstance(entry, Published):
            here = entry.broker is self._visitor.broker
            return entry.reference if here else self._table.relayed(entry.reference)
        found = entry.get()
        root: Any = IPBRoot(found, None)
        return found if root is None else root.rootObject(self._visitor.broker)


@contextmanager
def _foreseen() -> Iterator[None]:
    """Tell peers what is the matter, but not which file cannot be written and why."""
    try:
        yield
    except InsecureJelly as error:
        raise Error(str(error)) from None
    except Unusable as error:
        _log.error("{reason}", reason=error)
        raise Error("the names cannot be kept at the moment") from None


#: What serves each request.
REQUESTS: Final[dict[str, Callable[..., Any]]] = {verb: getattr(Visit, verb) for verb in VERBS}
