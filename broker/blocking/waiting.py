"""The transport of proxies that wait, for connections of any kind."""

from __future__ import annotations

from typing import Any, Final

from broker._objects.reference import RemoteReference
from broker._remote.program import Program
from broker._remote.sending import Answer, quick_call, transmit
from broker._remote.side import side_of
from broker.blocking.driver import NOT_PLAIN, Driver
from broker.blocking.threaded import reactor_thread
from broker.blocking.waits import bound

__all__ = ["WAITING", "Waiting", "driver_of"]


class Waiting:
    """Has operations wait for their results; a `broker.transparent.Transport`.

    For any connection: one made by this door, or one that a program with a reactor has, for its other threads.
    """

    blocking = True

    def perform(self, reference: RemoteReference, program: Program) -> Any:
        """Run a program; return its result."""
        broker: Any = reference.broker
        driver = driver_of(broker)
        seconds = bound(broker)
        if seconds is None:
            call = quick_call(reference, program)
            if call is not None:
                name, args, kw = call
                method = name if isinstance(name, bytes) else name.encode()
                convert = Answer(side_of(broker), program, 1).outcome
                result = driver.quick(reference.luid, method, tuple(args), kw, convert)
                if result is not NOT_PLAIN:
                    return result
        return driver.wait(seconds, transmit, reference, program)

    def __repr__(self) -> str:
        return "WAITING"


WAITING: Final = Waiting()


def driver_of(broker: Any) -> Driver:
    """Return what runs a connection."""
    driver = vars(broker).get("driver")
    return reactor_thread(broker.reactor) if driver is None else driver
