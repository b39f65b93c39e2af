"""Endpoints that are safe by default, and addresses as clients need them."""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.testing import MemoryReactor

from broker._net.endpoints import describe, guarded, parse


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("8787", "tcp:8787:interface=127.0.0.1"),
        ("tcp:8787", "tcp:8787:interface=127.0.0.1"),
        ("tcp:8787:backlog=9", "tcp:8787:backlog=9:interface=127.0.0.1"),
        ("tcp:port=8787", "tcp:port=8787:interface=127.0.0.1"),
        ("tcp6:8787", r"tcp6:8787:interface=\:\:1"),
        ("ssl:8787:privateKey=a.pem", "ssl:8787:privateKey=a.pem:interface=127.0.0.1"),
        ("haproxy:tcp:8787", "haproxy:tcp:8787:interface=127.0.0.1"),
        ("unix:/run/broker", "unix:/run/broker:mode=600"),
        (r"ssl:1:privateKey=C\:interface=", r"ssl:1:privateKey=C\:interface=:interface=127.0.0.1"),
    ],
)
def test_guarded(given: str, made: str) -> None:
    description, notice = guarded(given)
    assert description == made
    assert notice is not None and "\n" not in notice


@pytest.mark.parametrize(
    "given",
    [
        "tcp:8787:interface=0.0.0.0",
        "tcp:8787:interface=",
        "tcp:8787:0.0.0.0",
        r"tcp6:8787:interface=\:\:",
        "unix:/run/broker:mode=666",
        "unix:/run/broker:660",
        "systemd:domain=INET:index=0",
    ],
)
def test_explicit_ones_are_left_alone(given: str) -> None:
    assert guarded(given) == (given, None)


def test_parse_listens_where_the_description_says() -> None:
    reactor = MemoryReactor()
    parse(reactor, guarded("tcp:8787")[0]).listen(None)  # type: ignore[arg-type]
    assert [(port, interface) for port, _, _, interface in reactor.tcpServers] == [(8787, "127.0.0.1")]


@pytest.mark.parametrize("wrong", ["tpc:8787", "tcp", "tcp:http", "tcp:1:colour=red", "", "ssl:1:privateKey=/none"])
def test_parse_tells_what_is_wrong(wrong: str) -> None:
    with pytest.raises(ValueError, match="cannot listen at") as caught:
        parse(MemoryReactor(), wrong)
    assert "\n" not in str(caught.value)


def test_describe() -> None:
    assert describe(IPv4Address("TCP", "127.0.0.1", 8787)) == "tcp:127.0.0.1:8787"
    assert describe(IPv4Address("TCP", "127.0.0.1", 8787), secure=True) == "tls:127.0.0.1:8787"
    assert describe(IPv6Address("TCP", "::1", 8787)) == r"tcp:\:\:1:8787"
    assert describe(UNIXAddress(b"/run/broker")) == "unix:/run/broker"
