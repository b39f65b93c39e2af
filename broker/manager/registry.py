"""Which objects a manager makes, by the names of their types, and which functions it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from broker._directory.importing import find
from broker._remote.expose import Expose
from broker._remote.names import SAFE
from broker.errors import Error

__all__ = ["EVERYTHING", "SERVICES", "Type", "Types", "UnknownType"]

#: What is offered of objects whose type says nothing about it: all that is public, and what Python's operations use,
#: which may be called by name as well.
EVERYTHING: Final = Expose(public=True, builtin=True, dunders=SAFE, names=SAFE)
#: What callables may need.
SERVICES: Final = frozenset(("clock", "workers"))
#: Names that stand for a right when they are exposed.
_RIGHTS: Final = frozenset(("__getattribute__", "__setattr__", "__delattr__"))
_TEXTS: Final = frozenset(("__str__", "__repr__"))


class UnknownType(Error, LookupError):
    """The manager makes no objects of that name."""


@dataclass(frozen=True)
class Type:
    """One type of shared objects; see `Types.register` for the parameters."""

    typeid: str
    callable: Callable[..., Any] | str | None = None
    proxytype: Any = None
    exposed: tuple[str, ...] | None = None
    method_to_typeid: Mapping[str, str] = field(default_factory=dict)
    create_method: bool = True
    expose: Expose | None = None
    threads: bool = False
    needs: tuple[str, ...] = ()

    def resolved(self) -> Callable[..., Any] | None:
        """Return what makes the objects, or None if nothing does.

        :raises ValueError: it cannot be imported; the text says why.
        """
        return find(self.callable, "callable") if isinstance(self.callable, str) else self.callable

    def exposing(self) -> Expose:
        """Return what is offered of the objects."""
        if self.expose is not None:
            return self.expose
        exposed = self.exposed
        made = self.resolved()
        for one in (self.proxytype, made if isinstance(made, type) else None):
            if exposed is None:
                exposed = getattr(one, "_exposed_", None)
        if exposed is None:
            return EVERYTHING
        names = frozenset((*exposed, *self.method_to_typeid))
        reading = "__getattribute__" in names
        return Expose(
            public=reading,
            names=names - _RIGHTS,
            # A proxy says what it stands for, whatever that is.
            dunders=_TEXTS,
            attributes=reading,
            writable="__setattr__" in names,
            deletable="__delattr__" in names,
        )


class Types:
    """The types of a manager.

    :param parent: its types and functions are there, too; later changes of it are not.
    """

    def __init__(self, parent: Types | None = None) -> None:
        self._types: dict[str, Type] = {} if parent is None else dict(parent._types)
        #: The functions that a `Pool` may run, by name.
        self.functions: dict[str, Callable[..., Any] | str] = {} if parent is None else dict(parent.functions)

    def register(
        self,
        typeid: str,
        callable: Callable[..., Any] | str | None = None,
        proxytype: Any = None,
        exposed: Iterable[str] | None = None,
        method_to_typeid: Mapping[str, str] | None = None,
        create_method: bool = True,
        *,
        expose: Expose | None = None,
        threads: bool = False,
        needs: Iterable[str] = (),
    ) -> Type:
        """Register a type.

        :param typeid: its name; with `create_method` also that of the manager's method that makes one.
        :param callable: makes the objects, in the manager's process; or where it is found: ``package.module:Name``.
            None for a type of which objects are not made, but only returned.
        :param proxytype: called with each proxy at the client, whose result takes its place; by default nothing is.
        :param exposed: the names that are offered of the objects, special ones too; by default `_exposed_` of the
            proxytype or of the callable, else all public ones and what Python's operations use. ``__getattribute__``,
            ``__setattr__`` and ``__delattr__`` stand for reading, setting and deleting all public attributes.
        :param method_to_typeid: for methods whose result is to be shared, the typeid of it. The result is not passed
            to the callable of that type. By default `_method_to_typeid_` of the proxytype.
        :param create_method: whether clients may make objects of the type.
        :param expose: what is offered, where names are not enough to say it; instead of `exposed`.
        :param threads: whether the methods may wait for something: each call then runs in a thread. By default calls
            run in the reactor's thread, where a method that has to wait returns a Deferred.
        :param needs: what the callable is given by name: ``"clock"``, an `IReactorTime`; ``"workers"``, which run
            functions beside the reactor.
        :raises TypeError: one of these is none.
        """
        if not isinstance(typeid, str) or not typeid:
            raise TypeError("a typeid is a text")
        if isinstance(exposed, str):
            raise TypeError("exposed is a list of names")
        unknown = set(needs) - SERVICES
        if unknown:
            raise TypeError(f"a manager has no {', '.join(sorted(unknown))}")
        mapped = method_to_typeid if method_to_typeid is not None else getattr(proxytype, "_method_to_typeid_", None)
        if mapped is not None and not isinstance(mapped, Mapping):
            raise TypeError(f"method_to_typeid is a dictionary, not a {type(mapped).__name__}")
        self._types[typeid] = made = Type(
            typeid,
            callable,
            proxytype,
            None if exposed is None else tuple(exposed),
            dict(mapped or {}),
            bool(create_method),
            expose,
            threads,
            tuple(needs),
        )
        return made

    def register_function(self, name: str, function: Callable[..., Any] | str) -> None:
        """Let pools run a function.

        :param name: what they call it.
        :param function: the function, or where it is found: ``package.module:name``.
        """
        self.functions[name] = function

    def get(self, typeid: str) -> Type:
        """Return the type of a name.

        :raises UnknownType: there is none.
        """
        found = self._types.get(typeid) if isinstance(typeid, str) else None
        if found is None:
            raise UnknownType(f"the manager has no type {typeid!r}")
        return found

    def __iter__(self) -> Any:
        return iter(self._types.values())

    def __contains__(self, typeid: object) -> bool:
        return typeid in self._types
