"""What the tests of managers for code that waits have in the manager's process, and in children."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import Queue
from typing import Any

from broker.blocking import BaseManager, BaseProxy, MakeProxyType, Manager

__all__ = [
    "Counter",
    "Customized",
    "Deep",
    "Desk",
    "GeneratorProxy",
    "Own",
    "QueueClient",
    "QueueManager",
    "Remembering",
    "Working",
    "count_up",
    "leaving_a_child",
    "remember",
    "squares",
    "started",
    "worker",
]

_remembered: list[Any] = []


class Counter:
    """Counts."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, number: int = 1) -> int:
        self.count += number
        return self.count

    def _hidden(self) -> int:
        return 1

    def __str__(self) -> str:
        return f"counted {self.count}"


class Deep:
    """Has a method of a name that proxies have."""

    def _getvalue(self) -> str:
        return "of the object"


class Desk:
    """Does what goes wrong, and tells of what it is given."""

    def __init__(self) -> None:
        self.kept: Any = None

    def odd(self) -> object:
        return object()

    def fail(self, text: str) -> None:
        raise KeyError(text)

    def keep(self, thing: Any) -> str:
        self.kept = thing
        return type(thing).__module__ + "." + type(thing).__qualname__

    def is_kept(self, thing: Any) -> bool:
        return thing is self.kept

    def loads(self, data: bytes) -> bool:
        return pickle.loads(data) is self.kept

    def counter(self) -> Counter:
        return Counter()

    def numbers(self) -> Iterator[int]:
        yield from range(3)


def squares() -> Iterator[int]:
    """Generate numbers."""
    for number in range(4):
        yield number * number


class GeneratorProxy(BaseProxy):
    """The proxy of the page of `processing`."""

    _exposed_ = ("__next__",)

    def __iter__(self) -> GeneratorProxy:
        return self

    def __next__(self) -> Any:
        return self._callmethod("__next__")


CounterProxy = MakeProxyType("CounterProxy", ("add",))


class Own(BaseManager):
    """A manager with types of its own only."""


Own.register("Counter", Counter, proxytype=CounterProxy)
Own.register("Restricted", Counter, exposed=("add", "_hidden"))
Own.register("Deep", Deep, exposed=("_getvalue",))
Own.register("Desk", Desk, method_to_typeid={"counter": "Counter"})
Own.register("squares", squares, proxytype=GeneratorProxy)
Own.register("remembered", list, exposed=("__len__",), create_method=False)
Own.register("wrapped", Counter, proxytype=lambda proxy: ["wrapped", proxy])


class FooBar:
    """Has a method, one that fails, and one that nobody is to call."""

    def f(self) -> str:
        return "f()"

    def g(self) -> None:
        raise ValueError

    def _h(self) -> str:
        return "_h()"


class Customized(BaseManager):
    """A manager with one class under two names, and a generator."""


Customized.register("Foo", callable=FooBar)
Customized.register("Bar", callable=FooBar, exposed=("f", "_h"))
Customized.register("baz", callable=squares, proxytype=GeneratorProxy)

_queue: Queue[Any] = Queue()


def get_queue() -> Queue[Any]:
    """Return the queue of this process."""
    return _queue


class QueueManager(BaseManager):
    """A manager with one queue of Python's, whose methods wait."""


QueueManager.register("get_queue", callable=get_queue, threads=True)


class QueueClient(BaseManager):
    """The same for those who only connect to it."""


QueueClient.register("get_queue")


class Working(Manager):
    """A manager whose pools know some functions."""


def square(number: int) -> int:
    """Return a square."""
    return number * number


def failing(number: int) -> None:
    """Fail."""
    raise RuntimeError(number)


Working.register_function("square", square)
Working.register_function("mul", "operator:mul")
Working.register_function("int", int)
Working.register_function("failing", failing)


class Remembering(Manager):
    """A manager that tells what its initializer was given."""


def recall() -> list[Any]:
    """Return what the initializer was given."""
    return list(_remembered)


Remembering.register("recalled", recall)


def remember(*values: Any) -> None:
    """Keep some values; an initializer."""
    _remembered.extend(values)


def count_up(address: str, key: bytes, secret: bytes) -> None:
    """Change an object of another manager; an initializer."""
    names = Manager(address, key).connect().hub.redeem(secret)
    names.test += 1


def leaving_a_child() -> None:
    """Fork a process that has all that this one has, and stays; an initializer."""
    pid = os.fork()
    if not pid:
        signal.pause()
    _remembered.append(pid)


def started(manager: Any) -> Iterator[Any]:
    """Start a manager for some tests, and shut it down; in another thread, as the main one may have a reactor."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(manager.start).result()
        yield manager
        pool.submit(manager.shutdown).result()


def worker(numbers: Any, lock: Any, results: Any, times: int) -> None:
    """Count with others, in a process of its own."""
    for _ in range(times):
        with lock:
            numbers[0] = numbers[0] + 1
    results.put((numbers, os.getpid()))


def pool_worker(numbers: Any) -> int:
    """Append something, in a process of a pool."""
    numbers.append(os.getpid())
    return len(numbers)
