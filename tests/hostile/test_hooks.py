"""Code of the user's that fails, misbehaves or ends the connection while it is called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure
from zope.interface import implementer

from broker import Avatar, Copyable, Referenceable, RemoteCopy, setUnjellyableForClass
from broker._cred.challenge import respond
from broker._wire.banana import encode
from tests.hostile.scene import NO_KW, Reverse, Scene
from tests.hostile.test_ids import Stock

EXITS = [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, RuntimeError, RecursionError]


class Unspeakable(Exception):
    """An error that cannot be shown."""

    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


def raiser(error: Any) -> Callable[..., Any]:
    def action(*_: Any) -> Any:
        raise error

    return action


@pytest.mark.parametrize("error", [*EXITS, Unspeakable, Unspeakable("x")])
@pytest.mark.parametrize("later", [False, True])
def test_methods_that_raise(error: Any, later: bool) -> None:
    async def coroutine(*_: Any) -> Any:
        raise error

    with Scene() as scene:
        scene.service.action = coroutine if later else raiser(error)
        scene.refused(scene.call(b"act"))
        scene.logged(tracebacks=1)
        scene.alive()


def test_results_that_are_failures_or_late() -> None:
    with Scene() as scene:
        for result in (fail(RuntimeError("failed")), Failure(RuntimeError("bare")), object()):
            scene.service.action = lambda *_, result=result: result
            scene.refused(scene.call(b"act"))
            assert len(scene.log.take()) == 1
        cancelled: Deferred[Any] = Deferred()
        cancelled.addErrback(lambda failure: failure)
        scene.service.action = lambda *_: cancelled
        scene.call(b"act")
        cancelled.cancel()
        scene.wire.flush()
        assert scene.peer.received[-1][0] == b"error"
        scene.log.take()
        scene.alive()
        scene.call(b"later")
        scene.wire.drop()
        scene.service.waiting[0].callback(object())
        assert scene.log.take() == []


@pytest.mark.parametrize("way", ["loseConnection", "abortConnection"])
@pytest.mark.parametrize("name", [b"act", b"take"])
def test_method_that_ends_the_connection(way: str, name: bytes) -> None:
    with Scene() as scene:
        scene.service.action = lambda *_: getattr(scene.server.transport, way)()
        scene.call(b"act")
        scene.wire.flush()
        assert not scene.open
        assert scene.log.take() == []


class Hooked(Copyable):
    """A copy whose hook does what the test says."""

    hook: Callable[..., Any] = staticmethod(dict)

    def getStateToCopy(self) -> Any:
        return type(self).hook()


class Raw(Referenceable):
    """An object whose form is what the test says."""

    form: Any = None

    def jellyFor(self, jellier: Any) -> Any:
        return self.form


class Unhashable(Referenceable):
    """An object whose identity is none."""

    def processUniqueID(self) -> Any:
        return []


@pytest.mark.parametrize("error", [*EXITS, Unspeakable])
def test_hook_of_a_result_raises(error: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hooked, "hook", staticmethod(raiser(error)))
    with Scene() as scene:
        scene.service.result = [Referenceable(), Hooked()]
        scene.refused(scene.call(b"give"))
        assert len(scene.log.take()) == 1
        assert scene.server.statistics()["exports"] == 0
        scene.alive()
    with Reverse() as reverse:
        try:
            refused = reverse.ask(Referenceable(), Hooked())
        except BaseException as escaped:  # noqa: BLE001  raised to our own caller, as an exit is
            assert not isinstance(escaped, Exception)
        else:
            assert refused
        assert reverse.client.statistics()["exports"] == 0
        assert reverse.client.statistics()["questions"] == 0


@pytest.mark.parametrize("form", [object(), [object()], {}, "text", [b"remote", None], None, [[[]]], 2**500, True])
def test_hook_of_a_result_returns_garbage(form: Any) -> None:
    with Scene() as scene:
        scene.service.result = Raw()
        scene.service.result.form = form
        answer = scene.call(b"give")
        assert len(answer) == 1 and answer[0][0] in (b"answer", b"error")
        assert len(scene.log.take()) <= 1
        scene.service.result = Unhashable()
        scene.refused(scene.call(b"give"))
        scene.logged(tracebacks=1)
        scene.alive()


class Taken(RemoteCopy):
    """A copy whose hook does what the test says."""

    hook: Callable[..., Any] = staticmethod(lambda _: None)

    def setCopyableState(self, state: Any) -> None:
        type(self).hook(state)


setUnjellyableForClass("hostile.Taken", Taken)
TAKEN = [b"hostile.Taken", NO_KW]


@pytest.mark.parametrize("error", [*EXITS, Unspeakable])
def test_hook_of_an_argument_raises(error: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Taken, "hook", staticmethod(raiser(error)))
    with Scene() as scene:
        scene.refused(scene.call(b"take", TAKEN))
        assert len(scene.log.take()) == 1
        scene.alive()
    with Reverse() as reverse:
        assert isinstance(reverse.answer(b"answer", encode(TAKEN, vocabulary=True)), Failure)
        assert isinstance(reverse.answer(b"error", encode(TAKEN, vocabulary=True)), Failure)
        assert not reverse.client.disconnected


def test_hooks_that_call_or_end_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with Scene() as scene:
        called: list[Any] = []

        def again(_: Any = None) -> dict[str, Any]:
            scene.server.remoteForName(b"root").callRemote("again").addBoth(called.append)
            return {}

        monkeypatch.setattr(Taken, "hook", staticmethod(again))
        monkeypatch.setattr(Hooked, "hook", staticmethod(again))
        scene.service.result = Hooked()
        answers = scene.call(b"take", TAKEN) + scene.call(b"give")
        assert sorted(answer[0] for answer in answers) == [b"answer", b"answer", b"message", b"message"]
        monkeypatch.setattr(Hooked, "hook", staticmethod(lambda: scene.server.transport.loseConnection() or {}))
        scene.call(b"give")
        scene.wire.flush()
        assert not scene.open and len(called) == 2
        assert scene.log.take() == []


def test_observers_that_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stock, "stoppedObserving", raiser(RuntimeError("stopped")))
    with Scene() as scene:
        scene.service.result = Stock()
        number = scene.call(b"give")[0][2][1]
        assert scene.send(b"decache", number) == [[b"uncache", number]]
        scene.logged(tracebacks=1)
        scene.call(b"give")
        scene.wire.drop()
        scene.logged(tracebacks=1)


def test_states_that_bring_a_hook() -> None:
    """What a peer puts into a state is no hook of the class."""
    with Scene() as scene:
        state = [b"dictionary", [[b"unicode", b"postUnjelly"], 5]]
        answer = scene.call(b"take", [b"hostile.Plain", state])
        assert answer[0][0] in (b"answer", b"error")
        assert len(scene.log.take()) <= 1
        scene.alive()


# Login.


@implementer(IRealm)
class Realm:
    def __init__(self) -> None:
        self.minds: list[Any] = []
        self.logouts = 0

    def requestAvatar(self, name: Any, mind: Any, *interfaces: Any) -> Any:
        self.minds.append(mind)
        return interfaces[0], Avatar(), self._logout

    def _logout(self) -> None:
        self.logouts += 1


def test_logins() -> None:
    realm = Realm()
    portal = Portal(realm, [InMemoryUsernamePasswordDatabaseDontUse(alice=b"sekrit")])
    scene = Scene(portal)
    try:
        for mind in (5, [b"list"], b"x"):
            answer = scene.call(b"login", b"alice")
            _, sent, (_, number) = answer[0][2]
            wrong = scene.call(b"respond", b"wrong", [b"None"], target=number)
            assert wrong[0][0] == b"error"
            scene.logged(tracebacks=1)
            right = respond(sent, b"sekrit")
            for _ in range(2):
                assert scene.call(b"respond", right, mind, target=number)[0][2][0] == b"remote"
        assert realm.minds == [5, 5, [], [], b"x", b"x"]
        other = scene.honest.another()
        challenged = other.call(other.root, "login", b"alice")
        scene.refused(scene.call(b"respond", b"x", [b"None"], target=10_000 + challenged[1].luid), b"Invalid Object ID")
        scene.logged()
        for name in (5, [b"list"], NO_KW, b"\xff" * 1000):
            answer = scene.call(b"login", name)
            number = answer[0][2][2][1]
            for response in (5, [b"list"], b""):
                assert scene.call(b"respond", response, [b"None"], target=number)[0][0] == b"error"
                assert len(scene.log.take()) == 1
        assert scene.call(b"loginAnonymous", 5)[0][0] == b"error"
        assert len(scene.log.take()) == 1
        scene.wire.drop()
        assert realm.logouts == 6
        assert scene.wire.escaped == []
    finally:
        scene.log.close()


def test_login_without_portal_and_flood_of_challenges() -> None:
    with Scene() as scene:
        scene.refused(scene.call(b"login", b"alice"), b"NoSuchMethod")
        scene.logged()
    scene = Scene(Portal(Realm(), [AllowAnonymousAccess()]), keep=False)
    try:
        for _ in range(100):
            if scene.open:
                scene.raw(
                    encode([b"message", 1, b"root", b"login", 1, [b"tuple", b"a"], NO_KW], vocabulary=True) * 1000
                )
        assert not scene.open, "challenges are objects held, which have a ceiling"
        assert len(scene.log.take()) <= 6
        assert scene.wire.escaped == []
    finally:
        scene.log.close()
