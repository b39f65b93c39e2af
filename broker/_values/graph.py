"""Parts of a received value that are referred to before they are complete, and what waits for them.

Lists, dictionaries and sets are made empty, known, and then filled, so references to them never wait. Three things
can: an instance, whose hook may return another object than the blank one; a tuple or frozenset, which cannot exist
before its items; and a number that no reference has defined yet. A `Slot` stands for such a thing until it is final,
and remembers the places that have it. Settling one may complete others; that goes on in a loop, not in recursion.
"""

from __future__ import annotations

from decimal import Decimal
from sys import getsizeof
from typing import Any, Final

from broker._values.alike import MANY, Alike, chosen
from broker._values.byvalue import ByValue
from broker.errors import BadValue, LimitExceeded

__all__ = ["Entry", "Holder", "Keys", "Member", "Slot", "settle"]

#: How much hashing one value may cost, in parts looked at. Plain messages never come near: without shared parts it
#: is at most the number of their elements, of which `Limits` allows four million.
_HASHED: Final = 4 * 1024 * 1024
#: What one instance of a registered class counts for, besides its parts: its ``__hash__`` is in Python.
_CALL: Final = 8


class Slot:
    """Something that is not final.

    :ivar number: the number that references to it have, or None.
    :ivar value: what stands in its place: a blank instance, a tuple with such in it, or this slot itself.
    :ivar places: containers and keys where it stands; ``container[key]`` is set when it is final.
    :ivar items: of a tuple or frozenset, what it will be made of.
    :ivar missing: how many of the items are not final, and one more while they are being read.
    """

    __slots__ = ("begun", "final", "items", "keys", "missing", "number", "places", "value")

    def __init__(self, number: int | None = None) -> None:
        self.number = number
        self.value: Any = self
        #: Whether the form that the number stands for has been met; references may come first.
        self.begun = False
        self.final = False
        self.places: list[tuple[Any, Any]] = []
        self.items: list[Any] | None = None
        self.missing = 0
        #: For a frozenset, the guard of what is hashed; None for a tuple.
        self.keys: Keys | None = None

    def __repr__(self) -> str:
        return "<a part of a received value that is not complete yet>"

    def wait(self, items: list[Any]) -> None:
        """Begin a tuple or frozenset, some item of which is not final."""
        self.items = items
        self.missing = 1

    def arrived_all(self) -> bool:
        """All items have been read; returns whether all are final."""
        self.missing -= 1
        return not self.missing

    def arrived(self, key: int, value: Any) -> bool:
        """Take a final item; returns whether it was the last one."""
        assert self.items is not None
        self.items[key] = value
        self.missing -= 1
        return not self.missing

    def made(self) -> Any:
        """Return the tuple or frozenset; of a tuple the one that already stands in places, if it is right.

        :raises BadValue: an item cannot be hashed.
        """
        items = self.items
        assert items is not None
        if self.keys is not None:
            return self.keys.frozen(items)
        value = self.value
        if type(value) is tuple and all(item is other for item, other in zip(value, items, strict=True)):
            return value
        return tuple(items)


def settle(slot: Slot, value: Any) -> None:
    """Make a slot final, and all those that waited for nothing else.

    :raises BadValue: what waited turns out to be malformed.
    """
    work = [(slot, value)]
    while work:
        slot, value = work.pop()
        slot.value, slot.final = value, True
        places, slot.places = slot.places, []
        for container, key in places:
            if type(container) is not Slot:
                container[key] = value
            elif container.arrived(key, value):
                work.append((container, container.made()))


