"""Errors on the wire: what a caller can do with a copied failure."""

from __future__ import annotations

import importlib
import io
from dataclasses import replace
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred, fail

from tests.defects.defect import Older, defect, kept
from tests.defects.wire import RawPeer, Sides, Wire, failure_of, value_of

FAILURE = b"twisted.spread.pb.CopyableFailure"


def root_of(sides: Sides, **methods: Any) -> Any:
    class Served(sides.server.pb.Root):  # type: ignore[misc,name-defined]
        def remote_ping(self) -> str:
            return "pong"

        def remote_bad(self) -> None:
            raise KeyError("the key")

        def remote_fails(self) -> Deferred[Any]:
            return fail(KeyError("the key"))

    for name, method in methods.items():
        setattr(Served, f"remote_{name}", method)
    return Served()


METHODS = pytest.mark.parametrize("method", ["bad", "fails"])


@METHODS
@defect("ours", "our-client", stock="with_traceback|exceptions must derive|has no attribute", raises=Exception)
def test_5507_raise_exception(sides: Sides, method: str) -> None:
    """``raiseException`` of a copied failure raises an AttributeError: its value is a text."""
    failure = failure_of(Wire(sides, root_of(sides)).call(method))
    try:
        failure.raiseException()
    except sides.client.pb.RemoteError as error:
        assert str(error) == "'the key'"
        assert error.remoteType in (b"builtins.KeyError", "builtins.KeyError")
    else:
        raise AssertionError("nothing raised")


@METHODS
@defect("ours", "our-client", stock="with_traceback|has no attribute", raises=AttributeError)
def test_12530_trap_of_another_class(sides: Sides, method: str) -> None:
    """``trap`` of a class that does not match raises an AttributeError instead of the failure."""
    failure = failure_of(Wire(sides, root_of(sides)).call(method))
    assert failure.trap("builtins.KeyError") == "builtins.KeyError"
    assert failure.trap(ValueError, KeyError) is KeyError
    try:
        failure.trap(ValueError, "builtins.OSError")
    except sides.client.pb.RemoteError as error:
        assert str(error) == "'the key'"
    else:
        raise AssertionError("it was trapped")


# Before 24.10 a Failure made of what another one's raiseException raised was the other one again.
@defect(
    "ours",
    "our-client",
    stock="with_traceback|has no attribute",
    raises=AttributeError,
    older=Older(before=(24, 10), stock=None),
)
def test_4036_trap_in_a_callback_chain(sides: Sides) -> None:
    """An errback that traps another class turns the failure into an AttributeError."""
    called = Wire(sides, root_of(sides)).call("bad")
    called.addErrback(lambda failure: failure.trap(ValueError))
    failure = failure_of(called)
    if failure.check(AttributeError) and not failure.check("builtins.KeyError"):
        failure.raiseException()
    assert failure.check("builtins.KeyError") or failure.check(sides.client.pb.RemoteError)
    assert failure.getErrorMessage() == "'the key'"


@METHODS
@defect("ours", "our-client", stock="has no attribute|__name__", raises=AttributeError)
def test_4520_repr(sides: Sides, method: str) -> None:
    """``repr`` of a copied failure raises an AttributeError: its type is bytes."""
    failure = failure_of(Wire(sides, root_of(sides)).call(method))
    assert "KeyError" in repr(failure)
    assert "the key" in str(failure)


@METHODS
@defect("ours", "our-client", stock="not an exception")
def test_value_is_an_exception(sides: Sides, method: str) -> None:
    """The value of a copied failure is a text, where every user of failures expects an exception."""
    failure = failure_of(Wire(sides, root_of(sides)).call(method))
    assert isinstance(failure.value, BaseException), f"not an exception: {failure.value!r}"
    assert isinstance(failure.value, sides.client.pb.RemoteError)
    assert str(failure.value) == failure.getErrorMessage() == "'the key'"
    failure.cleanFailure()
    text = io.StringIO()
    failure.printTraceback(text)
    assert "KeyError" in text.getvalue() and "the key" in text.getvalue()
    assert "Traceback" in failure.getTraceback() or "the key" in failure.getTraceback()


