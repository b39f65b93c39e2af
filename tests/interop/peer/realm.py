"""The realm: users, and what each gets."""

# mypy: disable-error-code="misc"

from __future__ import annotations

from typing import Any, NoReturn

from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from zope.interface import implementer

from peer import shapes
from peer.net import later
from peer.spread import pb

__all__ = ["Avatar", "Realm", "closed_portal", "open_portal"]


class Sight(pb.Viewable):
    """Seen by each perspective in its own way."""

    def view_who(self, perspective: Any, word: str = "you are") -> str:
        return f"{word} {perspective.name}"

    def view_self(self, perspective: Any) -> Sight:
        return self


SIGHT = Sight()


class Avatar(pb.Avatar):
    """What a user gets."""

    def __init__(self, name: str, mind: Any, journal: list[str]) -> None:
        self.name, self.mind, self.journal = name, mind, journal

    def logout(self) -> None:
        """Be called by the realm."""
        self.journal.append(f"logout {self.name}")

    def perspective_who(self, *args: Any, **kw: Any) -> Any:
        return [self.name, list(args), kw]

    def perspective_sight(self) -> Sight:
        return SIGHT

    def perspective_is_my_sight(self, view: Any) -> bool:
        return isinstance(view, pb.ViewPoint) and view.object is SIGHT and view.perspective is self

    def perspective_ask_mind(self, question: str) -> Any:
        return self.mind.callRemote("ask", question)

    def perspective_copy(self) -> shapes.ByPerspective:
        return shapes.ByPerspective()

    def perspective_remembered_by(self, reference: Any) -> bool:
        return reference.perspective is self

    def perspective_expected(self) -> NoReturn:
        raise shapes.ExpectedError("from the avatar")

    async def perspective_coroutine(self) -> Any:
        return await later(self.name)

    def perspective_myself(self) -> Any:
        return pb.AsReferenceable(self, "perspective")


@implementer(IRealm)
class Realm:
    """Makes avatars, and notes who leaves."""

    def __init__(self) -> None:
        self.journal: list[str] = []

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        """Be called by the portal."""
        if pb.IPerspective not in interfaces:
            raise NotImplementedError(f"asked for {interfaces}")
        name = avatarId.decode() if isinstance(avatarId, bytes) else "nobody"
        avatar = Avatar(name, mind, self.journal)
        self.journal.append(f"login {name}")
        return pb.IPerspective, avatar, avatar.logout


def closed_portal(realm: Realm) -> Portal:
    """Make a portal that admits users with a password only."""
    checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"sekrit", bob=b"hush")
    return Portal(realm, [checker])


def open_portal(realm: Realm) -> Portal:
    """Make a portal that admits everyone."""
    portal = closed_portal(realm)
    portal.registerChecker(AllowAnonymousAccess())
    return portal
