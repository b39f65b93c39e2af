"""What a feature needs to reach the server, and to say what it expects."""

# mypy: disable-error-code="misc"

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from twisted.cred.credentials import Anonymous, UsernamePassword
from twisted.internet.defer import Deferred, maybeDeferred

from peer.net import later, net
from peer.spread import pb

__all__ = ["Listener", "Site", "alive", "answer_or_loss", "caught", "equal", "holds", "until"]


def equal(actual: Any, expected: Any) -> None:
    """Fail unless both are equal and of one type."""
    if type(actual) is not type(expected) or actual != expected:
        raise AssertionError(f"got {actual!r}, expected {expected!r}")


def holds(condition: Any, meaning: str) -> None:
    """Fail with the meaning of the condition unless it holds."""
    if not condition:
        raise AssertionError(f"not so: {meaning}")


async def caught(function: Callable[..., Any], *args: Any, **kw: Any) -> Any:
    """Call, and return the Failure that comes of it, whether raised at once or later; a result is an error.

    An ``await`` would turn it into an exception, and what the Failure itself is like is what many features are about.
    """
    ended = maybeDeferred(function, *args, **kw)
    results: list[tuple[bool, Any]] = []
    ended.addCallbacks(lambda result: results.append((True, result)), lambda failure: results.append((False, failure)))
    await ended
    succeeded, outcome = results[0]
    if succeeded:
        raise AssertionError(f"a failure was due, and not the result {outcome!r:.200}")
    return outcome


async def alive(root: Any) -> None:
    """Fail unless the connection of this root still works."""
    equal(await root.callRemote("echo", "still here"), "still here")


async def answer_or_loss(reference: Any, function: Callable[..., Any], *args: Any) -> Any:
    """Call, and wait until the call or the connection ends.

    :returns: the result, or the Failure.
    :raises AssertionError: if the connection ended and the call did not.
    """
    ended: Deferred[Any] = Deferred()

    def lost(_: Any) -> None:
        if not ended.called:
            ended.errback(AssertionError("the connection was lost, and the call never ended"))

    reference.notifyOnDisconnect(lost)
    call = maybeDeferred(function, *args)
    call.addBoth(lambda outcome: None if ended.called else ended.callback([outcome]))
    return (await ended)[0]


async def until(question: Callable[[], Any], expected: Any) -> None:
    """Ask the peer again and again, a hundred times at most, until it answers what is expected.

    Each question is a round trip, so this waits exactly as long as messages under way need.
    """
    answer: Any = None
    for _ in range(100):
        gc.collect()
        answer = await question()
        if answer == expected:
            return
    equal(answer, expected)


class Listener(pb.Referenceable):
    """An object of the client's that the server calls."""

    def __init__(self, name: str = "listener") -> None:
        self.name = name
        self.heard: list[Any] = []
        self.held: list[Any] = []
        self.silent: list[Deferred[Any]] = []

    def remote_hear(self, value: Any) -> str:
        self.heard.append(value)
        return f"{self.name} heard {value}"

    def remote_later(self, value: Any) -> Deferred[Any]:
        return later([self.name, value])

    def remote_echo(self, value: Any) -> Any:
        return value

    def remote_hold(self, value: Any) -> Any:
        self.held.append(value)
        return value

    def remote_use(self, reference: Any) -> Any:
        return reference.callRemote("times", 21)

    def remote_bounce(self, target: Any, depth: int) -> Any:
        self.heard.append(depth)
        return target.callRemote("bounce", self, depth - 1) if depth else "bottom"

    def remote_never(self) -> Deferred[Any]:
        self.silent.append(Deferred())
        return self.silent[-1]

    def remote_ask(self, question: str) -> str:
        return f"{self.name} answers {question}"

    def remote_expected(self) -> None:
        raise pb.Error("expected by the client")

    def remote_value_error(self) -> None:
        raise ValueError("a value of the client")


class Site:
    """The server's addresses, and the connections that one feature has made to it."""

    def __init__(self, places: dict[str, Any], server_package: str) -> None:
        self.places = places
        #: What the server's log says of arguments that it refused: stock logs each with a traceback, ours one line.
        self.refusals_logged = server_package == "twisted.spread"
        self._server_package = server_package
        self._factories: list[Any] = []
        self._ports: list[Any] = []
        self._victims: list[subprocess.Popen[str]] = []

    def connect(self, place: str = "tcp", factory: Any = None) -> Any:
        """Begin to connect.

        :returns: the client factory.
        """
        factory = pb.PBClientFactory() if factory is None else factory
        self._factories.append(factory)
        net.connectTCP("127.0.0.1", self.places[place], factory, timeout=5)
        return factory

    def adopt(self, factory: Any) -> Any:
        """Take care of the end of a connection that the feature made itself."""
        self._factories.append(factory)
        return factory

    async def root(self, place: str = "tcp") -> Any:
        """Connect, and get the root object."""
        return await self.connect(place).getRootObject()

    async def login(self, name: str = "alice", password: str = "sekrit", mind: Any = None, place: str = "open") -> Any:
        """Connect, and log in; no name means anonymously."""
        credentials = UsernamePassword(name.encode(), password.encode()) if name else Anonymous()
        return await self.connect(place).login(credentials, mind)

    def listen(self, root: Any) -> int:
        """Be a server too.

        :returns: the port.
        """
        port = net.listenTCP(0, pb.PBServerFactory(root), interface="127.0.0.1")
        self._ports.append(port)
        return int(port.getHost().port)

    async def victim(self) -> tuple[Any, Any]:
        """Start a server that is to die.

        :returns: the process, and its root object.
        """
        folder = tempfile.mkdtemp()
        environment = {**os.environ, "INTEROP_SPREAD": self._server_package}
        command = [sys.executable, "-m", "peer.server", folder]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._victims.append(process)
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["tcp"]
        factory = self.adopt(pb.PBClientFactory())
        net.connectTCP("127.0.0.1", port, factory, timeout=5)
        return process, await factory.getRootObject()

    async def close(self) -> None:
        """End everything that the feature began."""
        for factory in self._factories:
            factory.disconnect()
        for port in self._ports:
            await maybeDeferred(port.stopListening)
        for process in self._victims:
            process.kill()
            process.communicate()
