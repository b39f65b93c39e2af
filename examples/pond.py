"""A class that travels as a copy, and the class that receives it; see pond_server.py."""

from __future__ import annotations

from typing import Any

import broker


class Pond(broker.Copyable):
    """A pond, where it was made."""

    def __init__(self, frogs: int, toads: int) -> None:
        self.frogs = frogs
        self.toads = toads
        self.owner = "the owner's address"

    def getStateToCopy(self) -> dict[str, Any]:
        """What others may see."""
        return {"frogs": self.frogs, "toads": self.toads}


class ReceivedPond(broker.RemoteCopy):
    """A pond, where it arrives: a class of the receiver's own, with methods of its own."""

    frogs: int
    toads: int

    def count(self) -> int:
        return self.frogs + self.toads


# Nothing is accepted that was not asked for: this allows ponds to arrive, and says as what.
broker.setUnjellyableForClass(Pond, ReceivedPond)
