"""Offers a reference of one connection to another one, and prints what came of it; run with ``python -O``.

Usage: ``python -O -m tests.defects.third_party SERVER-PACKAGE CLIENT-PACKAGE give|cache``.
No assert statements here: -O drops them.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.python.failure import Failure

from tests.defects.wire import Implementation, Sides, Wire, value_of

__all__ = ["offer"]

TAG = b"tests.defects.Foreign"


def offer(sides: Sides, what: str) -> tuple[list[Any], list[Any]]:
    """Send a proxy of connection A over connection B.

    :param what: ``"give"`` for a reference, ``"cache"`` for a cached object.
    :returns: what the caller was told, and what B's server received.
    """
    pb = sides.server.pb

    class Foreign(pb.Cacheable):  # type: ignore[misc,name-defined]
        def getTypeToCopy(self) -> bytes:
            return TAG

        def getStateToCacheAndObserveFor(self, _perspective: Any, _observer: Any) -> Any:
            return {}

    class Served(pb.Root):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.seen: list[Any] = []
            self.mine = [pb.Referenceable(), Foreign()]

        def remote_give(self) -> Any:
            return self.mine[0]

        def remote_cache(self) -> Any:
            return self.mine[1]

        def remote_take(self, value: Any) -> None:
            self.seen.append(value)

    class RemoteForeign(sides.client.pb.RemoteCache):  # type: ignore[misc,name-defined]
        pass

    sides.client.pb.setUnjellyableForClass(TAG, RemoteForeign)
    there = Served()
    first, second = Wire(sides, Served()), Wire(sides, there)
    # Equal numbers on both connections: what a forged reference would reach.
    foreign, own = value_of(first.call(what)), value_of(second.call(what))
    told: list[Any] = []
    second.call("take", foreign).addBoth(told.append)
    return told, there.seen if own is not None else []


def main(server: str, client: str, what: str) -> None:
    told, seen = offer(Sides(Implementation(server), Implementation(client)), what)
    refused = [str(result.type) for result in told if isinstance(result, Failure)]
    print(f"debug={__debug__} refused={refused} received={len(seen)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
