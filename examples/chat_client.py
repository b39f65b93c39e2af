"""Joins a room, says what is typed, shows what is heard; the end of the input (Ctrl-D) leaves.

Run `python examples/chat_server.py` first, then `python examples/chat_client.py [ENDPOINT [NAME PASSWORD]]`;
alice's password is sesame, bob's is mellon.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.cred.credentials import UsernamePassword
from twisted.internet.defer import Deferred
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react
from twisted.protocols.basic import LineOnlyReceiver

import broker


class Ears(broker.Referenceable):
    def remote_hear(self, speaker: str, text: str) -> None:
        print(f"{speaker}: {text}", flush=True)


class Keyboard(LineOnlyReceiver):
    delimiter = b"\n"

    def __init__(self, room: broker.RemoteReference) -> None:
        self.room = room
        self.closed: Deferred[None] = Deferred()

    def lineReceived(self, line: bytes) -> None:
        self.room.callRemote("say", line.decode())

    def connectionLost(self, reason: Any = None) -> None:
        self.closed.callback(None)


async def main(
    reactor: Any, endpoint: str = "tcp:127.0.0.1:8787", name: str = "alice", password: str = "sesame"
) -> None:
    credentials = UsernamePassword(name.encode(), password.encode())
    user = await broker.connect(endpoint, credentials=credentials, mind=Ears())
    room = await user.callRemote("join", "lobby")
    print("you are in the lobby", flush=True)
    keyboard = Keyboard(room)
    StandardIO(keyboard, reactor=reactor)
    await keyboard.closed
    await room.callRemote("say", "goodbye")


if __name__ == "__main__":
    react(main, sys.argv[1:])
