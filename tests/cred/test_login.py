"""Logins from end to end: who is let in, what the realm is told, and the one logout."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import Anonymous, UsernamePassword
from twisted.cred.error import UnauthorizedLogin, UnhandledCredentials
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from zope.interface import implementer

from broker import (
    Avatar,
    InsecureJelly,
    IUsernameMD5Password,
    NoSuchMethod,
    PBConnectionLost,
    ProtocolError,
    Referenceable,
    RemoteError,
    Root,
)
from broker.testing import tables
from broker.testing.harness import Pairs


class User(Avatar):
    def __init__(self, name: Any, mind: Any) -> None:
        self.name = name
        self.mind = mind

    def perspective_name(self) -> Any:
        return self.name

    def perspective_call_me(self) -> Any:
        return self.mind.callRemote("called", self.name)


class Both(Avatar, Referenceable):
    """An avatar that can be sent as it is."""

    def remote_name(self) -> str:
        return "both"


@implementer(IRealm)
class Realm:
    def __init__(self) -> None:
        self.out: list[Any] = []
        self.wait: Deferred[None] | None = None
        self.shared: Any = None

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        avatar = self.shared or User(avatarId, mind)
        name = avatarId or "anonymous"
        result = (interfaces[0], avatar, lambda: self.out.append(name))
        waiting: Deferred[None] = self.wait or succeed(None)
        return waiting.addCallback(lambda _: result)


@pytest.fixture
def realm() -> Realm:
    return Realm()


@pytest.fixture
def portal(realm: Realm) -> Portal:
    return Portal(realm, [InMemoryUsernamePasswordDatabaseDontUse(ann=b"sekrit", bob=b"word")])


ANN = UsernamePassword(b"ann", b"sekrit")


class Client(Referenceable):
    def remote_called(self, name: Any) -> str:
        return f"called by {name.decode()}"


def drop(pair: Any) -> None:
    gc.collect()
    pair.flush()


def test_an_avatar_answers_and_reaches_its_mind(pairs: Pairs, portal: Portal) -> None:
    pair = pairs(portal)
    avatar = pair.result(pair.client_factory.login(ANN, Client()))
    assert pair.call(avatar, "name") == b"ann"
    assert pair.call(avatar, "call_me") == "called by ann"


@pytest.mark.parametrize(
    "credentials", [UsernamePassword(b"ann", b"wrong"), UsernamePassword(b"eve", b"sekrit"), Anonymous()], ids=str
)
def test_who_is_not_let_in(pairs: Pairs, portal: Portal, realm: Realm, credentials: Any) -> None:
    pair = pairs(portal)
    caught: list[Any] = []
    pair.client_factory.login(credentials).addErrback(caught.append)
    pair.flush()
    assert caught[0].check(UnauthorizedLogin, UnhandledCredentials)
    assert isinstance(caught[0].value, RemoteError) and realm.out == []
    pairs.flush_logged(UnauthorizedLogin, UnhandledCredentials)
    # The name and the password may be tried again on the same connection.
    assert pair.call(pair.result(pair.client_factory.login(ANN)), "name") == b"ann"


def test_anonymous(pairs: Pairs, portal: Portal, realm: Realm) -> None:
    portal.registerChecker(AllowAnonymousAccess())
    pair = pairs(portal)
    avatar = pair.result(pair.client_factory.login(Anonymous(), Client()))
    assert pair.call(avatar, "name") in ((), b"")
    del avatar
    drop(pair)
    assert realm.out == ["anonymous"]


def test_a_checker_that_knows_only_digests(pairs: Pairs, realm: Realm) -> None:
    from hashlib import md5

    from twisted.cred.checkers import ICredentialsChecker

    @implementer(ICredentialsChecker)
    class Digests:
        credentialInterfaces = (IUsernameMD5Password,)

        def requestAvatarId(self, credentials: Any) -> Any:
            checked = maybeDeferred(credentials.checkMD5Password, md5(b"sekrit").digest())
            return checked.addCallback(lambda right: credentials.username if right else self.refuse())

        def refuse(self) -> None:
            raise UnauthorizedLogin

    pair = pairs(Portal(realm, [Digests()]))
    assert pair.call(pair.result(pair.client_factory.login(ANN)), "name") == b"ann"


def test_logout_when_the_avatar_is_dropped(pairs: Pairs, portal: Portal, realm: Realm) -> None:
    pair = pairs(portal)
    avatar = pair.result(pair.client_factory.login(ANN))
    assert realm.out == []
    del avatar
    drop(pair)
    assert realm.out == [b"ann"]
    pair.wire.drop()
    assert realm.out == [b"ann"]
    assert not pair.server._localCleanup


def test_logout_when_the_connection_goes(pairs: Pairs, portal: Portal, realm: Realm) -> None:
    pair = pairs(portal)
    avatar = pair.result(pair.client_factory.login(ANN))
    pair.wire.drop()
    assert realm.out == [b"ann"]
    del avatar
    drop(pair)
    assert realm.out == [b"ann"]


def test_logout_of_a_login_that_comes_about_after_the_loss(pairs: Pairs, portal: Portal, realm: Realm) -> None:
    realm.wait = Deferred()
    pair = pairs(portal)
    waiting = pair.client_factory.login(ANN)
    pair.flush()
    pair.wire.drop()
    assert isinstance(pair.failure(waiting), PBConnectionLost)
    assert realm.out == []
    realm.wait.callback(None)
    assert realm.out == [b"ann"]
    assert not pair.server._localCleanup and pair.server.disconnects == []


def test_each_of_two_avatars_logs_out_by_itself(pairs: Pairs, portal: Portal, realm: Realm) -> None:
    pair = pairs(portal)
    ann = pair.result(pair.client_factory.login(ANN))
    bob = pair.result(pair.client_factory.login(UsernamePassword(b"bob", b"word")))
    del ann
    drop(pair)
    assert realm.out == [b"ann"] and pair.call(bob, "name") == b"bob"
    pair.wire.drop()
    assert realm.out == [b"ann", b"bob"]


def test_one_avatar_for_two_logins_logs_out_of_both(pairs: Pairs, portal: Portal, realm: Realm) -> None:
    realm.shared = Both()
    pair = pairs(portal)
    first = pair.result(pair.client_factory.login(ANN))
    second = pair.result(pair.client_factory.login(UsernamePassword(b"bob", b"word")))
    assert first is second and pair.call(first, "name") == "both"
    del first, second
    drop(pair)
    assert sorted(realm.out) == [b"ann", b"bob"]


def test_an_avatar_that_cannot_be_handed_out_is_logged_out(pairs: Pairs, portal: Portal, realm: Realm) -> None:
    class Unsendable(Both):
        def jellyFor(self, jellier: Any) -> Any:
            super().jellyFor(jellier)
            raise InsecureJelly("not this one")

    realm.shared = Unsendable()
    pair = pairs(portal)
    assert isinstance(pair.failure(pair.client_factory.login(ANN)), InsecureJelly)
    assert realm.out == [b"ann"]
    pairs.flush_logged(InsecureJelly)


def test_a_logout_that_fails_is_logged_and_stops_nothing(pairs: Pairs, portal: Portal, realm: Realm) -> None:
    told: list[str] = []

    class Fails(list[Any]):
        def append(self, item: Any) -> None:
            raise RuntimeError("cannot say goodbye")

    realm.out = Fails()
    pair = pairs(portal)
    pair.result(pair.client_factory.login(ANN))
    pair.server.notifyOnDisconnect(lambda: told.append("end"))
    pair.wire.drop()
    assert told == ["end"] and len(pairs.flush_logged(RuntimeError)) == 1


def test_a_root_that_is_no_portal(pairs: Pairs) -> None:
    pair = pairs(Root())
    assert isinstance(pair.failure(pair.client_factory.login(ANN)), NoSuchMethod)
    pairs.flush_logged(NoSuchMethod)


@pytest.mark.parametrize("answer", [None, 5, (b"challenge",), (b"challenge", 5), ("text", None)], ids=repr)
def test_a_root_that_does_not_challenge(pairs: Pairs, answer: Any) -> None:
    class Odd(Root):
        def remote_login(self, username: bytes) -> Any:
            return answer

    pair = pairs(Odd())
    assert isinstance(pair.failure(pair.client_factory.login(ANN)), ProtocolError)


def test_a_password_that_is_text_is_our_mistake(pairs: Pairs, portal: Portal) -> None:
    pair = pairs(portal)
    error = pair.failure(pair.client_factory.login(UsernamePassword("ann", "sekrit")))
    assert isinstance(error, TypeError) and "bytes" in str(error)
    assert tables(pair.server)["exports"] == 0
