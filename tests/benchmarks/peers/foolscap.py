"""Foolscap, as its users have it (a Tub, so TLS), and its protocol straight on TCP, to see what TLS costs.

Without TLS there is no Tub, since every Tub encrypts: the broker that a Tub would negotiate is made by hand, with what
the negotiation would settle on, and hands out the root.
"""

from __future__ import annotations

import datetime
import socket
from itertools import cycle
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import AdoptedStreamServerEndpoint
from twisted.internet.protocol import ClientFactory, ServerFactory

from tests.benchmarks.installed import lacking
from tests.benchmarks.port import Done, Failed, Hold, Operation
from tests.benchmarks.twisted_side import Client, Server, TwistedPeer
from tests.benchmarks.workloads import CALLS

__all__ = ["PLAIN", "TLS"]

#: What two current ends agree on.
_SETTLED = {"banana-decision-version": 3, "initial-vocab-table-index": 1}
#: How many identities a client that connects over and over takes turns with. A Tub has one connection with another.
_IDENTITIES = 32


def _target_classes() -> tuple[Any, Any]:
    """Return the classes of what is passed by reference and of the server's root."""
    from foolscap.api import Referenceable

    class Target(Referenceable):
        def remote_echo(self, value: Any) -> Any:
            return value

    class Root(Target):
        def remote_make(self) -> Any:
            return Target()

        def remote_back(self, target: Any, value: Any) -> Any:
            return target.callRemote("echo", value)

    return Target, Root


