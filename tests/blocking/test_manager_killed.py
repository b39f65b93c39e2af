"""Processes that are killed without a word: a client that holds and waits for much, and the manager."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from broker.blocking import Manager
from broker.errors import DeadReferenceError, PBConnectionLost
from tests.blocking.family import CONTEXT
from tests.blocking.scene import ROOT

pytestmark = [
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL"),
]

#: Seconds after which something has not happened.
LONG = 60.0


@contextmanager
def running(function: Callable[..., object], *args: Any) -> Iterator[Any]:
    """Have a process call a function; it is killed at the end, if it was not."""
    process = CONTEXT.Process(target=function, args=args)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def until(found: Callable[[], object], wanted: object) -> None:
    """Ask until the answer is what it should be."""
    end = monotonic() + LONG
    while found() != wanted:
        assert monotonic() < end, f"{found()} instead of {wanted}"


# A client.


def _have_much(address: str, shared: dict[str, Any]) -> None:
    """Hold locks, have objects and wait in several threads, for ever."""
    own = Manager(address).connect()
    mine = own.list([own.list() for _ in range(9)])
    shared["table"]["theirs"] = mine
    for name in ("lock", "rlock", "rlock", "semaphore", "bounded", "condition"):
        shared[name].acquire()
    shared["other condition"].acquire()
    waiting = [shared["queue"].get, shared["barrier"].wait, shared["never"].wait, shared["held by the parent"].acquire]
    for function in waiting:
        threading.Thread(target=function, daemon=True).start()
    until(lambda: shared["barrier"].n_waiting, 1)
    shared["ready"].release()
    # In the main thread, with the lock of the condition given back.
    shared["other condition"].wait()


def _live_on(shared: dict[str, Any]) -> None:
    """Hold a lock and wait for an item, to the end."""
    with shared["kept"]:
        shared["ready"].release()
        item = shared["other queue"].get()
        shared["answers"].put((item, shared["kept"].locked(), shared["table"]["text"]))


def test_a_client_that_holds_much_is_killed(manager: Manager) -> None:
    kinds = {
        "lock": "Lock",
        "rlock": "RLock",
        "semaphore": "Semaphore",
        "bounded": "BoundedSemaphore",
        "condition": "Condition",
        "other condition": "Condition",
        "queue": "Queue",
        "other queue": "Queue",
        "answers": "Queue",
        "never": "Event",
        "held by the parent": "Lock",
        "kept": "Lock",
        "table": "dict",
    }
    shared = {name: manager.create(kind) for name, kind in kinds.items()}
    shared["barrier"], shared["ready"] = manager.Barrier(3), manager.Semaphore(0)
    shared["held by the parent"].acquire()
    shared["table"]["text"] = "unchanged"
    before = manager.number_of_objects()
    with running(_live_on, shared) as other, running(_have_much, manager.address, shared) as client:
        for _ in range(2):
            assert shared["ready"].acquire(timeout=LONG)
        held = ["lock", "rlock", "semaphore", "bounded", "condition", "kept"]
        assert [name for name in held if shared[name].acquire(False)] == []
        # The process that lives on has it now, beside the one that is killed.
        assert manager.number_of_objects() == before + 10
        assert len(shared["table"].pop("theirs")) == 9
        os.kill(client.pid, signal.SIGKILL)
        for name in held[:-1]:
            assert shared[name].acquire(timeout=LONG) is True, name
            shared[name].release()
        with shared["other condition"]:
            # Nobody is there to hear of it.
            shared["other condition"].notify_all()
        until(lambda: shared["barrier"].broken, True)
        shared["queue"].put("not lost")
        assert shared["queue"].get(False) == "not lost"
        shared["held by the parent"].release()
        assert shared["held by the parent"].acquire(False) is True, "it was not given to one who is gone"
        until(manager.number_of_objects, before)
        # And the others know nothing of it.
        assert shared["kept"].acquire(False) is False
        shared["other queue"].put("item")
        assert shared["answers"].get(timeout=LONG) == ("item", True, "unchanged")
        other.join()
        assert other.exitcode == 0
    until(manager.number_of_objects, before)


def _hold_for_long(shared: Any) -> None:
    shared["lock"].acquire()
    shared["ready"].release()
    signal.pause()


def test_many_are_killed_one_after_the_other(manager: Manager) -> None:
    shared = {"lock": manager.Lock(), "ready": manager.Semaphore(0)}
    before = manager.number_of_objects()
    for _ in range(5):
        with running(_hold_for_long, shared):
            assert shared["ready"].acquire(timeout=LONG)
    assert shared["lock"].acquire(timeout=LONG)
    until(manager.number_of_objects, before)


# The manager.


def _wait_for_all(shared: dict[str, Any], report: Any) -> None:
    """Wait for one thing in each thread; report what came instead, and when."""

    def wait(name: str, function: Callable[[], object]) -> None:
        try:
            with shared["condition"] if name == "condition" else shared["nothing"]():
                shared["asleep"].release()
                function()
        except Exception as error:  # noqa: BLE001  the test looks at it
            report.put((name, type(error) is PBConnectionLost, str(error), monotonic()))
        else:
            report.put((name, False, "nothing was raised", monotonic()))

    waits: dict[str, Callable[[], object]] = {
        "queue": shared["queue"].get,
        "queue with a timeout": lambda: shared["queue"].get(timeout=LONG),
        "full queue": lambda: shared["full"].put(2),
        "lock": shared["lock"].acquire,
        "barrier": shared["barrier"].wait,
        "event": shared["event"].wait,
        "condition": shared["condition"].wait,
        "task": shared["full"].join,
    }
    threads = [threading.Thread(target=wait, args=one, daemon=True) for one in waits.items()]
    for one in threads:
        one.start()
    for one in threads:
        one.join()


@contextmanager
def _nothing() -> Iterator[None]:
    yield


WAITS = 8


def test_the_manager_is_killed_while_all_wait_for_it() -> None:
    with Manager() as manager:
        shared: dict[str, Any] = {
            "queue": manager.Queue(),
            "full": manager.JoinableQueue(1),
            "lock": manager.Lock(),
            "barrier": manager.Barrier(10),
            "event": manager.Event(),
            "condition": manager.Condition(),
            "asleep": manager.Semaphore(0),
            "nothing": _nothing,
        }
        shared["full"].put(1)
        shared["lock"].acquire()
        report, pid = CONTEXT.Queue(), manager.pid
        assert pid is not None and manager.address is not None
        folder = Path(manager.address.removeprefix("unix:")).parent
        assert folder.is_dir()
        with running(_wait_for_all, shared, report), running(_wait_for_all, shared, report):
            here = threading.Thread(target=_wait_for_all, args=(shared, report))
            here.start()
            for _ in range(3 * WAITS):
                assert shared["asleep"].acquire(timeout=LONG)
            until(lambda: shared["barrier"].n_waiting, 3)
            killed = monotonic()
            os.kill(pid, signal.SIGKILL)
            found = [report.get(timeout=LONG) for _ in range(3 * WAITS)]
            here.join()
        until(folder.exists, False)
        assert [one for one in found if not one[1]] == [], "each fails with the same error"
        texts = {text for _, _, text, _ in found}
        assert all("lost" in text or "closed" in text for text in texts), texts
        assert max(when for *_, when in found) - killed < 1.0
        said = re.escape(f"the manager at {manager.address} is gone")
        for ask in (shared["queue"].qsize, lambda: shared["queue"] == [1], lambda: shared["queue"].put([1])):
            with pytest.raises(DeadReferenceError, match=f"^{said}$"):
                ask()
        with pytest.raises(DeadReferenceError, match=f"^{said}$"), shared["lock"]:
            pass
        with pytest.raises(FileNotFoundError, match=f"there is no manager: .*: '{re.escape(manager.address)}'$"):
            manager.list()
        report.close()
        report.join_thread()
    assert not folder.exists() and manager.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


PROGRAM = """
import os, signal
from broker.blocking import Manager
from broker.errors import PBConnectionLost

if __name__ == "__main__":
    manager = Manager().start()
    numbers = manager.list()
    print(manager.pid, manager.address.removeprefix("unix:"), flush=True)
    os.kill(manager.pid, signal.SIGKILL)
    try:
        numbers.append(1)
    except PBConnectionLost:
        print("lost")
"""


def test_a_program_whose_manager_was_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=LONG,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    first, *rest = done.stdout.splitlines()
    pid, socket = first.split()
    assert (rest, done.stderr) == (["lost"], "")
    assert not Path(socket).parent.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)
