"""Waking a thread that sleeps in a poll."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from broker.blocking.polling import READ, Poll, Waker


@pytest.fixture
def waker() -> Iterator[Waker]:
    made = Waker()
    yield made
    made.close()


def _awake(waker: Waker) -> bool:
    poll = Poll()
    poll.watch(waker.reader, READ)
    return bool(poll.wait(0))


def test_woken_once(waker: Waker) -> None:
    assert not _awake(waker)
    waker.wake()
    waker.wake()
    assert _awake(waker)
    waker.clear()
    assert not _awake(waker)
    waker.wake()
    assert _awake(waker)


def test_cleared_between_the_two_steps_of_waking(waker: Waker) -> None:
    """The mark is set, taken back by the thread that is to be woken, and only then the byte comes."""
    send = waker._writer.send

    class Late:
        def send(self, data: bytes) -> int:
            waker.clear()
            return send(data)

        def close(self) -> None:
            """Leave it to the real one."""

    writer, waker._writer = waker._writer, Late()  # type: ignore[assignment]
    waker.wake()
    waker._writer = writer
    # One turn too many, and no more.
    assert _awake(waker)
    waker.clear()
    assert not _awake(waker)
    waker.wake()
    assert _awake(waker)
