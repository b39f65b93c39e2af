"""The manager's process: reads a letter, makes a server, says where it listens, and ends when its starter does."""

from __future__ import annotations

import os
import runpy
import signal
import sys
from types import ModuleType
from typing import Any, Final

from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.task import LoopingCall
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from broker._directory.importing import find
from broker._net.glancing import install
from broker._remote.faults import describe_exception
from broker.manager.folder import remove_folder
from broker.manager.letter import Incoming, pack, types_from
from broker.manager.naming import reading_program
from broker.manager.registry import Types
from broker.manager.server import Server

__all__ = ["main"]

#: Seconds between two looks at who our parent is.
_LOOK: Final = 1.0


@implementer(IReadDescriptor)
class _Lifeline:
    """The pipe that the letter came through; it ends when its other end is gone.

    :param ended: called then.
    """

    def __init__(self, number: int, ended: Any) -> None:
        self._number = number
        self._ended = ended

    def fileno(self) -> int:
        return self._number

    def logPrefix(self) -> str:
        return "starter"

    def doRead(self) -> Any:
        try:
            data = os.read(self._number, 4096)
        except BlockingIOError:
            return None
        return None if data else CONNECTION_LOST

    def connectionLost(self, reason: Failure) -> None:
        self._ended()


def main() -> None:
    """Be a manager's process; the numbers of the pipes for letter and report are the arguments of the program."""
    # Control-C is pressed for the starter, and the terminal is its own; it says when it is over.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    taking, giving = int(sys.argv[1]), int(sys.argv[2])
    letter = _read(taking)
    if letter is None:
        return
    code = 1
    try:
        _begin_logging()
        _prepare(letter)
        types = _types(letter)
        initializer = letter["initializer"]
        if initializer is not None:
            find(initializer, "initializer")(*letter["initargs"])
    except Exception as error:  # noqa: BLE001  whatever code of the user's raises, the starter is told
        _report_failure(giving, error)
    else:
        code = _run(letter, types, taking, giving)
    finally:
        remove_folder(letter["folder"])
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads that hang must not keep the process.
    os._exit(code)


def _read(number: int) -> Any:
    """Return the letter; None if the starter has gone before it was whole."""
    coming = Incoming()
    while not coming.done:
        data = os.read(number, min(coming.missing, 1 << 16))
        if not data:
            return None
        coming.feed(data)
    return coming.value


def _begin_logging() -> None:
    observer = FilteringLogObserver(textFileLogObserver(sys.stderr), [LogLevelFilterPredicate(LogLevel.warn)])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)


def _prepare(letter: dict[str, Any]) -> None:
    """Make this process one in which the starter's names mean what they do there."""
    sys.path[:] = letter["path"]
    sys.argv[:] = letter["argv"]
    main = letter["main"]
    if main is None:
        return
    # As `multiprocessing` does it: the program again, under another name, so that it does not begin.
    with reading_program():
        if "module" in main:
            content = runpy.run_module(main["module"], run_name="__mp_main__", alter_sys=True)
        else:
            content = runpy.run_path(main["path"], run_name="__mp_main__")
    module = ModuleType("__mp_main__")
    module.__dict__.update(content)
    sys.modules["__main__"] = sys.modules["__mp_main__"] = module


def _types(letter: dict[str, Any]) -> Types:
    types = types_from(letter["types"])
    for name, where in letter["functions"].items():
        types.register_function(name, where)
    for name in letter["setup"]:
        find(name, "function that registers types")(types)
    return types


def _run(letter: dict[str, Any], types: Types, taking: int, giving: int) -> int:
    """Serve until it is over; return the exit code."""
    install()
    from twisted.internet import reactor as running

    reactor: Any = running
    codes = [0]
    stopping: list[Any] = []

    def stop() -> None:
        # Soon, lest whoever asked gets no answer; and once, whoever else asks.
        if not stopping:
            stopping.append(reactor.callLater(0, reactor.stop))

    async def serving() -> None:
        server = Server(types, letter["key"], stop=stop if letter["stay"] else None, **letter["options"])
        await server.listen(letter["endpoint"])
        reactor.addSystemEventTrigger("before", "shutdown", server.close)
        _report(giving, {"address": server.address, "pid": os.getpid()})
        if letter["stay"]:
            os.close(taking)
        else:
            os.set_blocking(taking, False)
            reactor.addReader(_Lifeline(taking, stop))
            _watch_parent(stop)

    def failed(failure: Failure) -> None:
        codes[0] = 1
        _report_failure(giving, failure.value)
        stop()

    def begin() -> None:
        maybeDeferred(ensureDeferred, serving()).addErrback(failed)

    reactor.callWhenRunning(begin)
    reactor.run()
    return codes[0]


def _watch_parent(stop: Any) -> Deferred[Any]:
    """End with the parent also where a child that it has forked keeps the pipe open."""
    parent = os.getppid()

    def look() -> None:
        if os.getppid() != parent:
            stop()

    return LoopingCall(look).start(_LOOK, now=False)


def _report(number: int, report: dict[str, Any]) -> None:
    data = memoryview(pack(report))
    try:
        while data:
            data = data[os.write(number, data) :]
    except BrokenPipeError:
        # The starter is gone; the lifeline says so, too.
        pass


def _report_failure(number: int, error: BaseException | None) -> None:
    assert error is not None
    _report(number, {"failure": describe_exception(error, tracebacks=True)})
