"""The endpoint strings on the page about them: Twisted takes each, and TLS works with them as the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from twisted.internet.endpoints import clientFromString, serverFromString

from tests.docs.pages import DOCS
from tests.service.processes import BROKER, run, serving

ROWS = re.findall(
    r"^\| [^|]* \| `([^`]*)`[^|]* \| `([^`]*)` \|$",
    (DOCS / "howto" / "tls-and-unix.md").read_text("utf-8"),
    re.MULTILINE,
)


@pytest.fixture
def certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a key and a certificate for localhost, which is also the current one."""
    pytest.importorskip("OpenSSL", reason="TLS is an optional dependency")
    from tests.interop.peer.certificate import make_files

    server = tmp_path / "key.pem", tmp_path / "cert.pem"
    client = tmp_path / "client-key.pem", tmp_path / "client.pem"
    make_files(server, client, (server[0], tmp_path / "certificates" / "shop.pem"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("server", "client"), ROWS)
def test_twisted_takes_them(server: str, client: str, request: pytest.FixtureRequest) -> None:
    if server.startswith("ssl:") or client.startswith("tls:"):
        request.getfixturevalue("certificates")
    from twisted.internet import reactor

    serverFromString(reactor, server)
    clientFromString(reactor, client)


def test_there_are_rows() -> None:
    assert len(ROWS) >= 5


def test_tls(certificates: Path) -> None:
    """Who trusts the certificate gets through; who does not is told."""
    command = [*BROKER, "serve", "--listen", "ssl:0:privateKey=key.pem:certKey=cert.pem:interface=127.0.0.1"]
    with serving(command, cwd=certificates) as (_, endpoint):
        port = endpoint.rpartition(":")[2]
        # To its end: a transport with TLS closes only when nothing keeps it open.
        trusting = run(
            [*BROKER, "call", f"tls:localhost:{port}:trustRoots=certificates", "echo", "hello"], cwd=certificates
        )
        assert (trusting.returncode, trusting.stdout) == (0, "hello\n")
        doubting = run([*BROKER, "call", f"tls:localhost:{port}", "echo", "hello"], cwd=certificates)
        assert doubting.returncode == 1 and doubting.stdout == ""
