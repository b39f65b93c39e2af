"""Sends references back to where they came from.

Run `python examples/homecoming_server.py` first, then `python examples/homecoming_client.py [ENDPOINT]`.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.task import react

import broker


async def main(reactor: Any, endpoint: str = "tcp:127.0.0.1:8787") -> None:
    door = await broker.connect(endpoint)
    key = await door.callRemote("getKey")
    print("the key came as a", type(key).__name__)
    print("with the key, the door is", await door.callRemote("open", key))
    print("with another, the door is", await door.callRemote("open", await door.callRemote("getCopy")))


if __name__ == "__main__":
    react(main, sys.argv[1:])
