"""The door for shared objects in a process of their own: lists, queues, locks, and whatever is registered.

>>> async with Manager() as manager:                           # starts a process, which ends with this block
...     numbers, lock = await manager.list([1, 2]), await manager.Lock()
...     async with lock:
...         await numbers.append(3)
...     print(await value(numbers))                            # of broker.transparent, as everything about proxies

Code that waits uses `broker.blocking.Manager`.
"""

from __future__ import annotations

from broker.manager.gate import enter
from broker.manager.hub import Hub
from broker.manager.letter import CannotStart
from broker.manager.manager import BaseManager, Manager
from broker.manager.policies import HELD
from broker.manager.registry import Type, Types, UnknownType
from broker.manager.server import Server
from broker.manager.standard import OWNED, base_types, exceptions, standard_types

__all__ = [
    "BaseManager",
    "CannotStart",
    "HELD",
    "Hub",
    "Manager",
    "OWNED",
    "Server",
    "Type",
    "Types",
    "UnknownType",
    "base_types",
    "enter",
    "exceptions",
    "standard_types",
]
