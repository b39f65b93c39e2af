"""Lowering: Python values to s-expressions, in the forms of PB.

One `Jellier` lowers one value. Types are dispatched on exactly, so that a subclass with a meaning of its own is never
mistaken for what it is derived from. Each container calls the handlers of what is in it directly: one frame for each
level of nesting, and no look at the policy on the way, since heads that are not allowed have no handler.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final
from uuid import UUID

from broker._limits import Limits
from broker._values.jellyable import Jellyable, getInstanceState, state_of
from broker._values.path import CAUGHT, Trail, key_step, type_name
from broker._values.policy import DummySecurityOptions, dotted_name
from broker._values.registry import Registry, globalRegistry
from broker._values.scalars import lower_decimal, lower_moment
from broker.errors import InsecureJelly, LimitExceeded

__all__ = ["Jellier", "Jellyable", "getInstanceState", "jelly"]

_DEPTH: Final = Limits.depth
_SURROGATE: Final = "a text with a lone surrogate cannot be sent: UTF-8 has no form for it"


class Jellier:
    """Lowers one value.

    :param taster: the policy: what may cross.
    :param persistentStore: ``(instance, jellier)`` returns an id to send in the place of an instance, or None.
    :param invoker: the connection, for objects that lower themselves.
    :param registry: which classes cross by value.
    :param strict: refuse what may not cross; otherwise, as in PB, a note ``(unpersistable reason)`` stands in its
        place, and the receiver finds out.
    :param strictState: when strict, be so in the state of objects that lower themselves too. Programs written for PB
        send every attribute of such an object, and rely on the notes.
    :param depth: deepest nesting of containers, and of objects that lower themselves.
    :param atoms: leave what has no parts as it is, for a dialect that has forms of its own for such things.
    """

    __slots__ = (
        *("taster", "persistentStore", "invoker", "strict", "strictState", "preserved", "cooked"),
        *("_classes", "_depth", "_handlers", "_kept", "_level", "_nested", "_references", "_texts", "_trail"),
    )

    def __init__(
        self,
        taster: Any,
        persistentStore: Callable[[Any, Any], Any] | None = None,
        invoker: Any = None,
        *,
        registry: Registry = globalRegistry,
        strict: bool = False,
        strictState: bool = True,
        depth: int = _DEPTH,
        atoms: bool = False,
    ) -> None:
        self.taster = taster
        self.persistentStore = persistentStore
        self.invoker = invoker
        self.strict = strict
        self.strictState = strictState
        #: By identity of the object: its form, or None while that is being made.
        self.preserved: dict[int, list[Any] | None] = {}
        #: By identity of an object met twice: the form that stands for its other occurrences.
        self.cooked: dict[int, list[Any]] = {}
        # An identity means something only while the object lives, and some are made by hooks for this one purpose.
        self._kept: list[Any] = []
        self._classes = registry.classes()
        self._references = 0
        self._depth = depth
        self._level = depth
        self._nested = depth
        self._trail = Trail()
        plain: bool = getattr(taster, "allows_plain", False)
        # Whether texts take the short way.
        self._texts = plain and not atoms
        if atoms:
            self._handlers = _ATOM_HANDLERS if plain else _allowed_handlers(_ATOM_TYPES, taster)
        else:
            self._handlers = _HANDLERS if plain else _allowed_handlers(_TYPES, taster)

    def jelly(self, obj: Any) -> Any:
        """Lower a value, or, called by a hook, a part of one.

        :returns: an integer, float or byte string as it is, and a list for everything else.
        :raises InsecureJelly: something in it may not cross; the text names its type and its place.
        :raises LimitExceeded: it is nested too deeply.
        """
        handler = self._handlers.get(type(obj))
        try:
            if handler is not None:
                return handler(self, obj, self._level)
            return self._other(obj, self._level)
        except RecursionError as error:
            raise self._trail.at(error, "") from None

    # What hooks call, besides `jelly`.

    def prepare(self, object: Any) -> list[Any]:
        """Note that an object is being lowered, so that its parts may refer to it; returns the list for its form."""
        self.preserved[id(object)] = None
        self._kept.append(object)
        return []

    def preserve(self, object: Any, sexp: Any) -> list[Any]:
        """Note the finished form of an object, after `prepare`; returns what to send in its place."""
        return self._finished(id(object), sexp if type(sexp) is list else list(sexp))

    def _checkMutable(self, obj: Any) -> list[Any] | None:
        """Return the form that refers to an object met before, or None if it was not."""
        ident = id(obj)
        return self._again(ident) if ident in self.preserved else None

    def unpersistable(self, reason: str | bytes, sexp: list[Any] | None = None) -> list[Any]:
        """Return a note that something could not be sent.

        :param sexp: the list to append it to.
        """
        form = [] if sexp is None else sexp
        form += [b"unpersistable", reason.encode("utf-8") if isinstance(reason, str) else reason]
        return form

    # Identity.

    def _again(self, ident: int) -> list[Any]:
        """Return a reference to an object met before. Its first occurrence is wrapped on the first such occasion."""
        known = self.cooked.get(ident)
        if known is None:
            self._references += 1
            known = self.cooked[ident] = [b"dereference", self._references]
            form = self.preserved[ident]
            if form is None:
                self.preserved[ident] = [b"reference", self._references, None]
            else:
                # In place: whatever contains it holds this very list.
                form[:] = [b"reference", self._references, form[:]]
        return known[:]

    def _finished(self, ident: int, form: list[Any]) -> list[Any]:
        """Note the form of an object, and return what to send for it."""
        known = self.preserved.get(ident)
        if known is None:
            self.preserved[ident] = form
            return form
        # A part of it refers to it.
        known[2] = form
        return known

    def _surrogate(self, error: UnicodeEncodeError, parts: tuple[Any, ...], step: str) -> Exception:
        """Return an error of ours for a text that cannot be encoded, or the one of a hook as it is."""
        if any(error.object is part for part in parts):
            return self._trail.at(InsecureJelly(_SURROGATE), step)
        return error

    # The handlers. Each gets the object, and how many levels of containers there may still be.

    def _atom(self, obj: Any, depth: int) -> Any:
        return obj

    def _fixed(self, obj: Any, depth: int) -> Any:
        return [b"None"] if obj is None else [b"boolean", b"true" if obj else b"false"]

    def _text(self, obj: str, depth: int) -> Any:
        try:
            return [b"unicode", obj.encode()]
        except UnicodeEncodeError:
            raise InsecureJelly(_SURROGATE) from None

    def _whole_text(self, obj: str, depth: int) -> Any:
        return obj if obj.isascii() or self._text(obj, depth) else None

    def _moment(self, obj: Any, depth: int) -> Any:
        return lower_moment(obj)

    def _decimal(self, obj: Decimal, depth: int) -> Any:
        return lower_decimal(obj)

    def _items(self, obj: Any, depth: int) -> Any:
        """Lower a list, tuple, set or frozenset."""
        ident = id(obj)
        if ident in self.preserved:
            return self._again(ident)
        if depth <= 0:
            raise LimitExceeded(f"nested deeper than {self._depth}")
        self.preserved[ident] = None
        self._kept.append(obj)
        form: list[Any] = [_HEADS[type(obj)]]
        append = form.append
        find = self._handlers.get
        texts = self._texts
        depth -= 1
        item: Any = None
        try:
            for item in obj:
                kind = type(item)
                if kind is int:
                    append(item)
                elif kind is str and texts:
                    append([b"unicode", item.encode()])
                else:
                    handler = find(kind)
                    append(self._other(item, depth) if handler is None else handler(self, item, depth))
        except UnicodeEncodeError as error:
            raise self._surrogate(error, (item,), f"[{len(form) - 1}]") from None
        except CAUGHT as error:
            raise self._trail.at(error, f"[{len(form) - 1}]") from None
        if self.preserved[ident] is None:
            self.preserved[ident] = form
            return form
        return self._finished(ident, form)

    def _dictionary(self, obj: dict[Any, Any], depth: int) -> Any:
        """Lower a dictionary: its head, and a bare list of two for each entry."""
        ident = id(obj)
        if ident in self.preserved:
            return self._again(ident)
        if depth <= 0:
            raise LimitExceeded(f"nested deeper than {self._depth}")
        self.preserved[ident] = None
        self._kept.append(obj)
        form: list[Any] = [b"dictionary"]
        append = form.append
        find = self._handlers.get
        texts = self._texts
        depth -= 1
        key: Any = None
        item: Any = None
        try:
            for key, item in obj.items():
                lowered: Any
                if type(key) is str and texts:
                    lowered = [b"unicode", key.encode()]
                else:
                    handler = find(type(key))
                    lowered = self._other(key, depth) if handler is None else handler(self, key, depth)
                kind = type(item)
                if kind is int:
                    append([lowered, item])
                elif kind is str and texts:
                    append([lowered, [b"unicode", item.encode()]])
                else:
                    handler = find(kind)
                    append([lowered, self._other(item, depth) if handler is None else handler(self, item, depth)])
        except UnicodeEncodeError as error:
            raise self._surrogate(error, (key, item), key_step(key)) from None
        except CAUGHT as error:
            raise self._trail.at(error, key_step(key)) from None
        if self.preserved[ident] is None:
            self.preserved[ident] = form
            return form
        return self._finished(ident, form)

    def _other(self, obj: Any, depth: int) -> Any:
        """Lower what has no handler: of a registered class, or lowering itself, or up to the policy to let pass."""
        known = self._classes.get(type(obj))
        if known is None and not isinstance(obj, Jellyable):
            return self._foreign(obj, depth)
        ident = id(obj)
        if ident in self.preserved:
            return self._again(ident)
        if self._nested <= 0:
            raise LimitExceeded(f"nested deeper than {self._depth}")
        outer, self._level = self._level, depth
        self._nested -= 1
        try:
            form = obj.jellyFor(self) if known is None else known.lower(obj, self)
            return list(form) if type(form) is tuple else form
        except CAUGHT as error:
            raise self._trail.at(error, "") from None
        finally:
            self._level = outer
            self._nested += 1

    def _foreign(self, obj: Any, depth: int) -> Any:
        """Lower what only the policy can let pass: an instance by its state, a class by its name."""
        cls = type(obj)
        if cls in _HANDLERS:
            raise InsecureJelly(f"{type_name(cls)} is not on the whitelist")
        if issubclass(cls, type):
            return self._class(obj)
        if cls in (FunctionType, MethodType, ModuleType):
            return self._code(obj, depth)
        ident = id(obj)
        if ident in self.preserved:
            return self._again(ident)
        persistent = None if self.persistentStore is None else self.persistentStore(obj, self)
        if persistent is not None:
            form = self.prepare(obj)
            form += [b"persistent", persistent]
        elif self.taster.isClassAllowed(cls):
            form = self._instance(obj, depth)
        else:
            return self._refused(obj, type_name(cls))
        return self._finished(ident, form)

    def _refused(self, obj: Any, name: str) -> list[Any]:
        """Return what stands for something that may not cross, unless that is an error."""
        if self.strict and (self.strictState or self._nested == self._depth):
            raise InsecureJelly(f"{name} is not on the whitelist")
        note = self.unpersistable(f"instance of class {dotted_name(type(obj))} deemed insecure")
        if self.strict:
            # Not to be shared: where the thing is met again it may be an error.
            return note
        self.prepare(obj)
        return self.preserve(obj, note)

    def _instance(self, obj: Any, depth: int) -> list[Any]:
        """Lower an instance of an allowed class to its name and its state."""
        if depth <= 0:
            raise LimitExceeded(f"nested deeper than {self._depth}")
        self.prepare(obj)
        outer, self._level = self._level, depth - 1
        try:
            return [dotted_name(type(obj)).encode("utf-8"), self.jelly(state_of(obj))]
        except CAUGHT as error:
            raise self._trail.at(error, "") from None
        finally:
            self._level = outer

    def _class(self, obj: type) -> list[Any]:
        """Lower a class to its name."""
        if self.strict and not (self.taster.isTypeAllowed(b"class") and self.taster.isClassAllowed(obj)):
            return self._refused(obj, f"the class {type_name(obj)}")
        return [b"class", dotted_name(obj).encode("utf-8")]

    def _code(self, obj: Any, depth: int) -> list[Any]:
        """Lower a function, module or method, for use in this process: the names in PB's forms are no bytes."""
        if self.strict:
            return self._refused(obj, type_name(type(obj)))
        if isinstance(obj, FunctionType):
            return [b"function", f"{obj.__module__}.{obj.__qualname__}"]
        if isinstance(obj, ModuleType):
            return [b"module", obj.__name__]
        outer, self._level = self._level, depth - 1
        try:
            return [b"method", obj.__func__.__name__, *map(self.jelly, (obj.__self__, obj.__self__.__class__))]
        finally:
            self._level = outer


