"""For other people's tests: two connected ends in memory, and checks of what should hold at the end.

No port, no reactor, no real clock; the test decides which bytes arrive when. See ``docs/howto/testing``.
"""

from __future__ import annotations

from broker.testing.checks import check_copyable, check_referenceable
from broker.testing.endpoints import memory_endpoints
from broker.testing.leftovers import assert_empty, assert_no_escape, tables
from broker.testing.pairs import NoResult, Pair, pair
from broker.testing.transport import MemoryAddress, MemoryTransport
from broker.testing.trial import BrokerTestMixin
from broker.testing.wire import NotQuiet, Wire, Written

__all__ = [
    "BrokerTestMixin",
    "MemoryAddress",
    "MemoryTransport",
    "NoResult",
    "NotQuiet",
    "Pair",
    "Wire",
    "Written",
    "assert_empty",
    "assert_no_escape",
    "check_copyable",
    "check_referenceable",
    "memory_endpoints",
    "pair",
    "tables",
]
