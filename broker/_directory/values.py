"""Values that a directory keeps: encoded when they come, so that what they cost is known and nobody changes them."""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet, ref

from broker._directory.rules import NameLimits
from broker._objects.referenceable import Referenceable
from broker._values.native import NativeEncoder
from broker._values.path import type_name
from broker._values.plain import NotPlain
from broker._values.unnative import NativeDecoder
from broker.errors import BadValue, InsecureJelly, LimitExceeded

__all__ = ["Handle", "Stored", "Values"]

#: Deepest nesting of a value that is kept.
_DEPTH: Final = 100
_ELEMENTS: Final = 4 * 1024 * 1024
#: What one value costs besides its bytes: the objects around them.
_EACH: Final = 256


class Stored:
    """One value that is kept.

    :ivar data: the value in the encoding of ``broker/1``.
    """

    __slots__ = ("__weakref__", "_handle", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._handle: ref[Referenceable] | None = None

    @property
    def size(self) -> int:
        """What it is counted as."""
        return len(self.data) + _EACH

    @property
    def value(self) -> Any:
        """The value, made anew each time.

        :raises BadValue: it has been damaged, in a file.
        """
        decoder = NativeDecoder(_DEPTH, _ELEMENTS)
        value = decoder.decode(self.data, 0, len(self.data))
        if decoder.position != len(self.data):
            raise BadValue("a value with something behind it")
        return value

    @property
    def handle(self) -> Referenceable | None:
        """What peers hold for it, if any does."""
        return self._handle() if self._handle is not None else None

    @handle.setter
    def handle(self, handle: Referenceable) -> None:
        self._handle = ref(handle)


class Handle(Referenceable):
    """Stands for a kept value; peers ask it for a copy."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def remote_value(self) -> Any:
        """Return the value."""
        return self._value


class Values:
    """The values of one directory, those with names and those that only have handles.

    :param limits: ceilings.
    """

    def __init__(self, limits: NameLimits) -> None:
        self._limits = limits
        self._living: WeakSet[Stored] = WeakSet()
        #: Not less than what there is; values may go at any time, in any thread.
        self._most = 0
        self._of_handles: WeakKeyDictionary[Referenceable, Stored] = WeakKeyDictionary()

    def encode(self, value: Any) -> bytes:
        """Return a value as it is kept.

        :raises InsecureJelly: it is not plain.
        :raises LimitExceeded: it is too large, or nested too deeply.
        """
        try:
            data = NativeEncoder(_DEPTH, _ELEMENTS).encode(value)
        except NotPlain:
            text = f"a {type_name(type(value))} cannot be kept: only plain values can, and containers of them"
            raise InsecureJelly(text) from None
        except LimitExceeded:
            raise LimitExceeded(f"the value is nested deeper than {_DEPTH} or has too many elements") from None
        if len(data) > self._limits.value:
            raise LimitExceeded(f"the value has {len(data)} bytes; most are {self._limits.value}")
        return data

    def keep(self, data: bytes) -> Stored:
        """Return the keeper of a value.

        :raises LimitExceeded: there is no room for it.
        """
        stored = Stored(data)
        if self._most + stored.size > self._limits.total:
            self._most = self.total
            if self._most + stored.size > self._limits.total:
                raise LimitExceeded(
                    f"there is no room for another {len(data)} bytes; in all most are {self._limits.total}"
                )
        self._most += stored.size
        self._living.add(stored)
        return stored

    @property
    def total(self) -> int:
        """The bytes of all values."""
        return sum(stored.size for stored in self._living)

    def handed_out(self, stored: Stored, handle: Referenceable) -> Referenceable:
        """Note what peers get for a value, and return it."""
        stored.handle = handle
        self._of_handles[handle] = stored
        return handle

    def of_handle(self, handle: Any) -> Stored | None:
        """Return the value that a handle stands for, or None."""
        return self._of_handles.get(handle) if isinstance(handle, Referenceable) else None
