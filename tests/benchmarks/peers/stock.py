"""`twisted.spread.pb`, which broker succeeds."""

from __future__ import annotations

from tests.benchmarks.pb_shape import PBPeer, stock_tables

PEER = PBPeer("stock", "twisted.spread.pb", "twisted.spread.pb", stock_tables, returns=False)
