"""Calls the echo server.

Run `python examples/echo_server.py` first, then `python examples/echo_client.py [ENDPOINT [TEXT]]`.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.task import react

import broker


async def main(reactor: Any, endpoint: str = "tcp:127.0.0.1:8787", text: str = "hello") -> None:
    echo = await broker.connect(endpoint)
    print(await echo.callRemote("echo", text))


if __name__ == "__main__":
    react(main, sys.argv[1:])
