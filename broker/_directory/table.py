"""The table of names: what each stands for, how many there may be, and how they get into a file."""

from __future__ import annotations

from threading import RLock
from typing import Any
from unicodedata import normalize
from weakref import WeakKeyDictionary

from broker._directory.entries import Entry, NamedFactory, NamedObject, NamedValue, Published
from broker._directory.kept import Kept, NamesFile, Unusable
from broker._directory.lending import Lending
from broker._directory.rules import NameLimits
from broker._directory.values import Values
from broker._objects.broker import Broker
from broker._objects.reference import RemoteReference
from broker._objects.referenceable import Referenceable
from broker.errors import Error, InsecureJelly, LimitExceeded, UnknownName
from broker.interfaces import IPBRoot

__all__ = ["Table"]


class Table:
    """Names, and what they stand for.

    :param limits: ceilings.
    :param lending: in which form peers get objects that are not referenceable.
    :ivar entries: what there is, by name.
    :ivar values: the values among them, and those that only have handles.
    :ivar lock: held by who changes something: calls may be served in several threads.
    """

    def __init__(self, limits: NameLimits, lending: Lending) -> None:
        self.limits = limits
        self.entries: dict[str, Entry] = {}
        self.values = Values(limits)
        self.lock = RLock()
        self._lending = lending
        self._of_relays: WeakKeyDictionary[Referenceable, RemoteReference] = WeakKeyDictionary()
        self._published: dict[Broker, set[str]] = {}
        self._file: NamesFile | None = None

    def checked(self, name: Any) -> str:
        """Return a name as it stands in the table.

        :raises Error: it is none.
        :raises LimitExceeded: it is too long.
        """
        if type(name) is not str or not name or not name.isprintable() or name != name.strip():
            raise Error("a name is a text of visible characters")
        normal: str = normalize("NFC", name)
        if len(normal.encode("utf-8")) > self.limits.length:
            raise LimitExceeded(f"the name is longer than {self.limits.length} bytes")
        return normal

    def found(self, name: Any) -> Entry:
        """Return what a name stands for.

        :raises UnknownName: nothing.
        """
        name = self.checked(name)
        entry = self.entries.get(name)
        if entry is None:
            raise UnknownName(f"there is no name {name!r}")
        return entry

    def listed(self, prefix: str) -> list[tuple[str, Entry]]:
        """Return the names that begin so, in order, and what they stand for."""
        with self.lock:
            return [(name, self.entries[name]) for name in sorted(self.entries) if name.startswith(prefix)]

    def entry(self, thing: Any, ours: bool) -> Entry:
        """Return what stands in the table for something that is to get a name.

        :param ours: whether the owner of the directory names it.
        :raises InsecureJelly: a peer wants to name something that is neither an object nor a plain value.
        :raises TypeError: the owner does, and peers cannot be given such an object.
        :raises LimitExceeded: the value is too large, or there is no room for it.
        """
        reference = self._reference(thing)
        if reference is not None:
            return Published(reference)
        stored = self.values.of_handle(thing)
        if stored is not None:
            return NamedValue(stored, ours)
        if _presentable(thing):
            return NamedObject(thing, ours)
        try:
            data = self.values.encode(thing)
        except InsecureJelly:
            if not ours:
                raise
            return NamedObject(self._lending.offer(thing), ours)
        return NamedValue(self.values.keep(data), ours)

    def _reference(self, thing: Any) -> RemoteReference | None:
        if isinstance(thing, RemoteReference):
            return thing
        return self._of_relays.get(thing) if isinstance(thing, Referenceable) else None

    def presented(self, thing: Any) -> Any:
        """Return what peers can be given a reference to, for an object of ours.

        :raises TypeError: there is nothing.
        """
        return thing if _presentable(thing) else self._lending.offer(thing)

    def put(self, name: str, entry: Entry) -> None:
        """Give a name to something, in the place of what had it. If that fails, all is as it was.

        To be called with the lock.

        :param name: as `checked` returns it.
        :raises LimitExceeded: there are too many.
        :raises Unusable: the file cannot be written.
        """
        before = self.entries.get(name)
        if before is None and len(self.entries) >= self.limits.names:
            raise LimitExceeded(f"there are {self.limits.names} names already")
        if isinstance(entry, Published):
            self._check_published(entry.broker, name)
        if self._file is not None:
            kept = entry.kept(name)
            if kept is not None:
                self._file.put(kept)
            elif before is not None and before.kept(name) is not None:
                self._file.drop(name)
        self._forget(name, before)
        self.entries[name] = entry
        if isinstance(entry, Published):
            self._watch(entry.broker, name)

    def drop(self, name: str) -> None:
        """Take a name away. To be called with the lock.

        :raises Unusable: the file cannot be written.
        """
        entry = self.entries[name]
        if self._file is not None and entry.kept(name) is not None:
            self._file.drop(name)
        self._forget(name, entry)
        del self.entries[name]

    # The file.

    def keep_in(self, path: str) -> None:
        """Keep names in a file from now on, and take those that it has; what has a name here already goes first.

        :raises Unusable: the file cannot be used; the text says why, in one line.
        """
        with self.lock:
            self._keep_in(path)

    def _keep_in(self, path: str) -> None:
        self.close()
        file = NamesFile(path)
        try:
            read = {kept.name: self._read(kept) for kept in file}
            if len(read.keys() | self.entries.keys()) > self.limits.names:
                raise LimitExceeded(f"there are more than {self.limits.names} names")
            for name, entry in self.entries.items():
                kept = entry.kept(name)
                if kept is not None:
                    file.put(kept)
                elif name in read:
                    file.drop(name)
        except (Error, InsecureJelly) as error:
            file.close()
            raise Unusable(f"{file}: {error}") from None
        except Unusable:
            file.close()
            raise
        self.entries = {**read, **self.entries}
        self._file = file

    def _read(self, kept: Kept) -> Entry:
        if self.checked(kept.name) != kept.name:
            raise Error(f"{kept.name!r} is no name")
        if kept.factory is not None:
            return NamedFactory(kept.factory, self.presented)
        stored = self.values.keep(kept.value or b"")
        # It is better to see that a file is damaged now.
        _ = stored.value
        return NamedValue(stored, kept.ours)

    def close(self) -> None:
        """Let others use the file. The names stay, in memory."""
        with self.lock:
            file, self._file = self._file, None
            if file is not None:
                file.close()

    # Objects of clients, whose names go with the connection.

    def relayed(self, reference: RemoteReference) -> Referenceable:
        """Return what one client gets for an object of another one.

        :raises Error: nothing does.
        """
        relay = self._lending.relay(reference)
        self._of_relays[relay] = reference
        return relay

    def _check_published(self, broker: Broker, name: str) -> None:
        names = self._published.get(broker, ())
        if name not in names and len(names) >= self.limits.published:
            raise LimitExceeded(f"a client may publish {self.limits.published} objects")

    def _watch(self, broker: Broker, name: str) -> None:
        names = self._published.get(broker)
        if names is None:
            names = self._published[broker] = set()
            names.add(name)
            broker.notifyOnDisconnect(lambda: self._gone(broker))
        names.add(name)

    def _forget(self, name: str, entry: Entry | None) -> None:
        if isinstance(entry, Published):
            self._published.get(entry.broker, set()).discard(name)

    def _gone(self, broker: Broker) -> None:
        with self.lock:
            for name in self._published.pop(broker, ()):
                del self.entries[name]


def _presentable(thing: Any) -> bool:
    """Return whether peers can be given a reference to an object as it is."""
    return isinstance(thing, Referenceable) or IPBRoot(thing, None) is not None
