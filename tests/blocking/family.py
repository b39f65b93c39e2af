"""Processes of `multiprocessing`, for tests of managers: forked where that goes, for it is quickest."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["CONTEXT", "in_process", "in_threads", "processes"]

_METHODS = multiprocessing.get_all_start_methods()
CONTEXT: Any = multiprocessing.get_context("fork" if "fork" in _METHODS else "spawn")


@contextmanager
def processes(count: int, function: Callable[..., object], *args: Any) -> Iterator[list[Any]]:
    """Have processes call a function meanwhile. At the end they are waited for, and none may have failed."""
    started = [CONTEXT.Process(target=function, args=args) for _ in range(count)]
    for one in started:
        one.start()
    try:
        yield started
    except BaseException:
        for one in started:
            one.kill()
        raise
    finally:
        for one in started:
            one.join()
    assert [one.exitcode for one in started] == [0] * count


def in_process(function: Callable[..., object], *args: Any) -> None:
    """Have a process call a function; wait until it has."""
    with processes(1, function, *args):
        pass


@contextmanager
def in_threads(count: int, function: Callable[..., object], *args: Any) -> Iterator[None]:
    """Have threads call a function meanwhile. At the end they are waited for, and none may have failed."""
    problems: list[BaseException] = []

    def run() -> None:
        try:
            function(*args)
        except BaseException as error:  # noqa: BLE001  the test raises it
            problems.append(error)

    started = [threading.Thread(target=run, daemon=True) for _ in range(count)]
    for one in started:
        one.start()
    yield
    for one in started:
        one.join()
    if problems:
        raise problems[0]
