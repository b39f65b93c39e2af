"""Login: everybody gets an object of their own, the avatar, and the server can call everybody back, by their mind.

Run `python examples/login_server.py`, then in another terminal `python examples/login_client.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from twisted.cred.checkers import ANONYMOUS, AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from zope.interface import implementer

import broker


class Visitor(broker.Avatar):
    """May look."""

    def __init__(self, name: str, mind: Any) -> None:
        self.name = name
        self.mind = mind

    def perspective_whoAmI(self) -> str:
        return self.name


class Member(Visitor):
    """May greet as well: calls the object that the client brought along."""

    async def perspective_greetMe(self) -> str:
        return f"you said: {await self.mind.callRemote('greeted', f'hello, {self.name}')}"


@implementer(IRealm)
class Club:
    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> tuple[Any, Visitor, Callable[[], None]]:
        if broker.IPerspective not in interfaces:
            raise NotImplementedError("only perspectives here")
        avatar = Visitor("nobody", mind) if avatarId is ANONYMOUS else Member(avatarId.decode(), mind)
        print(f"{avatar.name} comes", flush=True)
        return broker.IPerspective, avatar, lambda: print(f"{avatar.name} goes", flush=True)


async def main(reactor: Any, endpoint: str = "tcp:8787") -> None:
    # A toy: passwords belong into a file, see `twistd broker --help-auth`.
    passwords = InMemoryUsernamePasswordDatabaseDontUse(alice=b"sesame")
    port: Any = await broker.serve(endpoint, Portal(Club(), [passwords, AllowAnonymousAccess()]))
    address = port.getHost()
    print(f"serving at tcp:{address.host}:{address.port}", flush=True)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
