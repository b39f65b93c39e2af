"""The registry: which class of ours stands for which name on the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from types import ModuleType
from typing import Any, Final, Literal, TypeVar, overload

from broker._values.classes import ByValue, by_value
from broker._values.policy import PLAIN_HEADS, SecurityOptions, dotted_name, wire_name

__all__ = ["Registry", "globalRegistry", "globalSecurity"]

#: What the protocol itself consists of. A registry without parent has these too: without them a connection could not
#: carry a reference or a failure.
_PROTOCOL: Final = frozenset((b"remote", b"local", b"cached", b"lcache", b"twisted.spread.pb.CopyableFailure"))

#: Heads with a meaning of their own, which no class can have as its name.
_HEADS: Final = frozenset(
    (b"", b"instance", b"class", b"module", b"function", b"method", b"persistent", b"unpersistable")
)

_Class = TypeVar("_Class", bound=type)


class Registry:
    """Classes, factories and exceptions by the names they have on the wire.

    Given to a factory it decides what the connections of that factory can be sent, whatever else the process has
    registered for others. Names entered here may cross without being allowed in the policy as well.

    :param parent: where to look for what is not entered here; by default nowhere.
    :param security: a policy in which names entered here become allowed, as PB does it with its process-wide one.
        The registry itself then vouches for its dotted names only.
    :ivar unjellyables: by name, a class (a blank instance of it gets the form through ``unjellyFor``), a function
        ``(unjellier, expression) -> object``, or what is known about a class that crosses by value.
    :ivar factories: by name, a function ``(state) -> object``.
    """

    __slots__ = ("_classes", "_exceptions", "factories", "parent", "security", "unjellyables")

    def __init__(self, parent: Registry | None = None, *, security: SecurityOptions | None = None) -> None:
        self.parent = parent
        self.security = security
        self.unjellyables: dict[bytes, Any] = {}
        self.factories: dict[bytes, Callable[[Any], Any]] = {}
        self._exceptions: dict[str, type[BaseException]] = {}
        self._classes: dict[type, ByValue] = {}

    def setUnjellyableForClass(self, classname: Any, unjellyable: Any) -> None:
        """Set what stands for a class of the peer.

        :param classname: bytes or text, or a class, which stands for its dotted name.
        :param unjellyable: a class with ``unjellyFor``, usually a `RemoteCopy` or `RemoteCache`, or a function
            ``(unjellier, expression) -> object``.
        """
        self.unjellyables[self._allow(classname)] = unjellyable

    def setUnjellyableFactoryForClass(self, classname: Any, copyFactory: Callable[[Any], Any]) -> None:
        """Set a function that makes, from its state, what stands for a class of the peer.

        :param classname: bytes or text, or a class, which stands for its dotted name.
        """
        self.factories[self._allow(classname)] = copyFactory

    def setUnjellyableForClassTree(self, module: ModuleType, baseClass: type, prefix: str | None = None) -> None:
        """Enter every class of a module that derives from a base class, under the name it has in the module.

        :param module: the module, imported.
        :param baseClass: the base class; it is entered too where it is in the module.
        :param prefix: what is put, with a dot, in front of the names; by default the name of the module, and ``""``
            for nothing.
        """
        lead = module.__name__ if prefix is None else prefix
        for name in dir(module):
            loaded = getattr(module, name)
            if isinstance(loaded, type) and issubclass(loaded, baseClass):
                self.setUnjellyableForClass(f"{lead}.{name}" if lead else name, loaded)

    @overload
    def passByValue(
        self,
        cls: _Class,
        name: str | bytes | None = None,
        *,
        extra: Literal["refuse", "ignore"] = "refuse",
        blank: bool = False,
        omit: Iterable[str] = (),
    ) -> _Class: ...

    @overload
    def passByValue(
        self,
        cls: None = None,
        name: str | bytes | None = None,
        *,
        extra: Literal["refuse", "ignore"] = "refuse",
        blank: bool = False,
        omit: Iterable[str] = (),
    ) -> Callable[[_Class], _Class]: ...

    def passByValue(
        self,
        cls: Any = None,
        name: str | bytes | None = None,
        *,
        extra: Literal["refuse", "ignore"] = "refuse",
        blank: bool = False,
        omit: Iterable[str] = (),
    ) -> Any:
        """Have instances of an enum, named tuple, dataclass or attrs class cross by value, here and at the peer.

        A function, and a decorator, with or without arguments. Instances arrive as instances of the class that the
        receiver has registered under the name. They are made by its constructor. Subclasses are not included.

        :param name: the name on the wire; by default the dotted name of the class. Registered once more under another
            name, a class is sent under that one and received under both.
        :param extra: what becomes of fields, or items, that a peer sends and the class does not have: ``"refuse"``
            fails the call, ``"ignore"`` passes over them. Missing ones get their defaults, or fail the call.
        :param blank: of a dataclass or attrs class: make instances without the constructor, so that they may be part
            of cycles; what it would have checked is not checked.
        :param omit: fields of a dataclass or attrs class that do not cross.
        :returns: the class.
        :raises TypeError: it is no such class, or one that its fields are not enough to make.
        :raises ValueError: another class has that name, or an argument makes no sense.
        """
        if cls is None:
            return partial(self.passByValue, name=name, extra=extra, blank=blank, omit=omit)
        if not isinstance(cls, type):
            raise TypeError(f"passByValue takes a class, not {cls!r:.60}")
        if extra not in ("refuse", "ignore"):
            raise ValueError(f'extra is "refuse" or "ignore", not {extra!r:.60}')
        known = by_value(cls, wire_name(cls if name is None else name), extra == "ignore", blank, omit)
        self._claim(known)
        self.unjellyables[self._allow(known.name)] = known
        self._classes[cls] = known
        return cls

    def _claim(self, known: ByValue) -> None:
        """Check that a class can have its name.

        :raises ValueError: it cannot.
        """
        name = known.name
        if name in _HEADS or name in _PROTOCOL or name in PLAIN_HEADS:
            raise ValueError(f"{name!r} means something else on the wire: give {known.title} another name")
        taken = self.unjellyables.get(name, self.factories.get(name))
        if taken is not None and not (isinstance(taken, ByValue) and taken.cls is known.cls):
            raise ValueError(f"{name.decode()} is the name of something else: give {known.title} a name of its own")

    def registerException(self, cls: type[BaseException], name: str | bytes | None = None) -> None:
        """Have an exception of the peer raised here as an instance of this class.

        :param name: its dotted name at the peer; by default that of the class.
        """
        self._exceptions[_text(name) if name is not None else dotted_name(cls)] = cls

    def exception_for(self, name: str | bytes) -> type[BaseException] | None:
        """Return the class that stands for an exception of the peer, or None. Nothing is imported."""
        found = self._exceptions.get(_text(name))
        if found is None and self.parent is not None:
            return self.parent.exception_for(name)
        return found

    def unjellyable_for(self, name: bytes) -> Any:
        """Return the class or function that stands for a name, or None."""
        found = self.unjellyables.get(name)
        if found is not None:
            return found
        if self.parent is not None:
            return self.parent.unjellyable_for(name)
        return globalRegistry.unjellyables.get(name) if name in _PROTOCOL else None

    def factory_for(self, name: bytes) -> Callable[[Any], Any] | None:
        """Return the function that makes objects for a name, or None."""
        found = self.factories.get(name)
        if found is None and self.parent is not None:
            return self.parent.factory_for(name)
        return found

    def classes(self) -> dict[type, ByValue]:
        """Return what is known about classes whose instances cross by value; not to be changed."""
        theirs = {} if self.parent is None else self.parent.classes()
        return {**theirs, **self._classes} if theirs and self._classes else theirs or self._classes

    def allows(self, name: bytes) -> bool:
        """Return whether forms with this head may cross because of what is entered here."""
        if name in self.unjellyables or name in self.factories:
            return self.security is None or b"." in name
        if self.parent is not None:
            return self.parent.allows(name)
        return name in _PROTOCOL and b"." in name

    @property
    def plain(self) -> bool:
        """Whether the plain types have their usual meaning: no entry here takes the head of one."""
        if self.parent is not None and not self.parent.plain:
            return False
        return self.unjellyables.keys().isdisjoint(PLAIN_HEADS) and self.factories.keys().isdisjoint(PLAIN_HEADS)

    def _allow(self, classname: Any) -> bytes:
        name = wire_name(classname)
        if self.security is not None:
            self.security.allowTypes(name)
        return name


def _text(name: str | bytes) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name


#: The policy of the process: connections have it unless given another.
globalSecurity: Final = SecurityOptions()
globalSecurity.allowBasicTypes()

#: The registry of the process. Its dictionaries are PB's unjellyableRegistry and unjellyableFactoryRegistry.
globalRegistry: Final = Registry(security=globalSecurity)
