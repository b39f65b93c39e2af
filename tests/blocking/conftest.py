"""Runs each test in a thread of its own: one that hangs is a failure, and the main thread may have a reactor."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from broker.blocking import Manager
    from tests.blocking.shares import Own

#: Seconds after which a test hangs. The slowest takes two, unless it is told to make a million calls.
PATIENCE = 60.0 + int(os.environ.get("BROKER_CALLS", "0")) / 1000


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Run a test."""
    args = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    problems: list[BaseException] = []

    def run() -> None:
        try:
            pyfuncitem.obj(**args)
        except BaseException as error:  # noqa: BLE001  the main thread raises it
            problems.append(error)

    thread = threading.Thread(target=run, name="test", daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if thread.is_alive():
        names: dict[Any, str] = {one.ident: one.name for one in threading.enumerate()}
        for ident, frame in sys._current_frames().items():
            print(f"--- {names.get(ident)}", *traceback.format_stack(frame), sep="\n")
        pytest.fail(f"hangs for {PATIENCE:g} seconds")
    if problems:
        raise problems[0]
    return True


@pytest.fixture(scope="module")
def manager() -> Iterator[Manager]:
    """A manager with the usual types, running."""
    # Not before the core was found to be the one to test.
    from broker.blocking import Manager
    from tests.blocking.shares import started

    yield from started(Manager())


@pytest.fixture(scope="module")
def own() -> Iterator[Own]:
    """A manager with types of its own, running."""
    from tests.blocking.shares import Own, started

    yield from started(Own())
