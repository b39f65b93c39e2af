"""Which objects a connection knows, ours and theirs: the names by which flavors reach its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from twisted.python.failure import Failure

from broker._messages.messages import Call
from broker._objects.reference import RemoteReference
from broker._session.session import Export, Exports, Session
from broker._values.path import brief
from broker._values.payload import Payload
from broker._values.unlifted import Unlifted
from broker.errors import BadValue, InsecureJelly, LimitExceeded, ProtocolError

__all__ = ["Tables"]

#: How often a connection may meet its ceiling of references before it is closed; PB's number.
_VIOLATIONS = 3


class _Exported(Mapping[Any, Export]):
    """A view of a table of ours, for those who look at it."""

    __slots__ = ("_table",)

    def __init__(self, table: Exports) -> None:
        self._table = table

    def __getitem__(self, target: Any) -> Export:
        entry = self._table.entry(target) if type(target) in (int, bytes) else None
        if entry is None:
            raise KeyError(target)
        return entry

    def __iter__(self) -> Iterator[Any]:
        return iter(self._table.targets())

    def __len__(self) -> int:
        return len(self._table.targets())


class Tables:
    """The half of a `Broker` that flavors use while a value is lowered or lifted.

    :ivar session: holds the tables.
    :ivar serializingPerspective: for whom a value is being lowered, or None.
    :ivar unserializingPerspective: from whom a value is being lifted, or None.
    """

    session: Session
    serializingPerspective: Any = None
    unserializingPerspective: Any = None
    #: The numbers of references in what is being lifted that were counted here too.
    _receipts: list[int] | None = None
    #: What was counted for the message being lowered, to be taken back if it cannot be sent after all.
    _journal: list[tuple[Exports, int]] | None = None

    def failConnection(self, reason: Failure) -> None:
        """Close the connection because of an error."""
        raise NotImplementedError

    def _note(self, table: Exports, number: int) -> int:
        if self._journal is not None:
            self._journal.append((table, number))
        return number

    # Objects of ours.

    @property
    def localObjects(self) -> Mapping[Any, Export]:
        """Our objects that the peer may call, by number or name."""
        return _Exported(self.session.exports)

    def setNameForLocal(self, name: str | bytes, object: Any) -> None:
        """Serve an object under a preset name; the peer gets at it with `remoteForName`."""
        assert object is not None
        self.session.exports.name(_as_bytes(name), object)

    def localObjectForID(self, luid: Any) -> Any:
        """Return the object of ours under a number or a name, or None."""
        target = _as_bytes(luid)
        return self.session.exports.get(target) if type(target) in (int, bytes) else None

    def registerReference(self, object: Any) -> int:
        """Count one sending of an object and return its number.

        :raises LimitExceeded: the peer holds too many already.
        """
        exports = self.session.exports
        identity = object.processUniqueID()
        number = exports.again(identity)
        if number is None:
            number = self._enter(exports, object, identity, None)
        return self._note(exports, number)

    def _enter(self, table: Exports, object: Any, identity: Any, perspective: Any) -> int:
        try:
            return table.add(object, identity, perspective)
        except LimitExceeded as error:
            if table.violations > _VIOLATIONS:
                self.failConnection(Failure(error))
            raise

    def callTarget(self, call: Call) -> Any:
        """Return the object that a call of the peer is for, or None."""
        if not call.cached:
            return self.session.exports.get(call.target)
        caches = self.session.caches
        if type(call.target) is not int or call.target not in caches.cores:
            return None
        face = caches.faces.get(call.target)
        return caches.cores[call.target] if face is None else face

    # Objects of theirs.

    def remoteForName(self, name: str | bytes) -> RemoteReference:
        """Return a reference to the peer's object of that name; whether there is one shows when it is called."""
        return RemoteReference(None, self, _as_bytes(name), False)  # type: ignore[arg-type]  # every Tables is a Broker

    def importedReference(self, perspective: Any, number: int, cls: type) -> Any:
        """Return the reference already held to an object of theirs, counted once more, or None."""
        key = _reference_key(number, perspective, cls)
        reference = self.session.imports.get(key)
        if reference is not None:
            self.session.imports.count_again(key)
            if self._receipts is not None:
                self._receipts.append(number)
        return reference

    def importReference(self, reference: RemoteReference) -> None:
        """Keep track of a new reference to an object of theirs.

        :raises LimitExceeded: too many are held already.
        """
        number = reference.luid
        assert isinstance(number, int)
        self._room(self.session.imports.size, "reference")
        key = _reference_key(number, reference.perspective, reference.__class__)
        self.session.imports.add(key, reference)
        if self._receipts is not None:
            self._receipts.append(number)

    def releaseUnlifted(self, found: Counter[int]) -> None:
        """Release what is in a value that was refused, as far as it was not received before that.

        :param found: the numbers of all references in it; the peer has counted each sending.
        """
        found.subtract(self._receipts or ())
        owed = [(number, count) for number, count in found.items() if count > 0]
        if owed:
            self.session.release_unlifted(owed)

    def releaseUnread(self, payload: Payload) -> None:
        """Release the references in something of the peer's that nobody looks at."""
        if payload.data is None or payload.lifted:
            return
        unlifted = Unlifted()
        try:
            self.session.dialect.lift(payload, unlifted)  # type: ignore[union-attr]  # it has come, so there is one
        except (ProtocolError, InsecureJelly, LimitExceeded):
            # Nothing of it was understood.
            return
        self.releaseUnlifted(unlifted.found)

    def _room(self, held: int, what: str) -> None:
        """Check that one more of the peer's objects may be held here."""
        limit = self.session.limits.references
        if held > limit:
            raise LimitExceeded(f"Maximum PB {what} count exceeded ({limit}).")

    # Cached objects, ours and theirs.

    @property
    def remotelyCachedObjects(self) -> Mapping[Any, Export]:
        """Our objects that the peer keeps copies of, by number."""
        return _Exported(self.session.caches.ours)

    @property
    def locallyCachedObjects(self) -> dict[int, Any]:
        """The peer's objects that we keep copies of, by number."""
        return self.session.caches.cores

    def cachedRemotelyAs(self, instance: Any, incref: Any = 0) -> int | None:
        """Return the number of an object of ours that the peer keeps a copy of, counted once more if asked, or None."""
        ours = self.session.caches.ours
        identity = instance.processUniqueID()
        if not incref:
            return ours.number_of(identity)
        number = ours.again(identity)
        return None if number is None else self._note(ours, number)

    def cacheRemotely(self, instance: Any) -> int:
        """Enter an object of ours that the peer is about to get a copy of; return its number.

        :raises LimitExceeded: the peer holds too many already.
        """
        ours = self.session.caches.ours
        return self._note(ours, self._enter(ours, instance, instance.processUniqueID(), self.serializingPerspective))

    def unsentCache(self, number: int) -> bool:
        """Return whether a cached object of ours is in a message that is still being made, and was in none before."""
        ours = self.session.caches.ours
        journal = self._journal
        return journal is not None and journal.count((ours, number)) == ours.count_of(number)

    def remotelyCachedForLUID(self, luid: int) -> Any:
        """Return the object of ours that the peer has a copy of.

        :raises KeyError: there is none of that number.
        """
        return self.remotelyCachedObjects[luid].object

    def cacheLocally(self, cid: int, instance: Any) -> None:
        """Keep the state of a copy of theirs.

        :raises BadValue: there is one of that number already.
        :raises LimitExceeded: too many are held already.
        """
        cores = self.session.caches.cores
        if cid in cores:
            raise BadValue(f"cached object {cid} was sent for the first time twice")
        self._room(len(cores), "cache")
        cores[cid] = instance

    def importCache(self, number: int, face: Any) -> None:
        """Keep track of what users hold of a copy of theirs."""
        self.session.caches.faces.add(number, face)

    def cachedLocallyAs(self, cid: int) -> Any:
        """Return the state-keeping object for a copy of theirs.

        :raises KeyError: there is none of that number.
        """
        return self.session.caches.cores[cid]

    def decCacheRef(self, objectID: int) -> None:
        """Release one receipt of a copy of theirs, for classes that count their copies themselves."""
        self.session.release_cache(objectID)

    def cachedAgain(self, number: Any) -> Any:
        """Return the copy of an object of theirs that was sent before, counted once more.

        :raises BadValue: it was not.
        """
        caches = self.session.caches
        if type(number) is not int or number not in caches.cores:
            raise BadValue(f"no object is cached here under {brief(number)}")
        face = caches.faces.get(number)
        if face is not None:
            caches.faces.count_again(number)
            return face
        face = caches.cores[number]._borgify()
        caches.faces.add(number, face)
        return face


def _reference_key(number: int, perspective: Any, cls: type) -> Any:
    """Return what one reference is kept under: those received under two perspectives must stay two."""
    return number if perspective is None and cls is RemoteReference else (number, id(perspective), cls)


def _as_bytes(name: Any) -> Any:
    return name.encode("utf-8") if isinstance(name, str) else name
