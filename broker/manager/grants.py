"""Grants: secrets for which a holder gets a shared object later, on any connection; they keep the object meanwhile."""

from __future__ import annotations

from secrets import token_bytes
from typing import Any, Final

from broker.errors import LimitExceeded, UnknownName

__all__ = ["Grants", "LIFETIME"]

#: Seconds that a grant is good for if nothing else is said: enough for a process to start.
LIFETIME: Final = 60.0
_LONGEST: Final = 7 * 24 * 3600.0
#: Most grants at a time, of all clients together.
_MOST: Final = 100_000


class Grants:
    """The grants of one manager.

    :param clock: tells the time, an `IReactorTime`.
    """

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._granted: dict[bytes, tuple[Any, Any]] = {}

    def __len__(self) -> int:
        return len(self._granted)

    def give(self, value: Any, seconds: float) -> bytes:
        """Return the secret for an object.

        :param seconds: how long it is good for.
        :raises ValueError: that is no time.
        :raises LimitExceeded: there are too many.
        """
        if not 0 < seconds <= _LONGEST:
            raise ValueError(f"a grant is good for up to {_LONGEST:g} seconds, not {seconds!r}")
        if len(self._granted) >= _MOST:
            raise LimitExceeded(f"there are {_MOST} grants")
        secret = token_bytes(16)
        self._granted[secret] = value, self._clock.callLater(seconds, self._granted.pop, secret)
        return secret

    def take(self, secret: Any) -> Any:
        """Return the object for a secret, which remains good.

        :raises UnknownName: it is good for nothing, or not any more.
        """
        found = self._granted.get(secret) if type(secret) is bytes else None
        if found is None:
            raise UnknownName("the grant is over: the object was not asked for in time, or the manager is another one")
        return found[0]

    def withdraw(self, secret: Any) -> None:
        """End a grant, if it is good."""
        found = self._granted.pop(secret, None) if type(secret) is bytes else None
        if found is not None:
            found[1].cancel()

    def clear(self) -> None:
        """End all."""
        for secret in list(self._granted):
            self.withdraw(secret)
