"""The door for code that waits: connect, call, and have the result, without a Deferred and from any thread.

>>> with connect("tcp:localhost:8787") as connection:
...     connection.root.basket("ann").total()              # a live proxy, whatever the object is
...     connection.reference.callRemote("echo", 1)         # a reference, where the server's root is one of PB
...     results = [async_(connection.root.echo)(number) for number in range(10)]
...     with deadline(5):
...         print([result.value for result in results])
"""

from __future__ import annotations

from broker._objects.context import deadline, remaining
from broker._remote.live import run
from broker.blocking.connection import Connection, Link, connect, link_pair
from broker.blocking.manager import BaseManager, Manager
from broker.blocking.results import AsyncResult, async_, timed
from broker.blocking.serving import Server, serve
from broker.blocking.shared import BaseProxy, MakeProxyType
from broker.blocking.waiting import WAITING
from broker.blocking.waits import CannotWait

__all__ = [
    "AsyncResult",
    "BaseManager",
    "BaseProxy",
    "CannotWait",
    "Connection",
    "Link",
    "MakeProxyType",
    "Manager",
    "Server",
    "WAITING",
    "async_",
    "connect",
    "deadline",
    "link_pair",
    "remaining",
    "run",
    "serve",
    "timed",
]
