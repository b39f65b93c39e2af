"""The server process: prints where it listens as one line of JSON, and serves until it is killed.

Usage: ``python -m peer.server FOLDER``; the folder receives the Unix socket.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from twisted.python import log

from peer.net import net
from peer.realm import Realm, closed_portal, open_portal
from peer.service import ErrorLog, Root
from peer.spread import foreign_modules, pb

__all__: list[str] = []


def tls_options() -> tuple[Any, str] | None:
    """Make a certificate for localhost.

    :returns: what to listen with, and the certificate as PEM; None where the libraries for TLS are not installed.
    """
    try:
        from peer.certificate import make_options
    except ImportError:
        return None
    return make_options()


class JournalRoot(Root):
    """The root that can be asked what the realm has seen."""

    def __init__(self, errors: ErrorLog, realm: Realm) -> None:
        super().__init__(errors)
        self.realm = realm

    def remote_journal(self) -> list[str]:
        return list(self.realm.journal)


def listen(folder: str) -> dict[str, Any]:
    """Open all ports.

    :returns: name of the port to its number or path.
    """
    realm = Realm()
    root = JournalRoot(ErrorLog(), realm)

    def tcp(factory: Any) -> int:
        return int(net.listenTCP(0, factory, interface="127.0.0.1").getHost().port)

    path = os.path.join(folder, "socket")
    net.listenUNIX(path, pb.PBServerFactory(root))
    places = {
        "tcp": tcp(pb.PBServerFactory(root)),
        "unix": path,
        "open": tcp(pb.PBServerFactory(open_portal(realm))),
        "closed": tcp(pb.PBServerFactory(closed_portal(realm))),
        "unsafe": tcp(pb.PBServerFactory(root, unsafeTracebacks=True)),
    }
    secure = tls_options()
    if secure is not None:
        port = net.listenSSL(0, pb.PBServerFactory(root), secure[0], interface="127.0.0.1")
        places["tls"], places["certificate"] = int(port.getHost().port), secure[1]
    return places


def main(folder: str) -> None:
    """Serve.

    :param folder: for the Unix socket.
    """
    log.startLogging(sys.stderr, setStdout=False)
    places = listen(folder)
    if foreign_modules():
        raise RuntimeError(f"the other implementation is loaded too: {foreign_modules()}")
    print(json.dumps(places), flush=True)
    net.run()


if __name__ == "__main__":
    main(sys.argv[1])
