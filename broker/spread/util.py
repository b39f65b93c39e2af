"""Drop-in for `twisted.spread.util`."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.python.failure import Failure

from broker._objects.pager import CallbackPageCollector, FilePager, Pager, StringPager, getAllPages

__all__ = [
    "CallbackPageCollector",
    "FilePager",
    "LocalAsRemote",
    "LocalAsyncForwarder",
    "LocalMethod",
    "Pager",
    "StringPager",
    "getAllPages",
]


class LocalMethod:
    """One method of a `LocalAsRemote` as a callable.

    :param local: the object.
    :param name: the bare name of the method.
    """

    def __init__(self, local: LocalAsRemote, name: str) -> None:
        self.local = local
        self.name = name

    def __call__(self, *args: Any, **kw: Any) -> Any:
        return self.local.callRemote(self.name, *args, **kw)


class LocalAsRemote:
    """An object here that is called as if it were remote: its methods are ``sync_*`` and ``async_*``."""

    reportAllTracebacks = 1

    def callRemote(self, name: str, /, *args: Any, **kw: Any) -> Any:
        """Call a method.

        :returns: what ``sync_<name>`` returns, as it is (it should be a Deferred); else a Deferred of what
            ``async_<name>`` returns or raises.
        """
        method = getattr(self, "sync_" + name, None)
        if method is not None:
            return method(*args, **kw)
        try:
            return succeed(getattr(self, "async_" + name)(*args, **kw))
        except Exception:  # noqa: BLE001  it goes to the caller, as that of a remote method would
            failure = Failure()
            if self.reportAllTracebacks:
                failure.printTraceback()
            return fail(failure)

    def remoteMethod(self, name: str) -> LocalMethod:
        """Return one method as a callable."""
        return LocalMethod(self, name)


class LocalAsyncForwarder:
    """The methods that an interface describes, of an object here, called as if it were remote.

    :param forwarded: the object; it must provide the interface.
    :param interfaceClass: the interface.
    :param failWhenNotImplemented: whether calling another method fails; if not, it comes to None.
    """

    def __init__(self, forwarded: Any, interfaceClass: Any, failWhenNotImplemented: Any = 0) -> None:
        if not interfaceClass.providedBy(forwarded):
            raise TypeError(f"{forwarded!r} does not provide {interfaceClass!r}")
        self.forwarded = forwarded
        self.interfaceClass = interfaceClass
        self.failWhenNotImplemented = failWhenNotImplemented

    def callRemote(self, method: str, /, *args: Any, **kw: Any) -> Deferred[Any]:
        """Call a method; return a Deferred of what it returns or raises."""
        if self.interfaceClass.queryDescriptionFor(method):
            return maybeDeferred(getattr(self.forwarded, method), *args, **kw)
        if self.failWhenNotImplemented:
            return fail(Failure(NotImplementedError(f"No Such Method in Interface: {method}")))
        return succeed(None)
