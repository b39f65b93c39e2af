"""Passes an object of its own and is called back.

Run `python examples/callback_server.py` first, then `python examples/callback_client.py [ENDPOINT]`.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.task import react

import broker


class Listener(broker.Referenceable):
    """Lives here; the server holds a reference to it."""

    def remote_tick(self, number: int) -> str:
        print(f"{number}...", flush=True)
        return "heard"


async def main(reactor: Any, endpoint: str = "tcp:127.0.0.1:8787") -> None:
    launchpad = await broker.connect(endpoint)
    print(await launchpad.callRemote("countdown", 3, Listener()))


if __name__ == "__main__":
    react(main, sys.argv[1:])
