"""An object that hands out another: every Referenceable that a method returns becomes callable for the caller.

Run `python examples/second_server.py`, then in another terminal `python examples/second_client.py`.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

import broker


class Account(broker.Referenceable):
    """Nobody can reach it by a name: only who was given it can call it."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.balance = 0

    def remote_deposit(self, amount: int) -> int:
        self.balance += amount
        print(f"{self.owner} deposits {amount}", flush=True)
        return self.balance


class Bank(broker.Root):
    def remote_open(self, owner: str) -> Account:
        return Account(owner)


async def main(reactor: Any, endpoint: str = "tcp:8787") -> None:
    port: Any = await broker.serve(endpoint, Bank())
    address = port.getHost()
    print(f"serving at tcp:{address.host}:{address.port}", flush=True)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
