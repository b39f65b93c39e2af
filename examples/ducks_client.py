"""Holds a copy that is kept up to date.

Run `python examples/ducks_server.py` first, then `python examples/ducks_client.py [ENDPOINT]`.
"""

from __future__ import annotations

import sys
from typing import Any

import ducks  # noqa: F401  says as what a pond arrives here
from twisted.internet.task import react

import broker


async def main(reactor: Any, endpoint: str = "tcp:127.0.0.1:8787") -> None:
    farm = await broker.connect(endpoint)
    pond = await farm.callRemote("getPond")
    print("ducks:", ", ".join(pond.ducks))
    await farm.callRemote("hatch", "Louie")
    print("ducks:", ", ".join(pond.ducks))
    print("still the same pond:", pond == await farm.callRemote("getPond"))


if __name__ == "__main__":
    react(main, sys.argv[1:])
