"""The special methods of proxies, made for one type: those that its descriptor names, in one of two ways.

Where a transport waits, each of them runs at the owner and returns what Python wants. Where it does not, those that may
return anything return Deferreds, and the others raise `TypeError` and name the function that does it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from broker._remote.descriptors import Descriptor
from broker._remote.faults import describe_exception
from broker._remote.held import state_of
from broker._remote.iterators import AsyncRemoteIterator, Buffer, RemoteIterator
from broker._remote.operate import local_text, perform, sendable
from broker._remote.verbs import INPLACE, OPERATORS, Verb, Want

__all__ = ["iterator_of", "methods_for"]

_Method = Callable[..., Any]

_UNARY: Final = ("neg", "pos", "abs", "invert")
_COMPARISONS: Final = ("lt", "le", "gt", "ge", "eq", "ne")
_ROUNDING: Final = ("trunc", "floor", "ceil")
_NATIVE: Final = ("len", "length_hint", "int", "float", "complex", "index", "bytes", "bool", "hash")
#: Operators that may be called with operands swapped.
_BINARY: Final = tuple(
    name for name in OPERATORS if name not in (*_UNARY, *_COMPARISONS, *INPLACE, "reversed", "pow", "ipow")
)


def methods_for(descriptor: Descriptor, blocking: bool, compare: str, text: str) -> dict[str, Any]:
    """Return the special methods of the proxies for a type.

    :param blocking: whether operations wait.
    :param compare: as `broker._remote.policy.Policy` has it; without waiting proxies are compared here.
    :param text: as the policy has it; without waiting it is local.
    """
    table = _WAITING if blocking else _DEFERRED
    has = set(descriptor.dunders)
    made = {name: table[name] for name in has if name in table}
    iterator = bool(has & {"__next__", "__anext__"})
    if has & {"__iter__", "__aiter__"} or iterator:
        made.update(_iteration(blocking, iterator))
    if has & {"__enter__", "__aenter__"}:
        made.update(_CONTEXTS if blocking else _DEFERRED_CONTEXTS)
    _add_comparisons(made, has, compare if blocking else "identity")
    _add_texts(made, has, text if blocking else "local", blocking)
    return made


# What every operation is made of.


def _binary(name: str, reflected: bool) -> _Method:
    def method(self: Any, other: Any) -> Any:
        if not sendable(self, other):
            # The other operand may know what to do.
            return NotImplemented
        return perform(self, Verb.OP, name, reflected, other)

    return method


def _power(self: Any, exponent: Any, modulus: Any = None) -> Any:
    if not sendable(self, exponent):
        return NotImplemented
    others = (exponent,) if modulus is None else (exponent, modulus)
    return perform(self, Verb.OP, "pow", False, *others)


def _unary(name: str) -> _Method:
    return lambda self: perform(self, Verb.OP, name, False)


def _converted(name: str) -> _Method:
    return lambda self: perform(self, Verb.CONV, name)


def _round(self: Any, digits: Any = None) -> Any:
    return perform(self, Verb.CONV, "round", *(() if digits is None else (digits,)))


def _call(self: Any, /, *args: Any, **kw: Any) -> Any:
    return perform(self, Verb.CALL, None, list(args), kw)


def _getitem(self: Any, key: Any) -> Any:
    return perform(self, Verb.GETITEM, key)


def _setitem(self: Any, key: Any, value: Any) -> None:
    perform(self, Verb.SETITEM, key, value)


def _delitem(self: Any, key: Any) -> None:
    perform(self, Verb.DELITEM, key)


def _contains(self: Any, value: Any) -> Any:
    return perform(self, Verb.CONTAINS, value)


def _instead(what: str, function: str) -> _Method:
    """Return a method for what cannot wait."""

    def method(self: Any, *args: Any) -> Any:
        raise TypeError(f"{what} of a remote object cannot be had at once: use {function}")

    return method


# Iteration.


def _iteration(blocking: bool, iterator: bool) -> dict[str, _Method]:
    if blocking:
        if iterator:
            return {"__iter__": lambda self: self, "__next__": _next}
        return {"__iter__": _iter}
    hint = _instead("an iterator", "async for, or ops.iter(it)")
    if iterator:
        return {"__aiter__": lambda self: self, "__anext__": _anext, "__iter__": hint}
    return {"__aiter__": _aiter, "__iter__": hint}


def _first(self: Any) -> int:
    state = state_of(self)
    sizes = state.view.policy.batch
    # Reading a finite container ahead has no side effects.
    return int(sizes.most if "finite" in state.kind.descriptor.flags else sizes.first)


def _iter(self: Any) -> Any:
    first = _first(self)
    if state_of(self).view.policy.batch.early:
        return perform(self, Verb.ITER, first, want=Want.AUTO)
    opened = perform(self, Verb.ITER, 0, want=Want.AUTO)
    opened.begin(first)
    return opened


def _aiter(self: Any) -> AsyncRemoteIterator:
    transport = state_of(self).view.transport
    return AsyncRemoteIterator(lambda: perform(self, Verb.ITER, _first(self), want=Want.AUTO), transport)


def iterator_of(proxy: Any) -> Any:
    """Return what draws from a proxied iterator: there is one, however often the proxy is iterated."""
    state = state_of(proxy)
    if state.buffer is None:
        buffer = Buffer(state.view, state.reference, state.view.policy.batch)
        cls = RemoteIterator if state.view.transport.blocking else AsyncRemoteIterator
        state.buffer = cls(buffer, state.view.transport)
    return state.buffer


def _next(self: Any) -> Any:
    return next(iterator_of(self))


def _anext(self: Any) -> Any:
    return iterator_of(self).__anext__()


# Contexts.


def _enter(self: Any) -> Any:
    return perform(self, Verb.ENTER)


def _exit(self: Any, kind: Any, error: Any, traceback: Any) -> Any:
    return perform(self, Verb.EXIT, None if error is None else describe_exception(error), want=Want.AUTO)


async def _aenter(self: Any) -> Any:
    return await _enter(self)


async def _aexit(self: Any, kind: Any, error: Any, traceback: Any) -> Any:
    return await _exit(self, kind, error, traceback)


_CONTEXTS: Final[dict[str, _Method]] = {"__enter__": _enter, "__exit__": _exit}
_DEFERRED_CONTEXTS: Final[dict[str, _Method]] = {"__aenter__": _aenter, "__aexit__": _aexit}


# Comparison and text.


def _add_comparisons(made: dict[str, Any], has: set[str], compare: str) -> None:
    if compare == "identity" or "__eq__" not in has:
        return
    made["__eq__"], made["__ne__"] = _binary("eq", False), _binary("ne", False)
    made["__hash__"] = _converted("hash") if "__hash__" in has else None


def _add_texts(made: dict[str, Any], has: set[str], text: str, blocking: bool) -> None:
    if text != "local" and "__str__" in has:
        made["__str__"] = _said("str")
    if text == "remote" and "__repr__" in has:
        made["__repr__"] = _said("repr")
    if "__format__" in has:
        made["__format__"] = _format if blocking else _format_locally


def _said(name: str) -> _Method:
    def method(self: Any) -> str:
        # Logs, debuggers and test reports ask at any time, from any thread.
        try:
            return str(perform(self, Verb.CONV, name))
        except Exception:  # noqa: BLE001  whatever is wrong with the connection: there must be some text
            return local_text(self)

    return method


def _format(self: Any, spec: str) -> str:
    return str(perform(self, Verb.CONV, "format", spec)) if spec else str(self)


def _format_locally(self: Any, spec: str) -> str:
    if spec:
        raise TypeError("the formatted text of a remote object cannot be had at once: use ops.format")
    return str(self)


# The two tables.

_ANYTHING: Final[dict[str, _Method]] = {
    **{f"__{name}__": _binary(name, False) for name in _BINARY},
    **{f"__r{name}__": _binary(name, True) for name in _BINARY},
    **{f"__{name}__": _binary(name, False) for name in INPLACE},
    **{f"__{name}__": _binary(name, False) for name in _COMPARISONS if name not in ("eq", "ne")},
    **{f"__{name}__": _unary(name) for name in (*_UNARY, "reversed")},
    **{f"__{name}__": _converted(name) for name in _ROUNDING},
    "__pow__": _power,
    "__rpow__": _binary("pow", True),
    "__round__": _round,
    "__call__": _call,
    "__getitem__": _getitem,
}
_WAITING: Final[dict[str, _Method]] = {
    **_ANYTHING,
    **{f"__{name}__": _converted(name) for name in _NATIVE if name != "hash"},
    "__setitem__": _setitem,
    "__delitem__": _delitem,
    "__contains__": _contains,
}
_DEFERRED: Final[dict[str, _Method]] = {
    **_ANYTHING,
    **{f"__{name}__": _instead(f"the {name}", f"ops.{name}(it)") for name in _NATIVE if name != "hash"},
    "__setitem__": _instead("an assignment to an item", "ops.setitem(it, key, value), or a program block"),
    "__delitem__": _instead("the deletion of an item", "ops.delitem(it, key), or a program block"),
    "__contains__": _instead("the answer to `in`", "ops.contains(it, value)"),
}
