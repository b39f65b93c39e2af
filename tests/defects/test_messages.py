"""Messages that are well framed but wrong: one log line each, and the link stays."""

from __future__ import annotations

from typing import Any

import pytest

from tests.defects.defect import Older, defect
from tests.defects.wire import RawPeer, Sides, Wire, encode, failure_of, logged, value_of

NO_ARGS: list[Any] = [[b"tuple"], [b"dictionary"]]
PING = [b"message", 999, b"root", b"ping", 1, *NO_ARGS]
PONG = [b"answer", 999, [b"unicode", b"pong"]]


def root_of(sides: Sides, **methods: Any) -> Any:
    class Served(sides.server.pb.Root):  # type: ignore[misc,name-defined]
        def remote_ping(self) -> str:
            return "pong"

    for name, method in methods.items():
        setattr(Served, f"remote_{name}", method)
    return Served()


def alive(peer: RawPeer) -> None:
    """The link is open, and calls both ways are served."""
    assert not peer.closed(), "the link was dropped"
    peer.received.clear()
    peer.send(PING)
    assert peer.received == [PONG]


@defect("ours", stock="Banana cannot send")
def test_unknown_command(sides: Sides) -> None:
    """The reply to an unknown command is text, which banana refuses: the link drops instead."""
    peer = RawPeer.of_server(sides.server, root_of(sides))
    peer.send([b"frobnicate", 1, [b"two"]])
    assert peer.received == [[b"didNotUnderstand", b"frobnicate"]]
    with logged() as log:
        peer.send([b"didNotUnderstand", b"shout"])
    assert len(log.lines()) == 1 and "shout" in log.lines()[0]
    assert log.errors() == []
    alive(peer)


@defect("ours", stock="Banana cannot send")
def test_unknown_command_to_a_client(sides: Sides) -> None:
    """A client's reply to an unknown command of its server fails in the same way."""
    peer = RawPeer.of_client(sides.client)
    waiting = peer.call("anything")
    peer.received.clear()
    peer.send([b"frobnicate"])
    assert peer.received == [[b"didNotUnderstand", b"frobnicate"]]
    peer.send([b"answer", 1, 5])
    assert value_of(waiting) == 5 and not peer.closed()


WRONG: dict[str, Any] = {
    "answer to an unknown request": [b"answer", 77, [b"None"]],
    "answer to a text": [b"answer", b"one", [b"None"]],
    "answer to a list": [b"answer", [1], [b"None"]],
    "answer without a value": [b"answer", 77],
    "answer with too much": [b"answer", 77, [b"None"], 1],
    "error for an unknown request": [b"error", 77, [b"None"]],
    "error without a value": [b"error"],
    "decref of an unknown object": [b"decref", 77],
    "decref of the root": [b"decref", b"root"],
    "decref of an unknown name": [b"decref", b"nobody"],
    "decref of a list": [b"decref", [1]],
    "decref of nothing": [b"decref"],
    "decache of an unknown object": [b"decache", 77],
    "decache of a list": [b"decache", [1]],
    "uncache of an unknown object": [b"uncache", 77],
    "uncache of nothing": [b"uncache"],
    "message too short": [b"message", 5, b"root", b"ping", 1, [b"tuple"]],
    "message too long": [b"message", 5, b"root", b"ping", 1, *NO_ARGS, 1],
    "message with nothing": [b"message"],
    "cachemessage with nothing": [b"cachemessage"],
    "method name is a number": [b"message", 5, b"root", 5, 1, *NO_ARGS],
    "method name is a list": [b"message", 5, b"root", [b"ping"], 1, *NO_ARGS],
    "method name is no UTF-8": [b"message", 5, b"root", b"\xff\xfe", 1, *NO_ARGS],
    "version without a number": [b"version"],
    "didNotUnderstand without a command": [b"didNotUnderstand"],
}


