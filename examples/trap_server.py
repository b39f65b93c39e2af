"""Serves calls that fail in every way there is.

Run `python examples/trap_server.py`, then in another terminal `python examples/trap_client.py`.
"""

from __future__ import annotations

import sys
from typing import Any

from trap_errors import Refused
from twisted.internet.defer import Deferred
from twisted.internet.task import react

import broker


class Store(broker.Root):
    def remote_put(self, thing: Any) -> str:
        return f"stored {thing}"

    def remote_clear(self) -> None:
        raise Refused("the store is not to be cleared")


async def main(reactor: Any, endpoint: str = "tcp:8787") -> None:
    port: Any = await broker.serve(endpoint, Store())
    address = port.getHost()
    print(f"serving at tcp:{address.host}:{address.port}", flush=True)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
