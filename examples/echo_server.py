"""The smallest server: one object, one method.

Run `python examples/echo_server.py`, then in another terminal `python examples/echo_client.py`.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

import broker


class Echo(broker.Root):
    """What clients get first."""

    def remote_echo(self, text: str) -> str:
        return text


async def main(reactor: Any, endpoint: str = "tcp:8787") -> None:
    port: Any = await broker.serve(endpoint, Echo())
    address = port.getHost()
    print(f"serving at tcp:{address.host}:{address.port}", flush=True)
    await Deferred()  # until Ctrl-C


if __name__ == "__main__":
    react(main, sys.argv[1:])
