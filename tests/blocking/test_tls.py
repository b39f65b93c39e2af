"""Over TLS the reactor's thread drives the connection: the same calls, from any thread.

In a process of its own: TLS takes Twisted's own reactor, whichever one it is given, and other tests need that.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.blocking.scene import script

pytest.importorskip("OpenSSL", reason="TLS is an optional dependency")
# Twisted still gives it the objects that it would rather have replaced.
pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

SCRIPT = """
import sys, warnings
from broker.blocking import connect, serve
from tests.blocking.scene import Echo, Shop, in_threads, reactor

warnings.filterwarnings("ignore", "Passing pyOpenSSL")
folder = sys.argv[1]
where = f"ssl:0:privateKey={folder}/key.pem:certKey={folder}/trusted/cert.pem:interface=127.0.0.1"
with serve(Shop(), where) as server:
    print(server.endpoint.startswith("tls:127.0.0.1:"))
    port = server.endpoint.rsplit(":", 1)[1]
    try:
        connect(f"tls:localhost:{port}:trustRoots={folder}/trusted", reactor=reactor())
    except ValueError as error:
        print(error)
    with connect(f"tls:localhost:{port}:trustRoots={folder}/trusted") as connection:
        shop = connection.root
        got = {}

        def run(number):
            got[number] = [shop.echo((number, n)) for n in range(20)]

        in_threads(5, run)
        print(got == {number: [(number, n) for n in range(20)] for number in range(5)})
        print(shop.call(lambda value: value + 1, 1))
    try:
        connect(f"tls:localhost:{port}")
    except Exception as error:
        print("certificate" in str(error))
with serve(Echo(), where) as server:
    port = server.endpoint.rsplit(":", 1)[1]
    with connect(f"tls:localhost:{port}:trustRoots={folder}/trusted") as connection:
        print(connection.reference.callRemote("echo", "x" * 300_000) == "x" * 300_000)
"""


def test_calls_from_many_threads_over_tls(tmp_path: Path) -> None:
    from tests.interop.peer.certificate import make_files

    make_files((tmp_path / "key.pem", tmp_path / "trusted" / "cert.pem"))
    process = script(SCRIPT, str(tmp_path))
    said, _ = process.communicate(timeout=60)
    assert (said, process.returncode) == (
        "True\nTwisted runs TLS with its own reactor only: leave out `reactor`\nTrue\n2\nTrue\nTrue\n",
        0,
    )
