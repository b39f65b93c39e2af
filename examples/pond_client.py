"""Sends an object as a copy.

Run `python examples/pond_server.py` first, then `python examples/pond_client.py [ENDPOINT]`.
"""

from __future__ import annotations

import sys
from typing import Any

from pond import Pond
from twisted.internet.task import react

import broker


async def main(reactor: Any, endpoint: str = "tcp:127.0.0.1:8787") -> None:
    zoo = await broker.connect(endpoint)
    print("the pond is", await zoo.callRemote("takePond", Pond(frogs=12, toads=3)))


if __name__ == "__main__":
    react(main, sys.argv[1:])