_HEADS: Final[dict[type, bytes]] = {list: b"list", tuple: b"tuple", set: b"set", frozenset: b"frozenset"}
_Handler = Callable[[Jellier, Any, int], Any]

#: The plain types. Those without a head stand for themselves, so no policy can refuse them.
_TYPES: Final[tuple[tuple[type, bytes | None, _Handler], ...]] = (
    (str, b"unicode", Jellier._text),
    (int, None, Jellier._atom),
    (dict, b"dictionary", Jellier._dictionary),
    (list, b"list", Jellier._items),
    (tuple, b"tuple", Jellier._items),
    (type(None), b"None", Jellier._fixed),
    (bool, b"boolean", Jellier._fixed),
    (float, None, Jellier._atom),
    (bytes, None, Jellier._atom),
    (set, b"set", Jellier._items),
    (frozenset, b"frozenset", Jellier._items),
    (datetime, b"datetime", Jellier._moment),
    (date, b"date", Jellier._moment),
    (time, b"time", Jellier._moment),
    (timedelta, b"timedelta", Jellier._moment),
    (Decimal, b"decimal", Jellier._decimal),
)
_HANDLERS: Final[dict[type, _Handler]] = {kind: handler for kind, _, handler in _TYPES}
_PARTS: Final = (list, tuple, dict, set, frozenset)

