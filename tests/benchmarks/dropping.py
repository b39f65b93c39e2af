"""Shared objects that come and go, and what the manager keeps: ``python -m tests.benchmarks.dropping``.

Objects are made and dropped in groups, every second one within another. Once they are gone the manager's process must
be as it was: no object more, and as much memory. What it needs once and for all it has after a first group.
"""

from __future__ import annotations

import argparse
import gc
import sys
from time import perf_counter
from typing import Any, Final, NamedTuple

from broker.blocking import Manager

__all__ = ["Memory", "drop", "main", "room"]

#: By so much the allocated blocks may differ: caches fill, and the allocator counts what is about to be freed.
_BLOCKS: Final = 0.01
#: And by so many bytes what the process occupies, which it gets and gives back in pieces of a megabyte.
_BYTES: Final = 4 << 20


class Memory(NamedTuple):
    """What a manager's process has.

    :param objects: how many are shared.
    :param blocks: how many the interpreter has allocated.
    :param resident: bytes that the process occupies; 0 where nobody says.
    """

    objects: int
    blocks: int
    resident: int

    def as_before(self, before: Memory) -> bool:
        """Return whether this is as much as there was before."""
        return (
            self.objects == before.objects
            and self.blocks <= before.blocks * (1 + _BLOCKS)
            and self.resident <= before.resident + _BYTES
        )


def room() -> tuple[int, int]:
    """Return how many blocks are allocated, and how many bytes the process occupies; runs in the manager's process."""
    gc.collect()
    resident = 0
    if sys.platform == "linux":
        with open("/proc/self/status", encoding="ascii") as file:
            resident = next(int(line.split()[1]) << 10 for line in file if line.startswith("VmRSS"))
    return sys.getallocatedblocks(), resident


class _Measured(Manager):
    """A manager that tells what it has."""


_Measured.register_function("room", room)


def _memory(manager: Any, pool: Any) -> Memory:
    # What was dropped is released with other messages; the pool is there all the time.
    while (objects := manager.number_of_objects()) > 1:
        pass
    return Memory(objects, *pool.apply("room"))


def _group(manager: Any, count: int) -> None:
    """Make objects, and drop them."""
    made = []
    for number in range(0, count, 2):
        made.append(manager.list([number]))
        made.append(manager.dict(inside=made[-1]))
    assert manager.number_of_objects() >= count
    del made
    gc.collect()


def drop(objects: int, at_once: int = 1000) -> tuple[Memory, Memory, Memory]:
    """Make and drop shared objects.

    :param objects: how many in all.
    :param at_once: how many there are at a time.
    :returns: what the manager's process had at first, when a first group was gone, and when all were.
    """
    with _Measured() as manager:
        pool = manager.Pool(1)
        pool.apply("room")
        first = _memory(manager, pool)
        _group(manager, at_once)
        before = _memory(manager, pool)
        for _ in range(objects // at_once):
            _group(manager, at_once)
        after = _memory(manager, pool)
    return first, before, after


def main() -> None:
    """Make and drop them, and print what there was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--at-once", type=int, default=1000)
    options = parser.parse_args()
    begin = perf_counter()
    found = drop(options.objects, options.at_once)
    took = perf_counter() - begin
    for name, memory in zip(("at first", "after one group", "at last"), found, strict=True):
        print(f"{name:16} {memory.objects:3} objects {memory.blocks:9} blocks {memory.resident / 2**20:7.1f} MiB")
    print(f"{options.objects} objects made and dropped in {took:.1f} s")
    sys.exit(0 if found[2].as_before(found[1]) else 1)


if __name__ == "__main__":
    main()
