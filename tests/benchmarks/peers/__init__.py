"""The peers, one small module each; a new one is entered in `MODULES`."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from tests.benchmarks.port import Peer

__all__ = ["ALL", "DEFAULT", "MODULES", "load"]

_HERE = "tests.benchmarks.peers"
#: Name on the command line → the peer: its module and what it is called there.
MODULES = {
    "stock": f"{_HERE}.stock:PEER",
    "stock-again": f"{_HERE}.stock:AGAIN",
    "broker-native": f"{_HERE}.broker:NATIVE",
    "broker-native-glancing": f"{_HERE}.broker:GLANCING",
    "broker-native-pure": f"{_HERE}.broker:NATIVE_PURE",
    "broker-pb": f"{_HERE}.broker:PB",
    "broker-pb-pure": f"{_HERE}.broker:PB_PURE",
    "broker-blocking": f"{_HERE}.blocking:PEER",
    "amp": f"{_HERE}.amp:PEER",
    "foolscap": f"{_HERE}.foolscap:PLAIN",
    "foolscap-tls": f"{_HERE}.foolscap:TLS",
    "rpyc": f"{_HERE}.rpyc:PEER",
    "rpyc-fetched": f"{_HERE}.rpyc:FETCHED",
    "pyro-serpent": f"{_HERE}.pyro:SERPENT",
    "pyro-msgpack": f"{_HERE}.pyro:MSGPACK",
    "managers": f"{_HERE}.managers:PEER",
    "grpc": f"{_HERE}.grpc:PEER",
    "capnp": f"{_HERE}.capnp:PEER",
    "echo": f"{_HERE}.echo:PEER",
    "uvloop": f"{_HERE}.uvloop_echo:PEER",
    "sockets": f"{_HERE}.sockets:PEER",
}
#: What is measured when nothing is chosen.
DEFAULT = ["stock", "broker-native", "broker-pb", "echo"]
#: What `all` means: stock PB once only.
ALL = [name for name in MODULES if name != "stock-again"]


def load(name: str) -> Peer:
    """Return the peer of that name.

    :raises KeyError: there is none.
    """
    module, _, attribute = MODULES[name].partition(":")
    return cast(Peer, getattr(import_module(module), attribute))
