"""Classes whose instances cross by value once registered: enums, named tuples, dataclasses and attrs classes.

A `ByValue` is what a registry knows about one such class: how the state of an instance is taken, and how an instance
is made of a state that a peer sent. The form on the wire is ``(name state)``, as that of a Copyable:

- of an enum's member, its name; of a flag, a tuple of the names of its bits;
- of a named tuple, a tuple of its items;
- of a dataclass or attrs class, a dictionary of its fields.

An instance is made by its class's constructor, so that whatever the class checks is checked. It follows that it cannot
be part of a cycle: it would be needed before it is there. Dataclasses and attrs classes registered as *blank* are made
without their constructor, and may.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, Flag
from typing import Any, Final

from broker._values.byvalue import ByValue, check_constructor
from broker._values.fields import Fields, fields_of
from broker._values.path import brief, type_name
from broker.errors import BadValue, InsecureJelly, LimitExceeded

__all__ = ["ByValue", "by_value"]

#: Python keeps every combination of a flag's bits for ever, once it was asked for it. A flag of up to 16 bits has no
#: more than these; of larger ones a peer must not be able to fill the memory.
_COMBINATIONS: Final = 1 << 16
#: What an instance of these consists of is more than its fields.
_CONTENTS: Final = (int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset)


class _Members(ByValue):
    """An enum: its members cross by name."""

    __slots__ = ()

    def state(self, obj: Any) -> Any:
        return obj._name_

    def make(self, state: Any) -> Any:
        found = self.cls.__members__.get(state) if type(state) is str else None
        if found is None:
            raise BadValue(f"{self.title} has no member {brief(state)}")
        return found


class _Flags(ByValue):
    """A flag: any combination of its bits crosses by their names.

    :ivar most: how many combinations are accepted.
    """

    __slots__ = ("_bits", "_met", "most")

    def __init__(self, cls: Any, name: bytes) -> None:
        super().__init__(cls, name)
        bits = {member: int(value._value_) for member, value in cls.__members__.items() if value._value_ > 0}
        # Single bits first, so that the names of several at once are used for what has no other name only.
        self._bits = dict(sorted(bits.items(), key=lambda item: item[1] & (item[1] - 1) != 0))
        self._met: dict[int, Any] = {}
        self.most = _COMBINATIONS

    def state(self, obj: Any) -> Any:
        value = left = obj._value_
        names = []
        for name, bits in self._bits.items():
            if left > 0 and bits & value == bits and bits & left:
                names.append(name)
                left &= ~bits
        if left:
            raise InsecureJelly(f"a {self.title} with bits that have no name: {brief(value)}")
        return tuple(names)

    def make(self, state: Any) -> Any:
        if type(state) is not tuple or len(state) > len(self._bits):
            raise BadValue(f"the state of a {self.title} is {brief(state)}, not a tuple of names")
        value = 0
        for name in state:
            bits = self._bits.get(name) if type(name) is str else None
            if bits is None:
                raise BadValue(f"{self.title} has no member {brief(name)}")
            value |= bits
        found = self._met.get(value)
        if found is None:
            if len(self._met) >= self.most:
                raise LimitExceeded(f"more than {self.most} combinations of a {self.title} were received")
            found = self._met[value] = self.construct((value,), {})
        return found


class _Items(ByValue):
    """A named tuple: its items cross as a plain tuple."""

    __slots__ = ("_extra", "_names", "_required")

    def __init__(self, cls: Any, name: bytes, extra: bool) -> None:
        super().__init__(cls, name)
        self._names: tuple[str, ...] = cls._fields
        self._required = len(self._names) - len(getattr(cls, "_field_defaults", ()))
        self._extra = extra
        check_constructor(cls, (None,) * len(self._names), {}, "it cannot be sent so")

    def state(self, obj: Any) -> Any:
        return tuple(obj)

    def make(self, state: Any) -> Any:
        if type(state) is not tuple:
            raise BadValue(f"the state of a {self.title} is {brief(state)}, not a tuple")
        if len(state) < self._required:
            raise BadValue(f"a {self.title} without its field {self._names[len(state)]!r}")
        most = len(self._names)
        if len(state) > most and not self._extra:
            raise BadValue(f"a {self.title} of {len(state)} items, not {most}")
        return self.construct(state[:most], {})

    def parts(self, obj: Any) -> tuple[Any, ...]:
        return tuple(obj)


def by_value(cls: Any, name: bytes, extra: bool, blank: bool, omit: Iterable[str]) -> ByValue:
    """Return what a registry is to know about a class.

    :param name: the name on the wire.
    :param extra: whether fields that the class does not have are passed over.
    :param blank: whether instances are made without the constructor.
    :param omit: fields that do not cross.
    :raises TypeError: the class is none of the four kinds, or its instances cannot be made in this way.
    """
    left_out = frozenset((omit,) if isinstance(omit, str) else omit)
    title = type_name(cls)
    if getattr(cls, "jellyFor", None) is not None or getattr(cls, "unjellyFor", None) is not None:
        raise TypeError(f"{title} says itself how it crosses, as a Copyable or another flavor")
    if issubclass(cls, tuple) and isinstance(getattr(cls, "_fields", None), tuple) and not issubclass(cls, Enum):
        _check_options(title, blank, left_out)
        return _Items(cls, name, extra)
    if issubclass(cls, Enum):
        _check_options(title, blank, left_out)
        return _Flags(cls, name) if issubclass(cls, Flag) else _Members(cls, name)
    fields, validate = fields_of(cls)
    if fields is None:
        raise TypeError(f"{title} is no enum, named tuple, dataclass or attrs class; make it a Copyable instead")
    if issubclass(cls, _CONTENTS):
        raise TypeError(f"a {title} has contents besides its fields; make it a Copyable instead")
    made = Fields(cls, name, fields, extra, left_out)
    if blank:
        made.use_blanks()
    else:
        made.use_constructor(validate)
    return made


def _check_options(title: str, blank: bool, omit: frozenset[str]) -> None:
    if blank or omit:
        raise TypeError(f"{title} is no dataclass or attrs class, so blank and omit mean nothing for it")
