"""What a peer must not reach, and what must not reach a peer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import UsernamePassword
from twisted.cred.portal import IRealm, Portal
from zope.interface import implementer

from tests.defects.defect import defect, kept
from tests.defects.third_party import offer
from tests.defects.wire import RawPeer, Sides, Wire, failure_of, value_of

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize("what", ["give", "cache"])
@defect("ours", "our-client", stock="only an assertion")
def test_third_party_reference(sides: Sides, what: str) -> None:
    """Only an assertion keeps a reference of one connection from being sent on another."""
    told, seen = offer(sides, what)
    assert seen == []
    failure = failure_of_result(told)
    assert not failure.check(AssertionError), "only an assertion"
    assert failure.check(sides.client.jelly.InsecureJelly, sides.client.pb.Error, ValueError), failure.type


def failure_of_result(told: list[Any]) -> Any:
    from twisted.python.failure import Failure

    assert len(told) == 1 and isinstance(told[0], Failure), f"not refused: {told}"
    return told[0]


@pytest.mark.parametrize("what", ["give", "cache"])
@defect("ours", "our-client", stock="the number was sent")
def test_third_party_reference_without_assertions(sides: Sides, what: str) -> None:
    """Under ``python -O`` a number of one connection is sent on another, where it means another object."""
    command = [sys.executable, "-O", "-m", "tests.defects.third_party"]
    done = subprocess.run(
        [*command, sides.server.package, sides.client.package, what],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "debug=False" in done.stdout
    assert "received=0" in done.stdout and "refused=[]" not in done.stdout, f"the number was sent: {done.stdout}"


@pytest.mark.parametrize("name", [b"builtins.complex", b"os.system", b"a.b", b"."])
@defect("ours", stock="allowed")
def test_6355_dotted_type_is_not_allowed(sides: Sides, name: bytes) -> None:
    """Any name with a dot passes ``isTypeAllowed``, so the check of the sender is void."""
    jelly = sides.client.jelly
    options = jelly.SecurityOptions()
    assert not options.isTypeAllowed(name), "allowed by default"
    options.allowBasicTypes()
    assert not options.isTypeAllowed(name), "allowed with the basic types"
    options.allowInstancesOf(Known)
    assert not options.isTypeAllowed(name), "allowed with a class of its own"
    assert options.isTypeAllowed(f"{Known.__module__}.{Known.__qualname__}")


class Known:
    """A class of the application."""


@kept("ours")
def test_6355_dotted_type_is_refused(sides: Sides) -> None:
    """A dotted type nobody registered is refused on the way in, with the class never imported."""
    peer = RawPeer.of_server(sides.server, served(sides))
    sys.modules.pop("this", None)
    for number, form in enumerate(
        [[b"this.s", [b"dictionary"]], [b"builtins.complex", 1], [b"function", b"this.s"]], 1
    ):
        peer.received.clear()
        peer.send([b"message", number, b"root", b"public", 1, [b"tuple", form], [b"dictionary"]])
        assert peer.received[0][:2] == [b"error", number]
        assert b"InsecureJelly" in flat(peer.received[0])
    assert "this" not in sys.modules
    assert not peer.closed()


def flat(expression: Any) -> bytes:
    """All byte strings of an expression, to look for one."""
    if isinstance(expression, bytes):
        return expression + b" "
    return b"".join(flat(item) for item in expression) if isinstance(expression, list) else b""


def served(sides: Sides) -> Any:
    class Served(sides.server.pb.Root):  # type: ignore[misc,name-defined]
        secret = "secret"

        def remote_public(self, value: Any = None) -> str:
            return "public"

        def private(self) -> str:
            return "private"

    return Served()


NAMES = [
    "__class__",
    "__init__",
    "__dict__",
    "_public",
    "",
    "public.__self__",
    "public.__func__",
    "private",
    "secret",
    "remote_public",
    "remoteMessageReceived",
    "rootObject",
    ".",
    "\x00",
    "public ",
]


@pytest.mark.parametrize("name", NAMES)
@kept("ours", "our-server", "our-client")
def test_method_names(sides: Sides, name: str) -> None:
    """Names with dots, dunder names, empty names and names of other attributes find no method."""
    wire = Wire(sides, served(sides))
    failure = failure_of(wire.call(name))
    assert failure.check("twisted.spread.flavors.NoSuchMethod", sides.client.pb.NoSuchMethod)
    assert failure.check("builtins.AttributeError", AttributeError)
    assert value_of(wire.call("public")) == "public"


@pytest.mark.parametrize("name", NAMES)
@kept("ours", "our-server", "our-client")
def test_method_names_of_an_avatar(sides: Sides, name: str) -> None:
    """The same for avatars, where the error is a plain AttributeError."""
    pb = sides.server.pb

    class Avatar(pb.Avatar):  # type: ignore[misc,name-defined]
        def perspective_public(self) -> str:
            return "public"

    @implementer(IRealm)
    class Realm:
        def requestAvatar(self, _name: Any, _mind: Any, *interfaces: Any) -> Any:
            return interfaces[0], Avatar(), lambda: None

    checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"sekrit")
    wire = Wire(sides, Portal(Realm(), [checker]))
    asked = wire.client_factory.login(UsernamePassword(b"alice", b"sekrit"))
    wire.pump()
    avatar = value_of(asked)
    called = avatar.callRemote(name)
    wire.pump()
    assert failure_of(called).check("builtins.AttributeError", AttributeError)
    called = avatar.callRemote("public")
    wire.pump()
    assert value_of(called) == "public"