#: Where atoms stay what they are.
_ATOM_TYPES: Final = (
    *(
        (kind, head, Jellier._whole_text if kind is str else handler if kind in _PARTS else Jellier._atom)
        for kind, head, handler in _TYPES
    ),
    (complex, b"complex", Jellier._atom),
    (UUID, b"uuid", Jellier._atom),
)
_ATOM_HANDLERS: Final[dict[type, _Handler]] = {kind: handler for kind, _, handler in _ATOM_TYPES}


def _allowed_handlers(types: Iterable[tuple[type, bytes | None, _Handler]], taster: Any) -> dict[type, _Handler]:
    """Return the handlers of the types that a policy allows."""
    return {kind: handler for kind, head, handler in types if head is None or taster.isTypeAllowed(head)}


def jelly(
    object: Any, taster: Any = None, persistentStore: Callable[[Any, Any], Any] | None = None, invoker: Any = None
) -> Any:
    """Lower a value to an s-expression.

    :param taster: the policy; by default everything may pass. What may not becomes ``(unpersistable reason)``.
    :param persistentStore: ``(instance, jellier)`` returns an id to put in the place of an instance, or None.
    :param invoker: the connection, for objects that lower themselves.
    :raises InsecureJelly: a part of the value has no form, or the policy refuses a basic type.
    :raises LimitExceeded: it is nested too deeply.
    """
    return Jellier(DummySecurityOptions() if taster is None else taster, persistentStore, invoker).jelly(object)
