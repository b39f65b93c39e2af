"""The types that every manager has, and the exceptions that both ends of a connection to one know."""

from __future__ import annotations

import queue
from multiprocessing import AuthenticationError
from multiprocessing import TimeoutError as NotInTime
from threading import BrokenBarrierError
from typing import Any, Final

from broker._remote.expose import Expose
from broker._remote.names import SAFE
from broker._values.registry import Registry, globalRegistry
from broker.manager.conditions import Barrier, Condition, Event
from broker.manager.containers import Array, Deque, Dict, List, Namespace, Set, Value
from broker.manager.locks import BoundedSemaphore, Lock, RLock, Semaphore
from broker.manager.pool import AsyncResult, Pool
from broker.manager.queues import JoinableQueue, LifoQueue, PriorityQueue, Queue, ShutDown
from broker.manager.registry import Types, UnknownType

__all__ = ["OWNED", "base_types", "exceptions", "standard_types"]

_LOCKS: Final = frozenset(("acquire", "release"))
#: The methods, by typeid, for which it matters on whose behalf they are called: they take ``owner``, see
#: `broker.manager.callers`. A client with threads passes the identity of the thread.
OWNED: Final[dict[str, frozenset[str]]] = {
    **dict.fromkeys(("Lock", "RLock", "Semaphore", "BoundedSemaphore"), _LOCKS),
    "Condition": _LOCKS | {"wait", "wait_for", "notify", "notify_all", "notifyAll"},
}

_ATTRIBUTES: Final = Expose(public=True, builtin=True, dunders=SAFE, names=SAFE, attributes=True)
#: `array.array` without what wants a file.
_ARRAY: Final = Expose(
    names=SAFE | {name for name in dir(Array) if not name.startswith("_") and name not in ("fromfile", "tofile")},
    dunders=SAFE,
    attributes=True,
)
_VALUE: Final = Expose(names=SAFE | {"get", "set", "value"}, dunders=SAFE, attributes=True, writable=True)
_NAMESPACE: Final = Expose(public=True, names=SAFE, dunders=SAFE, attributes=True, writable=True, deletable=True)
_ASYNC: Final = ("apply_async", "map_async", "starmap_async")


def base_types() -> Types:
    """Return the types that a manager has which is given no others: those of results only."""
    made = Types()
    made.register("Iterator", exposed=("__next__", "__anext__", "send", "throw", "close"), create_method=False)
    made.register("AsyncResult", AsyncResult, create_method=False)
    return made


def standard_types() -> Types:
    """Return the types that a `Manager` has."""
    made = base_types()
    containers: dict[str, Any] = {"list": List, "dict": Dict, "set": Set}
    for name, kind in containers.items():
        made.register(name, kind)
    made.register("deque", Deque, expose=_ATTRIBUTES)
    made.register("Namespace", Namespace, expose=_NAMESPACE)
    made.register("Value", Value, expose=_VALUE)
    made.register("Array", Array, expose=_ARRAY)
    waiting = (Lock, RLock, Semaphore, BoundedSemaphore, Condition, Event, LifoQueue, PriorityQueue, JoinableQueue)
    for waited in waiting:
        made.register(waited.__name__, waited, needs=("clock",))
    made.register("Queue", Queue, expose=_ATTRIBUTES, needs=("clock",))
    made.register("Barrier", Barrier, expose=_ATTRIBUTES, needs=("clock",))
    made.register("Pool", Pool, method_to_typeid=dict.fromkeys(_ASYNC, "AsyncResult"), needs=("clock", "workers"))
    return made


def exceptions(registry: Registry = globalRegistry) -> Registry:
    """Return a registry by which the exceptions of shared objects are raised as the classes that they are.

    :param registry: what else there is.
    """
    made = Registry(registry)
    for cls in (queue.Empty, queue.Full, ShutDown, BrokenBarrierError, NotInTime, AuthenticationError, UnknownType):
        made.registerException(cls)
    # Where the module is not compiled, its classes are called otherwise.
    made.registerException(queue.Empty, "queue.Empty")
    made.registerException(queue.Empty, "_queue.Empty")
    made.registerException(ShutDown, "queue.ShutDown")
    made.registerException(ShutDown, "broker.manager.queues._ShutDown")
    return made
