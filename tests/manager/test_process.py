"""The manager's process: begun, used, and ended from either side."""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import subprocess
import sys
from multiprocessing import AuthenticationError, ProcessError
from pathlib import Path
from select import select
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.error import ConnectError

from broker.errors import DeadReferenceError, GoingAway, PBConnectionLost, RemoteError
from broker.manager import BaseManager, CannotStart, Manager, Server, UnknownType, standard_types
from broker.manager.server import clear_stale, unix_path
from broker.transparent import value
from tests.manager.own import Counting, bad, ending, register, remember
from tests.service.processes import ROOT, environment, run

LOST = (PBConnectionLost, DeadReferenceError, GoingAway)
PATIENCE = 60


def folder(manager: BaseManager) -> Path:
    assert manager.address is not None
    path = unix_path(manager.address)
    assert path is not None
    return Path(path).parent


def gone(manager: BaseManager) -> Deferred[None]:
    """Return a Deferred that fires when the connection of a manager is gone."""
    found: Deferred[None] = Deferred()
    manager._connection.notifyOnDisconnect(lambda: found.callback(None))
    return found


async def caught(waiting: Any) -> BaseException:
    try:
        await waiting
    except Exception as error:  # noqa: BLE001  the test looks at it
        return error
    raise AssertionError("did not fail")


