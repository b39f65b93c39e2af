"""broker through its door for programs written for `twisted.spread.pb`, so in the PB dialect."""

from __future__ import annotations

from tests.benchmarks.pb_shape import PBPeer, session_tables

PEER = PBPeer("broker-pb", "broker.spread.pb", "broker.spread.pb", session_tables)
