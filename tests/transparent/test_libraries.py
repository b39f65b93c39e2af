"""What libraries look up on every object that they meet: a proxy answers all of it without a message."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import functools
import inspect
import json
import logging
import pydoc
import threading
import typing
from collections.abc import Callable
from types import SimpleNamespace
from unittest import mock

import pytest
from twisted.internet import defer
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.python.failure import Failure
from zope.interface import Interface, providedBy

from broker.testing.harness import Pairs
from broker.transparent import LIVE, export, expr, live
from tests.remote.scene import counted, proxied


class IThing(Interface):
    pass


@typing.runtime_checkable
class Closes(typing.Protocol):
    def close(self) -> None: ...


@functools.singledispatch
def dispatched(thing: typing.Any) -> str:
    return "object"


def yielding(thing: typing.Any) -> typing.Any:
    @inlineCallbacks
    def inner() -> typing.Any:
        got = yield thing
        return got

    return inner()


def refused(function: Callable[[typing.Any], object]) -> Callable[[typing.Any], object]:
    """Return a look that ends in an error, as it should."""

    def look(thing: typing.Any) -> object:
        with pytest.raises((TypeError, AttributeError, ValueError, copy.Error)):
            function(thing)
        return None

    return look


def matched(thing: typing.Any) -> bool:
    match thing:
        case {"a": _}:
            return True
        case int() | str() | SimpleNamespace():
            return True
        case _:
            return False


def display(thing: typing.Any) -> None:
    for name in ("_ipython_canary_method_should_not_exist_", "_ipython_display_", "_repr_html_", "_repr_mimebundle_"):
        assert getattr(thing, name, None) is None


LOOKS: dict[str, Callable[[typing.Any], object]] = {
    "callback": lambda p: Deferred().callback(p),
    "returned from a callback": lambda p: defer.succeed(None).addCallback(lambda _: p),
    "maybeDeferred": lambda p: defer.maybeDeferred(lambda: p),
    "inlineCallbacks": yielding,
    "gatherResults": lambda p: defer.gatherResults([defer.succeed(p)]),
    "DeferredList": refused(lambda p: defer.DeferredList([p])),
    "Failure": lambda p: isinstance(p, Failure),
    "providedBy": lambda p: (providedBy(p), IThing(p, None), IThing.providedBy(p)),
    "copy": lambda p: copy.copy(p),
    "isinstance": lambda p: [isinstance(p, cls) for cls in (int, dict, Closes, typing.Hashable)],
    "match": matched,
    "singledispatch": lambda p: dispatched(p),
    "json": refused(lambda p: json.dumps(p)),
    "logging": lambda p: logging.getLogger("quiet").error("%s %r", p, p),
    "dataclass": lambda p: dataclasses.is_dataclass(p),
    "coroutine": lambda p: (asyncio.isfuture(p), inspect.isawaitable(p), inspect.iscoroutinefunction(p)),
    "inspect": lambda p: (inspect.getdoc(p), inspect.isclass(p), inspect.isroutine(p), inspect.ismodule(p)),
    "wraps": lambda p: functools.wraps(p)(lambda: None),
    "thread": lambda p: threading.Thread(target=p),
    "mock": lambda p: mock.Mock(return_value=p)(),
    "pydoc": lambda p: pydoc.describe(p),
    "display": display,
    "hints": lambda p: typing.get_type_hints(p),
    "weakref": lambda p: __import__("weakref").ref(p),
    "vars": refused(lambda p: vars(p)),
    "dir": lambda p: dir(p),
    "await": refused(lambda p: _run(p)),
    "array": lambda p: [getattr(p, name, None) for name in ("__array__", "__array_interface__", "__array_struct__")],
    "keywords": refused(lambda p: dict(**p)),
}


def _run(thing: typing.Any) -> object:
    async def waiting() -> object:
        return await thing

    return waiting().send(None)


class Open:
    """Has, or so it says, every attribute there is."""

    def __getattr__(self, name: str) -> str:
        return f"remote {name}"


class Many(dict):  # type: ignore[type-arg]
    """Has most special methods."""

    __array__ = __await__ = _repr_html_ = __fspath__ = lambda self: 1

    def __call__(self) -> None: ...

    def __iter__(self) -> typing.Any:
        return iter(())


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("served", [object, Open], ids=["plain", "open"])
def test_looking_at_a_proxy_is_quiet(pairs: Pairs, look: str, served: type, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    if look in ("keywords", "isinstance") and served is Open:
        # It says that it has keys, and that it can be closed.
        return
    pair, proxy = proxied(pairs, served())
    with counted(pair) as messages:
        LOOKS[look](proxy)
    assert messages.calls == 0, look


@pytest.mark.parametrize("look", [look for look in LOOKS if look not in ("copy", "keywords", "match", "await", "dir")])
def test_looking_at_other_things_is_quiet(pairs: Pairs, look: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    pair = pairs(export(Many(), LIVE))
    root = pair.root
    things = [expr(root), pair.result(live(root)), live(root).result]
    with counted(pair) as messages:
        for thing in things:
            if look == "isinstance" or (look == "wraps" and thing is things[0]):
                continue
            if look == "coroutine" and thing is things[0]:
                assert inspect.isawaitable(thing)
                continue
            if look == "logging" and thing is not things[0]:
                continue
            if look in ("hints", "vars", "json", "array") and thing is things[0]:
                continue
            LOOKS[look](thing)
    assert messages.calls == 0, look


def test_special_methods_that_stay_here(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Many())
    with counted(pair) as messages:
        for name in ("__array__", "__await__", "_repr_html_", "__fspath__", "__dict__", "__wrapped__", "addCallbacks"):
            assert not hasattr(proxy, name)
        assert proxy.__module__ == "broker.transparent" and proxy.__doc__ is None
    assert messages.calls == 0
