"""A chat: rooms are Viewables, so that a room knows who speaks and nobody can speak as somebody else.

Run `python examples/chat_server.py`, then in other terminals `python examples/chat_client.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react
from zope.interface import implementer

import broker


class Room(broker.Viewable):
    def __init__(self) -> None:
        self.users: list[User] = []

    def view_say(self, speaker: User, text: str) -> Deferred[Any]:
        """`speaker` is no argument of the call: it is the avatar whose view of the room was called."""
        return gatherResults([user.mind.callRemote("hear", speaker.name, text) for user in self.users])


class User(broker.Avatar):
    def __init__(self, house: House, name: str, mind: Any) -> None:
        self.house = house
        self.name = name
        self.mind = mind

    def perspective_join(self, room: str) -> Room:
        joined = self.house.rooms.setdefault(room, Room())
        joined.users.append(self)
        print(f"{self.name} joins {room}", flush=True)
        return joined

    def leave(self) -> None:
        for room in self.house.rooms.values():
            room.users = [user for user in room.users if user is not self]
        print(f"{self.name} leaves", flush=True)


@implementer(IRealm)
class House:
    def __init__(self) -> None:
        self.rooms: dict[str, Room] = {}

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> tuple[Any, User, Callable[[], None]]:
        user = User(self, avatarId.decode(), mind)
        return broker.IPerspective, user, user.leave


async def main(reactor: Any, endpoint: str = "tcp:8787") -> None:
    passwords = InMemoryUsernamePasswordDatabaseDontUse(alice=b"sesame", bob=b"mellon")
    port: Any = await broker.serve(endpoint, Portal(House(), [passwords]))
    address = port.getHost()
    print(f"serving at tcp:{address.host}:{address.port}", flush=True)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
