"""Gets a reference from a method's result and calls the object behind it.

Run `python examples/second_server.py` first, then `python examples/second_client.py [ENDPOINT]`.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.task import react

import broker


async def main(reactor: Any, endpoint: str = "tcp:127.0.0.1:8787") -> None:
    bank = await broker.connect(endpoint)
    account = await bank.callRemote("open", "Alice")
    print("balance:", await account.callRemote("deposit", 30))
    print("balance:", await account.callRemote("deposit", 12))


if __name__ == "__main__":
    react(main, sys.argv[1:])
