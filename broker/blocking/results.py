"""AsyncResult: a call that is under way, as RPyC has it; `async_` and `timed` make calls that return one."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from types import MethodType
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from broker._objects.reference import CallOptions, RemoteMethod, RemoteReference
from broker._remote.held import Held, bound_to, state_of
from broker._remote.program import Node, Program, more_of
from broker._remote.proxy import Method
from broker._remote.sending import transmit
from broker._remote.verbs import Verb
from broker.blocking.driver import Driver
from broker.blocking.waiting import driver_of
from broker.blocking.waits import raised
from broker.errors import DeadlineExceeded

__all__ = ["AsyncResult", "async_", "timed"]


class AsyncResult:
    """The result of a call that is under way; made by `async_` and `timed`.

    :param driver: runs the call's connection.
    :param start: called inside; returns the Deferred.
    :param text: what is called, for messages.
    """

    def __init__(self, driver: Driver, start: Callable[[], Deferred[Any]], text: str) -> None:
        self._driver = driver
        self._text = text
        self._outcome: list[Any] = []
        self._waiting: list[Deferred[None]] = []
        self._callbacks: list[Callable[[AsyncResult], object]] = []
        self._expires: float | None = None
        self._seconds = 0.0
        self._timer: Any = None
        self._expired = False
        self._deferred: Deferred[Any] | None = None
        driver.run(self._start, start)

    def _start(self, start: Callable[[], Deferred[Any]]) -> None:
        self._deferred = start()
        self._deferred.addBoth(self._arrived)

    def _arrived(self, result: Any) -> None:
        if self._outcome:
            return
        self._deferred = None
        self._outcome.append(result)
        self._stop_timer()
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            self._driver.workers.submit(lambda callback=callback: callback(self))  # type: ignore[misc]

    def _joined(self) -> Deferred[None]:
        joined: Deferred[None] = Deferred(self._unjoined)
        if self._outcome:
            joined.callback(None)
        else:
            self._waiting.append(joined)
        return joined

    def _unjoined(self, joined: Deferred[None]) -> None:
        self._waiting.remove(joined)

    def wait(self) -> None:
        """Wait until the result is there.

        :raises DeadlineExceeded: the expiry came first.
        """
        if not self._outcome:
            # The expiry, which somebody may set meanwhile, ends this too.
            self._driver.wait(None, self._joined)
        if self._expired:
            raise DeadlineExceeded(self._late)

    @property
    def _late(self) -> str:
        return f"no answer to {self._text} within {self._seconds:g} seconds"

    @property
    def ready(self) -> bool:
        """Whether the result is there; false for ever once it has expired."""
        return bool(self._outcome) and not self._expired

    @property
    def error(self) -> bool:
        """Whether the result is there and is an exception."""
        return self.ready and isinstance(self._outcome[0], Failure)

    @property
    def expired(self) -> bool:
        """Whether the expiry came before the result."""
        if not self._outcome and self._expires is not None and monotonic() >= self._expires:
            self._driver.run(self._expire)
        return self._expired

    @property
    def value(self) -> Any:
        """The result, once it is there; waits for it.

        :raises DeadlineExceeded: the expiry came first.
        :raises BaseException: the call failed.
        """
        self.wait()
        if self.error:
            # Whoever asks again gets it again.
            raised(list(self._outcome))
        return self._outcome[0]

    def set_expiry(self, seconds: float | None) -> None:
        """Give up the call so many seconds from now; whatever is answered later is let go.

        :param seconds: None for never.
        """
        self._driver.run(self._set_expiry, seconds)

    def _set_expiry(self, seconds: float | None) -> None:
        self._stop_timer()
        self._expires = None
        if seconds is None or self._outcome:
            return
        self._expires, self._seconds = monotonic() + seconds, seconds
        self._timer = self._driver.later(seconds, self._expire)

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _expire(self) -> None:
        if not self._outcome:
            self._expired = True
            deferred = self._deferred
            self._arrived(Failure(DeadlineExceeded(self._late)))
            if deferred is not None:
                deferred.cancel()

    def cancel(self) -> None:
        """Give up the call; it fails with `twisted.internet.defer.CancelledError`."""
        self._driver.run(self._cancel)

    def _cancel(self) -> None:
        if self._deferred is not None:
            self._deferred.cancel()

    def add_callback(self, function: Callable[[AsyncResult], object]) -> None:
        """Have ``function(result)`` called when the result is there, in a worker, which may wait; soon if it is."""
        self._driver.run(self._add_callback, function)

    def _add_callback(self, function: Callable[[AsyncResult], object]) -> None:
        if self._outcome:
            self._driver.workers.submit(lambda: function(self))
        else:
            self._callbacks.append(function)

    def __repr__(self) -> str:
        state = "expired" if self._expired else "error" if self.error else "ready" if self.ready else "pending"
        return f"<AsyncResult {self._text}, {state}>"


class async_:
    """A remote function that does not wait: calling it returns an `AsyncResult`.

    Calls begin in the order in which they were made, whatever their arguments.

    :param function: a proxy, a method of one, or a method of a reference: ``remoteMethod(name)`` or ``callRemote``.
    :raises TypeError: it is none of these.
    """

    def __init__(self, function: Any) -> None:
        self._function = function
        self._broker, self._starter = _starter(function)

    def __call__(self, /, *args: Any, **kw: Any) -> AsyncResult:
        """Begin a call."""
        start, text = self._starter(args, kw)
        return AsyncResult(driver_of(self._broker), start, text)

    def __repr__(self) -> str:
        return f"async_({self._function!r})"


class timed(async_):
    """A remote function that does not wait, and whose results expire.

    :param seconds: how long each call may take.
    """

    def __init__(self, function: Any, seconds: float) -> None:
        super().__init__(function)
        self._seconds = seconds

    def __call__(self, /, *args: Any, **kw: Any) -> AsyncResult:
        """Begin a call."""
        result = super().__call__(*args, **kw)
        result.set_expiry(self._seconds)
        return result

    def __repr__(self) -> str:
        return f"timed({self._function!r}, {self._seconds:g})"


_Start = tuple[Callable[[], Any], str]


def _starter(function: Any) -> tuple[Any, Callable[[Any, Any], _Start]]:
    """Return the connection of a remote function, and what makes of arguments what starts a call."""
    kind = type(function)
    if issubclass(kind, Method):
        proxy, name = more_of(function)
        return _program_starter(proxy, name)
    if issubclass(kind, Held):
        return _program_starter(function, None)
    if issubclass(kind, RemoteMethod):
        return _call_starter(function.obj, (function.name,))
    bound = bound_to(function)
    if bound is not None:
        return _program_starter(*bound)
    if kind is MethodType and function.__name__ == "callRemote":
        holder = function.__self__
        if isinstance(holder, (RemoteReference, CallOptions)):
            return _call_starter(holder, ())
    raise TypeError(f"{kind.__name__} is no remote function: no proxy, no method of one, no method of a reference")


def _program_starter(proxy: Held, name: str | None) -> tuple[Any, Callable[[Any, Any], _Start]]:
    state = state_of(proxy)

    def starter(args: Any, kw: Any) -> _Start:
        program = Program((Node(state.reference).then(Verb.CALL, name, list(args), kw),), state.view, None, whole=proxy)
        return (lambda: transmit(state.reference, program)), program.text

    return state.reference.broker, starter


def _call_starter(holder: Any, fixed: tuple[Any, ...]) -> tuple[Any, Callable[[Any, Any], _Start]]:
    def starter(args: Any, kw: Any) -> _Start:
        return (lambda: holder.callRemote(*fixed, *args, **kw)), repr((fixed or args)[0])

    reference = holder if isinstance(holder, RemoteReference) else holder._reference
    return reference.broker, starter
