"""Drop-in for `twisted.spread.pb`.

Everything is the product's own, but for the places where programs rely on a quirk of PB. Each of those is here, in a
`Broker` that adds them, and none travels further in:

- a call on a dead connection raises `DeadReferenceError` at once instead of failing its Deferred;
- ``pbanswer``, ``pbcallback`` and ``pberrback`` are taken out of the keywords of a call;
- the ceiling of references is the module's `MAX_BROKER_REFS`, read when it is needed;
- a subclass may add commands of its own to the protocol, as ``proto_*`` methods, and send them with `sendCall`. Only
  PB's dialect has such commands, so a class with some of its own speaks no other.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from broker._cred.challenge import challenge, respond
from broker._cred.portal import IUsernameMD5Password
from broker._messages.messages import Unknown
from broker._net.factory import ClientFactory, ServerFactory
from broker._net.protocol import BrokerProtocol
from broker._objects.failures import CopiedFailure, CopyableFailure, failure2Copyable
from broker._objects.perspective import Avatar
from broker._objects.reference import RemoteMethod, RemoteReference
from broker._objects.referenceable import AsReferenceable
from broker._session.session import Export as Local
from broker._wire.banana import encode
from broker.errors import DeadReferenceError, Error, PBConnectionLost, ProtocolError, RemoteError
from broker.interfaces import IJellyable, IPerspective, IUnjellyable
from broker.spread.flavors import (
    Cacheable,
    Copyable,
    IPBRoot,
    Jellyable,
    NoSuchMethod,
    Referenceable,
    RemoteCache,
    RemoteCacheObserver,
    RemoteCopy,
    Root,
    Serializable,
    Viewable,
    ViewPoint,
    copyTags,
    setCopierForClass,
    setCopierForClassTree,
    setFactoryForClass,
    setUnjellyableFactoryForClass,
    setUnjellyableForClass,
    setUnjellyableForClassTree,
)
from broker.spread.jelly import globalSecurity, jelly, unjelly

#: Most references, and most cached objects, that one peer may hold; PB's own number was 1,024. Read when needed.
MAX_BROKER_REFS = 8 * 1024

#: The port that PB servers use by custom.
portno = 8787

_log = Logger()

#: The dialects in which a subclass can have commands of its own.
_WITH_COMMANDS: Final = (b"pb", b"none")


class Broker(BrokerProtocol):
    """A connection with PB's quirks; see the module."""

    #: The dialects to offer or accept, best first; a subclass may leave one out.
    knownDialects: Any = tuple(BrokerProtocol.dialects)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "knownDialects" not in vars(cls) and any(name.startswith("proto_") for name in vars(cls)):
            cls.knownDialects = tuple(name for name in cls.knownDialects if name in _WITH_COMMANDS)

    def __init__(self, isClient: Any = 1, security: Any = globalSecurity, **options: Any) -> None:
        self.dialects = tuple(self.knownDialects)
        super().__init__(isClient, security, **options)
        self.failures: list[Any] = []

    @property
    def currentDialect(self) -> bytes | None:
        """The name of the dialect agreed on, or None during the greeting."""
        return None if self.session.dialect is None else self.session.dialect.name

    @property
    def luids(self) -> dict[Any, int]:
        """The numbers of our objects that the peer may call, by `processUniqueID`."""
        return self.session.exports.numbers

    @property
    def remotelyCachedLUIDs(self) -> dict[Any, int]:
        """The numbers of our objects that the peer keeps copies of, by `processUniqueID`."""
        return self.session.caches.ours.numbers

    @property
    def waitingForAnswers(self) -> dict[int, Any]:
        """The Deferreds of calls not answered yet, by number of the request."""
        return self.session.questions.entries

    @property
    def currentRequestID(self) -> int:
        """The number of the last request."""
        return self.session.questions.last

    def newLocalID(self) -> int:
        """Return a number for an object of ours, never used on this connection."""
        return self.session.new_number()

    def newRequestID(self) -> int:
        """Return a number for a request of ours, never used on this connection."""
        return self.session.questions.number()

    def sendDecRef(self, objectID: int) -> None:
        """Release one receipt of an object of the peer, for classes that count their references themselves."""
        self.session.release(objectID)
        self.flush()

    def decCacheRef(self, objectID: int) -> None:
        """See `Tables.decCacheRef`."""
        super().decCacheRef(objectID)
        self.flush()

    def notifyOnFail(self, notifier: Any) -> None:
        """Keep a function that nothing has ever called; for programs that register one."""
        self.failures.append(notifier)

    def _most(self) -> int:
        """Return how many objects the peer may hold: the module's ceiling, or the peer's own where that is lower."""
        native = self.session.native
        return MAX_BROKER_REFS if native is None else min(MAX_BROKER_REFS, native.settings["references"])

    def registerReference(self, object: Any) -> int:
        """See `Tables.registerReference`; the ceiling is the module's."""
        self.session.exports.limit = self._most()
        return super().registerReference(object)

    def cacheRemotely(self, instance: Any) -> int:
        """See `Tables.cacheRemotely`; the ceiling is the module's."""
        self.session.caches.ours.limit = self._most()
        return super().cacheRemotely(instance)

    def _sendMessage(
        self, prefix: bytes, perspective: Any, objectID: Any, message: bytes, args: Any, kw: Any
    ) -> Deferred[Any] | None:
        callback, errback = kw.pop("pbcallback", None), kw.pop("pberrback", None)
        wants_answer = kw.pop("pbanswer", True)
        if self.disconnected:
            raise DeadReferenceError("Calling Stale Broker")
        if not wants_answer:
            assert callback is None and errback is None, "a call that wants no answer can have no callbacks"
            self._send(prefix == b"cache", perspective, objectID, message, args, kw, None)
            return None
        result = super()._sendMessage(prefix, perspective, objectID, message, args, kw)
        if callback is not None or errback is not None:
            _log.warn("pbcallback and pberrback are deprecated: use the Deferred that the call returns")
            assert result is not None
            result.addCallbacks(callback or _same, errback or _same)
        return result

    def sendCall(self, *expression: Any) -> None:
        """Send a message of the protocol in raw form: a command, as bytes, and its fields."""
        self.sendEncoded(expression)

    def sendEncoded(self, expression: Any) -> None:
        """Send an s-expression in raw form.

        :raises ProtocolError: the dialect spoken has no messages but its own.
        """
        if self.session.native is not None:
            raise ProtocolError("the dialect broker/1 has no commands of programs; require the dialect pb for them")
        vocabulary = self.session.dialect is not None and self.session.dialect.name == b"pb"
        self.session.send_encoded(encode(expression, vocabulary=vocabulary))
        self.flush()

    def unknownMessage(self, message: Unknown) -> None:
        """A message of the protocol that is not PB's: a subclass may have a ``proto_<command>`` method for it."""
        name = message.command.decode("ascii", "replace")
        method = getattr(self, "proto_" + name, None)
        if method is None:
            super().unknownMessage(message)
        else:
            self.guarded(method, *message.fields)


