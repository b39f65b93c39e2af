"""`shielded`: served methods that a caller cannot cancel."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from types import CoroutineType
from typing import Any, ParamSpec, TypeVar, overload

from twisted.internet.defer import Deferred

from broker._objects.context import CURRENT

__all__ = ["shielded"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class _Shield(Deferred[Any]):
    """The result of work that goes on whoever gives up waiting for it."""

    def cancel(self) -> None:
        """Do nothing: the work is not the caller's to stop."""


@overload
def shielded(method: Callable[_P, Coroutine[Any, Any, _T]]) -> Callable[_P, Deferred[_T]]: ...


@overload
def shielded(method: Callable[_P, _T]) -> Callable[_P, _T]: ...


def shielded(method: Callable[_P, Any]) -> Callable[_P, Any]:
    """Have a served method finish what it began, whatever becomes of its caller.

    A caller that cancels a call, or whose deadline is over, has what the method waits for cancelled. For a method that
    must not stop halfway, put this decorator on it, next to the ``def``: cancelling does not reach the method's
    Deferred or coroutine, and the caller's deadline holds neither for it nor for the calls that it makes. The call
    still counts among the caller's calls in flight until the method has ended.

    :param method: a method that returns a value or a Deferred, or an ``async def``.
    :returns: the method; where it waits for something, its result is a Deferred that ignores being cancelled.
    """

    @wraps(method)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> Any:
        token = CURRENT.set(None)
        try:
            result = method(*args, **kwargs)
            if isinstance(result, CoroutineType):
                result = Deferred.fromCoroutine(result)
        finally:
            CURRENT.reset(token)
        if not isinstance(result, Deferred):
            return result
        shield = _Shield()
        result.chainDeferred(shield)
        return shield

    return run
