"""Work that takes long: one kind may be stopped by who asked for it, the other finishes what it began.

Run `python examples/patience_server.py`, then in another terminal `python examples/patience_client.py`.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater, react

import broker


class Workshop(broker.Root):
    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor

    async def remote_paint(self, thing: str) -> str:
        left = broker.remaining()
        bound = f"{left:.1f} seconds" if left is not None else "as long as it takes"
        print(f"painting the {thing}: {bound}", flush=True)
        try:
            await deferLater(self.reactor, 60)
        except CancelledError:
            print(f"the {thing} stays half painted", flush=True)
            raise
        return f"a painted {thing}"

    @broker.shielded
    async def remote_glue(self, thing: str) -> str:
        print(f"gluing the {thing}", flush=True)
        await deferLater(self.reactor, 0.2)
        print(f"the {thing} is glued", flush=True)
        return f"a glued {thing}"


async def main(reactor: Any, endpoint: str = "tcp:8787") -> None:
    port: Any = await broker.serve(endpoint, Workshop(reactor))
    address = port.getHost()
    print(f"serving at tcp:{address.host}:{address.port}", flush=True)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
