"""The life of a connection as one table: which event leads from which state to which."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from broker.errors import ProtocolError

__all__ = ["TRANSITIONS", "Happening", "State", "advance"]


class State(Enum):
    """Where a connection stands."""

    NEW = auto()
    #: The listening side has offered its dialects, or the connecting side waits for the offer.
    GREETING = auto()
    #: A dialect is fixed; messages flow both ways.
    OPEN = auto()
    #: The transport is gone, or is going because of an error; nothing more is read or written.
    CLOSED = auto()

    # That of enumerations is of the name, and in Python.
    __hash__ = object.__hash__


class Happening(Enum):
    """What can happen to a connection."""

    CONNECTED = auto()
    AGREED = auto()
    LOST = auto()

    __hash__ = object.__hash__


TRANSITIONS: Final[dict[tuple[State, Happening], State]] = {
    (State.NEW, Happening.CONNECTED): State.GREETING,
    (State.NEW, Happening.LOST): State.CLOSED,
    (State.GREETING, Happening.AGREED): State.OPEN,
    (State.GREETING, Happening.LOST): State.CLOSED,
    (State.OPEN, Happening.LOST): State.CLOSED,
    # Both ends may notice the end, and a failed connection is lost once more by its transport.
    (State.CLOSED, Happening.LOST): State.CLOSED,
}


def advance(state: State, happening: Happening) -> State:
    """Return the state that follows.

    :raises ProtocolError: the happening has no place in this state.
    """
    try:
        return TRANSITIONS[state, happening]
    except KeyError:
        raise ProtocolError(f"{happening.name} cannot happen while {state.name}") from None
