"""Calls in the other direction: the server calls an object that the client passed as an argument.

Run `python examples/callback_server.py`, then in another terminal `python examples/callback_client.py`.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

import broker


class Launchpad(broker.Root):
    async def remote_countdown(self, start: int, listener: broker.RemoteReference) -> str:
        """A served method may wait: the caller gets the answer when it is done."""
        for number in range(start, 0, -1):
            reply = await listener.callRemote("tick", number)
            print(f"{number}: {reply}", flush=True)
        return "lift-off"


async def main(reactor: Any, endpoint: str = "tcp:8787") -> None:
    port: Any = await broker.serve(endpoint, Launchpad())
    address = port.getHost()
    print(f"serving at tcp:{address.host}:{address.port}", flush=True)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
