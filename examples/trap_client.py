"""Traps failures: four calls, one that works and three that fail for different reasons.

Run `python examples/trap_server.py` first, then `python examples/trap_client.py [ENDPOINT]`.
"""

from __future__ import annotations

import sys
from typing import Any

from trap_errors import Refused
from twisted.internet.task import react
from twisted.python.failure import Failure

import broker


class Secret:
    """A class that nobody has allowed to travel."""


def told(failure: Failure) -> str:
    """Trap the foreseen failures, by class; any other stays a failure and goes on to whoever waits for the call."""
    kind: Any = failure.trap(broker.InsecureJelly, broker.DeadReferenceError, Refused)
    return f"{kind.__name__}: {failure.getErrorMessage()}"


async def main(reactor: Any, endpoint: str = "tcp:127.0.0.1:8787") -> None:
    store = await broker.connect(endpoint)
    print("safe call:", await store.callRemote("put", "a text").addErrback(told))
    print("not allowed to travel:", await store.callRemote("put", [1, Secret()]).addErrback(told))
    print("remote exception:", await store.callRemote("clear").addErrback(told))
    await store.broker.disconnect()
    print("stale reference:", await store.callRemote("put", "a text").addErrback(told))


if __name__ == "__main__":
    react(main, sys.argv[1:])
