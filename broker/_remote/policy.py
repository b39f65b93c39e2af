"""Policy: what the owner of an object lets peers do with it, and how the holder of a reference looks at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Union

from broker._remote.expose import Expose
from broker._remote.forms import Form, Rules
from broker._remote.verbs import HiddenName, HiddenVerb, Verb, Want

__all__ = ["Batch", "Override", "Policy", "Quota"]

#: The verbs that name an attribute.
_NAMED: Final = frozenset((Verb.GET, Verb.SET, Verb.DEL, Verb.CALL, Verb.SEND, Verb.THROW, Verb.CLOSE))

#: So many decisions are remembered.
_KNOWN: Final = 4096


@dataclass(frozen=True)
class Quota:
    """Ceilings of what one connection may make an owner do; references are counted by the connection itself.

    :param steps: most steps of one program. 64: longer ones are written by machines and should be a method.
    :param streams: most open streams. 256: each keeps an iterator alive.
    :param contexts: most contexts that are entered and not left. 256.
    :param batch: most items of one batch. 1,000.
    :param size: most bytes, or items, of one result that an operator makes larger than its operands. 16 Mi.
    :param types: most descriptors that are kept of one peer. 4,096.
    """

    steps: int = 64
    streams: int = 256
    contexts: int = 256
    batch: int = 1000
    size: int = 16 * 1024 * 1024
    types: int = 4096


@dataclass(frozen=True)
class Batch:
    """How many items an iteration fetches at a time.

    :param first: how many at first. 1: a generator with side effects is not run ahead.
    :param factor: how much larger each batch is than the one before.
    :param most: most items of a batch.
    :param size: bytes, roughly counted, after which a batch is closed.
    :param early: whether the first batch is fetched when the iteration begins, and not with the first item: one message
        less, and what is changed in between is not seen. For blocking proxies.
    """

    first: int = 1
    factor: int = 2
    most: int = 1000
    size: int = 64 * 1024
    early: bool = True

    def after(self, count: int) -> int:
        """Return the size of the batch after one of this many items."""
        return min(max(count * self.factor, self.first), self.most)


@dataclass(frozen=True, eq=False)
class Policy:
    """What is allowed, and how values cross. The first half speaks for the owner, the second for the holder.

    :param expose: which names and operations are offered.
    :param results: in which form results cross.
    :param arguments: in which form arguments cross, when this policy is the holder's.
    :param methods: forms for the results of single methods, or policies for references to them.
    :param shared: an object that was ever passed by reference always is, even inside a container that is copied.
    :param values: whether a copy may be asked for.
    :param title: what peers are told the type is called; by default what `describe` gives away.
    :param describe: ``"no"`` gives no descriptor away, ``"names"`` only what is offered, ``"full"`` the names of
        classes, signatures and documentation as well.
    :param traceback: whether tracebacks go with exceptions, even if the connection does not say so.
    :param foreign: what happens to a reference whose owner is neither of the two: it is refused or relayed.
    :param lend: the policy for objects passed by reference as arguments; by default this one.
    :param quota: ceilings.
    :param want: which form the holder asks for.
    :param plain: a call alone is sent as an ordinary call, which every PB peer understands.
    :param inert: proxies do nothing until they are activated.
    :param inherit: what an active proxy returns is active too.
    :param compare: ``"identity"`` compares proxies here, ``"remote"`` asks the owner, ``"handle"`` asks and gets a
        reference to the answer.
    :param text: ``"local"`` has ``str`` and ``repr`` of a proxy say what it is, without a message; ``"str"`` asks the
        owner for ``str``, ``"remote"`` for both.
    :param batch: how iterations fetch.
    """

    expose: Expose = field(default_factory=Expose)
    results: Rules = field(default_factory=Rules)
    arguments: Rules = field(default_factory=Rules)
    methods: Mapping[str, Override] = field(default_factory=dict)
    shared: bool = False
    values: bool = False
    title: str | None = None
    describe: Literal["no", "names", "full"] = "no"
    traceback: bool = False
    foreign: Literal["refuse", "relay"] = "refuse"
    lend: Policy | None = None
    quota: Quota = field(default_factory=Quota)

    want: Want = Want.AUTO
    plain: bool = False
    inert: bool = False
    inherit: bool = True
    compare: Literal["identity", "remote", "handle"] = "identity"
    text: Literal["local", "str", "remote"] = "local"
    batch: Batch = field(default_factory=Batch)

    #: What was decided, by type, operation and name: nothing else matters.
    known: dict[tuple[type, Verb, str], str] = field(default_factory=dict, init=False, repr=False)

    def but(self, **changes: Any) -> Policy:
        """Return this policy with some fields changed."""
        return replace(self, **changes)

    def check(self, session: Any, value: Any, verb: Verb, name: str) -> str:
        """Say whether a peer may do something; every operation passes here before it runs.

        Override it for rules of one's own, calling this one for what it allows.

        :param session: the connection, a `Broker`.
        :param value: the object.
        :param verb: the operation.
        :param name: the attribute, or the special method that the operation uses; ``""`` for a description or a copy.
        :returns: the name of the attribute that is meant.
        :raises HiddenName: there is no such attribute for this peer.
        :raises HiddenVerb: the operation is not offered.
        """
        known = self.known.get((type(value), verb, name))
        if known is not None:
            return known
        if verb in _NAMED and name != "__call__":
            known = self._decided(value, verb, name)
            self._remember(value, verb, name, known)
            return known
        if verb is Verb.DESCRIBE:
            allowed = self.describe != "no"
        elif verb is Verb.VALUE:
            allowed = self.values
        else:
            allowed = self.expose.special(value, name)
            if allowed:
                self._remember(value, verb, name, name)
        if not allowed:
            raise HiddenVerb(f"{name or verb.name.lower()} of this object is not offered")
        return name

    def _remember(self, value: Any, verb: Verb, name: str, found: str) -> None:
        if issubclass(type(value), type):
            # Classes differ, whatever the class is that they are of.
            return
        if len(self.known) >= _KNOWN:
            # Names come from peers.
            self.known.clear()
        self.known[type(value), verb, name] = found

    def _decided(self, value: Any, verb: Verb, name: str) -> str:
        expose = self.expose
        found = expose.reach(value, name)
        allowed = (
            (verb is not Verb.GET or expose.attributes)
            and (verb is not Verb.SET or expose.writable)
            and (verb is not Verb.DEL or expose.deletable)
        )
        if found is None or not allowed:
            # The same text whether it exists or not.
            raise HiddenName(f"no attribute {name!r} is offered")
        return found

    @property
    def lent(self) -> Policy:
        """The policy for objects that are passed as arguments."""
        return self.lend or self


#: What a policy may say about the result of one method.
Override = Union[Form, Policy]