class Keys:
    """Guards what is hashed: dictionary keys and members of sets.

    References make it cheap to send a tuple that contains a tuple twice that contains ..., and hashing, unlike
    everything else that is done here, looks at every occurrence of every part; in instances of registered classes too,
    which are mostly hashed by their fields. Nesting through references is not bounded by the nesting of the form
    either, and Python's hash of tuples recurses without looking at its stack.

    :param classes: the classes registered.
    """

    __slots__ = ("_alike", "_classes", "_costs", "_depth", "_left", "shared")

    def __init__(self, depth: int, classes: dict[type, ByValue] | None = None) -> None:
        self._classes = classes or {}
        #: By identity of what was looked at: the thing, what hashing it costs, and how deep it is.
        self._costs: dict[int, tuple[Any, int, int]] = {}
        self._depth = depth
        self._left = _HASHED
        #: By identity of a large dictionary or set: what in it hashes alike.
        self._alike: dict[int, Alike] = {}
        #: Whether the value has shared parts; if not, its own size and nesting bound everything.
        self.shared = False

    def check(self, key: Any) -> None:
        """Let a key pass, or not.

        :raises LimitExceeded: it would be too costly.
        """
        if not self.shared:
            return
        if self._has_parts(key):
            if id(key) not in self._costs:
                self._look_at(key)
            _, cost, depth = self._costs[id(key)]
            if depth > self._depth:
                raise LimitExceeded(f"nested deeper than {self._depth}")
        else:
            cost = _digits(key)
        self._left -= cost
        if self._left < 0:
            raise LimitExceeded("dictionary keys, or members of sets, that are too large")

    def _has_parts(self, part: Any) -> bool:
        kind = type(part)
        return kind is tuple or kind is frozenset or kind in self._classes

    def _look_at(self, key: Any) -> None:
        """Work out what hashing something costs: each part is looked at once, however often it will be hashed."""
        costs = self._costs
        path: dict[int, tuple[list[Any], int]] = {}
        waiting = [key]
        while waiting:
            part = waiting[-1]
            ident = id(part)
            if ident in costs:
                waiting.pop()
            elif ident in path:
                inner, cost = path.pop(ident)
                depth = -1
                for item in inner:
                    _, more, below = costs[id(item)]
                    cost += more
                    depth = max(depth, below)
                costs[ident] = part, min(cost, _HASHED + 1), depth + 1
            else:
                inner, cost = self._inside(part)
                path[ident] = inner, cost
                for item in inner:
                    if id(item) in path:
                        raise LimitExceeded("a dictionary key, or member of a set, that contains itself")
                waiting += inner

    def _inside(self, part: Any) -> tuple[list[Any], int]:
        """Return those parts of something that have parts, and what hashing it costs without them."""
        known = self._classes.get(type(part))
        items: Any = part if known is None else known.parts(part)
        cost: int = len(items) + (1 if known is None else _CALL)
        inner = []
        for item in items:
            if self._has_parts(item):
                inner.append(item)
            else:
                cost += _digits(item)
        return inner, cost

    def _compare(self, target: Any, key: Any) -> None:
        alike = self._alike.get(id(target))
        if alike is None:
            alike = self._alike[id(target)] = Alike(target)
        alike.add(hash(key))

    def put(self, target: dict[Any, Any], key: Any, value: Any) -> None:
        """Enter something into a dictionary.

        :raises BadValue: the key cannot be hashed.
        """
        self.check(key)
        try:
            if len(target) > MANY and chosen(key):
                self._compare(target, key)
            target[key] = value
        except (TypeError, AttributeError):
            raise BadValue(f"a dictionary key that cannot be hashed, of type {type(key).__name__}") from None

    def add(self, target: set[Any], member: Any) -> None:
        """Add something to a set.

        :raises BadValue: it cannot be hashed.
        """
        self.check(member)
        try:
            if len(target) > MANY and chosen(member):
                self._compare(target, member)
            target.add(member)
        except (TypeError, AttributeError):
            raise BadValue(f"a member of a set that cannot be hashed, of type {type(member).__name__}") from None

    def frozen(self, members: list[Any]) -> frozenset[Any]:
        """Return a frozenset.

        :raises BadValue: a member cannot be hashed.
        """
        made: set[Any] = set()
        for member in members:
            self.add(made, member)
        return frozenset(made)


def _hashed_by_identity(value: Any) -> bool:
    """Return whether a blank instance can be hashed before it has its state."""
    hasher: Any = type(value).__hash__
    return type(value) is not Slot and hasher is object.__hash__


def _digits(part: Any) -> int:
    """Return what hashing the digits of a number costs: it is done anew each time."""
    return getsizeof(part) >> 6 if type(part) is int or type(part) is Decimal else 0


class Entry:
    """An entry of a dictionary whose key is not final: place 0 is the key, place 1 the value."""

    __slots__ = ("_key", "_keys", "_put", "_target", "_value")

    def __init__(self, keys: Keys, target: dict[Any, Any], key: Any, value: Any) -> None:
        self._keys = keys
        self._target = target
        self._key = key
        self._value = value
        self._put = _hashed_by_identity(key)
        if self._put:
            target[key] = value

    def __setitem__(self, place: int, value: Any) -> None:
        if place == 1:
            self._value = value
            if self._put:
                self._target[self._key] = value
        elif not self._put or value is not self._key:
            if self._put:
                del self._target[self._key]
            self._key, self._put = value, True
            self._keys.put(self._target, value, self._value)


class Member:
    """A member of a set that is not final."""

    __slots__ = ("_keys", "_member", "_put", "_target")

    def __init__(self, keys: Keys, target: set[Any], member: Any) -> None:
        self._keys = keys
        self._target = target
        self._member = member
        self._put = _hashed_by_identity(member)
        if self._put:
            target.add(member)

    def __setitem__(self, place: int, value: Any) -> None:
        if not self._put or value is not self._member:
            if self._put:
                self._target.discard(self._member)
            self._put = True
            self._keys.add(self._target, value)


class Holder:
    """An instance whose hook has seen things that are not final, and may have them as attributes.

    The keys of its places are a slot and what stood for it when the hook saw it.
    """

    __slots__ = ("_index", "_instance")

    def __init__(self, instance: Any) -> None:
        self._instance = instance
        #: Names of attributes by identity of what they hold. Looking through all of them for each slot would be
        #: quadratic, and the peer decides about both numbers.
        self._index: dict[int, list[str]] | None = None

    def __setitem__(self, place: tuple[Slot, Any], value: Any) -> None:
        if self._index is None:
            self._index = {}
            for name in self._names():
                self._index.setdefault(id(getattr(self._instance, name, None)), []).append(name)
        for old in place:
            for name in self._index.pop(id(old), ()) if old is not value else ():
                # Asked again: it may have changed since the index was made.
                if getattr(self._instance, name, None) is old:
                    # Some are frozen, for everybody else.
                    object.__setattr__(self._instance, name, value)

    def _names(self) -> list[str]:
        names = list(getattr(self._instance, "__dict__", ()))
        for cls in type(self._instance).__mro__:
            slots = cls.__dict__.get("__slots__", ())
            names += [slots] if isinstance(slots, str) else slots
        return names
