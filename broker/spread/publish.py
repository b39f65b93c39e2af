"""Drop-in for `twisted.spread.publish`: cached objects whose state outlives the connection, in a file.

A file is named after what the peer says the object is. Its parts are quoted, so that no name from the peer reaches
outside the directory; and what is read back passes the same whitelist as what comes over a connection.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.errors import InsecureJelly, LimitExceeded, ProtocolError
from broker.spread import banana, flavors, jelly

__all__ = ["Publishable", "RemotePublished", "whenReady"]

_log = Logger()


class Publishable(flavors.Cacheable):
    """An object whose copies keep their state across connections.

    :param publishedID: what tells it from others of the same service and perspective.
    """

    def __init__(self, publishedID: Any) -> None:
        self.republish()
        self.publishedID = publishedID

    def republish(self) -> None:
        """Note that the state has changed: copies with an older one will fetch it anew."""
        self.timestamp = time.time()

    def view_getStateToPublish(self, perspective: Any) -> Any:
        """Return the state, for a copy that has none or an old one."""
        return self.getStateToPublishFor(perspective)

    def getStateToPublishFor(self, perspective: Any) -> Any:
        """Return the state for a perspective."""
        return self.getStateToPublish()

    def getStateToPublish(self) -> Any:
        """Return the state, a dictionary; to be implemented."""
        raise NotImplementedError(f"{type(self).__name__}.getStateToPublish")

    def getStateToCacheAndObserveFor(self, perspective: Any, observer: Any) -> dict[str, Any]:
        """Return what a copy needs to find its file, or to fetch the state."""
        service = getattr(perspective, "getService", None)
        return {
            "remote": flavors.ViewPoint(perspective, self),
            "publishedID": self.publishedID,
            "perspective": str(getattr(perspective, "perspectiveName", None)),
            "service": str(service().serviceName if service is not None else None),
            "timestamp": self.timestamp,
        }


class RemotePublished(flavors.RemoteCache):
    """A copy of a `Publishable`, ready when its state has been read from the file or fetched."""

    service: Any
    perspective: Any
    publishedID: Any
    timestamp: Any
    remote: Any
    isActivated: Any = 0
    _wasCleanWhenLoaded: Any = 0
    #: What belongs to this connection or this process and is not kept in the file.
    _PASSING = (
        *("broker", "remote", "luid", "isActivated", "_wasCleanWhenLoaded"),
        *("_activationListeners", "_failure", "_failureListeners"),
    )

    def getFileName(self, ext: str = "pub") -> str:
        """Return the name of the file that keeps the state, in the current directory."""
        parts = (quote(str(part), safe=" ") for part in (self.service, self.perspective, self.publishedID))
        return "-".join(parts) + "." + ext

    def setCopyableState(self, state: Any) -> None:
        """Take what the owner said, and get the state from the file if that is recent, else from the owner."""
        self.__dict__.update(state)
        self._activationListeners: list[Callable[[Any], object]] = []
        self._failureListeners: list[Callable[[Failure], object]] = []
        self._failure: Failure | None = None
        kept = self._read()
        if kept is not None and kept.get("timestamp") == self.timestamp:
            self._wasCleanWhenLoaded = 1
            self._activate(kept)
        else:
            self.remote.callRemote("getStateToPublish").addCallback(self._fetched).addErrback(self._failed)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in self._PASSING}

    def _read(self) -> dict[str, Any] | None:
        """Return what the file keeps, or None when there is no such file or it makes no sense."""
        try:
            with open(self.getFileName(), "rb") as file:
                kept = jelly.unjelly(banana.decode(file.read()), jelly.globalSecurity)
        except (OSError, ProtocolError, InsecureJelly, LimitExceeded):
            return None
        return kept if isinstance(kept, dict) else None

    def _fetched(self, state: dict[str, Any]) -> None:
        self._activate(state)
        try:
            # Encoded before the file is opened: a state that cannot be kept must not cost the one that was.
            kept = banana.encode(jelly.jelly(self.__getstate__()))
            with open(self.getFileName(), "wb") as file:
                file.write(kept)
        except (OSError, ProtocolError, InsecureJelly, LimitExceeded) as error:
            _log.warn("the state of {copy} is not kept: {error}", copy=self.getFileName(), error=error)

    def _failed(self, failure: Failure) -> None:
        """The state cannot be had: tell who waits for it, or the log."""
        self._failure = failure
        listeners, self._failureListeners = self._failureListeners, []
        for listener in listeners:
            listener(failure)
        if not listeners:
            _log.failure("the state of {copy} could not be fetched", failure, copy=self.getFileName())

    def callWhenFailed(self, callback: Callable[[Failure], object]) -> None:
        """Have ``callback(failure)`` called if the state cannot be fetched; at once if that is known."""
        if self._failure is not None:
            callback(self._failure)
        elif not self.isActivated:
            self._failureListeners.append(callback)

    def _activate(self, state: dict[str, Any]) -> None:
        self.__dict__.update({name: value for name, value in state.items() if name not in self._PASSING})
        self.isActivated = 1
        self._failureListeners = []
        listeners, self._activationListeners = self._activationListeners, []
        for listener in listeners:
            listener(self)
        self.activated()

    def activated(self) -> None:
        """The state is there; to be implemented by those who want to know."""

    def callWhenActivated(self, callback: Callable[[Any], object]) -> None:
        """Have ``callback(self)`` called when the state is there; at once if it is."""
        if self.isActivated:
            callback(self)
        else:
            self._activationListeners.append(callback)


def whenReady(d: Deferred[RemotePublished]) -> Deferred[RemotePublished]:
    """Return a Deferred that fires with the `RemotePublished` of another one once its state is there.

    It fails when the state cannot be fetched.
    """
    ready: Deferred[RemotePublished] = Deferred()

    def received(published: RemotePublished) -> None:
        published.callWhenFailed(ready.errback)
        published.callWhenActivated(ready.callback)

    d.addCallbacks(received, ready.errback)
    return ready
