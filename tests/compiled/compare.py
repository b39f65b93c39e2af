"""Whether the two forms of the core did the same: the same results, shared in the same way, or the same errors."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from datetime import datetime, time
from typing import Any

__all__ = ["Differ", "outcome", "the_same"]

_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
_EXACT = (int, str, bytes, bool, type(None))


class Differ(AssertionError):
    """The two forms did not do the same."""


def outcome(function: Callable[[], Any]) -> tuple[Any, ...]:
    """Return what a function returns, or what it raises: class and text."""
    try:
        return ("gave", function())
    except Exception as error:  # noqa: BLE001 - which one it is, is what is compared
        return ("raised", type(error).__module__, type(error).__qualname__, str(error))


def the_same(interpreted: Any, compiled: Any) -> None:
    """Compare types, values to the last bit, order, and what is shared with what.

    :raises Differ: something is not the same.
    """
    try:
        _compare(interpreted, compiled)
    except Differ as error:
        raise Differ(f"{error}\nInterpreted: {interpreted!r:.1000}\nCompiled: {compiled!r:.1000}") from None


def _compare(interpreted: Any, compiled: Any) -> None:
    there: dict[int, Any] = {}
    back: dict[int, Any] = {}
    waiting = [(interpreted, compiled)]
    while waiting:
        a, b = waiting.pop()
        if type(a) in _EXACT:
            if type(a) is not type(b) or a != b and not _same_text(a, b):
                raise Differ(f"{a!r:.200} interpreted, {b!r:.200} compiled")
            continue
        parts = _parts(a)
        others = _parts(b)
        if parts is None or others is None:
            if _kind(a) != _kind(b) or _scalar(a) != _scalar(b):
                raise Differ(f"{a!r:.200} interpreted, {b!r:.200} compiled")
            continue
        if _kind(a) != _kind(b) or len(parts) != len(others):
            raise Differ(f"{_kind(a)} of {len(parts)} interpreted, {_kind(b)} of {len(others)} compiled")
        if not parts and type(a) in (tuple, frozenset):
            continue
        if id(a) in there or id(b) in back:
            if there.get(id(a)) is not b or back.get(id(b)) is not a:
                raise Differ(f"shared in one form only: {a!r:.200}")
            continue
        there[id(a)], back[id(b)] = b, a
        waiting += zip(parts, others, strict=True)


def _same_text(a: Any, b: Any) -> bool:
    return isinstance(a, str) and isinstance(b, str) and _ADDRESS.sub("", a) == _ADDRESS.sub("", b)


def _kind(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _parts(value: Any) -> list[Any] | None:
    """Return what a value consists of, or None for one without parts."""
    kind = type(value)
    if kind is list or kind is tuple:
        return list(value)
    if kind is dict:
        return [part for entry in value.items() for part in entry]
    if kind is set or kind is frozenset:
        return sorted(value, key=_order)
    if isinstance(value, Exception):
        return [str(value)]
    if kind.__module__.startswith("broker."):
        return [part for name in _attributes(kind) for part in (name, getattr(value, name, "not there"))]
    return None


def _attributes(kind: Any) -> list[str]:
    """Return the names of the attributes of instances of a class of ours, of either form."""
    found: set[str] = set()
    for cls in kind.__mro__:
        slots = cls.__dict__.get("__slots__", ())
        found.update([slots] if isinstance(slots, str) else slots)
        found.update(cls.__dict__.get("__mypyc_attrs__", ()))
    return sorted(found - {"__dict__", "__weakref__"})


def _order(member: Any) -> str:
    """Return what members of sets are sorted by: the order in a set may depend on where the members lie in memory."""
    if type(member) in (tuple, frozenset):
        inner = [_order(part) for part in member]
        return f"{type(member).__name__}{sorted(inner) if type(member) is frozenset else inner}"
    return f"{type(member).__name__} {_scalar(member)!r}"


def _scalar(value: Any) -> Any:
    """Return something that is equal for the same scalars only."""
    if type(value) is float:
        return struct.pack("<d", value)
    if type(value) is complex:
        return struct.pack("<dd", value.real, value.imag)
    if type(value) is datetime or type(value) is time:
        return repr(value), value.fold
    return _ADDRESS.sub("", repr(value))
