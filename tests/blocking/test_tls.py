"""Over TLS the reactor's thread drives the connection: the same calls, from any thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broker.blocking import connect, serve
from tests.blocking.scene import Echo, Shop, in_threads, reactor

pytest.importorskip("OpenSSL", reason="TLS is an optional dependency")
# Twisted still gives it the objects that it would rather have replaced.
pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")


def test_calls_from_many_threads_over_tls(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    from tests.interop.peer.certificate import make_options

    options, public = make_options()
    private = options.privateKey.to_cryptography_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "key.pem").write_bytes(private)
    trusted = tmp_path / "trusted"
    trusted.mkdir()
    (trusted / "cert.pem").write_text(public)
    where = f"ssl:0:privateKey={tmp_path}/key.pem:certKey={trusted}/cert.pem:interface=127.0.0.1"
    for root in (Shop(), Echo()):
        with serve(root, where, reactor=reactor()) as server:
            port = server.endpoint.rsplit(":", 1)[1]
            assert server.endpoint.startswith("tls:")
            with connect(f"tls:localhost:{port}:trustRoots={trusted}", reactor=reactor()) as connection:
                if isinstance(root, Shop):
                    shop = connection.root
                    got: dict[int, list[tuple[int, int]]] = {}

                    def run(number: int, shop: Any = shop, got: Any = got) -> None:
                        got[number] = [shop.echo((number, n)) for n in range(20)]

                    in_threads(5, run)
                    assert got == {number: [(number, n) for n in range(20)] for number in range(5)}
                    assert shop.call(lambda value: value + 1, 1) == 2
                else:
                    assert connection.reference.callRemote("echo", "x" * 300_000) == "x" * 300_000
            with pytest.raises(Exception, match=r"(?i)certificate|verify|closed|lost"):
                connect(f"tls:localhost:{port}", reactor=reactor())