def _same(result: Any) -> Any:
    return result


class PBClientFactory(ClientFactory):
    """See `ClientFactory`."""

    protocol = Broker


class PBServerFactory(ServerFactory):
    """See `ServerFactory`."""

    protocol = Broker


#: Names that `twisted.spread.pb` has without listing them.
_UNLISTED = (IJellyable, IUnjellyable, Local, RemoteError, jelly, unjelly)

__all__ = [
    "IPBRoot",
    "Serializable",
    "Referenceable",
    "NoSuchMethod",
    "Root",
    "ViewPoint",
    "Viewable",
    "Copyable",
    "Jellyable",
    "Cacheable",
    "RemoteCopy",
    "RemoteCache",
    "RemoteCacheObserver",
    "copyTags",
    "setUnjellyableForClass",
    "setUnjellyableFactoryForClass",
    "setUnjellyableForClassTree",
    "setCopierForClass",
    "setFactoryForClass",
    "setCopierForClassTree",
    "MAX_BROKER_REFS",
    "portno",
    "ProtocolError",
    "DeadReferenceError",
    "Error",
    "PBConnectionLost",
    "RemoteMethod",
    "IPerspective",
    "Avatar",
    "AsReferenceable",
    "RemoteReference",
    "CopyableFailure",
    "CopiedFailure",
    "failure2Copyable",
    "Broker",
    "respond",
    "challenge",
    "PBClientFactory",
    "PBServerFactory",
    "IUsernameMD5Password",
]
