"""What is left of a form that the data end in: how much is missing, and the containers that are open."""

from __future__ import annotations

from typing import Any

__all__ = ["Frame", "Incomplete"]


class Incomplete(Exception):
    """The form goes on behind the end of the buffer.

    :ivar missing: so many bytes at least.
    """

    def __init__(self, missing: int = 1) -> None:
        self.missing = missing


class Frame:
    """A container that the data ended in.

    :ivar kind: its type, or None for a reference to the container inside.
    :ivar items: what is whole of it.
    :ivar left: items or entries still to come, the one begun among them.
    :ivar key: the key of the entry begun, or the number of the reference.
    """

    __slots__ = ("depth", "items", "key", "kind", "left")

    def __init__(self, kind: type | None, items: Any, left: int, depth: int, key: Any = None) -> None:
        self.kind = kind
        self.items = items
        self.left = left
        self.depth = depth
        self.key = key
