"""One value in transit: still encoded, or already decoded where nothing in it needs a decision."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["PENDING", "Broken", "Jellied", "Payload", "Unchecked"]


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
    encoded in `data`, with `value` PENDING, until the object called decides with which perspective to decode it; or
    `data` is empty and `value` says what is still to be done: it is `Jellied`, `Unchecked` or `Broken`.
    An outgoing payload is always encoded.

    lifted: whether something was made, or tried to be made, of what needed a decision.
    """

    __slots__ = ("data", "lifted", "value")

    def __init__(self, value: Any = PENDING, data: bytes | None = None) -> None:
        self.value = value
        self.data = data
        self.lifted = False

    def __repr__(self) -> str:
        return f"Payload({self.value!r}, {self.data!r})"


class Jellied:
    """An s-expression that was read and is still to be lifted."""

    __slots__ = ("expression",)

    def __init__(self, expression: Any) -> None:
        self.expression = expression


class Unchecked:
    """A plain value that was read and that the policy may still refuse."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Broken:
    """What stands for a value that could not be read, and why."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error
