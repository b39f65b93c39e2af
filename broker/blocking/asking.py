"""The usual operations of proxies that wait, each in few steps: calls of methods, items, and locks in ``with``.

They are functions in the class of the proxies, so that Python finds them at once. What goes with them is mostly nothing
but scalars, and then no program is made: what that would send is sent. Everything else goes the long way.
"""

from __future__ import annotations

from _thread import get_ident
from functools import partial
from typing import Any, Final

from broker._remote.atoms import scalars
from broker._remote.descriptors import Descriptor
from broker._remote.held import ASKS, state_of
from broker._remote.names import is_dunder, is_local
from broker._remote.operate import perform
from broker._remote.verbs import DO, Verb
from broker.blocking.driver import NOT_PLAIN
from broker.blocking.waiting import driver_of, outcome
from broker.blocking.waits import bound
from broker.errors import DeadReferenceError, PBConnectionLost

__all__ = ["ENTERING", "ITEMS", "methods_of"]

_NO_KEYWORDS: Final[dict[str, Any]] = {}


def methods_of(descriptor: Descriptor, owned: frozenset[str]) -> dict[str, Any]:
    """Return the functions in a class of proxies that call the methods of a type.

    :param owned: the methods that are told which thread calls.
    """
    names = [name for name in descriptor.methods if not is_local(name) and not is_dunder(name)]
    return {name: _owned(name) if name in owned else _method(name) for name in names}


def _run(proxy: Any, message: bytes, args: tuple[Any, ...], kw: dict[str, Any], verb: Verb, *operands: Any) -> Any:
    """Run an operation that nothing but scalars goes with; return its result.

    :param message: with `args` and `kw`, what is sent.
    :param operands: with `verb`, what that means.
    """
    reference = state_of(proxy).reference
    broker = reference.broker
    if bound(broker) is None:
        convert = partial(outcome, proxy, verb, operands)
        result = driver_of(broker).quick(reference.luid, message, args, kw, convert)
        if result is not NOT_PLAIN:
            return result
    return perform(proxy, verb, *operands)


def _method(name: str) -> Any:
    message = b"." + name.encode()

    def method(self: Any, /, *args: Any, **kw: Any) -> Any:
        if scalars(args) and (not kw or scalars(kw.values())):
            return _run(self, message, args, kw, Verb.CALL, name, args, kw)
        return perform(self, Verb.CALL, name, list(args), kw)

    return _named(method, name)


def _named(method: Any, name: str) -> Any:
    method.__name__ = name
    # For those who look at what is to be called.
    setattr(method, ASKS, name)
    return method


def _getitem(self: Any, key: Any) -> Any:
    if not scalars((key,)):
        return perform(self, Verb.GETITEM, key)
    return _run(self, DO, (0, [[_GETITEM, 0, key]]), _NO_KEYWORDS, Verb.GETITEM, key)


def _setitem(self: Any, key: Any, item: Any) -> None:
    if scalars((key, item)):
        _run(self, DO, (0, [[_SETITEM, 0, key, item]]), _NO_KEYWORDS, Verb.SETITEM, key, item)
    else:
        perform(self, Verb.SETITEM, key, item)


_GETITEM: Final = int(Verb.GETITEM)
_SETITEM: Final = int(Verb.SETITEM)
#: What gets and sets items.
ITEMS: Final[dict[str, Any]] = {"__getitem__": _getitem, "__setitem__": _setitem}


# Locks are held by threads.


def _owned(name: str) -> Any:
    plain = _method(name)

    def method(self: Any, /, *args: Any, **kw: Any) -> Any:
        return plain(self, *args, **{"owner": get_ident(), **kw})

    return _named(method, name)


def _enter(self: Any) -> Any:
    kw = {"owner": get_ident()}
    return _run(self, b".acquire", (), kw, Verb.CALL, "acquire", (), kw)


def _exit(self: Any, kind: Any, error: Any, trace: Any) -> None:
    kw = {"owner": get_ident()}
    try:
        _run(self, b".release", (), kw, Verb.CALL, "release", (), kw)
    except (DeadReferenceError, PBConnectionLost):
        # Then it is released; and what happened in between tells more.
        if error is None:
            raise


#: What takes a lock for the thread, and lets it go.
ENTERING: Final[dict[str, Any]] = {"__enter__": _enter, "__exit__": _exit}
