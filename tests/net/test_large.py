"""Large messages between two ends: what goes with them, and how large they may be."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

import broker
from broker._wire import frames
from broker.testing import Pair, assert_empty, pair


class Service(broker.Root):
    def __init__(self) -> None:
        self.waiting: list[Deferred[Any]] = []

    def remote_size(self, data: bytes) -> int:
        return len(data)

    def remote_later(self, data: bytes) -> Deferred[Any]:
        self.waiting.append(Deferred())
        return self.waiting[-1]


@pytest.mark.parametrize("size", [10, 300_000])
def test_cancelling_does_not_overtake_the_call(size: int) -> None:
    service = Service()
    made = pair(service)
    call = made.root.callRemote("later", bytes(size))
    call.cancel()
    assert isinstance(made.failure(call), CancelledError)
    assert [waiting.called for waiting in service.waiting] == [True]
    assert made.tables()["client"]["questions"] == made.tables()["server"]["answers"] == 0


def test_a_message_may_be_as_large_as_was_said() -> None:
    made = pair(Service(), limits=broker.Limits(message=100_000))
    call = made.root.callRemote("size", b"")
    head = len(made.wire.transcript[-1].data) - frames.HEAD - 2
    assert made.result(call) == 0
    most = 100_000 - head - 5
    assert made.call(made.root, "size", bytes(most)) == most
    assert isinstance(made.failure(made.root.callRemote("size", bytes(most + 1))), broker.LimitExceeded)
    assert made.call(made.root, "size", b"the connection goes on") == 22


#: What one end keeps of large messages at most; three of `LARGE` would be more, ten of `LESS` are not.
KEPT = 1_000_000
LARGE = 350_000
LESS = 90_000


def ten_each_way(small: str, *, told: bool) -> Pair:
    """Have both ends make ten large calls at once, of which those to the small end are more than it keeps.

    :param small: which end keeps little.
    :param told: whether it says so.
    """
    limits = {"client": broker.Limits(), "server": broker.Limits(), small: broker.Limits(buffer=KEPT)}
    made = pair(
        Service(),
        server_factory=lambda root, **options: broker.ServerFactory(root, **options | {"limits": limits["server"]}),
        client_factory=lambda **options: broker.ClientFactory(**options | {"limits": limits["client"]}),
    )
    # Calls on one object wait for each other anyway.
    for number in range(10):
        for end in (made.client, made.server):
            end.setNameForLocal(b"%d" % number, Service())
    there, back = made.client, made.server
    if small == "client":
        there, back = back, there
    native = there.session.native
    assert native is not None
    assert native.settings["buffer"] == KEPT
    if not told:
        native.settings = {**native.settings, "buffer": broker.Limits.buffer}
    calls = [there.remoteForName(b"%d" % n).callRemote("size", bytes(LARGE + n)) for n in range(10)]
    calls += [back.remoteForName(b"%d" % n).callRemote("size", bytes(LESS + n)) for n in range(10)]
    found = [made.result(call) for call in calls]
    assert found == [*range(LARGE, LARGE + 10), *range(LESS, LESS + 10)]
    return made


@pytest.mark.parametrize("small", ["client", "server"])
def test_large_messages_wait_for_an_end_that_keeps_little(small: str) -> None:
    made = ten_each_way(small, told=True)
    assert made.call(made.root, "size", b"the connection goes on") == 22
    assert not made.client.disconnected and not made.server.disconnected
    assert_empty(made)


@pytest.mark.parametrize("small", ["client", "server"])
def test_an_end_that_keeps_little_and_does_not_say_so_loses_the_connection(small: str) -> None:
    with pytest.raises(broker.PBConnectionLost):
        ten_each_way(small, told=False)
