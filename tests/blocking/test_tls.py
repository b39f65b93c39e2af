"""Over TLS the reactor's thread drives the connection: the same calls, from any thread.

In a process of its own: TLS takes Twisted's own reactor, whichever one it is given, and other tests need that.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from twisted.internet import endpoints

from tests.blocking.scene import ROOT, script

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
    for made in (
        lambda: connect(f"tls:localhost:{port}:trustRoots={folder}/trusted", reactor=reactor()),
        lambda: serve(Shop(), where, reactor=reactor()),
    ):
        try:
            made()
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


MANAGERS = """
import multiprocessing, os, sys, warnings
from broker.blocking import Manager

warnings.filterwarnings("ignore", "Passing pyOpenSSL")
folder, place = sys.argv[1:]


def work(numbers, lock):
    with lock:
        numbers.append(numbers[-1] + 1)


if __name__ == "__main__":
    there = f"tls:localhost:{{port}}:trustRoots={folder}/trusted"
    with Manager(place, b"a key", client=there) as manager:
        print(manager.address.startswith("tls:127.0.0.1:"))
        numbers, lock = manager.list([1]), manager.Lock()
        port = manager.address.rpartition(":")[2]
        other = Manager(there.replace("{port}", port), b"a key").connect()
        print(other.number_of_objects())
        process = multiprocessing.get_context("spawn").Process(target=work, args=(numbers, lock))
        process.start()
        process.join()
        print(process.exitcode, numbers)
        pid = os.fork()
        if not pid:
            try:
                numbers.append(3)
            except Exception as error:
                print(f"{error}"[:31], flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
        for wrong, key in ((f"tls:localhost:{port}", b"a key"), (there.replace("{port}", port), b"another")):
            try:
                Manager(wrong, key).connect()
            except Exception as error:
                print(type(error).__name__)
    try:
        numbers.append(4)
    except Exception as error:
        print(type(error).__name__, "was shut down" in str(error))
"""


def test_calls_from_many_threads_over_tls(tmp_path: Path) -> None:
    from tests.interop.peer.certificate import make_files

    make_files((tmp_path / "key.pem", tmp_path / "trusted" / "cert.pem"))
    process = script(SCRIPT, str(tmp_path))
    said, _ = process.communicate(timeout=60)
    assert (said, process.returncode) == (
        "True\n" + 2 * "Twisted runs TLS with its own reactor only: leave out `reactor`\n" + "True\n2\nTrue\nTrue\n",
        0,
    )


@pytest.mark.parametrize("kind", ["ssl", "tls"])
def test_managers_over_tls(tmp_path: Path, kind: str) -> None:
    from tests.interop.peer.certificate import make_files

    key, certificate = tmp_path / "key.pem", tmp_path / "trusted" / "cert.pem"
    make_files((key, certificate))
    place = f"ssl:0:privateKey={key}:certKey={certificate}"
    if kind == "tls":
        if not hasattr(endpoints, "_TLSServerEndpointParser"):
            pytest.skip("this Twisted listens by ssl: only")
        # A folder with a file for each name of the server's.
        folder = tmp_path / "names"
        folder.mkdir()
        (folder / "localhost.pem").write_bytes(key.read_bytes() + certificate.read_bytes())
        place = f"tls:{folder}:0"
    program = tmp_path / "managers.py"
    program.write_text(MANAGERS)
    said = subprocess.run(
        [sys.executable, str(program), str(tmp_path), place],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert said.stdout.splitlines() == [
        "True",
        "2",
        "0 [1, 2]",
        "the reactor's thread stayed beh",
        "PBConnectionLost",
        "AuthenticationError",
        "DeadReferenceError True",
    ]
    assert said.returncode == 0, said.stderr
