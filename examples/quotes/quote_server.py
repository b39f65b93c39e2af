"""A `twistd` plugin of its own: options and service in a few lines, on top of broker's.

Run `cd examples/quotes` and there `python -m twisted quotes`, then in another terminal
`python examples/quotes/quote_client.py`. The plugin itself is the one line in twisted/plugins/quotes_plugin.py.
"""

from __future__ import annotations

from pathlib import Path
from random import choice

import broker
from broker import service

QUOTES = [
    "Simplicity is prerequisite for reliability.",
    "Premature optimization is the root of all evil.",
    "Controlling complexity is the essence of computer programming.",
]


class Quoter(broker.Root):
    def __init__(self, quotes: list[str]) -> None:
        self.quotes = quotes

    def remote_nextQuote(self) -> str:
        return choice(self.quotes)


class Options(service.ServeOptions):
    """All of broker's options for serving, and one more."""

    optParameters = [["quotes", "q", None, "a file with a quote on each line"]]


def makeService(options: Options) -> service.BrokerService:
    quotes = Path(options["quotes"]).read_text().splitlines() if options["quotes"] else QUOTES
    return service.makeService(options, Quoter(quotes))
