"""What stands at the server of peers whose proxies read like the object: attributes, items, something to iterate."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.workloads import Sizes, value_of

__all__ = ["Store", "numbers"]


class _Shelf:
    """What a chain of operations ends at."""

    def price(self, value: Any) -> Any:
        """Return the value."""
        return value


class _Stock:
    """What has the shelves."""

    def __init__(self) -> None:
        self.shelves = {"a": _Shelf()}


class Store:
    """The object that proxies stand for.

    :ivar number: an attribute to be read.
    """

    def __init__(self) -> None:
        self.number = 1
        self.stock = _Stock()

    def echo(self, value: Any) -> Any:
        """Return the value."""
        return value

    def numbers(self, count: int) -> list[int]:
        """Return a list to be iterated."""
        return numbers(count)


def numbers(count: int) -> list[int]:
    """Return the list that is iterated: what `value_of` calls ints."""
    found: list[int] = value_of("ints", Sizes(ints=count))
    return found
