"""What users call: export objects, look at references as live proxies, and everything that a proxy has no name for."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed

from broker._objects.reference import RemoteReference
from broker._remote.adapter import Owner
from broker._remote.block import Block
from broker._remote.exported import Exported
from broker._remote.expr import Expr, base_of, evaluate
from broker._remote.held import Held, reference_of, state_of
from broker._remote.holder import Holder, Referring
from broker._remote.policy import Policy
from broker._remote.presets import LIVE, PB
from broker._remote.program import Node, Program
from broker._remote.proxy import Released, make_proxy
from broker._remote.sending import REACTOR, Transport, kind_of
from broker._remote.side import Kind, side_of
from broker._remote.verbs import Verb, Want

__all__ = [
    "Description",
    "activate",
    "describe",
    "export",
    "expr",
    "live",
    "owner_under",
    "program",
    "reference",
    "release",
    "run",
    "same",
    "value",
    "view_of",
]


def export(object: Any, policy: Policy = PB, *, transport: Transport = REACTOR) -> Exported:
    """Return an object so that it may be served as a root, returned from a method or passed as an argument.

    :param policy: what peers may do with it, and in which form results cross.
    :param transport: how operations of the object's own code on objects of the peer run; by default they are Deferreds.
    """
    return owner_under(policy, transport).exported(object)


def owner_under(policy: Policy, transport: Transport = REACTOR) -> Owner:
    """Return what exports objects that know of each other: where their policy says so, one that is a result of
    another's method goes by reference. The parameters are those of `export`.
    """
    return Owner(policy, None if policy.describe == "no" else Holder(policy.lent, transport))


def view_of(reference: RemoteReference, policy: Policy = LIVE) -> Referring:
    """Return the view of a connection's objects that leaves references what they are."""
    views = side_of(reference.broker).views
    transport = _usual(reference)
    key = (Referring, policy, transport)
    view = views.get(key)
    if view is None:
        view = views[key] = Referring(policy)
        view.transport = transport
    return view


def _usual(reference: RemoteReference) -> Transport:
    """Return how operations run for who says nothing: they wait where the calls of references do."""
    transport = side_of(reference.broker).transport
    return REACTOR if transport is None else transport()


def _holder(reference: RemoteReference, policy: Policy, transport: Transport) -> Holder:
    views = side_of(reference.broker).views
    key = (policy, transport)
    view = views.get(key)
    if view is None:
        view = views[key] = Holder(policy, transport)
    return view


def expr(target: Any, policy: Policy = LIVE) -> Expr:
    """Return an expression about a remote object, to be awaited.

    :param target: a reference or a proxy.
    :param policy: for a reference, how arguments and results are looked at.
    :raises TypeError: it is neither.
    """
    if isinstance(target, Expr):
        return target
    node, view = base_of(target, lambda found: view_of(found, policy))
    return Expr(node, view)


def program(target: Any, policy: Policy = LIVE) -> Block:
    """Return a block in which statements about a remote object are recorded, to be sent when it ends.

    :param target: a reference, a proxy or an expression.
    :param policy: for a reference, how arguments and results are looked at.
    """
    return Block(target, lambda found: view_of(found, policy))


def run(expression: Any, notes: dict[str, Any] | None = None) -> Any:
    """Return the value of an expression: at once where operations wait, else a Deferred of it.

    :param notes: what else the served methods are told, plain values by name: those that take a context
        (`broker.transparent.publish`) find it as ``ctx.notes``. A peer of PB gets none.
    """
    return evaluate(expression, view_of=view_of, notes=notes)


