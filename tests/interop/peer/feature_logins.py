"""Logging in: avatars, minds, viewpoints."""

from __future__ import annotations

import gc
from typing import Any

from twisted.cred.credentials import Anonymous, UsernamePassword

from peer import shapes
from peer.net import net
from peer.site import Listener, Site, alive, caught, equal, holds, until
from peer.spread import pb

__all__: list[str] = []


async def feature_login(site: Site) -> None:
    avatar = await site.login()
    equal(await avatar.callRemote("who", 1, key=[2]), ["alice", [1], {"key": [2]}])
    equal(await (await site.login("bob", "hush")).callRemote("who"), ["bob", [], {}])


async def feature_login_wrong_password(site: Site) -> None:
    factory = site.connect("open")
    failure = await caught(factory.login, UsernamePassword(b"alice", b"guess"))
    equal(failure.check("twisted.cred.error.UnauthorizedLogin"), "twisted.cred.error.UnauthorizedLogin")
    equal(failure.getErrorMessage(), "")
    avatar = await factory.login(UsernamePassword(b"alice", b"sekrit"))
    equal(await avatar.callRemote("who"), ["alice", [], {}])


async def feature_login_unknown_user(site: Site) -> None:
    failure = await caught(site.connect("open").login, UsernamePassword(b"mallory", b"sekrit"))
    holds(failure.check("twisted.cred.error.UnauthorizedLogin"), "UnauthorizedLogin")


async def feature_login_anonymous(site: Site) -> None:
    avatar = await site.login("", mind=Listener("ear"))
    equal(await avatar.callRemote("who"), ["nobody", [], {}])
    equal(await avatar.callRemote("ask_mind", "why"), "ear answers why")


async def feature_login_anonymous_refused(site: Site) -> None:
    failure = await caught(site.connect("closed").login, Anonymous())
    holds(failure.check("twisted.cred.error.UnhandledCredentials"), f"UnhandledCredentials, not {failure.type}")
    avatar = await site.login(place="closed")
    equal(await avatar.callRemote("who"), ["alice", [], {}])


async def feature_login_without_portal(site: Site) -> None:
    """The server has a root object, and no login."""
    failure = await caught(site.connect("tcp").login, UsernamePassword(b"alice", b"sekrit"))
    equal(failure.check("twisted.spread.flavors.NoSuchMethod"), "twisted.spread.flavors.NoSuchMethod")


async def feature_mind(site: Site) -> None:
    """The server calls the mind, within a call and with its answer."""
    mind = Listener("mind")
    avatar = await site.login(mind=mind)
    equal(await avatar.callRemote("ask_mind", "what"), "mind answers what")


async def feature_two_users_on_one_connection(site: Site) -> None:
    factory = site.connect("open")
    alice = await factory.login(UsernamePassword(b"alice", b"sekrit"))
    bob = await factory.login(UsernamePassword(b"bob", b"hush"))
    equal((await alice.callRemote("who"))[0], "alice")
    equal((await bob.callRemote("who"))[0], "bob")


async def feature_avatar_unknown_method(site: Site) -> None:
    avatar = await site.login()
    failure = await caught(avatar.callRemote, "nothing_such")
    holds(failure.check(AttributeError), "an AttributeError")
    holds("perspective_nothing_such" in failure.getErrorMessage(), "that names the method")


async def feature_avatar_expected_error(site: Site) -> None:
    avatar = await site.login()
    failure = await caught(avatar.callRemote, "expected")
    holds(failure.check(shapes.ExpectedError), "the class of the error")
    equal(failure.getErrorMessage(), "from the avatar")


async def feature_avatar_coroutine(site: Site) -> None:
    equal(await (await site.login()).callRemote("coroutine"), "alice")


async def feature_avatar_as_referenceable(site: Site) -> None:
    """AsReferenceable hands out the avatar itself."""
    avatar = await site.login()
    again = await avatar.callRemote("myself")
    equal(await again.callRemote("who"), ["alice", [], {}])


