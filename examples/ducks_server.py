"""Owns an object of which clients hold copies that are kept up to date.

Run `python examples/ducks_server.py`, then in another terminal `python examples/ducks_client.py`.
"""

from __future__ import annotations

import sys
from typing import Any

from ducks import DuckPond
from twisted.internet.defer import Deferred
from twisted.internet.task import react

import broker


class Farm(broker.Root):
    def __init__(self) -> None:
        self.pond = DuckPond(["Huey", "Dewey"])

    def remote_getPond(self) -> DuckPond:
        return self.pond

    async def remote_hatch(self, duck: str) -> None:
        await self.pond.add(duck)


async def main(reactor: Any, endpoint: str = "tcp:8787") -> None:
    port: Any = await broker.serve(endpoint, Farm())
    address = port.getHost()
    print(f"serving at tcp:{address.host}:{address.port}", flush=True)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
