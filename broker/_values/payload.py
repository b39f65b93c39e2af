"""One value in transit: still encoded, or already decoded where nothing in it needs a decision."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["PENDING", "Payload"]


class _Pending:
    """The type of `PENDING`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "PENDING"


#: Stands in `Payload.value` while the payload is still encoded.
PENDING: Final[Any] = _Pending()


class Payload:
    """The arguments, keywords or result of one call.

    A *plain* value (numbers, texts, bytes, containers of them) needs no whitelist, no registry and no perspective, so
    a dialect may decode it while it reads the message; `value` then holds it and `data` is None. Everything else stays
    encoded in `data`, with `value` PENDING, until the object called decides with which perspective to decode it.
    An outgoing payload is always encoded.
    """

    __slots__ = ("data", "value")

    def __init__(self, value: Any = PENDING, data: bytes | None = None) -> None:
        self.value = value
        self.data = data

    def __repr__(self) -> str:
        return f"Payload({self.value!r}, {self.data!r})"
