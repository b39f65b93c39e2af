"""What is served: Referenceables as they are, any other object under a policy."""

from __future__ import annotations

from typing import Any

from broker._objects.referenceable import Referenceable
from broker._remote.live import export
from broker._remote.policy import Policy
from broker.blocking.waiting import WAITING
from broker.interfaces import IPBRoot

__all__ = ["as_root"]


class _Root:
    """A Referenceable that is the root object of every connection."""

    def __init__(self, served: Referenceable) -> None:
        self._served = served

    def rootObject(self, broker: Any) -> Any:
        return self._served


def as_root(served: Any, policy: Policy) -> Any:
    """Return what gives each connection its root object.

    :param served: a Root, a Portal, any Referenceable; or any other object.
    :param policy: for the latter.
    """
    if IPBRoot(served, None) is not None:
        return IPBRoot(served)
    if isinstance(served, Referenceable):
        return _Root(served)
    return export(served, policy, transport=WAITING)