def live(target: Any, policy: Policy = LIVE, *, transport: Transport | None = None) -> Any:
    """Return the live proxy for a reference; a Deferred of it where operations do not wait.

    It costs one message if the owner has not said yet of what type the object is, and none otherwise.

    :param target: a reference or a proxy.
    :param policy: how the proxy compares, what it says, how arguments are passed.
    :param transport: how operations run; by default they wait where the calls of the reference do.
    :raises TypeError: it is neither.
    """
    found = _canonical(reference(target))
    transport = transport or _usual(found)
    view = _holder(found, policy, transport)
    kind = kind_of(found)
    if kind is not None:
        proxy = make_proxy(view, found, kind)
        return proxy if transport.blocking else succeed(proxy)
    described = _ask(view, found)
    if isinstance(described, Deferred):
        return described.addCallback(_described_as, found)
    return _described_as(described, found)


def _canonical(found: RemoteReference) -> RemoteReference:
    """Return the reference by number to an object that the peer serves under a name, where it is known."""
    if type(found.luid) is int:
        return found
    return side_of(found.broker).numbered.get(found.luid, found)


def _ask(view: Holder, found: RemoteReference) -> Any:
    node = Node(found).then(Verb.DESCRIBE)
    return view.transport.perform(found, Program((node,), view, Want.AUTO))


def _described_as(described: Any, found: RemoteReference) -> Any:
    proxy = described[0]
    side_of(found.broker).numbered[found.luid] = reference(proxy)
    return proxy


def activate(proxy: Any) -> Any:
    """Return the active proxy for an inert one, which stays as it is. No message is sent."""
    state = state_of(proxy)
    return make_proxy(state.view.activated(), state.reference, state.kind)


def value(target: Any) -> Any:
    """Return a copy of a remote object, or of what an expression comes to; a Deferred where operations do not wait.

    It fails with `InsecureJelly` where there is none.
    """
    return evaluate(target, Verb.VALUE, want=Want.VALUE, view_of=view_of)


def reference(target: Any) -> RemoteReference:
    """Return the reference behind a proxy.

    :raises TypeError: it is none.
    """
    found = reference_of(target)
    if found is None:
        raise TypeError(f"{type(target).__name__} is no proxy")
    return found


def same(one: Any, other: Any) -> bool:
    """Return whether two proxies or references stand for the same object of the same owner. No message is sent."""
    return _canonical(reference(one)) == _canonical(reference(other))


def release(proxy: Held) -> None:
    """Let go of the object of a proxy, which is of no use afterwards. It is released when nothing else holds it."""
    state = state_of(proxy)
    state.reference = Released()
    state.buffer = None


class Description:
    """What an owner shows of an object.

    :ivar name: the name of its type.
    :ivar mro: the names of its class and base classes.
    :ivar methods: the names that can be called.
    :ivar attributes: the other names.
    :ivar operations: the special methods on offer.
    """

    def __init__(self, kind: Kind, documents: Any) -> None:
        descriptor = kind.descriptor
        self.name = descriptor.name
        self.mro = descriptor.mro
        self.methods = descriptor.methods
        self.attributes = tuple(sorted({*descriptor.attributes, *kind.names}))
        self.operations = descriptor.dunders
        self._documents = documents if isinstance(documents, dict) else {}

    def signature(self, name: str = "") -> str | None:
        """Return the signature of a method, or of the object itself, if the owner tells."""
        return self._document(name)[0]

    def doc(self, name: str = "") -> str | None:
        """Return the documentation of a method, or of the object itself, if the owner tells."""
        return self._document(name)[1]

    def _document(self, name: str) -> list[str | None]:
        found = self._documents.get(name)
        if not isinstance(found, list) or len(found) != 2:
            return [None, None]
        return [text if isinstance(text, str) else None for text in found]

    def __repr__(self) -> str:
        return f"<Description of {self.name}: {', '.join((*self.methods, *self.attributes))}>"


def describe(target: Any) -> Any:
    """Return what the owner shows of an object, a `Description`; a Deferred of it where operations do not wait."""
    described = evaluate(target, Verb.DESCRIBE, want=Want.AUTO, view_of=view_of)
    return described.addCallback(_described) if isinstance(described, Deferred) else _described(described)


def _described(answer: Any) -> Description:
    found, documents = answer
    kind = kind_of(reference(found))
    assert kind is not None
    return Description(kind, documents)