@METHODS
@defect("ours", "our-client", stock="has no attribute|not an exception|__failure__|exceptions must", raises=Exception)
def test_awaiting_a_failed_call(sides: Sides, method: str) -> None:
    """Awaiting a call that has failed already raises an AttributeError; ``except`` cannot name the error."""
    called = Wire(sides, root_of(sides)).call(method)

    async def caller() -> Any:
        try:
            await called
        except sides.client.pb.RemoteError as error:
            return [error.remoteType, str(error)]

    kind, text = value_of(ensureDeferred(caller()))
    assert kind in (b"builtins.KeyError", "builtins.KeyError") and text == "'the key'"


@kept("ours", "our-client")
def test_awaiting_a_call_that_fails_later(sides: Sides) -> None:
    """Awaiting a call that fails afterwards raises RemoteError, with stock too."""
    wire = Wire(sides, root_of(sides))
    root = wire.root()

    async def caller() -> Any:
        try:
            await root.callRemote("bad")
        except sides.client.pb.RemoteError as error:
            return [error.remoteType, str(error)]

    waiting = ensureDeferred(caller())
    wire.pump()
    assert value_of(waiting) == [b"builtins.KeyError", "'the key'"]


STATE: dict[str, Any] = {
    "type": b"builtins.KeyError",
    "value": [b"unicode", b"'the key'"],
    "parents": [b"list", [b"unicode", b"builtins.KeyError"], [b"unicode", b"builtins.LookupError"]],
    "traceback": [b"unicode", b"Traceback unavailable\n"],
}


def state_without(*missing: str) -> list[Any]:
    """An ``error`` payload as a peer of another version sends it."""
    items = [[[b"unicode", key.encode()], value] for key, value in STATE.items() if key not in missing]
    return [FAILURE, [b"dictionary", *items]]


MISSING = {
    "parents": ("parents",),
    "parents and traceback": ("parents", "traceback"),
    "all but type and value": ("parents", "traceback"),
    "all but value": ("parents", "traceback", "type"),
    "everything": ("parents", "traceback", "type", "value"),
}


@pytest.mark.parametrize("name", sorted(MISSING))
@defect(
    "ours",
    stock="escaped dataReceived: KeyError: 'parents'",
    older=Older(before=(24, 7), stock="no attribute '(parents|type|value)'", raises=AttributeError),
)
def test_12452_failure_without(sides: Sides, name: str) -> None:
    """The state of a failure without parents, as older and relaying peers send it, drops the connection."""
    peer = RawPeer.of_client(sides.client)
    called = peer.call("bad")
    peer.send([b"error", 1, state_without(*MISSING[name])])
    failure = failure_of(called)
    if "type" not in MISSING[name]:
        assert failure.check("builtins.KeyError", KeyError)
    assert failure.check("os.NoError") is None
    assert ("the key" in failure.getErrorMessage()) is ("value" not in MISSING[name])
    assert isinstance(repr(failure), str) and isinstance(str(failure), str)
    assert isinstance(failure.getTraceback(), str)
    with pytest.raises(sides.client.pb.RemoteError):
        failure.raiseException()
    assert not peer.closed()


@defect("ours", stock="has no attribute 'traceback'")
def test_12452_awaiting_a_failure_without_traceback(sides: Sides) -> None:
    """A failure whose state has no traceback cannot be thrown into a coroutine."""
    peer = RawPeer.of_client(sides.client)
    called = peer.call("bad")

    async def caller() -> Any:
        try:
            return await called
        except sides.client.pb.RemoteError as error:
            return str(error)

    waiting = ensureDeferred(caller())
    peer.send([b"error", 1, state_without("traceback")])
    assert value_of(waiting) == "'the key'"


@defect("ours", stock="escaped dataReceived")
def test_failure_of_a_base_exception(sides: Sides) -> None:
    """Stock sends the parents of a SystemExit as classes, which its own receivers refuse, and drop the link."""
    peer = RawPeer.of_client(sides.client)
    called = peer.call("bad")
    state = state_without("parents", "type")
    state[1] += [
        [[b"unicode", b"type"], b"builtins.SystemExit"],
        [[b"unicode", b"parents"], [b"list", [b"class", b"builtins.SystemExit"]]],
    ]
    peer.send([b"error", 1, state])
    failure_of(called)
    assert not peer.closed()