@pytest_twisted.ensureDeferred
async def test_from_start_to_end() -> None:
    manager = Manager()
    with pytest.raises(ProcessError, match="new"):
        manager.hub  # noqa: B018
    async with manager:
        numbers, lock = await manager.list([1, 2]), await manager.Lock()
        async with lock:
            await numbers.append(3)
        assert await value(numbers) == [1, 2, 3]
        assert await manager.number_of_objects() == 2
        assert await manager.debug_info() == "Lock: <unlocked Lock>\nlist: [1, 2, 3]"
        where = folder(manager)
        assert stat.S_IMODE(where.stat().st_mode) == 0o700
        assert stat.S_IMODE((where / "socket").stat().st_mode) == 0o600
        assert manager.pid is not None
        for again in (manager.start, manager.connect):
            with pytest.raises(ProcessError, match="started already"):
                again()
        if Path("/proc/self/environ").exists():
            told = [Path(f"/proc/{manager.pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
            assert b"broker.manager.child" in told[0]
            assert not any(secret in text for text in told for secret in (manager.key, manager.key.hex().encode()))
    assert not where.exists() and manager.pid is None
    assert isinstance(await caught(manager.list()), ProcessError)
    error = await caught(numbers.append(4))
    assert isinstance(error, DeadReferenceError) and str(error) == f"the manager at {manager.address} was shut down"


@pytest_twisted.ensureDeferred
async def test_own_types_and_functions() -> None:
    manager = Counting(setup=[register])
    async with await manager.start(remember, ["a", (1, b"b")]):
        counter = await manager.Counter(start=2)
        assert await counter.add(3) == 5
        assert await value(await manager.create("remembered")) == ["a", (1, b"b")]
        assert await (await manager.create("pid"))["pid"] == manager.pid
        pool = await manager.Pool(2)
        assert await pool.map("square", [1, 2, 3]) == [1, 4, 9]
        with pytest.raises(UnknownType):
            await manager.create("nothing")
    assert "Counter" not in Manager.types and not hasattr(Manager, "Counter")


@pytest_twisted.ensureDeferred
async def test_the_reason_why_it_does_not_start() -> None:
    error = await caught(Manager().start(bad, ["on purpose"]))
    assert isinstance(error, FileNotFoundError) and error.errno == 2
    assert isinstance(error, RemoteError) and "in bad" in error.remoteTraceback
    error = await caught(Manager().start(ending))
    assert isinstance(error, CannotStart) and "exit code 3" in str(error)
    error = await caught(Manager(setup=["tests.manager.nowhere:register"]).start())
    assert isinstance(error, ValueError) and "cannot import" in str(error)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = await caught(Manager(f"tcp:{port}").start())
        assert isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        assert str(error) == f"[Errno {errno.EADDRINUSE}] {os.strerror(errno.EADDRINUSE)}: '127.0.0.1:{port}'"
    error = await caught(Manager("unix:/no/such/socket").start())
    assert isinstance(error, FileNotFoundError) and error.filename == "/no/such"


def test_what_cannot_be_named_is_said_at_once() -> None:
    class Own(Manager):
        pass

    def local() -> None:
        pass

    Own.register("bad", lambda: None)
    for call in (
        lambda: Own().start(),
        lambda: Manager().start(local),
        lambda: Manager(setup=[local]).start(),
        lambda: Manager().start(remember, [object()]),
        lambda: Manager().connect(),
    ):
        with pytest.raises(ValueError):
            call()
    with pytest.raises(TypeError):
        Manager().start(3)  # type: ignore[arg-type]


@pytest_twisted.ensureDeferred
async def test_too_slow() -> None:
    manager = Manager(timeout=0)
    assert isinstance(await caught(manager.start()), TimeoutError)
    await manager.shutdown()
    assert manager.pid is None


@pytest_twisted.ensureDeferred
async def test_another_client() -> None:
    async with Manager("tcp:0") as manager:
        assert manager.address is not None and manager.address.startswith("tcp:127.0.0.1:")
        other = await Manager(manager.address, manager.key).connect()
        lock = await manager.Lock()
        theirs = await other.hub.redeem(await manager.hub.grant(lock))
        assert await theirs.acquire() is True
        waiting = lock.acquire()
        await manager.hub.dummy()
        assert not waiting.called
        other._connection.transport.abortConnection()
        assert await waiting is True, "the client has vanished, and its lock with it"
        wrong = Manager(manager.address, b"another key")
        assert isinstance(await caught(wrong.connect()), AuthenticationError)
        last = await Manager(manager.address, manager.key).connect()
        await last.shutdown()
        assert await manager.number_of_objects() == 1, "only the starter ends the process"
        with pytest.raises(PermissionError):
            await manager.hub.shutdown()


@pytest_twisted.ensureDeferred
async def test_manager_killed() -> None:
    async with Manager() as manager:
        items, where = await manager.Queue(), folder(manager)
        other = await Manager(manager.address, manager.key).connect()
        theirs = (await other.Event()).wait()
        waiting, lost = items.get(), gone(manager)
        await manager.hub.dummy()
        await other.hub.dummy()
        assert manager.pid is not None
        os.kill(manager.pid, signal.SIGKILL)
        for one in (waiting, theirs):
            assert isinstance(await caught(one), PBConnectionLost)
        await lost
        await other.shutdown()
        assert isinstance(await caught(items.qsize()), LOST)
    assert not where.exists()


@pytest_twisted.ensureDeferred
async def test_signals() -> None:
    async with Manager() as manager:
        items, where = await manager.Queue(), folder(manager)
        assert manager.pid is not None
        os.kill(manager.pid, signal.SIGINT)
        assert await items.qsize() == 0, "it is the starter's business"
        lost = gone(manager)
        os.kill(manager.pid, signal.SIGTERM)
        await lost
    assert not where.exists()


STARTER = """
import os
import sys
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import react
from broker.manager import Manager

class Thing:
    def where(self):
        return __name__

async def main(reactor):
    class Own(Manager):
        pass
    Own.register("Thing", Thing)
    manager = await Own(stay=sys.argv[1] == "stay").start()
    thing = await manager.Thing()
    where = await thing.where()
    if sys.argv[1] == "fork" and not os.fork():
        os.close(1)
        sys.stdin.read()
        os._exit(0)
    print(manager.pid, manager.address, manager.key.hex(), where, flush=True)
    await Deferred()

if __name__ == "__main__":
    react(lambda reactor: ensureDeferred(main(reactor)))
"""


HOLDER = """
import sys
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import react
from broker.manager import Manager

async def main(reactor):
    address, key, grant = sys.argv[1:]
    manager = await Manager(address, bytes.fromhex(key)).connect()
    lock, event = await (await manager.hub.redeem(bytes.fromhex(grant)))[:]
    kept = await manager.list()
    print(await lock.acquire(), flush=True)
    await event.wait()

react(lambda reactor: ensureDeferred(main(reactor)))
"""


@pytest_twisted.ensureDeferred
async def test_client_killed() -> None:
    async with Manager() as manager:
        assert manager.address is not None
        lock, event = await manager.Lock(), await manager.Event()
        grant = await manager.hub.grant(await manager.list([lock, event]), 30)
        command = [sys.executable, "-c", HOLDER, manager.address, manager.key.hex(), grant.hex()]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as program:
            assert program.stdout is not None and program.stdout.readline() == "True\n"
            assert await lock.acquire(False) is False
            assert await manager.number_of_objects() == 4
            waiting = lock.acquire()
            program.kill()
            assert await waiting is True
        await manager.hub.withdraw(grant)
        assert await manager.number_of_objects() == 2, "the list of the client has gone, and that of the grant"


def starter(path: Path, how: str) -> tuple[subprocess.Popen[str], list[str]]:
    """Run a program that starts a manager; return it, and what it says of the manager."""
    (path / "starter.py").write_text(STARTER)
    command = [sys.executable, str(path / "starter.py"), how]
    pipe = subprocess.PIPE
    program = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment())
    assert program.stdout is not None
    return program, program.stdout.readline().split()


@pytest.mark.parametrize("how", ["end", "fork"])
def test_starter_killed(tmp_path: Path, how: str) -> None:
    """Also while a child that it has forked has all that it had open."""
    program, (_, address, _, where) = starter(tmp_path, how)
    path = unix_path(address)
    assert path is not None and Path(path).exists()
    assert where == "__mp_main__", "a class of the program itself"
    program.kill()
    # The manager has the other end of this, too.
    assert program.stdout is not None and program.stdin is not None
    assert select([program.stdout], [], [], 20)[0], "the manager goes on"
    assert program.stdout.read() == ""
    assert not Path(path).parent.exists()
    program.communicate(timeout=PATIENCE)


@pytest_twisted.ensureDeferred
async def test_told_to_stay(tmp_path: Path) -> None:
    program, (pid, address, key, _) = starter(tmp_path, "stay")
    program.kill()
    program.wait(PATIENCE)
    path = unix_path(address)
    assert path is not None
    manager = await Manager(address, bytes.fromhex(key)).connect()
    numbers = await manager.list([1])
    assert await value(numbers) == [1]
    lost = gone(manager)
    await manager.hub.shutdown()
    await lost
    assert program.communicate(timeout=PATIENCE)[0] == ""
    assert not Path(path).parent.exists() and int(pid) > 0


@pytest_twisted.ensureDeferred
async def test_staying_and_ended_by_its_starter() -> None:
    async with Manager(stay=True) as manager:
        where = folder(manager)
        assert await manager.number_of_objects() == 0
    assert not where.exists()


@pytest_twisted.ensureDeferred
async def test_left_to_itself() -> None:
    manager = await Manager(stay=True).start()
    where, pid = folder(manager), manager.pid
    await manager.leave()
    other = await Manager(manager.address, manager.key).connect()
    for one in (manager, other):
        with pytest.raises(ProcessError):
            one.leave()
    assert await other.number_of_objects() == 0
    lost = gone(other)
    await other.hub.shutdown()
    await lost
    assert pid is not None and os.waitpid(pid, 0) == (pid, 0)
    assert not where.exists()


@pytest_twisted.ensureDeferred
async def test_again_at_the_same_place(tmp_path: Path) -> None:
    place = f"unix:{tmp_path}/manager"
    first = await Manager(place).start()
    assert first.pid is not None
    lost = gone(first)
    os.kill(first.pid, signal.SIGKILL)
    await lost
    assert (tmp_path / "manager").exists()
    async with Manager(place) as second:
        assert await second.number_of_objects() == 0
        error = await caught(Manager(place).start())
        assert "manager" in str(error), "somebody is there"
        assert await second.number_of_objects() == 0
    await first.shutdown()
    assert not (tmp_path / "manager").exists()


@pytest_twisted.ensureDeferred
async def test_tls(tmp_path: Path) -> None:
    pytest.importorskip("OpenSSL", reason="TLS is an optional dependency")
    from tests.interop.peer.certificate import make_files

    trusted = tmp_path / "trusted"
    make_files((tmp_path / "key.pem", trusted / "cert.pem"))
    place = f"ssl:0:privateKey={tmp_path}/key.pem:certKey={trusted}/cert.pem"
    async with Manager(place, client=f"tls:localhost:{{port}}:trustRoots={trusted}") as manager:
        assert manager.address is not None and manager.address.startswith("tls:127.0.0.1:")
        assert await value(await manager.list([1])) == [1]


def test_example() -> None:
    result = run([sys.executable, ROOT / "examples" / "work_queue.py", "2", "5"])
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.replace("\r", "\n") == (
        "\n1 of 5\n2 of 5\n3 of 5\n4 of 5\n5 of 5\nthe sum of the squares is 30\nworkers ended with [0, 0]\n"
    )


# A server in this process.


@pytest_twisted.ensureDeferred
async def test_server_of_ones_own(tmp_path: Path) -> None:
    for place in ("tcp:0", f"unix:{tmp_path}/socket"):
        server = await Server(standard_types(), b"key").listen(place)
        client = await Manager(server.address, b"key").connect()
        numbers = await client.list([1])
        assert await value(numbers) == [1]
        assert server.hub.number_of_objects() == server.connections == 1
        waiting = (await client.Event()).wait()
        lost = gone(client)
        await server.close()
        await lost
        assert isinstance(await caught(waiting), PBConnectionLost)
        assert isinstance(await caught(Manager(server.address, b"key").connect()), ConnectError)
        await server.close()
        await client.shutdown()
    with pytest.raises(ValueError, match="empty key"):
        Server(standard_types(), b"")


def test_stale_sockets(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    clear_stale(str(path))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        with pytest.raises(OSError, match="in use.*socket") as caught_error:
            clear_stale(str(path))
        assert caught_error.value.errno == errno.EADDRINUSE and path.exists(), "somebody listens"
    clear_stale(str(path))
    assert not path.exists()
    path.write_text("a file of somebody's")
    clear_stale(str(path))
    assert path.exists()
    with pytest.raises(FileNotFoundError, match="no such folder"):
        clear_stale(str(tmp_path / "missing" / "socket"))
    assert unix_path("unix:/a\\:b:mode=600") == "/a:b"
    assert unix_path("unix:address=/a") == "/a" and unix_path("tcp:1") is None
