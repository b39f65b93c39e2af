"""Which names and special methods of an object its owner shows."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    FunctionType,
    GeneratorType,
    MappingProxyType,
    MethodType,
)
from typing import Any, Final, TypeVar

from broker._remote.names import denied, is_dunder

__all__ = ["Expose", "MARK", "Publication", "T", "expose", "marked", "publication", "unlisted"]

#: The attribute by which `expose` marks.
MARK: Final = "__broker_exposed__"

T = TypeVar("T")

_NONE: Final[frozenset[str]] = frozenset()
_CALLABLES: Final = (FunctionType, MethodType, BuiltinFunctionType, partial, type)
#: Types whose instances are nothing but what they contain, and may show all their public methods.
_BUILTIN: Final = frozenset(
    (
        *(list, tuple, dict, set, frozenset, bytearray, deque, OrderedDict, defaultdict, MappingProxyType),
        *(str, bytes, int, float, complex, bool, range, slice, type(None)),
        *(type({}.keys()), type({}.values()), type({}.items()), GeneratorType, AsyncGeneratorType),
    )
)


class Publication:
    """What `broker.transparent.publish` says about one method; it stands where `expose` puts its mark.

    :ivar show: whether it is listed.
    :ivar doc: whether its signature and documentation can be read from afar.
    :ivar ctx: whether it is called with a context.
    """

    __slots__ = ("ctx", "doc", "show")

    def __init__(self, show: bool, doc: bool, ctx: bool) -> None:
        self.show = show
        self.doc = doc
        self.ctx = ctx


def publication(function: Any) -> Publication | None:
    """Return what was said about a function or method when it was published, or None."""
    kind = type(function)
    target = function.__func__ if kind in (MethodType, staticmethod, classmethod) else function
    if type(target) is not FunctionType:
        return None
    said = vars(target).get(MARK)
    return said if type(said) is Publication else None


def expose(thing: T) -> T:
    """Mark a method, a property or a class as offered to peers; on a class, all its public methods are."""
    target: Any = thing.fget if isinstance(thing, property) else thing
    if isinstance(thing, (staticmethod, classmethod)):
        target = thing.__func__
    setattr(target, MARK, True)
    return thing


@lru_cache(maxsize=4096)
def marked(cls: Any, prefixes: tuple[str, ...] = ()) -> dict[str, str]:
    """Return what a class marks as offered: the names that peers use, with the names of the attributes."""
    found: dict[str, str] = {}
    for parent in reversed(cls.__mro__):
        whole = MARK in vars(parent)
        for name, value in vars(parent).items():
            if is_dunder(name):
                if _is_marked(value):
                    found[name] = name
                continue
            if _is_marked(value) or (whole and not name.startswith("_")):
                found[name] = name
            for prefix in prefixes:
                if name.startswith(prefix) and len(name) > len(prefix):
                    found[name[len(prefix) :]] = found[name] = name
    return found


def unlisted(cls: type) -> frozenset[str]:
    """Return the names of the methods of a class that were published and are not to be listed."""
    methods = {name: publication(value) for parent in reversed(cls.__mro__) for name, value in vars(parent).items()}
    return frozenset(name for name, said in methods.items() if said is not None and not said.show)


def _is_marked(value: Any) -> bool:
    target = value.fget if isinstance(value, property) else value
    if isinstance(target, (staticmethod, classmethod)):
        target = target.__func__
    return isinstance(target, (FunctionType, type)) and MARK in vars(target)


@dataclass(frozen=True)
class Expose:
    """What of an object may be reached.

    :param prefixes: a name stands for the attribute with one of these in front, as ``remote_`` does in PB.
    :param marks: what is marked with `expose`, or has one of the prefixes, is offered; a class with marks offers
        nothing else.
    :param public: names that do not begin with an underscore are offered.
    :param builtin: containers, iterators and callables of Python's own types offer their public methods and all
        special ones, whatever else is said here.
    :param names: exactly these are offered as well, private ones too: to name one here is to allow it.
    :param dunders: which special methods the operations of Python may use.
    :param attributes: whether attributes may be read. If not, methods can be called and that is all.
    :param writable: whether attributes may be set.
    :param deletable: whether attributes may be deleted.
    """

    prefixes: tuple[str, ...] = ()
    marks: bool = False
    public: bool = False
    builtin: bool = False
    names: frozenset[str] = _NONE
    dunders: frozenset[str] = _NONE
    attributes: bool = False
    writable: bool = False
    deletable: bool = False

    def reach(self, value: Any, name: str) -> str | None:
        """Return the attribute that a name stands for, or None if there is nothing for peers.

        :param name: as `broker._remote.names.clean` returns it.
        """
        if name in self.names and not denied(value, name):
            return name
        if denied(value, name) or is_dunder(name):
            return None
        kind: Any = type(value)
        if self.prefixes and not self.marks:
            return self.prefixes[0] + name
        marks = marked(kind, self.prefixes) if self.marks else None
        if marks:
            return marks.get(name)
        if name.startswith("_"):
            return None
        if self.public or (self.builtin and _is_builtin(kind)):
            return name
        return None

    def special(self, value: Any, name: str) -> bool:
        """Return whether a special method of an object may be used."""
        if name in self.dunders or name in self.names:
            return not denied(value, name)
        kind: Any = type(value)
        if self.marks and name in marked(kind, self.prefixes):
            return True
        if not self.builtin:
            return False
        return _is_builtin(kind) or (name == "__call__" and isinstance(value, _CALLABLES))


def _is_builtin(kind: type) -> bool:
    return kind in _BUILTIN or (kind.__module__ in ("builtins", "itertools") and issubclass(kind, Iterator))
