"""`twisted.spread.pb`, which broker succeeds."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.pb_shape import PBPeer, stock_tables

__all__ = ["AGAIN", "PEER"]


def _names() -> Any:
    from twisted.spread import pb

    return pb


PEER = PBPeer("stock", "twisted.spread.pb", "twisted.spread", stock_tables, names=_names, returns=False)
#: What two equal peers differ by is the noise of the machine.
AGAIN = PBPeer("stock-again", "twisted.spread.pb, again", "twisted.spread", stock_tables, names=_names, returns=False)
