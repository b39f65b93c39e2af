"""The taster: which types, by the names they have on the wire, may cross a connection."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any, Final
from uuid import UUID

from broker.errors import InsecureJelly

__all__ = [
    "PLAIN_HEADS",
    "DummySecurityOptions",
    "SecurityOptions",
    "check_atoms",
    "check_plain",
    "dotted_name",
    "wire_name",
]

#: The heads of plain values: what they mean is the same whoever sends them to whom.
PLAIN_HEADS: Final = frozenset(
    (
        *(b"None", b"boolean", b"unicode", b"list", b"tuple", b"dictionary", b"set", b"frozenset"),
        *(b"datetime", b"date", b"time", b"timedelta", b"decimal", b"reference", b"dereference"),
    )
)

#: What a policy must allow for plain values to need no look: in our own dialect there are more of them than in PB's.
_PLAIN: Final = PLAIN_HEADS | {b"complex", b"uuid"}

#: The names in a policy of the plain types. Numbers and byte strings have none: nothing can refuse them.
_CONTAINERS: Final[dict[type, bytes]] = {
    list: b"list",
    tuple: b"tuple",
    dict: b"dictionary",
    set: b"set",
    frozenset: b"frozenset",
}
_ATOMS: Final[dict[type, bytes]] = {
    type(None): b"None",
    bool: b"boolean",
    str: b"unicode",
    datetime: b"datetime",
    date: b"date",
    time: b"time",
    timedelta: b"timedelta",
    Decimal: b"decimal",
    complex: b"complex",
    UUID: b"uuid",
}

#: Heads that a fresh policy allows. Some are never sent, but programs look for them in `allowedTypes`.
_HARMLESS: Final = (
    *(b"None", b"bool", b"boolean", b"string", b"str", b"int", b"float", b"datetime", b"time", b"date"),
    *(b"timedelta", b"NoneType", b"unicode", b"decimal", b"set", b"frozenset", b"complex", b"uuid"),
)


def dotted_name(cls: type) -> str:
    """Return the name under which a class is known on the wire: its module and its bare name, nesting left out."""
    return f"{cls.__module__}.{cls.__name__}"


def wire_name(name: Any) -> bytes:
    """Return a wire name given as bytes, as text or as the class that is meant."""
    if isinstance(name, bytes):
        return name
    text: str = dotted_name(name) if isinstance(name, type) else name
    return text.encode("utf-8")


class SecurityOptions:
    """A policy: allows what it has been told to allow, and nothing else.

    A fresh one allows texts, numbers, dates, sets and the like; `allowBasicTypes` adds lists, tuples and dictionaries.
    Names of classes pass only when they were allowed here, or are in a registry consulted together with this policy:
    that a name has a dot in it means nothing.

    :ivar allowedTypes: names on the wire, as bytes, that may cross; the values of the dictionary mean nothing.
    :ivar allowedModules: names of modules, as bytes.
    :ivar allowedClasses: classes whose instances may be sent, and made, by their state.
    """

    basicTypes: Iterable[str] = (
        *("dictionary", "list", "tuple", "reference", "dereference"),
        *("unpersistable", "persistent", "long_int", "long", "dict"),
    )

    def __init__(self) -> None:
        self.allowedTypes: dict[bytes, int] = dict.fromkeys(_HARMLESS, 1)
        self.allowedModules: dict[bytes, int] = {}
        self.allowedClasses: dict[type, int] = {}

    def allowBasicTypes(self) -> None:
        """Allow lists, tuples and dictionaries, shared parts of values, and notes of what could not be sent."""
        self.allowTypes(*self.basicTypes)

    def allowTypes(self, *types: Any) -> None:
        """Allow names on the wire.

        :param types: bytes, texts, or classes, which stand for their dotted names.
        """
        for name in types:
            self.allowedTypes[wire_name(name)] = 1

    def allowInstancesOf(self, *classes: type) -> None:
        """Allow instances of classes to cross by their state (`__getstate__` or ``__dict__``), and the basic types.

        :param classes: exactly these; their subclasses are not included.
        """
        self.allowBasicTypes()
        self.allowTypes("instance", "class", "classobj", "module")
        for cls in classes:
            self.allowTypes(cls)
            self.allowModules(cls.__module__)
            self.allowedClasses[cls] = 1

    def allowModules(self, *modules: Any) -> None:
        """Allow modules, given by name or as they are. It imports nothing: a name says where a class belongs."""
        for module in modules:
            self.allowedModules[wire_name(module.__name__ if isinstance(module, ModuleType) else module)] = 1

    def isModuleAllowed(self, moduleName: str | bytes) -> bool:
        """Return whether a module of this name is allowed."""
        return wire_name(moduleName) in self.allowedModules

    def isClassAllowed(self, klass: type) -> bool:
        """Return whether instances of this very class may cross by their state."""
        return klass in self.allowedClasses

    def isTypeAllowed(self, typeName: str | bytes) -> bool:
        """Return whether forms with this head may cross."""
        return wire_name(typeName) in self.allowedTypes

    @property
    def allows_plain(self) -> bool:
        """Whether every plain type may cross. Worked out at each asking, so ask once per connection or message."""
        if type(self).isTypeAllowed is not SecurityOptions.isTypeAllowed:
            return all(self.isTypeAllowed(head) for head in _PLAIN)
        return _PLAIN <= self.allowedTypes.keys()


class DummySecurityOptions:
    """The policy of trusted data: allows everything."""

    def isModuleAllowed(self, moduleName: str | bytes) -> bool:
        """Return True."""
        return True

    def isClassAllowed(self, klass: type) -> bool:
        """Return True."""
        return True

    def isTypeAllowed(self, typeName: str | bytes) -> bool:
        """Return True."""
        return True

    @property
    def allows_plain(self) -> bool:
        """True."""
        return True


def check_plain(value: Any, taster: Any) -> None:
    """Let a plain value pass, or not. Shared parts are looked at once.

    :param taster: the policy.
    :raises InsecureJelly: it does not allow a type in it.
    """
    waiting = [value]
    seen: set[int] = set()
    while waiting:
        part = waiting.pop()
        kind = type(part)
        if kind not in _CONTAINERS:
            _check_atom(kind, taster)
        elif id(part) not in seen:
            seen.add(id(part))
            if not taster.isTypeAllowed(_CONTAINERS[kind]):
                raise InsecureJelly(f"{kind.__name__} is not on the whitelist")
            if kind is dict:
                waiting += part.keys()
                waiting += part.values()
            else:
                waiting += part


def check_atoms(expression: Any, taster: Any) -> None:
    """Let an s-expression pass, or not, as far as the atoms in it go; its forms are looked at where they are lifted.

    :raises InsecureJelly: the policy does not allow the type of an atom.
    """
    waiting = [expression]
    while waiting:
        part = waiting.pop()
        if type(part) is list:
            waiting += part
        else:
            _check_atom(type(part), taster)


def _check_atom(kind: type, taster: Any) -> None:
    name = _ATOMS.get(kind)
    if name is not None and not taster.isTypeAllowed(name):
        raise InsecureJelly(f"{kind.__name__} is not on the whitelist")
