"""Values that pass as arguments and results, known to both sides by name, and a comparison that misses nothing."""

from __future__ import annotations

import datetime
import decimal
import struct
from collections.abc import Callable
from typing import Any

__all__ = ["VALUES", "difference"]

WORDS = (
    b"None class dereference reference dictionary function instance list module persistent tuple unpersistable local"
    b" lcache version login password challenge logged_in not_logged_in cached remote copy cache cachemessage message"
    b" answer error decref decache uncache root unicode boolean true false set frozenset decimal didNotUnderstand"
).split()


def _shared() -> Any:
    inner = [1, "two"]
    table = {"inner": inner}
    return [inner, inner, table, table, (inner, table)]


def _cyclic_list() -> Any:
    cycle: list[Any] = [1]
    cycle.append(cycle)
    return cycle


def _cyclic_dict() -> Any:
    cycle: dict[str, Any] = {"name": "me"}
    cycle["me"] = cycle
    return cycle


def _cyclic_pair() -> Any:
    left: list[Any] = ["left"]
    right: dict[Any, Any] = {"left": left}
    left.append(right)
    return [left, right]


def _cyclic_tuple() -> Any:
    inside: list[Any] = []
    outside = (inside, "end")
    inside.append(outside)
    return outside


def _deep() -> Any:
    value: Any = "bottom"
    for depth in range(100):
        value = [depth, value]
    return value


#: Functions, since cyclic and shared values must be fresh each time.
VALUES: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "true": lambda: True,
    "false": lambda: False,
    "int-0": lambda: 0,
    "int-1": lambda: 1,
    "int-minus-1": lambda: -1,
    "int-127": lambda: 127,
    "int-128": lambda: 128,
    "int-2**31-1": lambda: 2**31 - 1,
    "int-2**31": lambda: 2**31,
    "int-minus-2**31": lambda: -(2**31),
    "int-minus-2**31-1": lambda: -(2**31) - 1,
    "int-2**63": lambda: 2**63,
    "int-2**64": lambda: 2**64,
    "int-2**447": lambda: 2**447,
    "int-minus-2**447": lambda: -(2**447),
    "int-largest": lambda: 2**448 - 1,
    "int-smallest": lambda: -(2**448) + 1,
    "ints-of-all-sizes": lambda: [sign * (2**bits + 1) for bits in range(448) for sign in (1, -1)],
    "float-0": lambda: 0.0,
    "float-minus-0": lambda: -0.0,
    "float-pi": lambda: 3.141592653589793,
    "float-denormal": lambda: 5e-324,
    "float-inf": lambda: float("inf"),
    "float-minus-inf": lambda: float("-inf"),
    "float-nan": lambda: float("nan"),
    "bytes-empty": lambda: b"",
    "bytes-all": lambda: bytes(range(256)),
    "bytes-list": lambda: b"list",
    "bytes-vocabulary": lambda: list(WORDS),
    "bytes-long": lambda: bytes(range(256)) * 2000,
    "text-empty": lambda: "",
    "text-list": lambda: "list",
    "text-vocabulary": lambda: [word.decode() for word in WORDS],
    "text-many-scripts": lambda: "Grüße \u4f60\u597d \U0001f40d \x00 end",
    "text-long": lambda: "é" * 100_000,
    "text-and-bytes": lambda: ["a", b"a", {"a": b"a", b"a": "a"}],
    "list-empty": list,
    "list-mixed": lambda: [None, True, 0, 1.5, b"b", "t", [[]], (), {}],
    "list-of-words-first": lambda: [b"list", b"tuple", [b"reference", 1, 2], [b"remote", 5], [b"None"]],
    "list-long": lambda: list(range(3000)),
    "list-deep": _deep,
    "tuple-empty": lambda: (),
    "tuple-nested": lambda: (1, (2, (3, ())), [4]),
    "dict-empty": dict,
    "dict-kinds-of-keys": lambda: {None: 1, 2: 2, b"3": 3, "4": 4, (5, "five"): 5, frozenset({6}): 6, 7.5: 7, True: 8},
    "dict-nested": lambda: {"a": {"b": {"c": [{"d": None}]}}},
    "dict-in-order": lambda: {"z": 1, "a": 2, "m": 3},
    "set-empty": set,
    "set-mixed": lambda: {1, "one", b"one", (1, "one"), None},
    "frozenset": lambda: frozenset({1, 2, frozenset({3})}),
    "datetime": lambda: datetime.datetime(2026, 2, 28, 23, 59, 58, 999999),
    "datetime-min": lambda: datetime.datetime.min,
    "date": lambda: datetime.date(1969, 12, 31),
    "time": lambda: datetime.time(1, 2, 3, 4),
    "timedelta": lambda: datetime.timedelta(days=3, seconds=7, microseconds=11),
    "timedelta-negative": lambda: datetime.timedelta(days=-5, microseconds=1),
    "decimal": lambda: decimal.Decimal("9.95"),
    "decimal-negative": lambda: decimal.Decimal("-1234567890123456789012345.678"),
    "decimal-exponent": lambda: decimal.Decimal("1E+10"),
    "decimal-zero": lambda: decimal.Decimal("0.00"),
    "shared": _shared,
    "shared-empty-tuples": lambda: [(), (), [(), ()]],
    "cyclic-list": _cyclic_list,
    "cyclic-dict": _cyclic_dict,
    "cyclic-pair": _cyclic_pair,
    "cyclic-tuple": _cyclic_tuple,
}


def difference(one: Any, other: Any) -> str:
    """Compare two values by exact type, content, order and sharing.

    :returns: where and how they differ; empty if they do not.
    """
    return _Comparison().compare(one, other, "value")


class _Comparison:
    """One walk through two values; mutable containers met again must be met again on both sides."""

    def __init__(self) -> None:
        self._left: dict[int, int] = {}
        self._right: dict[int, int] = {}

    def compare(self, one: Any, other: Any, path: str) -> str:
        if type(one) is not type(other):
            return f"{path}: {type(one)} {one!r:.80} against {type(other)} {other!r:.80}"
        if isinstance(one, (list, dict, set)):
            if self._left.get(id(one), id(other)) != id(other) or self._right.get(id(other), id(one)) != id(one):
                return f"{path}: shared differently"
            if id(one) in self._left:
                return ""
            self._left[id(one)], self._right[id(other)] = id(other), id(one)
        return self._contents(one, other, path)

    def _contents(self, one: Any, other: Any, path: str) -> str:
        if isinstance(one, (list, tuple)):
            return self._sequences(one, other, path)
        if isinstance(one, dict):
            keys = self._sequences(list(one), list(other), f"{path} (keys)")
            return keys or self._sequences(list(one.values()), list(other.values()), f"{path} (values)")
        if isinstance(one, float):
            return "" if struct.pack("!d", one) == struct.pack("!d", other) else f"{path}: {one!r}, {other!r}"
        if isinstance(one, decimal.Decimal):
            return "" if one.as_tuple() == other.as_tuple() else f"{path}: {one!r}, {other!r}"
        return "" if one == other else f"{path}: {one!r:.80} against {other!r:.80}"

    def _sequences(self, one: Any, other: Any, path: str) -> str:
        if len(one) != len(other):
            return f"{path}: {len(one)} items against {len(other)}"
        found = (self.compare(a, b, f"{path}[{n}]") for n, (a, b) in enumerate(zip(one, other, strict=True)))
        return next(filter(None, found), "")
