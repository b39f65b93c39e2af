"""What tests of the manager's process have there: types, functions, and what goes wrong at the start."""

from __future__ import annotations

import os
from typing import Any

from broker.manager import Manager, Types

__all__ = ["Counter", "Counting", "bad", "ending", "register", "remember", "slow_square"]

_remembered: list[Any] = []


class Counter:
    """Counts."""

    def __init__(self, start: int = 0) -> None:
        self.count = start

    def add(self, number: int) -> int:
        """Count on."""
        self.count += number
        return self.count


class Counting(Manager):
    """A manager with a type of its own."""


def slow_square(number: int) -> int:
    """Take a while."""
    return number * number


Counting.register("Counter", Counter)
Counting.register_function("square", slow_square)


def register(types: Types) -> None:
    """Register what cannot be named."""
    types.register("remembered", lambda: list(_remembered))
    types.register("pid", lambda: {"pid": os.getpid()})


def remember(*values: Any) -> None:
    """Keep some values; an initializer."""
    _remembered.extend(values)


def bad(text: str) -> None:
    """Fail; an initializer."""
    raise FileNotFoundError(2, text, "a file")


def ending() -> None:
    """End the process; an initializer."""
    os._exit(3)
