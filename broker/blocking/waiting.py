"""The transport of proxies that wait, for connections of any kind."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from broker._objects.reference import RemoteReference
from broker._remote.atoms import PLAIN
from broker._remote.held import state_of
from broker._remote.operate import perform, program_of
from broker._remote.program import Program
from broker._remote.sending import Answer, quick_call, transmit
from broker._remote.side import side_of
from broker._remote.verbs import Verb
from broker.blocking.driver import NOT_PLAIN, Driver
from broker.blocking.threaded import reactor_thread
from broker.blocking.waits import bound

__all__ = ["WAITING", "Waiting", "driver_of", "outcome"]


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
                name, args, kw, count = call
                method = name if isinstance(name, bytes) else name.encode()
                convert = Answer(side_of(broker), program, count).outcome
                result = driver.quick(reference.luid, method, tuple(args), kw, convert)
                if result is not NOT_PLAIN:
                    return result
        return driver.wait(seconds, transmit, reference, program)

    def alone(self, proxy: Any, verb: Verb, name: str, args: tuple[Any, ...] = (), kw: Any = None) -> Any:
        """Read an attribute, or call a method with scalars; see `broker._remote.sending.Alone`."""
        reference = state_of(proxy).reference
        broker = reference.broker
        if bound(broker) is None:
            message = (":" if verb is Verb.GET else ".") + name
            operands: tuple[Any, ...] = (name,) if verb is Verb.GET else (name, args, kw)
            convert = partial(outcome, proxy, verb, operands)
            result = driver_of(broker).quick(reference.luid, message.encode(), args, kw or {}, convert)
            if result is not NOT_PLAIN:
                return result
        return perform(proxy, verb, name, *(() if verb is Verb.GET else (list(args), kw)))

    def __repr__(self) -> str:
        return "WAITING"


WAITING: Final = Waiting()


def outcome(proxy: Any, verb: Verb, operands: tuple[Any, ...], result: Any) -> Any:
    """Return what the answer to one operation comes to, as `Answer.outcome` does."""
    kind = type(result)
    if kind is int or kind in PLAIN:
        return result
    program = program_of(proxy, verb, operands)
    return Answer(side_of(program.reference.broker), program, 1).outcome(result)


def driver_of(broker: Any) -> Driver:
    """Return what runs a connection."""
    driver = vars(broker).get("driver")
    return reactor_thread(broker.reactor) if driver is None else driver
