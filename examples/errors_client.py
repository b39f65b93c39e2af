"""Catches what the server raised, as ordinary exceptions.

Run `python examples/errors_server.py` first, then `python examples/errors_client.py [ENDPOINT]`.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.task import react

import broker


async def main(reactor: Any, endpoint: str = "tcp:127.0.0.1:8787") -> None:
    shop = await broker.connect(endpoint)
    print("tea:", await shop.callRemote("order", "tea"))

    try:
        await shop.callRemote("order", "coffee")
    except broker.Error as error:
        print("expected:", error)

    try:
        await shop.callRemote("share", "tea", 0)
    except ZeroDivisionError as error:
        print("unexpected:", error)

    # A class that is not known here arrives as a RemoteError, which every remote exception is as well.
    try:
        await shop.callRemote("order", "coffee")
    except broker.RemoteError as error:
        print("raised there as:", error.remoteType.decode())


if __name__ == "__main__":
    react(main, sys.argv[1:])
