"""Large messages between two ends: what goes with them, and how large they may be."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

import broker
from broker._wire import frames
from broker.testing import pair


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