async def feature_viewpoint(site: Site) -> None:
    """A Viewable knows through whom it is called."""
    alice, bob = await site.login(), await site.login("bob", "hush")
    seen, other = await alice.callRemote("sight"), await bob.callRemote("sight")
    equal(await seen.callRemote("who"), "you are alice")
    equal(await other.callRemote("who", word="hello"), "hello bob")


async def feature_viewpoint_on_one_connection(site: Site) -> None:
    """One object, two perspectives, one connection: still two views."""
    factory = site.connect("open")
    alice = await factory.login(UsernamePassword(b"alice", b"sekrit"))
    bob = await factory.login(UsernamePassword(b"bob", b"hush"))
    seen, other = await alice.callRemote("sight"), await bob.callRemote("sight")
    equal(await seen.callRemote("who"), "you are alice")
    equal(await other.callRemote("who"), "you are bob")
    holds(seen != other, "the views are not equal")


async def feature_viewpoint_of_viewpoint(site: Site) -> None:
    """A view method that returns a Viewable returns it for the same perspective."""
    seen = await (await site.login()).callRemote("sight")
    again = await seen.callRemote("self")
    equal(await again.callRemote("who"), "you are alice")
    holds(again == seen, "and it is the same view")


async def feature_viewpoint_home(site: Site) -> None:
    avatar = await site.login()
    seen = await avatar.callRemote("sight")
    equal(await avatar.callRemote("is_my_sight", seen), True)


async def feature_viewpoint_unknown_method(site: Site) -> None:
    seen = await (await site.login()).callRemote("sight")
    failure = await caught(seen.callRemote, "nothing_such")
    holds(failure.check(AttributeError), "an AttributeError")


async def feature_copyable_for_perspective(site: Site) -> None:
    """getStateToCopyFor is told who asks."""
    equal((await (await site.login()).callRemote("copy")).shown, "for alice")
    equal((await (await site.login("bob", "hush")).callRemote("copy")).shown, "for bob")


async def feature_reference_remembers_perspective(site: Site) -> None:
    avatar = await site.login()
    equal(await avatar.callRemote("remembered_by", Listener()), True)


async def feature_login_before_connecting(site: Site) -> None:
    """A login asked for before there is a connection."""
    factory = site.adopt(pb.PBClientFactory())
    waiting = factory.login(UsernamePassword(b"bob", b"hush"))
    holds(not waiting.called, "it waits")
    net.connectTCP("127.0.0.1", site.places["open"], factory)
    equal((await (await waiting).callRemote("who"))[0], "bob")


async def _logouts(root: Any, before: int) -> int:
    journal = await root.callRemote("journal")
    return int(journal.count("logout alice")) - before


async def feature_logout_on_drop(site: Site) -> None:
    """The avatar's last reference is dropped: the realm is told, once."""
    root = await site.root()
    before = await _logouts(root, 0)
    factory = site.connect("open")
    avatar = await factory.login(UsernamePassword(b"alice", b"sekrit"))
    equal(await avatar.callRemote("who"), ["alice", [], {}])
    equal(await _logouts(root, before), 0)
    del avatar

    async def logouts() -> int:
        gc.collect()
        await caught((await factory.getRootObject()).callRemote, "nothing_such")
        return await _logouts(root, before)

    await until(logouts, 1)
    factory.disconnect()
    for _ in range(10):
        await alive(root)
    equal(await _logouts(root, before), 1)


async def feature_logout_on_disconnect(site: Site) -> None:
    root = await site.root()
    factory = site.connect("open")
    avatar = await factory.login(UsernamePassword(b"alice", b"sekrit"))
    before = await _logouts(root, 0)
    factory.disconnect()
    await until(lambda: _logouts(root, before), 1)
    holds(avatar is not None, "the reference was held all the time")
