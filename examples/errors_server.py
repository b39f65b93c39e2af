"""Exceptions, expected and unexpected: both reach the caller, only the unexpected ones reach this side's log.

Run `python examples/errors_server.py`, then in another terminal `python examples/errors_client.py`.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.logger import globalLogBeginner, textFileLogObserver

import broker


class OutOfStock(broker.Error):
    """A foreseen outcome: nothing that this side's operator has to look at."""


class Shop(broker.Root):
    stock = {"tea": 12}

    def remote_order(self, item: str) -> int:
        if item not in self.stock:
            raise OutOfStock(f"there is no {item}")
        return self.stock[item]

    def remote_share(self, item: str, people: int) -> float:
        return self.stock[item] / people  # nobody thought of zero people


async def main(reactor: Any, endpoint: str = "tcp:8787") -> None:
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)
    port: Any = await broker.serve(endpoint, Shop())
    address = port.getHost()
    print(f"serving at tcp:{address.host}:{address.port}", flush=True)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
