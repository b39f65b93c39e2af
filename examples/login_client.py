"""Logs in with a password, with a wrong one, and without any.

Run `python examples/login_server.py` first, then `python examples/login_client.py [ENDPOINT]`.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.cred.credentials import Anonymous, UsernamePassword
from twisted.internet.task import react

import broker


class Mind(broker.Referenceable):
    """What the server reaches this client by."""

    def remote_greeted(self, text: str) -> str:
        print("greeted:", text)
        return "thank you"


async def main(reactor: Any, endpoint: str = "tcp:127.0.0.1:8787") -> None:
    alice = await broker.connect(endpoint, credentials=UsernamePassword(b"alice", b"sesame"), mind=Mind())
    print("I am", await alice.callRemote("whoAmI"))
    print(await alice.callRemote("greetMe"))
    await alice.broker.disconnect()

    try:
        await broker.connect(endpoint, credentials=UsernamePassword(b"alice", b"guess"))
    except broker.RemoteError as error:
        print("refused:", error.remoteType.decode())

    nobody = await broker.connect(endpoint, credentials=Anonymous())
    print("I am", await nobody.callRemote("whoAmI"))
    try:
        await nobody.callRemote("greetMe")
    except broker.NoSuchMethod as error:
        print("not for everybody:", error)
    await nobody.broker.disconnect()


if __name__ == "__main__":
    react(main, sys.argv[1:])
