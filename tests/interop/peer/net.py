"""The reactor, and the one thing that methods here do with it."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor  # noqa: TID253 - imported by the two programs only
from twisted.internet.defer import Deferred

__all__ = ["later", "net"]

#: Untyped, since its methods are declared in a dozen interfaces.
net: Any = reactor


def later(value: Any) -> Deferred[Any]:
    """Fire with the value in a later turn of the reactor."""
    answer: Deferred[Any] = Deferred()
    net.callLater(0, answer.callback, value)
    return answer