@pytest.mark.parametrize("name", sorted(WRONG))
@defect("ours", stock="escaped dataReceived|out of the log")
def test_wrong_message(sides: Sides, name: str) -> None:
    """One wrong message kills the connection, and what was queued on it."""
    peer = RawPeer.of_server(sides.server, root_of(sides))
    peer.send(PING)
    peer.received.clear()
    with logged() as log:
        peer.send(PING, WRONG[name], [*PING[:1], 1000, *PING[2:]])
    assert peer.received[0] == PONG, "traffic before it was lost"
    assert [b"answer", 1000, PONG[2]] in peer.received, "traffic behind it was lost"
    others = [each for each in peer.received if each[:2] not in ([b"answer", 999], [b"answer", 1000])]
    # A call that can be told apart gets an error; whatever else does not fit may be reported as not understood.
    assert all(each in ([b"didNotUnderstand", WRONG[name][0]], [b"error", 5, *each[2:]]) for each in others), others
    assert len(others) <= 1, others
    assert len(log.lines()) == 1, f"logged: {log.lines()}"
    alive(peer)


UNREADABLE: dict[str, Any] = {
    "empty list": [],
    "command is a number": [5],
    "command is a list": [[b"message"], 5],
    "command is no UTF-8": [b"\xff\xfe"],
    "no list but a number": 17,
    "no list but a text": b"message",
    "another version": [b"version", 7],
    "version in letters": [b"version", b"six"],
}


@pytest.mark.parametrize("name", sorted(UNREADABLE))
@pytest.mark.parametrize("role", ["server", "client"])
@defect("ours", stock="escaped dataReceived")
def test_unreadable_message(sides: Sides, role: str, name: str) -> None:
    """What is no message at all raises out of dataReceived; it may close the link, but with a line in the log."""
    peer = RawPeer.of_server(sides.server, root_of(sides)) if role == "server" else RawPeer.of_client(sides.client)
    with logged() as log:
        peer.send(UNREADABLE[name])
    assert log.lines(), "nothing was logged"


BROKEN: dict[str, bytes] = {
    "prefix too long": b"\x01" * 65,
    "type byte unknown": b"\x01\x88",
    "string too long": b"\x01\x00\x00\x00\x00\x00\x01\x82",
    "list too long": b"\x01\x00\x00\x00\x00\x00\x01\x80",
    "vocabulary unknown": b"\x7f\x87",
    "vocabulary zero": b"\x00\x87",
}


@pytest.mark.parametrize("name", sorted(BROKEN))
@defect("ours", stock="escaped dataReceived")
def test_broken_bytes(sides: Sides, name: str) -> None:
    """Bytes that are no banana raise out of dataReceived; the answers queued before them must still leave."""
    peer = RawPeer.of_server(sides.server, root_of(sides))
    with logged() as log:
        peer.send_bytes(encode(PING) + BROKEN[name])
    assert peer.received == [PONG], "what was queued was lost"
    assert peer.closed(), "the link cannot go on"
    assert log.lines(), "nothing was logged"


@pytest.mark.parametrize("stop", [SystemExit, KeyboardInterrupt])
@defect("ours", "our-server", "our-client", stock="the Deferred never fired|InsecureJelly")
def test_system_exit_in_a_method(sides: Sides, stop: type[BaseException]) -> None:
    """SystemExit in a method makes an error that no peer can decode: the caller's link drops and its call hangs."""

    def leave(_self: Any) -> None:
        raise stop("leaving")

    wire = Wire(sides, root_of(sides, leave=leave), tolerant=True)
    failure_of(wire.call("leave"))
    assert wire.escaped == []
    assert value_of(wire.call("ping")) == "pong"
    assert wire.connected()


# Before 24.7 a Deferred refused it with an assertion without a text.
@defect(
    "ours",
    "our-client",
    stock="callable|NoneType",
    raises=Exception,
    older=Older(before=(24, 7), stock="^$", raises=AssertionError),
)
def test_only_pberrback(sides: Sides) -> None:
    """A call given ``pberrback`` alone fails with "NoneType is not callable"."""

    def bad(_self: Any) -> None:
        raise sides.server.pb.Error("as expected")

    wire = Wire(sides, root_of(sides, bad=bad))
    assert value_of(wire.call("bad", pberrback=lambda failure: failure.getErrorMessage())) == "as expected"
    assert value_of(wire.call("ping", pberrback=lambda failure: "unused")) == "pong"
