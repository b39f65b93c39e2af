"""Control-C while a thread waits: it ends the wait, and never what is done for the connection in between.

An interrupt may be raised between any two instructions of the main thread, also while it keeps the tables of a
connection. So for the time of a wait Python's own handler is replaced by one that notes the interrupt, and has it
raised where nothing is half done: in the sleep itself. A program with a handler of its own keeps that.
"""

from __future__ import annotations

import signal
import socket
from _thread import get_ident
from importlib import import_module
from threading import main_thread
from typing import Any, Final

from broker.blocking.forks import note

try:
    # What `signal` wraps to make enumerations of numbers, which takes longer than sending a call.
    _quick: Any = import_module("_signal")
except ImportError:
    _quick = signal

__all__ = ["Guard", "NOBODY", "SHORT", "guard"]

#: Seconds of one sleep of the main thread. An interrupt that comes between the last look and the sleep itself is not
#: noticed until that ends.
SHORT: Final = 0.5


_INTERRUPT: Final = int(signal.SIGINT)
_USUAL: Final = signal.default_int_handler


class Guard:
    """Says whether an interrupt may be raised now; this one is for threads that none is raised in.

    :ivar sleeping: whether it may.
    :ivar pending: whether one was noted.
    """

    __slots__ = ("minds", "pending", "sleeping", "socket")

    def __init__(self, minds: bool = True) -> None:
        self.sleeping = False
        self.pending = False
        #: Whether nothing but this raises anything in the thread while it receives.
        self.minds = minds
        #: What the thread receives from, or None.
        self.socket: socket.socket | None = None

    def receive(self, source: socket.socket) -> None:
        """Raise what was noted; the thread is about to receive from a socket that blocks.

        From here on an interrupt raises nothing, lest what was received be lost, but has the socket block no more.
        """

    def received(self) -> None:
        """The thread has received."""

    def leave(self) -> None:
        """End a wait.

        :raises KeyboardInterrupt: there was an interrupt.
        """

    def check(self) -> None:
        """Raise what was noted; the sleep begins."""


class _Main(Guard):
    """The guard of the main thread.

    :ivar ident: the thread.
    """

    __slots__ = ("__weakref__", "_handler", "ident")

    def __init__(self) -> None:
        super().__init__()
        self._handler = self._interrupted
        self.ident = main_thread().ident

    def forked(self) -> None:
        """This is the child: the thread that forked is its main thread."""
        self.ident = get_ident()

    def enter(self) -> bool:
        """Begin a wait; return whether interrupts are noted from now on."""
        if _quick.getsignal(_INTERRUPT) is not _USUAL:
            return False
        self.sleeping = self.pending = False
        self.socket = None
        _quick.signal(_INTERRUPT, self._handler)
        return True

    def leave(self) -> None:
        _quick.signal(_INTERRUPT, _USUAL)
        if self.pending:
            self.pending = False
            raise KeyboardInterrupt

    def _interrupted(self, number: int, frame: Any) -> None:
        if self.sleeping:
            raise KeyboardInterrupt
        self.pending = True
        if self.socket is not None:
            self.socket.setblocking(False)

    def receive(self, source: socket.socket) -> None:
        self.socket = source
        if self.pending:
            self.received()
            self.pending = False
            raise KeyboardInterrupt

    def received(self) -> None:
        source, self.socket = self.socket, None
        if self.pending and source is not None:
            source.setblocking(True)

    def check(self) -> None:
        self.sleeping = True
        if self.pending:
            self.pending = False
            raise KeyboardInterrupt


#: For the threads that no interrupt is raised in.
NOBODY: Final = Guard()
#: For the main thread where the program has a handler of its own, and inside another wait.
_OTHERS: Final = Guard(False)
_MAIN: Final = _Main()
note(_MAIN)


def guard(ident: int) -> Guard:
    """Return the guard of the calling thread, which has begun to work.

    :param ident: the thread.
    """
    if _MAIN.ident != ident:
        return NOBODY
    return _MAIN if _MAIN.enter() else _OTHERS