def relay(sides: Sides, how: str) -> Any:
    """Two wires in a row: the caller, the middle node, and the one whose method raises."""
    turned = replace(sides, server=sides.client, client=sides.server)
    far = Wire(turned, root_of(turned))
    far_root = far.root()

    async def awaited(_self: Any) -> Any:
        return await far_root.callRemote("bad")

    def relayed(_self: Any) -> Any:
        return awaited(_self) if how == "coroutine" else far_root.callRemote("bad")

    def ensured(_self: Any) -> Any:
        return ensureDeferred(awaited(_self))

    near = Wire(sides, root_of(sides, relay=ensured if how == "ensured" else relayed))
    called = near.root().callRemote("relay")
    for _ in range(3):
        near.pump()
        far.pump()
    near.pump()
    return failure_of(called)


@pytest.mark.parametrize("how", ["coroutine", "ensured"])
@defect("ours", "our-server", stock="the original type is lost|no failure")
def test_relayed_failure_awaited_in_the_middle(sides: Sides, how: str) -> None:
    """A middle node that awaits its own call passes on a RemoteError instead of the original type."""
    failure = relay(sides, how)
    assert failure.check("builtins.KeyError"), f"the original type is lost: {failure.type!r}"
    assert failure.check("builtins.LookupError"), "the parents are lost"
    assert failure.getErrorMessage() == "'the key'"


@kept("ours", "our-server", "our-client")
def test_3174_relayed_failure(sides: Sides) -> None:
    """A middle node that returns the Deferred of its own call passes the failure on with type and parents."""
    failure = relay(sides, "deferred")
    assert failure.check("builtins.KeyError"), failure.type
    assert failure.check("builtins.LookupError"), "the parents are lost"
    assert failure.getErrorMessage() == "'the key'"


@defect("ours", "our-client", stock="no attribute|not an exception|with_traceback|text", raises=Exception)
def test_failure_as_an_argument(sides: Sides) -> None:
    """A CopyableFailure passed as an argument arrives as a failure whose value is a text."""
    pb = sides.client.pb
    got: list[Any] = []

    class Mine(pb.Referenceable):  # type: ignore[misc,name-defined]
        def remote_failed(self, failure: Any) -> None:
            got.append(failure)

    def report(_self: Any, mine: Any) -> Any:
        try:
            raise OSError("no disk")
        except OSError:
            return mine.callRemote("failed", sides.server.pb.CopyableFailure())

    value_of(Wire(sides, root_of(sides, report=report)).call("report", Mine()))
    assert got[0].check("builtins.OSError", OSError)
    assert isinstance(got[0].value, BaseException), "a text for a value"
    assert str(got[0].value) == "no disk"


class Refused(Exception):
    """An exception of the application that both sides know."""


@defect("ours", stock="args|lost", raises=Exception)
def test_10651_registered_exception_keeps_args(sides: Sides) -> None:
    """A registered exception class travels as such but loses its args."""
    if sides.client.stock:
        from twisted.spread import jelly

        # The nearest that stock has: let instances of the class pass, in both directions.
        options = jelly.SecurityOptions()
        options.allowInstancesOf(Refused)
        factories = {
            "server_factory": sides.server.pb.PBServerFactory(refusing(sides), security=options),
            "client_factory": sides.client.pb.PBClientFactory(security=options),
        }
    else:
        importlib.import_module("broker").registerException(Refused)
        factories = {}
    wire = Wire(sides, refusing(sides), **factories)
    failure = failure_of(wire.call("refuse"))
    error = failure.value
    assert isinstance(error, Refused)
    assert error.args == ("too late", 17), f"args were lost: {error.args!r}"


def refusing(sides: Sides) -> Any:
    def refuse(_self: Any) -> None:
        raise Refused("too late", 17)

    return root_of(sides, refuse=refuse)
