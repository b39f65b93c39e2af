"""Asks the quote server for a quote.

Run `cd examples/quotes` and there `python -m twisted quotes` first, then in another terminal
`python examples/quotes/quote_client.py [ENDPOINT]`.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.task import react

import broker


async def main(reactor: Any, endpoint: str = "tcp:127.0.0.1:8787") -> None:
    quoter = await broker.connect(endpoint)
    print(await quoter.callRemote("nextQuote"))


if __name__ == "__main__":
    react(main, sys.argv[1:])
