"""Holder: how one side looks at the objects of the other, and how it passes its own along."""

from __future__ import annotations

from typing import Any

from broker._objects.reference import RemoteReference
from broker._remote.adapter import Owner, References
from broker._remote.forms import Form
from broker._remote.iterators import AsyncRemoteIterator, Buffer, RemoteIterator
from broker._remote.policy import Policy
from broker._remote.proxy import make_proxy
from broker._remote.sending import REACTOR, Alone, Transport
from broker._remote.side import Kind, Side
from broker._remote.unpacking import Batch
from broker._remote.verbs import Want

__all__ = ["Holder", "Referring", "present_stream"]


class Referring(References):
    """The view that leaves references what they are; that of expressions about references.

    :param policy: says which form is wanted, how arguments go and what others may do with them.
    """

    transport: Transport = REACTOR

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.arguments = policy.arguments
        self.copies = policy.arguments.form(0) is Form.COPY
        self.operands = policy.arguments.with_containers()
        lent = policy.lent
        self.owner = Owner(lent if lent.foreign == policy.foreign else lent.but(foreign=policy.foreign), self)

    def present_stream(self, reference: RemoteReference | None, batch: Batch) -> Any:
        """Return an iterator over a stream."""
        return present_stream(self, reference, batch)


class Holder(Referring):
    """The view that makes live proxies of references.

    :param policy: as for `Referring`; also how proxies compare and what they say.
    :param transport: how their operations run.
    :param active: whether proxies do something; by default as the policy says.
    """

    def __init__(self, policy: Policy, transport: Transport = REACTOR, active: bool | None = None) -> None:
        super().__init__(policy)
        self.transport = transport
        usual = self.copies and not policy.plain and policy.want is Want.AUTO
        #: Runs the reading of an attribute, and a call with scalars, in few steps; None where nothing does.
        self.alone: Alone | None = getattr(transport, "alone", None) if usual else None
        self.active = not policy.inert if active is None else active
        self._activated: Holder | None = self if self.active else None

    def served(self, side: Side) -> Holder:
        """Return the view for code that is served over a connection: where it may wait, it waits."""
        if side.elsewhere is None or self.transport.blocking:
            return self
        key = (self.policy, side.elsewhere, self.active)
        view: Holder | None = side.views.get(key)
        if view is None:
            view = side.views[key] = Holder(self.policy, side.elsewhere, self.active)
        return view

    def activated(self) -> Holder:
        """Return the view in which proxies are active; what they return is active too if the policy says so."""
        if self._activated is None:
            self._activated = Holder(self.policy, self.transport, True)
            if not self.policy.inherit:
                # What an active proxy returns looks as everything else does.
                self._activated.present = self.present  # type: ignore[method-assign]
        return self._activated

    def present(self, reference: RemoteReference, kind: Kind | None) -> Any:
        """Return the proxy for an object of the peer: always the same as long as it is held."""
        return make_proxy(self, reference, kind)


def present_stream(view: Referring, reference: RemoteReference | None, batch: Batch) -> Any:
    """Return an iterator over a stream of the peer, with the batch that came with it."""
    buffer = Buffer(view, reference, view.policy.batch)
    buffer.take(batch, len(batch.items))
    if view.transport.blocking:
        return RemoteIterator(buffer, view.transport)
    return AsyncRemoteIterator(buffer, view.transport)
