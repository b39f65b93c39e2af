"""Failures across a connection: how one is sent, and what its receiver holds."""

from __future__ import annotations

import builtins
from functools import lru_cache
from typing import IO, Any, Final, NoReturn

from twisted.cred.error import LoginDenied, LoginFailed, UnauthorizedLogin, UnhandledCredentials
from twisted.internet.defer import CancelledError
from twisted.python import log
from twisted.python.failure import Failure

from broker._objects.copyable import Copyable, RemoteCopy, dotted_name
from broker._objects.flavor import registers
from broker._values.path import brief
from broker._values.registry import Registry, globalRegistry
from broker.errors import (
    WIRE_NAMES,
    BadValue,
    ConnectionRefused,
    DeadlineExceeded,
    GoingAway,
    LimitExceeded,
    NameTaken,
    NotAllowed,
    PeerSilent,
    RemoteError,
    UnknownName,
)

__all__ = ["CopiedFailure", "CopyableFailure", "failure2Copyable", "remote_exception", "TAG", "wire_name", "WITHHELD"]

#: What a receiver sees in place of a traceback, unless the sender's factory has `unsafeTracebacks`.
WITHHELD: Final = "Traceback unavailable\n"

#: The tag under which every PB peer knows a failure.
TAG: Final = b"twisted.spread.pb.CopyableFailure"


def wire_name(cls: type) -> str:
    """Return the dotted name under which peers know an exception class."""
    return WIRE_NAMES.get(cls) or dotted_name(cls)


def _known_exceptions() -> dict[str, type[BaseException]]:
    """Return the exception classes that a name from the wire may stand for without being registered."""
    # Raising these two inside a coroutine or generator would end it instead of failing it; groups need members.
    unusable = (StopIteration, StopAsyncIteration)
    # Too general to tell a caller anything that RemoteError does not.
    general = (Exception, BaseException)
    known: dict[str, type[BaseException]] = {}
    for value in vars(builtins).values():
        if isinstance(value, type) and issubclass(value, Exception) and value not in general:
            if not issubclass(value, unusable) and value.__name__ != "ExceptionGroup":
                known[dotted_name(value)] = value
    known.update({name: cls for cls, name in WIRE_NAMES.items() if cls is not RemoteError})
    ours = (BadValue, ConnectionRefused, DeadlineExceeded, GoingAway, LimitExceeded, PeerSilent)
    of_names = (NameTaken, NotAllowed, UnknownName)
    known.update({dotted_name(cls): cls for cls in (*ours, *of_names)})
    # What a call that was cancelled comes to.
    known[dotted_name(CancelledError)] = CancelledError
    # What a login fails with.
    known.update({dotted_name(cls): cls for cls in (LoginDenied, LoginFailed, UnauthorizedLogin, UnhandledCredentials)})
    return known


_KNOWN: Final = _known_exceptions()


@lru_cache(maxsize=1024)
def _remote_class(known: Any) -> type[RemoteError]:
    """Return a class that is both a `RemoteError` and the known class."""
    given: type[BaseException] = known
    if issubclass(given, RemoteError):
        return given

    def text(self: RemoteError) -> str:
        # Some exceptions decorate their argument (KeyError quotes it); the peer has done so already.
        return self._text or ""

    namespace = {"__str__": text, "__module__": known.__module__, "__qualname__": known.__qualname__}
    return type(known.__name__, (RemoteError, known), namespace)


def remote_exception(
    name: bytes, text: str, traceback: str, parents: list[str], registry: Registry, args: tuple[Any, ...] | None = None
) -> RemoteError:
    """Return an exception instance for one that was raised by the peer.

    :param name: the dotted name of its class there.
    :param text: its text.
    :param parents: the dotted names of its class and base classes there.
    :param registry: says for which names classes of ours may stand.
    :param args: its arguments, where the peer sent them.
    """
    cls: type[RemoteError] = RemoteError
    for parent in [name.decode("utf-8", "replace"), *parents]:
        known: Any = registry.exception_for(parent) or _KNOWN.get(parent)
        if known is not None:
            cls = _remote_class(known)
            break
    instance: RemoteError = cls.__new__(cls, text)
    instance.args = (text,) if args is None else args
    instance.remoteType = name
    instance.remoteTraceback = traceback
    instance.remoteParents = tuple(parents)
    instance._text = text
    return instance


class CopyableFailure(Failure, Copyable):
    """A Failure that is passed as a copy: type, text and base classes; the traceback only when that is allowed."""

    unsafeTracebacks: Any = False

    def getTypeToCopy(self) -> bytes:
        """Return the tag that PB peers know."""
        return TAG

    def getStateToCopy(self) -> dict[str, Any]:
        """Return what crosses, with the keys that PB peers of all ages look for."""
        value = self.value
        if isinstance(value, RemoteError):
            # Passed on from a third process: it keeps the type and the parents that it had there.
            name, text, parents = value.remoteType, _safe_text(value), list(value.remoteParents)
        else:
            cls = type(value)
            name, text = wire_name(cls).encode("utf-8"), _safe_text(value)
            parents = [wire_name(parent) for parent in cls.__mro__]
        return {
            # A count that the failures of a process share tells a stranger how many it had.
            "count": 0,
            "type": name,
            "value": text,
            "captureVars": False,
            "tb": None,
            "unsafeTracebacks": bool(self.unsafeTracebacks),
            "parents": parents,
            "frames": [],
            "stack": [],
            "traceback": self._sent_traceback() if self.unsafeTracebacks else WITHHELD,
        }

    def _sent_traceback(self) -> str:
        """Return the traceback of this process, below that of the process where it was raised if it is passed on."""
        before = self.value.remoteTraceback if isinstance(self.value, RemoteError) else ""
        here = self.getTraceback() if isinstance(self.type, type) else ""
        return _sendable("\n".join(text for text in (before, here) if text))


