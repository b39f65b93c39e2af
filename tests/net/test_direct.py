"""Bytes put on the socket at once: when, when not, and what becomes of the rest."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import abstract, main, tcp
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IFileDescriptorReceiver
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from zope.interface import directlyProvides

from broker._net.direct import is_plain, read_bytes, read_usually, send
from broker.testing.transport import MemoryTransport
from tests.net.sockets import FDReactor, Link, Silent

LIMIT = tcp.Connection.SEND_LIMIT

needs_unix = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no UNIX sockets here")


@pytest.fixture
def link() -> Iterator[Link]:
    made = Link()
    yield made
    made.close()


@pytest.fixture
def unix() -> Iterator[tuple[Any, socket.socket, list[bytes]]]:
    """A UNIX transport, the socket at its other end, and what its protocol has got."""
    twisted_unix = pytest.importorskip("twisted.internet.unix")
    near, far = socket.socketpair(socket.AF_UNIX)
    near.setblocking(False)
    reactor: Any = FDReactor()
    got: list[bytes] = []
    protocol: Any = Silent()
    protocol.dataReceived = got.append
    transport = twisted_unix.Server(near, protocol, "", None, 1, reactor)
    transport.connected = 1
    protocol.makeConnection(transport)
    yield transport, far, got
    for end in (near, far):
        end.close()


# Which transports.


def test_twisteds_own_sockets_are_plain(link: Link) -> None:
    reactor: Any = FDReactor()
    port: Any = None
    server = tcp.Server(socket.socket(), Silent(), ("127.0.0.1", 1), port, 1, reactor)
    client = tcp.Client("127.0.0.1", 1, None, None, reactor)
    try:
        assert is_plain(link.transport) and is_plain(server) and is_plain(client)
    finally:
        server.socket.close()
        client.socket.close()
        reactor.calls.clear()


@needs_unix
def test_unix_sockets_are_plain(unix: Any) -> None:
    transport, far, _ = unix
    assert is_plain(transport) and send(transport, b"abc") == 3
    assert far.recv(10) == b"abc"


class Unrelated(tcp.Connection):
    """A transport that somebody changed elsewhere."""

    extra = 1

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 1)


@pytest.mark.parametrize("name", ["write", "writeSequence", "writeSomeData", "doWrite", "startWriting"])
def test_a_class_that_changes_how_bytes_go_is_not_plain(name: str) -> None:
    inherited = getattr(tcp.Connection, name)

    def changed(self: Any, *args: Any) -> Any:
        return inherited(self, *args)

    link = Link(kind=type("Changed", (tcp.Connection,), {name: changed}))
    assert not is_plain(link.transport)
    link.close()


def test_a_class_that_changes_something_else_is_plain() -> None:
    link = Link(kind=Unrelated)
    assert is_plain(link.transport)
    link.close()


@pytest.mark.parametrize("name", ["write", "writeSequence", "writeSomeData", "doWrite", "startWriting"])
def test_a_changed_transport_is_not_plain(link: Link, name: str) -> None:
    setattr(link.transport, name, getattr(link.transport, name))
    assert not is_plain(link.transport)


def test_another_twisted_without_the_state_asked_for_is_not_guessed_at(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(abstract.FileDescriptor, "_writeDisconnecting")
    assert not is_plain(link.transport)


def test_no_other_transport_is_plain() -> None:
    memory = MemoryTransport("client", 1, high_water=1, arrival=lambda: 0.0, written=lambda *_: None, reactor=Clock())
    assert not is_plain(memory)
    assert not is_plain(StringTransport())
    assert not is_plain(object()) and not is_plain(None)


# When.


def test_bytes_are_at_the_other_end_before_the_reactor_turns(link: Link) -> None:
    assert send(link.transport, b"at once") == 7
    assert link.arrived() == b"at once"
    assert link.reactor.writers == [], "the reactor was not troubled"


def test_one_send_has_the_limit_of_the_transport(link: Link) -> None:
    assert 0 < send(link.transport, bytes(10 * LIMIT)) <= LIMIT


def test_a_full_socket_takes_a_part_and_then_nothing() -> None:
    link = Link(room=4096)
    taken = send(link.transport, bytes(LIMIT))
    assert 0 < taken < LIMIT
    while send(link.transport, bytes(LIMIT)):
        pass
    assert send(link.transport, b"x") == 0
    assert link.transport.connected, "a full socket is no error"
    link.close()


def busy(transport: Any) -> None:
    transport.write(b"earlier")


def half_sent(transport: Any) -> None:
    transport.dataBuffer = b"earlier"


def producing(transport: Any) -> None:
    transport.registerProducer(StringTransport(), True)


def secured(transport: Any) -> None:
    # What `startTLS` does, without certificates.
    transport.TLS = True


def unconnected(transport: Any) -> None:
    transport.connected = 0


def closing(transport: Any) -> None:
    transport.loseConnection()


def aborting(transport: Any) -> None:
    transport.abortConnection()


def half_closing(transport: Any) -> None:
    transport.loseWriteConnection()


def half_closed(transport: Any) -> None:
    transport._writeDisconnected = True


@pytest.mark.parametrize(
    "change",
    [busy, half_sent, producing, secured, unconnected, closing, aborting, half_closing, half_closed],
    ids=lambda change: change.__name__,
)
def test_anything_unusual_goes_the_usual_way(link: Link, change: Callable[[Any], None]) -> None:
    change(link.transport)
    assert send(link.transport, b"abc") == 0
    assert link.arrived() == b""
    vars(link.transport).pop("TLS", None)


def test_the_callers_own_producer_may_be_registered(link: Link) -> None:
    producer = StringTransport()
    link.transport.registerProducer(producer, True)
    assert send(link.transport, b"abc", producer) == 3
    assert send(link.transport, b"abc", StringTransport()) == 0
    link.transport.unregisterProducer()
    assert send(link.transport, b"abc", producer) == 0


# Errors.


def test_a_peer_that_is_gone_is_met_by_the_reactor(link: Link) -> None:
    link.far.close()
    assert send(link.transport, b"abc") == 0
    assert link.protocol.lost is None and link.transport.connected
    link.transport.write(b"abc")
    assert link.protocol.lost is None
    link.reactor.turn()
    assert link.protocol.lost is not None


# Reading.


@needs_unix
def test_a_unix_socket_that_reads_bytes_only(unix: Any) -> None:
    transport, far, got = unix
    read_bytes(transport)
    far.send(b"abc")
    transport.doRead()
    assert got == [b"abc"]
    far.close()
    assert transport.doRead() is main.CONNECTION_DONE


@needs_unix
def test_descriptors_that_come_are_closed(unix: Any) -> None:
    transport, far, got = unix
    read_bytes(transport)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        socket.send_fds(far, [b"abc"], [theirs.fileno()])
        theirs.close()
        transport.doRead()
        assert got == [b"abc"]
        ours.settimeout(10)
        assert ours.recv(1) == b"", "nobody has the other end any more"


@needs_unix
def test_descriptors_that_wait_go_with_the_bytes(unix: Any) -> None:
    transport, far, _ = unix
    with socket.socket() as sent:
        transport.sendFileDescriptor(sent.fileno())
        assert send(transport, b"abc") == 0
        transport.write(b"abc")
        transport.doWrite()
    data, descriptors, _, _ = socket.recv_fds(far, 10, 4)
    assert data and len(descriptors) == 1
    os.close(descriptors[0])


@needs_unix
def test_who_wants_descriptors_gets_them(unix: Any) -> None:
    transport, _, _ = unix
    directlyProvides(transport.protocol, IFileDescriptorReceiver)
    read_bytes(transport)
    assert "doRead" not in vars(transport)


@needs_unix
def test_reading_as_before(unix: Any) -> None:
    transport, _, _ = unix
    read_bytes(transport)
    assert "doRead" in vars(transport)
    read_usually(transport)
    assert "doRead" not in vars(transport)
    own = transport.doRead = lambda: None
    read_bytes(transport)
    read_usually(transport)
    assert transport.doRead is own, "a transport that somebody changed is left alone"


def test_other_transports_read_as_they_do(link: Link) -> None:
    for transport in (link.transport, StringTransport(), None):
        read_bytes(transport)
        read_usually(transport)
    assert "doRead" not in vars(link.transport)


# On every reactor.


def _installable(name: str) -> bool:
    import select

    return hasattr(select, {"epoll": "epoll", "poll": "poll"}.get(name, "select"))


@pytest.mark.parametrize("name", ["epoll", "poll", "select", "asyncio"])
def test_a_connection_on_every_reactor(name: str) -> None:
    if not _installable(name):
        pytest.skip(f"there is no {name} here")
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, str(root / "tests" / "net" / "on_reactor.py"), name],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout.split()) == (0, ["tcp", "unix", "gone", "done"]), done.stderr
