"""Descriptors: what a type of the owner's has on offer, told to holders once per connection."""

from __future__ import annotations

import builtins
import collections.abc
import inspect
import numbers
from collections import deque
from functools import lru_cache
from hashlib import blake2b
from types import FunctionType
from typing import Any, Final, NamedTuple

from broker._remote.expose import publication, unlisted
from broker._remote.names import FORWARDED, clean, is_dunder, is_local
from broker._remote.policy import Policy
from broker._remote.verbs import Refused, Verb
from broker.errors import BadValue

__all__ = ["ABCS", "Descriptor", "decode", "describe", "digest", "documentation", "own_names"]

#: Abstract classes that a holder's proxy may be registered with.
ABCS: Final[dict[str, type]] = {
    **{name: getattr(collections.abc, name) for name in collections.abc.__all__ if name[:1] != "B"},
    **{name: getattr(numbers, name) for name in numbers.__all__},
}
_NUMERIC: Final = frozenset("add sub mul matmul truediv floordiv mod divmod pow lshift rshift and xor or".split())
_ORDER: Final = ("__lt__", "__le__", "__gt__", "__ge__")
_VIEWS: Final[tuple[type, ...]] = tuple(map(type, ({}.keys(), {}.values(), {}.items())))
_FINITE: Final[tuple[Any, ...]] = (list, tuple, dict, set, frozenset, str, bytes, range, deque, *_VIEWS)
#: Of these, and of classes that iterate as they do.
_FINITE_ITERATIONS: Final = frozenset(kind.__iter__ for kind in _FINITE)
_LOOKUPS: Final = ("__getattr__", "__getattribute__")
#: Most names, and most parts of any kind, that a descriptor from a peer may have.
_MOST: Final = 4096


class Descriptor(NamedTuple):
    """What holders know of a type.

    :ivar name: its name, as far as the policy gives it away.
    :ivar mro: the names of its class and base classes: of all of them, or of the builtin ones only.
    :ivar abcs: the names of the abstract classes it belongs to.
    :ivar dunders: the special methods on offer.
    :ivar methods: the names that can be called.
    :ivar attributes: the other names.
    :ivar flags: ``open`` if there may be other attributes, ``unlisted`` if there are other methods, ``finite`` if
        iterating has no side effects and ends.
    """

    name: str
    mro: tuple[str, ...]
    abcs: tuple[str, ...]
    dunders: tuple[str, ...]
    methods: tuple[str, ...]
    attributes: tuple[str, ...]
    flags: tuple[str, ...]

    def encoded(self) -> tuple[Any, ...]:
        """Return the form in which it is sent."""
        return tuple(self)


def digest(descriptor: Descriptor) -> bytes:
    """Return what identifies the contents of a descriptor."""
    return blake2b(repr(tuple(descriptor)).encode("utf-8", "backslashreplace"), digest_size=8).digest()


def describe(value: Any, policy: Policy, session: Any) -> tuple[bytes, Descriptor]:
    """Return the descriptor of an object's type, as its policy shows it to a session, and its identity."""
    if type(policy).check is Policy.check:
        kind: Any = type(value)
        return _of_type(kind, policy, _Instance(value))
    descriptor = _build(value, policy, session)
    return digest(descriptor), descriptor


class _Instance:
    """An instance on its way into a cache whose key is its type: all are equal."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Instance)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=1024)
def _of_type(kind: Any, policy: Policy, instance: _Instance) -> tuple[bytes, Descriptor]:
    descriptor = _build(instance.value, policy, None)
    # Only the type matters from here on, and the cache must not keep the object.
    instance.value = None
    return digest(descriptor), descriptor


def _build(value: Any, policy: Policy, session: Any) -> Descriptor:
    kind = type(value)
    full = policy.describe == "full"
    methods: list[str] = []
    attributes: list[str] = []
    for name, real in sorted(_candidates(kind, policy).items()):
        method = callable(_static(kind, real))
        if _allowed(policy, session, value, Verb.CALL if method else Verb.GET, name):
            (methods if method else attributes).append(name)
    hidden = unlisted(kind)
    flags = _flags(kind)
    if any(_allowed(policy, session, value, Verb.CALL, name) for name in hidden):
        flags.append("unlisted")
    builtin = [cls.__name__ for cls in kind.__mro__ if getattr(builtins, cls.__name__, None) is cls]
    return Descriptor(
        policy.title or (kind.__qualname__ if full else builtin[0]),
        tuple(f"{cls.__module__}.{cls.__qualname__}" for cls in kind.__mro__) if full else tuple(builtin),
        tuple(sorted(name for name, cls in ABCS.items() if issubclass(kind, cls))),
        tuple(sorted(name for name in _specials(kind) if _offers(policy, session, value, name))),
        tuple(name for name in methods if name not in hidden),
        tuple(attributes),
        tuple(flags),
    )


def _candidates(kind: type, policy: Policy) -> dict[str, str]:
    """Return the names that peers could use, each with the attribute that it stands for."""
    found = {name: name for name in dir(kind) if not is_dunder(name) and not is_local(name)}
    for prefix in policy.expose.prefixes:
        found.update({name[len(prefix) :]: name for name in list(found) if name.startswith(prefix) and name != prefix})
    return found


def _static(kind: type, name: str) -> Any:
    found = inspect.getattr_static(kind, name, None)
    # Neither runs code of the class.
    return found.__func__ if isinstance(found, (staticmethod, classmethod)) else found


def _allowed(policy: Policy, session: Any, value: Any, verb: Verb, name: str) -> bool:
    try:
        policy.check(session, value, verb, name)
    except Refused:
        return False
    return True


def _offers(policy: Policy, session: Any, value: Any, name: str) -> bool:
    """Say whether a special method is on offer; one may stand for another, as `_specials` has it."""
    if _allowed(policy, session, value, Verb.OP, name):
        return True
    others = {"__bool__": "__len__", "__contains__": "__iter__", "__reversed__": "__getitem__"}
    if name in others:
        return _allowed(policy, session, value, Verb.OP, others[name])
    return name[:3] == "__r" and _allowed(policy, session, value, Verb.OP, f"__{name[3:]}")


def _specials(kind: type) -> set[str]:
    """Return the special methods that a proxy for a type can have, by what Python's operators make of the type."""
    # Not by getattr, which finds the special methods of classes too.
    own = {name: value for cls in reversed(kind.__mro__) for name, value in vars(cls).items()}
    has = {name for name in FORWARDED if own.get(name) is not None}
    for name in _ORDER:
        if getattr(kind, name) is getattr(object, name):
            has.discard(name)
    if has & set(_ORDER):
        has.update(_ORDER)
    for name in _NUMERIC:
        # The operator runs at the owner, and there either operand may have the method.
        if {f"__{name}__", f"__r{name}__"} & has:
            has |= {f"__{name}__", f"__r{name}__"}
    if "__len__" in has:
        has.add("__bool__")
    if "__iter__" in has:
        has.add("__contains__")
    if issubclass(kind, collections.abc.Sequence):
        has.add("__reversed__")
    return has


