"""Receives an object as a copy.

Run `python examples/pond_server.py`, then in another terminal `python examples/pond_client.py`.
"""

from __future__ import annotations

import sys
from typing import Any

from pond import ReceivedPond
from twisted.internet.defer import Deferred
from twisted.internet.task import react

import broker


class Zoo(broker.Root):
    def remote_takePond(self, pond: ReceivedPond) -> str:
        print(f"got a {type(pond).__name__} with {sorted(vars(pond))}", flush=True)
        return f"safe, all {pond.count()} of them"


async def main(reactor: Any, endpoint: str = "tcp:8787") -> None:
    port: Any = await broker.serve(endpoint, Zoo())
    address = port.getHost()
    print(f"serving at tcp:{address.host}:{address.port}", flush=True)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
