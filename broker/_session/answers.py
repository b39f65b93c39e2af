"""Their calls that we have not finished yet, because the method returned a Deferred: call → that Deferred."""

from __future__ import annotations

from typing import Any

from broker._messages.messages import Call
from broker.errors import LimitExceeded

__all__ = ["Answers"]


class Answers:
    """The table of one connection's calls being served. A method that returns at once never enters it.

    Calls that want no answer are in it too: they cost as much. It is kept by call and not by request number, since a
    peer could give all its calls one number and pass under the ceiling.

    :param limit: most calls at a time.
    """

    __slots__ = ("entries", "limit", "requests")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.entries: dict[Call, Any] = {}
        #: Those among them that can be cancelled, by request number.
        self.requests: dict[int, Call] | None = None

    def add(self, call: Call, waiting: Any) -> None:
        """Enter a call, and the Deferred of its result."""
        self.entries[call] = waiting
        if self.requests is None:
            self.requests = {}
        self.requests[call.request] = call

    def of_request(self, request: int) -> Call | None:
        """Return the call with a number, if it can be cancelled."""
        return None if self.requests is None else self.requests.get(request)

    def remove(self, call: Call) -> None:
        """The call has ended."""
        self.entries.pop(call, None)
        if self.requests is not None and self.requests.get(call.request) is call:
            del self.requests[call.request]

    def admit(self) -> None:
        """Check that one more call may be served.

        :raises LimitExceeded: too many are waiting already.
        """
        if len(self.entries) >= self.limit:
            raise LimitExceeded(f"Too many calls are waiting for their answers here ({self.limit}).")

    def clear(self) -> list[Any]:
        """Empty the table and return what was in it."""
        waiting = list(self.entries.values())
        self.entries.clear()
        self.requests = None
        return waiting
