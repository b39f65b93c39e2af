"""`twisted.spread.pb` under a second name: what two equal peers differ by is the noise of the machine."""

from __future__ import annotations

from tests.benchmarks.pb_shape import PBPeer, stock_tables

PEER = PBPeer("stock-again", "twisted.spread.pb, again", "twisted.spread.pb", stock_tables, returns=False)
