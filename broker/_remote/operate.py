"""Running one operation on what a proxy stands for, and saying what a proxy is."""

from __future__ import annotations

from typing import Any

from broker._objects.reference import RemoteReference
from broker._remote.forms import Form
from broker._remote.held import Held, reference_of, state_of
from broker._remote.program import HasNode, Node, Program
from broker._remote.verbs import Verb, Want

__all__ = ["local_text", "perform", "program_of", "sendable"]


def perform(proxy: Held, verb: Verb, *operands: Any, want: Want | None = None) -> Any:
    """Run one operation on the object of a proxy, as its transport does."""
    state = state_of(proxy)
    return state.view.transport.perform(state.reference, program_of(proxy, verb, operands, want))


def program_of(proxy: Held, verb: Verb, operands: tuple[Any, ...], want: Want | None = None) -> Program:
    """Return the program that is one operation on the object of a proxy."""
    state = state_of(proxy)
    return Program((Node(state.reference).then(verb, *operands),), state.view, want, whole=proxy)


def sendable(proxy: Held, value: Any) -> bool:
    """Return whether a value may be the operand of an operator, as far as can be told without sending it."""
    kind = type(value)
    if reference_of(value) is not None or issubclass(kind, HasNode):
        return True
    return bool(state_of(proxy).view.operands.form(value) is not Form.REFUSE)


def local_text(proxy: Held) -> str:
    """Return what a proxy is, as known here."""
    state = state_of(proxy)
    if not isinstance(state.reference, RemoteReference):
        return "<released proxy>"
    return f"<{type(proxy).__name__} {state.kind.descriptor.name} {state.reference.luid!r}>"
