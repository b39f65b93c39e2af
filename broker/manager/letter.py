"""What a starter and the manager's process tell each other over their pipes: a letter, and a report.

Both are plain values in the encoding of ``broker/1``, behind four bytes of length. The letter has the key in it, so
it goes where nobody else reads. Its pipe stays open: when it ends, so has the starter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from broker._remote.expose import Expose
from broker._remote.faults import rebuild
from broker._values.native import NativeEncoder
from broker._values.path import type_name
from broker._values.plain import NotPlain
from broker._values.registry import Registry
from broker._values.unnative import NativeDecoder
from broker.manager.naming import name_of
from broker.manager.registry import Type, Types

__all__ = ["CannotStart", "Incoming", "pack", "told", "types_from", "types_to"]

_DEPTH: Final = 100
_ELEMENTS: Final = 4 * 1024 * 1024
_MOST: Final = 1 << 31


class CannotStart(Exception):
    """The manager's process has ended before it was ready, and did not say why; or it took too long."""


def pack(value: Any) -> bytes:
    """Return a value as it is written.

    :raises ValueError: something in it is not plain.
    """
    try:
        data: bytes = NativeEncoder(_DEPTH, _ELEMENTS).encode(value)
    except NotPlain:
        raise ValueError(f"a {type_name(type(value))} with something in it that is no plain value") from None
    return len(data).to_bytes(4, "big") + data


class Incoming:
    """Takes bytes until a value is whole.

    :ivar value: the value; None before.
    :ivar done: whether it is there.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self.value: Any = None
        self.done = False

    @property
    def missing(self) -> int:
        """How many bytes are missing at least."""
        if self.done:
            return 0
        if len(self._data) < 4:
            return 4 - len(self._data)
        return int.from_bytes(self._data[:4], "big") + 4 - len(self._data)

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        self._data += data
        if not self.done and len(self._data) >= 4 and self.missing <= 0:
            end = int.from_bytes(self._data[:4], "big") + 4
            self.value = NativeDecoder(_DEPTH, _ELEMENTS).decode(bytes(self._data[4:end]), 0, end - 4)
            self.done = True


def types_to(types: Types) -> list[dict[str, Any]]:
    """Return types as plain values.

    :raises ValueError: one of them cannot be named.
    """
    return [_type_to(one) for one in types]


def _type_to(one: Type) -> dict[str, Any]:
    exposed = one.exposed if one.exposed is not None else getattr(one.proxytype, "_exposed_", None)
    return {
        "typeid": one.typeid,
        "callable": None if one.callable is None else name_of(one.callable, f"the callable of {one.typeid!r}"),
        "exposed": None if exposed is None else list(exposed),
        "method_to_typeid": dict(one.method_to_typeid),
        "create_method": one.create_method,
        "expose": None if one.expose is None else {**vars(one.expose)},
        "threads": one.threads,
        "needs": list(one.needs),
    }


def types_from(forms: list[dict[str, Any]]) -> Types:
    """Return types from plain values."""
    made = Types()
    for form in forms:
        expose = form["expose"]
        made.register(**{**form, "expose": None if expose is None else Expose(**expose)})
    return made


def told(report: Mapping[str, Any], registry: Registry) -> str:
    """Return the address that a report is about.

    :raises Exception: what went wrong instead, as the manager's process says.
    """
    failure = report.get("failure")
    if failure is not None:
        raise rebuild(failure, registry)
    address = report["address"]
    if not isinstance(address, str):
        raise CannotStart("the manager's process says nothing of use")
    return address
