"""References that come home: an object sent out and sent back is the very same object, not a copy or a proxy.

Run `python examples/homecoming_server.py`, then in another terminal `python examples/homecoming_client.py`.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

import broker


class Key(broker.Referenceable):
    """Worth nothing by itself: what counts is which one it is."""


class Door(broker.Root):
    def __init__(self) -> None:
        self.key = Key()

    def remote_getKey(self) -> Key:
        return self.key

    def remote_getCopy(self) -> Key:
        return Key()

    def remote_open(self, key: Any) -> str:
        print(f"got {key.__class__.__name__}, the right one: {key is self.key}", flush=True)
        return "open" if key is self.key else "shut"


async def main(reactor: Any, endpoint: str = "tcp:8787") -> None:
    port: Any = await broker.serve(endpoint, Door())
    address = port.getHost()
    print(f"serving at tcp:{address.host}:{address.port}", flush=True)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
