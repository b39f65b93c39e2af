"""Sleeping until a socket is ready or somebody wakes the sleeper, as the platform has it."""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from typing import Any, Final, Protocol

__all__ = ["AT_ONCE", "BLOCKS", "READ", "WRITE", "Poll", "Waker"]

#: The flags with which a socket that blocks does not.
AT_ONCE: Final[int] = getattr(socket, "MSG_DONTWAIT", 0)
#: Whether there are such flags, so that sockets may be ones that block.
BLOCKS: Final = AT_ONCE != 0
READ: Final = 1
WRITE: Final = 4


class _File(Protocol):
    def fileno(self) -> int: ...


class Poll:
    """Sleeps until one of some files is ready. One thread at a time."""

    def __init__(self) -> None:
        self._watched: dict[int, int] = {}
        self._poll: Any = select.poll() if hasattr(select, "poll") else None

    def watch(self, file: _File, events: int) -> None:
        """Add a file.

        :param events: `READ`, `WRITE`, both, or nothing.
        """
        self._watched[file.fileno()] = events
        if self._poll is not None:
            self._poll.register(
                file, (select.POLLIN if events & READ else 0) | (select.POLLOUT if events & WRITE else 0)
            )

    def wait(self, seconds: float | None) -> list[Any]:
        """Sleep; return pairs with the number of a file that is ready, or broken, first.

        :param seconds: how long at most; None for as long as it takes.
        """
        if self._poll is not None:
            found: list[Any] = self._poll.poll(None if seconds is None else max(0.0, min(seconds, 1e6)) * 1000)
            return found
        reading = [number for number, events in self._watched.items() if events & READ]
        writing = [number for number, events in self._watched.items() if events & WRITE]
        ready = select.select(reading, writing, [], None if seconds is None else max(0.0, seconds))
        return [(number, 0) for number in {*ready[0], *ready[1]}]


class Waker:
    """Wakes a thread that sleeps in a `Poll`, from any thread, a signal handler or a finaliser.

    :ivar reader: what the sleeping thread watches.
    """

    def __init__(self) -> None:
        self.reader, self._writer = socket.socketpair()
        self.reader.setblocking(False)
        self._writer.setblocking(False)
        self._set = False

    def wake(self) -> None:
        """Wake the thread, or have it not fall asleep."""
        if not self._set:
            self._set = True
            # Closed, at the very end.
            with suppress(OSError):
                self._writer.send(b"\0")

    def clear(self) -> None:
        """Be ready for the next time; what there is to be seen must be looked at after this."""
        # In this order: a byte that came in between would be taken, and none would follow. And in any case: a thread
        # between its two steps in `wake` may find the mark taken back, and send its byte all the same.
        with suppress(OSError):
            self.reader.recv(64)
        self._set = False

    def close(self) -> None:
        """Let go of the descriptors."""
        self.reader.close()
        self._writer.close()