def _flags(kind: type) -> list[str]:
    flags = []
    if any(type(vars(cls).get(name)) is FunctionType for cls in kind.__mro__ for name in _LOOKUPS):
        flags.append("open")
    if getattr(kind, "__iter__", None) in _FINITE_ITERATIONS:
        flags.append("finite")
    return flags


def own_names(value: Any, policy: Policy, session: Any) -> list[str]:
    """Return the attributes on offer that an object has itself, beside those of its type."""
    names = dir(value) if isinstance(value, type) else getattr(value, "__dict__", None)
    if not names or not policy.expose.attributes:
        return []
    return [
        name
        for name in list(names)[:_MOST]
        if type(name) is str and not is_dunder(name) and _allowed(policy, session, value, Verb.GET, name)
    ]


def documentation(value: Any, policy: Policy, session: Any) -> dict[str, list[str | None]]:
    """Return signature and documentation of an object and its methods; of the object itself under ``""``."""
    full = policy.describe == "full"
    kind = value if isinstance(value, type) or inspect.isroutine(value) else type(value)
    _, descriptor = describe(value, policy, session)
    found = {"": _document(kind)} if full else {}
    for name in descriptor.methods:
        real = policy.check(session, value, Verb.CALL, name)
        method = _static(type(value), real)
        said = publication(method)
        if full if said is None else said.doc:
            found[name] = _document(method, said is not None and said.ctx, _takes_self(type(value), real))
    return found


def _takes_self(kind: type, name: str) -> bool:
    """Return whether a method of a class is given what it is read from."""
    found = inspect.getattr_static(kind, name, None)
    return not isinstance(found, (staticmethod, type)) and hasattr(type(found), "__get__")


class _Text:
    """An annotation that is a text already: shown as it was written."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _unquoted(annotation: Any) -> Any:
    return _Text(annotation) if isinstance(annotation, str) else annotation


def _document(thing: Any, ctx: bool = False, bound: bool = False) -> list[str | None]:
    """Return signature and documentation.

    :param ctx: whether callers do not pass the parameter of that name.
    :param bound: whether they do not pass the first one.
    """
    try:
        found = inspect.signature(thing)
        kept = [
            parameter.replace(annotation=_unquoted(parameter.annotation))
            for number, (name, parameter) in enumerate(found.parameters.items())
            if not (ctx and name == "ctx")
            and not (bound and number == 0 and parameter.kind < inspect.Parameter.VAR_POSITIONAL)
        ]
        result = _unquoted(found.return_annotation)
        signature: str | None = str(found.replace(parameters=kept, return_annotation=result))
    except (ValueError, TypeError):
        signature = None
    doc = getattr(thing, "__doc__", None)
    return [signature, inspect.cleandoc(doc) if isinstance(doc, str) else None]


def decode(form: Any) -> Descriptor:
    """Return a descriptor from the form in which a peer sent it.

    :raises BadValue: it is none.
    """
    if type(form) is not tuple or len(form) != 7 or type(form[0]) is not str:
        raise BadValue("a descriptor is a tuple of a name and six tuples")
    parts = []
    for part in form[1:]:
        if type(part) is not tuple or len(part) > _MOST:
            raise BadValue("a part of a descriptor is a tuple of names")
        parts.append(tuple(clean(name) if type(name) is not str or len(name) < 256 else name[:255] for name in part))
    mro, abcs, dunders, methods, attributes, flags = parts
    dunders = tuple(sorted(FORWARDED.intersection(dunders)))
    methods, attributes = (tuple(name for name in names if not is_local(name)) for names in (methods, attributes))
    return Descriptor(form[0][:255], mro, abcs, dunders, methods, attributes, flags)