def _safe_text(value: Any) -> str:
    """Return the text of an exception, even of one whose ``__str__`` fails or that has lone surrogates in it."""
    try:
        text = str(value)
    except Exception as error:  # noqa: BLE001  a peer waits for some text, whatever ``__str__`` raises
        text = f"<unprintable {type(value).__name__}: {type(error).__name__}>"
    return _sendable(text)


def _sendable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def failure2Copyable(fail: Failure, unsafeTracebacks: Any = 0) -> CopyableFailure:
    """Return a failure in the form that may be passed as a copy.

    :param unsafeTracebacks: whether its traceback goes with it.
    """
    copyable = CopyableFailure.__new__(CopyableFailure)
    copyable.__dict__ = fail.__dict__.copy()
    copyable.unsafeTracebacks = unsafeTracebacks
    return copyable


@registers(TAG)
class CopiedFailure(RemoteCopy, Failure):
    """A failure received from the peer.

    :ivar type: the dotted name of the exception's class there, as bytes.
    :ivar value: an exception instance that stands for it, see `RemoteError`.
    :ivar parents: the dotted names of its class and base classes there.
    :ivar traceback: its traceback as text, or a line saying that it was withheld.
    """

    type: Any
    value: Any
    parents: Any = ()

    def unjellyFor(self, unjellier: Any, expression: Any) -> Any:
        """Lift from ``(tag state)``."""
        state = unjellier.unjelly(expression[1])
        self._take(state if isinstance(state, dict) else {}, getattr(unjellier, "registry", globalRegistry))
        return self

    def setCopyableState(self, state: Any) -> None:
        """Take the state that the peer sent; what is missing in it gets a default."""
        self._take(state, globalRegistry)

    def _take(self, state: dict[Any, Any], registry: Registry) -> None:
        # Only the keys that make a failure are taken: a peer must not set attributes of its choice here.
        name = state.get("type", b"")
        self.type = name if isinstance(name, bytes) else _as_text(name).encode("utf-8", "backslashreplace")
        text = _as_text(state.get("value", ""))
        parents = state.get("parents")
        names = [_as_text(parent) for parent in parents] if isinstance(parents, list) else []
        self.parents = names or [_as_text(self.type)]
        traceback = state.get("traceback", WITHHELD)
        self.traceback = traceback if isinstance(traceback, str) else WITHHELD
        args = state.get("args")
        self.value = remote_exception(
            self.type, text, self.traceback, self.parents, registry, tuple(args) if isinstance(args, list) else None
        )
        self.tb = None
        self.count = 0
        self.captureVars = False
        self.pickled = 1
        self.frames = []

    def check(self, *errorTypes: Any) -> Any:
        """Return the first of the given classes, or dotted names, that this failure belongs to, or None."""
        for error in errorTypes:
            if isinstance(error, type):
                if isinstance(self.value, error):
                    return error
                name = wire_name(error)
            else:
                name = _as_text(error)
            if name in self.parents or (isinstance(error, type) and dotted_name(error) in self.parents):
                return error
        return None

    def trap(self, *errorTypes: Any) -> Any:
        """Return the first of the given classes or names that this failure belongs to.

        :raises RemoteError: it belongs to none of them.
        """
        return self.check(*errorTypes) or self.raiseException()

    def raiseException(self) -> NoReturn:
        """Raise the exception instance that stands for the remote one."""
        raise self.value

    def throwExceptionIntoGenerator(self, g: Any) -> Any:
        """Throw the exception instance into a generator or coroutine; return what that yields next."""
        return g.throw(self.value)

    def getErrorMessage(self) -> str:
        """Return the text of the remote exception."""
        return str(self.value)

    def printTraceback(self, file: IO[str] | None = None, elideFrameworkCode: Any = 0, detail: str = "default") -> None:
        """Write the type and the text of the remote exception to a file, the log by default."""
        target: Any = log.logfile if file is None else file
        target.write(f"Traceback from remote host -- {_as_text(self.type)}: {self.value}\n")

    printBriefTraceback = printTraceback
    printDetailedTraceback = printTraceback

    def cleanFailure(self) -> None:
        """Do nothing: there are no frames to let go."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {_as_text(self.type)}: {self.value}>"


def _as_text(name: Any) -> str:
    """Return what a peer sent in place of a text as text; other things may be of any size, and are described."""
    if isinstance(name, bytes):
        return name.decode("utf-8", "replace")
    if isinstance(name, Failure):
        # Old peers nest the failure of a failure.
        return name.getErrorMessage()
    return str(name) if isinstance(name, (str, type)) else brief(name)
