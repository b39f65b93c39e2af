"""Gives up waiting, in three ways: by a deadline, by hand, and by hand where that does not stop the work.

Run `python examples/patience_server.py` first, then `python examples/patience_client.py [ENDPOINT]`.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.task import deferLater, react

import broker


async def main(reactor: Any, endpoint: str = "tcp:127.0.0.1:8787") -> None:
    workshop = await broker.connect(endpoint, callTimeout=30)

    try:
        await workshop.options(timeout=0.5).callRemote("paint", "chair")
    except broker.DeadlineExceeded as error:
        print("too late:", error)

    # The server answers a call that was cancelled when the work has ended; this waits for it.
    waiting = workshop.options(cancel="wait").callRemote("paint", "table")
    reactor.callLater(0.1, waiting.cancel)
    try:
        await waiting
    except CancelledError:
        print("the table was given up")

    waiting = workshop.callRemote("glue", "vase")
    reactor.callLater(0.05, waiting.cancel)
    try:
        await waiting
    except CancelledError:
        print("the vase is not waited for, and glued all the same")
    await deferLater(reactor, 0.3)


if __name__ == "__main__":
    react(main, sys.argv[1:])