def _identity() -> bytes:
    """Return a key and a certificate for a Tub. Those that Tub makes for itself take 0.1 s, with the same effect."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "benchmark")])
    start = datetime.datetime(2020, 1, 1)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(start)
    certificate = made.not_valid_after(start.replace(year=2120)).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def _tub(identity: bytes | None = None) -> Any:
    from foolscap.api import Tub

    tub = Tub(certData=identity)
    tub.startService()
    return tub


class _TubServer:
    """Listens with a Tub; clients need its furl."""

    def __init__(self) -> None:
        from twisted.internet import reactor as installed

        reactor: Any = installed
        tub = _tub()
        # A Tub must know its port beforehand, so the socket is there first.
        listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = listening.getsockname()[1]
        listening.setblocking(False)
        tub.listenOn(AdoptedStreamServerEndpoint(reactor, listening.detach(), socket.AF_INET))
        tub.setLocation(f"tcp:127.0.0.1:{self.port}")
        self.name: str = tub.registerReference(_target_classes()[1](), "root")

    def tables(self) -> dict[str, int]:
        """There are none that are looked at."""
        return {}


class _BareServer:
    """Listens with brokers."""

    name = ""

    def __init__(self) -> None:
        from foolscap.broker import Broker
        from foolscap.referenceable import TubRef
        from twisted.internet import reactor as installed

        reactor: Any = installed
        root = _target_classes()[1]()

        class Serving(Broker):
            def remote_getReferenceByName(self, name: bytes) -> Any:
                return root

        factory: Any = ServerFactory()
        factory.protocol = lambda: Serving(TubRef("client"), _SETTLED)
        self.port: int = reactor.listenTCP(0, factory, interface="127.0.0.1").getHost().port

    def tables(self) -> dict[str, int]:
        """There are none that are looked at."""
        return {}


class _Client:
    """What both kinds of client do with a root."""

    def __init__(self) -> None:
        self._root: Any = None
        self._held: list[Any] = []

    def connect(self, made: Done, failed: Failed, lost: Done = lambda _: None) -> Any:
        """Open one more connection; `made` gets the root. Returns what closes it."""
        raise NotImplementedError

    def opened(self, root: Any) -> Client:
        """Use the connection of this root."""
        self._root = root
        return self

    def operation(self, name: str, value: Any) -> Operation:
        """Return what does one of it."""
        call = self._root.callRemote
        target = _target_classes()[0]()

        def echo(done: Done, failed: Failed) -> None:
            call("echo", value).addCallbacks(done, failed)

        def refs(done: Done, failed: Failed) -> None:
            call("make").addCallback(lambda reference: reference.callRemote("echo", value)).addCallbacks(done, failed)

        def callback(done: Done, failed: Failed) -> None:
            call("back", target, value).addCallbacks(done, failed)

        def connect(done: Done, failed: Failed) -> None:
            def made(root: Any) -> None:
                root.callRemote("echo", value).addCallbacks(lambda _: close(), failed)

            close = self.connect(made, failed, done)

        return {"echo": echo, "refs": refs, "callback": callback, "connect": connect}[name]

    def hold(self, what: str) -> Hold:
        """Return what opens and keeps connections or references."""

        def hold(number: int, done: Done, failed: Failed) -> None:
            def made(thing: Any) -> None:
                self._held.append(thing)
                hold(number - 1, done, failed)

            if not number:
                done(None)
            elif what == "connections":
                self._held.append(self.connect(made, failed))
            else:
                self._root.callRemote("make").addCallbacks(made, failed)

        return hold

    def tables(self) -> dict[str, int]:
        """There are none that are looked at."""
        return {}


class _TubClient(_Client):
    """Connects with a Tub each time."""

    def __init__(self, furl: str) -> None:
        super().__init__()
        self._furl = furl
        self._identities = cycle([_identity() for _ in range(_IDENTITIES)])

    def connect(self, made: Done, failed: Failed, lost: Done = lambda _: None) -> Any:
        """Open one more connection with a Tub of its own."""
        tub = _tub(next(self._identities))
        tub.getReference(self._furl).addCallbacks(made, failed)
        return lambda: tub.stopService().addCallbacks(lost, failed)

    def hold(self, what: str) -> Hold:
        """Return what opens and keeps connections or references."""
        if what == "connections":
            # These stay open together.
            self._identities = iter(_identity, None)
        return super().hold(what)


class _BareClient(_Client):
    """Connects with a broker each time."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    def connect(self, made: Done, failed: Failed, lost: Done = lambda _: None) -> Any:
        """Open one more connection."""
        from foolscap.broker import Broker
        from foolscap.referenceable import TubRef
        from twisted.internet import reactor as installed

        class Calling(Broker):
            def connectionMade(self) -> None:
                super().connectionMade()
                self.remote_broker.callRemote("getReferenceByName", name=b"root").addCallbacks(made, failed)

            def connectionLost(self, why: Any) -> None:
                super().connectionLost(why)
                lost(None)

        reactor: Any = installed
        broker = Calling(TubRef("server"), _SETTLED)
        factory: Any = ClientFactory()
        factory.noisy = False
        factory.protocol = lambda: broker
        reactor.connectTCP("127.0.0.1", self._port, factory)
        return lambda: broker.transport.loseConnection()


class FoolscapPeer(TwistedPeer):
    """Foolscap with or without TLS."""

    offers = CALLS

    def __init__(self, name: str, title: str, tls: bool) -> None:
        self.name = name
        self.title = title
        self._tls = tls

    def missing(self) -> str | None:
        """Return why this peer cannot be measured here, or None when it can."""
        return lacking("foolscap", "OpenSSL", "cryptography")

    def listen(self) -> Server:
        """Listen on a free port of 127.0.0.1."""
        return _TubServer() if self._tls else _BareServer()

    def open(self, port: int, name: str) -> Deferred[Client]:
        """Connect and get the root."""
        client = _TubClient(name) if self._tls else _BareClient(port)
        done: Deferred[Any] = Deferred()
        client.connect(done.callback, done.errback)
        return done.addCallback(client.opened)


PLAIN = FoolscapPeer("foolscap", "Foolscap, no TLS", False)
TLS = FoolscapPeer("foolscap-tls", "Foolscap, TLS", True)
