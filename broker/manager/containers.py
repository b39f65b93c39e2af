"""Containers to share: those of Python, marked so that they are passed by reference wherever they are."""

from __future__ import annotations

import array
from collections import deque
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, succeed

__all__ = ["Array", "Deque", "Dict", "List", "Namespace", "Set", "Value"]


class List(list):  # type: ignore[type-arg]
    """A list."""

    __slots__ = ("__weakref__",)

    def sort(self, *, key: Callable[[Any], Any] | None = None, reverse: bool = False) -> Any:
        """Sort the list in place.

        :param key: returns what an item is compared by; one of the caller's is called over the connection.
        :returns: None; a Deferred that fires when it is done if keys are to be waited for.
        :raises ValueError: the list was changed meanwhile.
        """
        if key is None:
            return super().sort(reverse=reverse)
        items = list(self)
        keys = list(map(key, items))
        if not any(isinstance(one, Deferred) for one in keys):
            self._sort_by(items, keys, reverse)
            return None
        awaited = [one if isinstance(one, Deferred) else succeed(one) for one in keys]
        waiting = gatherResults(awaited, consumeErrors=True)
        return waiting.addErrback(_first_failure).addCallback(lambda found: self._sort_by(items, found, reverse))

    def _sort_by(self, items: list[Any], keys: list[Any], reverse: bool) -> None:
        pairs = sorted(zip(keys, items, strict=True), key=itemgetter(0), reverse=reverse)
        if len(self) != len(items) or any(one is not other for one, other in zip(self, items, strict=True)):
            raise ValueError("list modified during sort")
        self[:] = [item for _, item in pairs]


def _first_failure(failure: Any) -> Any:
    return failure.value.subFailure


class Dict(dict):  # type: ignore[type-arg]
    """A dictionary."""

    __slots__ = ("__weakref__",)


class Set(set):  # type: ignore[type-arg]
    """A set."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(set(self))


class Deque(deque):  # type: ignore[type-arg]
    """A deque."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(deque(self, self.maxlen))


class Array(array.array):  # type: ignore[type-arg]
    """An array of numbers of one type.

    :param typecode: of `array.array`.
    :param sequence: the numbers; or how many zeros.
    """

    def __new__(cls, typecode: str, sequence: Any = ()) -> Array:
        if isinstance(sequence, int):
            return super().__new__(cls, typecode, bytes(array.array(typecode).itemsize * sequence))
        return super().__new__(cls, typecode, sequence)

    def __repr__(self) -> str:
        return repr(array.array(self.typecode, self))


class Value:
    """One value.

    :param typecode: kept for the sake of those who pass it; any value may be set.
    :param value: the value.
    """

    def __init__(self, typecode: Any, value: Any, lock: bool = True) -> None:
        self._typecode = typecode
        self.value = value

    def get(self) -> Any:
        """Return the value."""
        return self.value

    def set(self, value: Any) -> None:
        """Set the value."""
        self.value = value

    def __repr__(self) -> str:
        return f"Value({self._typecode!r}, {self.value!r})"


class Namespace:
    """Attributes, of any names that do not begin with an underscore."""

    def __init__(self, /, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    def __repr__(self) -> str:
        shown = sorted(f"{name}={value!r}" for name, value in self.__dict__.items() if not name.startswith("_"))
        return f"Namespace({', '.join(shown)})"
