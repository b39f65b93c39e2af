"""A class that travels as a copy that is kept up to date, and the class of that copy; see ducks_server.py."""

from __future__ import annotations

from typing import Any

import broker


class DuckPond(broker.Cacheable):
    """The original. It knows its observers, one for each peer that holds a copy, and tells them what changes."""

    def __init__(self, ducks: list[str]) -> None:
        self.ducks = ducks
        self.observers: list[Any] = []

    def getStateToCacheAndObserveFor(self, perspective: Any, observer: Any) -> list[str]:
        self.observers.append(observer)
        return self.ducks

    def stoppedObserving(self, perspective: Any, observer: Any) -> None:
        self.observers.remove(observer)
        print(f"{len(self.observers)} copies left", flush=True)

    async def add(self, duck: str) -> None:
        self.ducks.append(duck)
        for observer in self.observers:
            await observer.callRemote("added", duck)


class CachedPond(broker.RemoteCache):
    """The copy. It is read without asking anybody."""

    ducks: list[str]

    def setCopyableState(self, state: list[str]) -> None:
        self.ducks = state

    def observe_added(self, duck: str) -> None:
        self.ducks.append(duck)


broker.setUnjellyableForClass(DuckPond, CachedPond)
