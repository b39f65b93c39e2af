"""What is measured: the values that travel and the ways to send them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["CALLS", "COUNTED", "FULL", "SMALL", "WORKLOADS", "Sizes", "Workload", "same", "value_of"]


@dataclass(frozen=True)
class Sizes:
    """How large the large values are, and how many are held where memory is measured."""

    ints: int = 10_000
    records: int = 1_000
    octets: int = 512 * 1024
    many_octets: int = 16 * 1024 * 1024
    held: int = 400


#: As the tables of the documentation state them.
FULL = Sizes()
#: For a quick look whether everything works.
SMALL = Sizes(ints=50, records=5, octets=4096, many_octets=16384, held=10)


def record(number: int) -> dict[str, Any]:
    """Return a record of 17 fields that shares nothing mutable with another one."""
    return {
        "id": number,
        "serial": (1 << 40) + number,
        "delta": -17 - number,
        "name": f"widget {number}",
        "title": "A fairly ordinary title, as titles go",
        "city": "Grüße aus Köln",
        "tags": ["red", "green", "blue"],
        "scores": [number + i for i in range(8)],
        "point": (number, number + 1),
        "bounds": (0.5, 1.5, 2.5),
        "ratio": 0.125,
        "price": 1234.5678,
        "active": True,
        "deleted": False,
        "parent": None,
        "digest": bytes(range(64)),
        "attributes": {f"attribute {i}": number + i for i in range(10)},
    }


_VALUES: dict[str, Callable[[Sizes], Any]] = {
    "null": lambda sizes: 1,
    "struct": lambda sizes: record(7),
    "ints": lambda sizes: [i * 7919 % 1_000_003 for i in range(sizes.ints)],
    "recs": lambda sizes: [record(i) for i in range(sizes.records)],
    "octets": lambda sizes: bytes(range(256)) * (sizes.octets // 256),
    "many-octets": lambda sizes: bytes(range(256)) * (sizes.many_octets // 256),
}


def value_of(kind: str, sizes: Sizes) -> Any:
    """Return a new value of that kind: null, struct, ints, recs, octets or many-octets."""
    return _VALUES[kind](sizes)


def same(sent: Any, got: Any) -> bool:
    """Tell whether an echo brought back what was sent; a peer without tuples may bring lists."""
    if isinstance(sent, (list, tuple)):
        return isinstance(got, (list, tuple)) and len(sent) == len(got) and all(map(same, sent, got))
    if isinstance(sent, dict):
        return isinstance(got, dict) and sent.keys() == got.keys() and all(same(sent[k], got[k]) for k in sent)
    return bool(sent == got)


@dataclass(frozen=True)
class Workload:
    """One row of the table.

    :param operation: what is done over and over: echo, refs, callback or connect; attr, iterate, chain, steps or calls
        with proxies that read like the object; for a `memory` workload, what is held: connections or references.
    :param value: the kind of value that is echoed.
    :param unit: `/s` operations per second, `MB/s` 10⁶ bytes echoed per second counted in one direction, `us` the
        99th percentile of the latency in microseconds, `B` bytes at the server for each thing held.
    :param in_flight: how many operations are under way at any time.
    :param busy: whether large byte strings are echoed on the same connection meanwhile.
    :param traced: whether memory is what tracemalloc counts, else what the resident set of the process grows by.
    :param side: whose memory.
    """

    name: str
    operation: str
    text: str
    value: str = "null"
    unit: str = "/s"
    in_flight: int = 1
    busy: bool = False
    traced: bool = False
    side: str = "server"

    @property
    def less_is_better(self) -> bool:
        """Tell whether the smaller number wins."""
        return self.unit in ("us", "B")


#: What is done with proxies that read like the object.
_PROXIED = frozenset(("attr", "iterate", "chain", "steps", "calls"))
_ALL = [
    Workload("seq-null", "echo", "echo(1), one after the other"),
    Workload("pipe-null", "echo", "echo(1), 100 in flight", in_flight=100),
    Workload("seq-struct", "echo", "echo of a record of 17 fields, one after the other", "struct"),
    Workload("pipe-struct", "echo", "echo of a record of 17 fields, 100 in flight", "struct", in_flight=100),
    Workload("bulk-ints", "echo", "echo of a list of 10,000 ints", "ints"),
    Workload("bulk-recs", "echo", "echo of a list of 1,000 records", "recs"),
    Workload("bytes-512k", "echo", "echo of one byte string of 512 KiB", "octets", "MB/s"),
    Workload("bytes-16m", "echo", "echo of one byte string of 16 MiB", "many-octets", "MB/s"),
    Workload("refs", "refs", "the server returns a new referenceable, one call on it, dropped"),
    Workload("callback", "callback", "the server calls an object of the client inside the call"),
    Workload("connect", "connect", "connect, get the root, one call, close"),
    Workload("attr", "attr", "an attribute of a remote object is read, an int"),
    Workload("iterate", "iterate", "a for loop over a remote list of 10,000 ints, all of it", "ints"),
    Workload("chain", "chain", 'five steps, stock.shelves["a"].price(1) + 1 of a remote object, and the result'),
    Workload("steps", "steps", "the steps of chain, each of them a call of its own"),
    Workload("calls-5", "calls", "echo(1) of a remote object, five times one after the other"),
    Workload("latency", "echo", "99th percentile of seq-null", unit="us"),
    Workload("latency-busy", "echo", "the same while 512 KiB echoes run on the same connection", unit="us", busy=True),
    Workload("memory-conn", "connections", "Python memory at the server per idle connection", unit="B", traced=True),
    Workload("memory-ref", "references", "Python memory at the server per exported reference", unit="B", traced=True),
    Workload(
        *("memory-import", "references", "Python memory at the client per reference that it holds"),
        unit="B",
        traced=True,
        side="client",
    ),
    Workload("rss-conn", "connections", "resident memory at the server per idle connection", unit="B"),
    Workload("rss-ref", "references", "resident memory at the server per exported reference", unit="B"),
]
WORKLOADS = {workload.name: workload for workload in _ALL}
#: Those that need nothing but calls and references: not proxies that read like the object.
CALLS = frozenset(workload.name for workload in _ALL if workload.operation not in _PROXIED)
#: Those where Python's own memory is counted, which a peer cannot offer whose memory is that of a C library.
COUNTED = frozenset(workload.name for workload in _ALL if workload.traced)
