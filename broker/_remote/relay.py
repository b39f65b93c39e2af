"""Relaying: an object of one peer, passed on to another one, is served by forwarding what arrives for it.

The reference stays where it was received; what travels on is an adapter for it, so that whoever holds the adapter holds
the reference. Values are translated as they stand in the messages, from one connection's references to the other's.
Paths are never shortened: all messages for one object go one way, and so keep their order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from broker._objects.reference import RemoteReference
from broker._remote.atoms import FAILURE, PLAIN, REFERENCE, is_tagged
from broker._remote.descriptors import digest
from broker._remote.exported import Exported, Relayed
from broker._remote.faults import describe_exception
from broker._remote.policy import Policy
from broker._remote.side import Side, side_of
from broker._remote.unpacking import introduce
from broker._remote.verbs import DO
from broker.errors import BadValue, DeadReferenceError, LimitExceeded, PBConnectionLost

if TYPE_CHECKING:
    from broker._objects.broker import Broker

__all__ = ["Relay"]

_ATOMS: Final = PLAIN | {int}
_DEPTH: Final = 200
_MESSAGE: Final = DO.decode()


class Relay:
    """Serves the adapters of relayed objects.

    :param policy: its quotas bound what peers may have this side keep.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def adapter(self, reference: RemoteReference) -> Exported:
        """Return the adapter for an object of another peer."""
        relayed = side_of(reference.broker).relayed
        target = relayed.get(reference)
        if target is None:
            target = relayed[reference] = Relayed(reference)
        return Exported(target, self)

    def introduction(self, side: Side, adapter: Exported, pushed: list[bytes]) -> tuple[Any, ...]:
        """Return what the peer is told: what the owner of the object has told us."""
        reference = adapter.object.reference
        kind = side_of(reference.broker).kinds.get(reference)
        if kind is None:
            return ()
        identity, names = digest(kind.descriptor), tuple(sorted(kind.names))
        if identity in side.told or identity in pushed:
            return (identity, names)
        pushed.append(identity)
        return (identity, names, kind.descriptor.encoded())

    def serve(
        self, adapter: Exported, broker: Broker, message: str, arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> Any:
        """Forward one message, and send back the answer."""
        reference: RemoteReference = adapter.object.reference
        here, there = side_of(broker), side_of(reference.broker)
        forth = _Translation(self, here, there)
        sent = forth.value(arguments), forth.value(named)
        if message == _MESSAGE and arguments and arguments[0] == 3:
            reference.callRemoteOnly(message, *sent[0], **sent[1])
            forth.commit()
            return broker.serialize(None)
        answer = reference.callRemote(message, *sent[0], **sent[1])
        forth.commit()
        verbs = message == _MESSAGE or message[:1] in (".", ":")

        def back(result: Any) -> Any:
            translation = _Translation(self, there, here)
            payload = broker.serialize(translation.value(result))
            translation.commit()
            return payload

        def lost(failure: Failure) -> Any:
            if not verbs or failure.check(PBConnectionLost, DeadReferenceError) is None:
                return failure
            error = PBConnectionLost("lost: the connection to the object's owner, behind the one that relayed it")
            return broker.serialize((FAILURE, describe_exception(error), 0))

        result: Deferred[Any] = answer.addCallbacks(back, lost)
        return result


class _Translation:
    """Translates values as they stand in messages.

    :param relay: makes adapters.
    :param source: the connection that they came in on.
    :param target: the one that they go out on.
    """

    def __init__(self, relay: Relay, source: Side, target: Side) -> None:
        self.relay = relay
        self.source = source
        self.target = target
        self.pushed: list[bytes] = []
        self._depth = 0

    def commit(self) -> None:
        """The message has been encoded: what was told in it is known to the peer."""
        self.target.told.update(self.pushed)

    def value(self, value: Any) -> Any:
        """Return a value with its references translated.

        :raises LimitExceeded: it is nested too deeply, or contains itself.
        """
        kind = type(value)
        if kind in _ATOMS:
            return value
        if kind is tuple and is_tagged(value) and value[0] == REFERENCE:
            return self._introduced(value)
        self._depth += 1
        if self._depth > _DEPTH:
            raise LimitExceeded(f"containers nested deeper than {_DEPTH}")
        try:
            if kind is dict:
                return {self.value(key): self.value(item) for key, item in value.items()}
            if kind in (list, tuple, set, frozenset):
                return kind(map(self.value, value))
        finally:
            self._depth -= 1
        return self._object(value)

    def _introduced(self, form: tuple[Any, ...]) -> Any:
        if not 2 <= len(form) <= 6:
            raise BadValue("a reference with too many parts")
        if len(form) > 2 and isinstance(form[1], RemoteReference):
            introduce(self.source, form[1], form[2:], self.relay.policy.quota.types)
        found = self._object(form[1])
        if type(found) is not Exported:
            return (REFERENCE, found)
        return (REFERENCE, found, *found.owner.introduction(self.target, found, self.pushed))

    def _object(self, value: Any) -> Any:
        if type(value) is Exported and type(value.object) is Relayed:
            # One of ours come home, which is one of theirs: perhaps of the very peer that it goes to.
            value = value.object.reference
        if isinstance(value, RemoteReference) and value.broker is not self.target.broker:
            return self.relay.adapter(value)
        return value
