"""The port behind which the peers stand: what a module under `peers/` offers, and what it is given."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["Control", "Done", "Failed", "Hold", "Operation", "Peer"]

#: Called with the result of one operation.
Done = Callable[[Any], object]
#: Called with what went wrong; anything whose text says it.
Failed = Callable[[Any], object]
#: Starts one operation and returns at once. Callbacks, not Deferreds: the bare limits must not pay for them.
Operation = Callable[[Done, Failed], object]
#: Opens a number of something and keeps it open until the process ends.
Hold = Callable[[int, Done, Failed], object]


class Control:
    """The line between a worker and the harness: one JSON object a line, commands in and answers out.

    Standard output is moved away first, so that a library that prints cannot be taken for an answer.
    """

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w", buffering=1)
        sys.stdout.flush()
        os.dup2(2, 1)
        self._rest = b""
        #: For a client: what the server told with its port.
        self.name = ""

    def fileno(self) -> int:
        """Return the descriptor on which the commands come."""
        return 0

    def tell(self, answer: dict[str, Any]) -> None:
        """Send one answer."""
        self._out.write(json.dumps(answer) + "\n")

    def read(self) -> list[dict[str, Any]] | None:
        """Wait for commands and return those that came; None when the harness is gone and the worker must end."""
        data = os.read(0, 65536)
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]


class Peer(Protocol):
    """One way to call objects of another process. The instance of a peer's module is called `PEER`.

    `serve` and `drive` run the two workers: each takes commands from `control`, gives each of them to
    `worker.common` first and, when that returns None, does it itself, and answers it with `control.tell`, with an
    `error` where it failed. Both return when `control.read` returns None. Peers inherit all that from
    `twisted_side.TwistedPeer`, `asyncio_side.AsyncioPeer` or `blocking_side.BlockingPeer`.
    """

    name: str
    title: str
    #: Names of the workloads that it offers.
    offers: frozenset[str]
    #: `ours`, `peer`, or `limit`: what does less than call objects, and so shows what there is to be had.
    kind: str
    #: Whether it is to run from sources only, see `sources`.
    pure: bool
    #: Names of the workloads that it does with one message for many calls.
    batched: frozenset[str]

    def missing(self) -> str | None:
        """Return why this peer cannot be measured here, or None when it can."""

    def serve(self, control: Control) -> None:
        """Be the server: listen on 127.0.0.1, tell `{"port": number, "name": text}`, serve until the harness is gone.

        `name` is what a client must know beside the port, mostly nothing; the client finds it as `control.name`.
        """

    def drive(self, control: Control, port: int) -> None:
        """Be the client: connect, tell `{"ready": true}`, and do what is asked until the harness is gone."""
