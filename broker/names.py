"""The door for names: a directory in which peers find objects and values by name, and put some if they may.

>>> names = directory()                                        # the owner; serve it as a root
>>> names.export(Shop(), "shop")
>>> names.export(["tea", "milk"], "stock")
>>> await root.callRemote("browse")                            # a client
{'shop': 'object', 'stock': 'value'}
>>> shop = await (await live(root)).fetch("shop")              # or root.callRemote("fetch", "shop")
"""

from __future__ import annotations

from typing import Any, Final

from broker._directory.directory import Directory
from broker._directory.kept import Unusable
from broker._directory.lending import Lending, PlainLending
from broker._directory.rules import READ, VERBS, WRITE, NameLimits, Rule, Visitor, allow, writers
from broker._directory.visit import Visit
from broker._objects.reference import RemoteReference
from broker._objects.referenceable import Referenceable
from broker._remote.adapter import Owner
from broker._remote.exported import Exported
from broker._remote.expose import Expose
from broker._remote.forms import CONTAINERS, SCALARS, Form, Rules
from broker._remote.live import export, owner_under
from broker._remote.names import SAFE
from broker._remote.policy import Policy
from broker._remote.presets import EXPOSED, LENT
from broker._remote.relay import Relay
from broker._remote.verbs import DO, INPLACE
from broker._values.jellyable import Jellyable
from broker.errors import NameTaken, NotAllowed, UnknownName

__all__ = [
    "Directory",
    "KEPT",
    "Lending",
    "NameLimits",
    "NameTaken",
    "NotAllowed",
    "PlainLending",
    "READ",
    "REQUESTS",
    "Rule",
    "UnknownName",
    "Unusable",
    "VERBS",
    "Visit",
    "Visitor",
    "Visits",
    "WRITE",
    "allow",
    "directory",
    "writers",
]

_READING: Final = """
    bit_length casefold copy count decode difference endswith find get hex index intersection isdisjoint isoformat
    issubset issuperset items keys lower lstrip partition rfind rstrip split splitlines startswith strip
    symmetric_difference union upper values
"""

_CHANGING: Final = frozenset(("__setitem__", "__delitem__", *(f"__{name}__" for name in INPLACE)))
#: What peers may do with a kept value by a handle: read it and compute with it, as with their own, but not change it.
KEPT: Final = Policy(
    expose=Expose(
        names=frozenset(_READING.split()),
        dunders=SAFE.difference(_CHANGING),
    ),
    results=Rules(SCALARS | CONTAINERS | frozenset(map(type, ({}.keys(), {}.values(), {}.items())))),
    arguments=Rules(SCALARS | CONTAINERS),
    values=True,
    describe="names",
    lend=LENT,
)


#: What peers may do with the requests of a directory: call them.
REQUESTS: Final = Policy(
    expose=Expose(names=frozenset(VERBS)),
    results=Rules(SCALARS | CONTAINERS, [(Jellyable, Form.COPY)]),
    title="directory",
    describe="full",
    lend=LENT,
)


class Visits(Owner):
    """Serves the requests of a directory to peers that look at it as at a local object."""

    adapters = True

    def takes(self, message: str) -> bool:
        """Return whether a message is for this: it is no ordinary call."""
        return message[:1] in (".", ":") or message == DO.decode()

    def serve_visit(self, visit: Visit, broker: Any, message: str, args: Any, kw: Any) -> Any:
        """Serve one message, see `Referenceable.remoteMessageReceived`."""
        return Exported(visit, self).remoteMessageReceived(broker, message, args, kw)


class _Names(Directory):
    """A directory that peers may also look at as at a local object."""

    def __init__(self, rule: Rule, limits: NameLimits | None, policy: Policy) -> None:
        super().__init__(rule, limits=limits, lending=_Transparent(policy))
        self._visits = Visits(REQUESTS)

    def serve(self, visitor: Visitor, message: str, args: Any, kw: Any) -> Any:
        """Serve one request."""
        if self._visits.takes(message):
            return self._visits.serve_visit(self.visit(visitor), visitor.broker, message, args, kw)
        return super().serve(visitor, message, args, kw)


class _Transparent:
    """Lends so that what peers get reads like a local object where they want it to."""

    def __init__(self, policy: Policy) -> None:
        self._owner = owner_under(policy)
        self._relay = Relay(LENT)

    def handle(self, value: Any) -> Referenceable:
        """Return an adapter of the value, by which it can be read."""
        return export(value, KEPT)

    def offer(self, object: Any) -> Referenceable:
        """Return an adapter of the object under the policy.

        :raises TypeError: it is a container, or another object of Python's own types.
        """
        kind = type(object)
        if kind.__module__ == "builtins":
            raise TypeError(
                f"this {kind.__name__} is no plain value: export it, under a policy that says what it offers"
            )
        return self._owner.exported(object)

    def relay(self, reference: RemoteReference) -> Referenceable:
        """Return an adapter that forwards."""
        return self._relay.adapter(reference)


def directory(rule: Rule = READ, *, limits: NameLimits | None = None, policy: Policy = EXPOSED) -> Directory:
    """Return an empty directory.

    :param rule: who may do what; by default everybody who reaches it may browse and fetch.
    :param limits: ceilings.
    :param policy: what peers may do with objects that were not exported under a policy of their own and are not
        referenceable either; by default what they publish.
    """
    return _Names(rule, limits, policy)
