"""The peers, one small module each; a new one is entered in `MODULES`."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from tests.benchmarks.port import Peer

__all__ = ["DEFAULT", "MODULES", "load"]

#: Name on the command line → module that has the peer as `PEER`.
MODULES = {
    "stock": "tests.benchmarks.peers.stock",
    "stock-again": "tests.benchmarks.peers.stock_again",
    "broker-pb": "tests.benchmarks.peers.broker_pb",
    "echo": "tests.benchmarks.peers.echo",
}
#: What is measured when nothing is chosen.
DEFAULT = ["stock", "broker-pb", "echo"]


def load(name: str) -> Peer:
    """Return the peer of that name.

    :raises KeyError: there is none.
    """
    return cast(Peer, import_module(MODULES[name]).PEER)
