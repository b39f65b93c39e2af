"""Threads that must not wait get an error at once; so does a child that was forked; control-C ends a wait."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from twisted.python import threadable

from broker.blocking import CannotWait, async_, connect, link_pair, run
from broker.blocking.threaded import reactor_thread
from broker.blocking.waits import check_thread
from broker.errors import DeadReferenceError
from broker.transparent import expr
from tests.blocking.scene import Echo, Shop, connected, reactor, script, served

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


def test_asyncio_task() -> None:
    with connected(Shop()) as connection:
        root = connection.root

        async def main() -> None:
            for wrong in (
                lambda: root.echo(1),
                lambda: root.price,
                lambda: list(root.goods),
                lambda: run(expr(root).price),
                lambda: connection.reference.callRemote("echo", 1),
                lambda: connect("tcp:127.0.0.1:1"),
                lambda: link_pair(Shop(), Shop()),
            ):
                with pytest.raises(CannotWait, match="asyncio.*await.*to_thread"):
                    wrong()
            assert repr(root) and isinstance(root, type(root))
            assert await asyncio.to_thread(root.echo, 1) == 1

        asyncio.run(main())
        assert root.echo(2) == 2


def test_reactor_thread() -> None:
    with connected(Shop()) as connection:
        root = connection.root
        texts: list[str] = []

        def wrong() -> None:
            with connect(served_at, reactor=reactor()):
                pass

        served_at = f"tcp:127.0.0.1:{connection.broker.transport.getPeer().port}"

        def inside() -> None:
            try:
                wrong()
            except CannotWait as error:
                texts.append(str(error))

        reactor_thread(reactor()).run(inside)
        assert len(texts) == 1 and "reactor" in texts[0] and "deferToThread" in texts[0]
        assert root.echo(1) == 1


TWISTED = """
from twisted.internet import reactor, threads
from broker.blocking import CannotWait, connect, serve
import broker
class Root(broker.Root):
    def remote_echo(self, value):
        return value
def main():
    try:
        connect("tcp:127.0.0.1:1")
    except CannotWait as error:
        print(error)
    threads.deferToThread(other).addErrback(lambda f: f.printTraceback()).addBoth(lambda _: reactor.stop())
def other():
    with serve(Root()) as server, connect(server.endpoint) as connection:
        print(connection.reference.callRemote("echo", 1))
        reference = connection.reference
        with connect(server.endpoint, reactor=reactor) as second:
            print(second.reference.callRemote("echo", 2))
reactor.callWhenRunning(main)
reactor.run()
"""


def test_program_with_a_reactor_of_its_own() -> None:
    """Its thread must not wait; others may, and servers run by that reactor."""
    text = script(TWISTED).communicate(timeout=50)[0].splitlines()
    assert "reactor" in text[0] and "deferToThread" in text[0] and text[1:] == ["1", "2"], text


THREAD = """
import threading
from broker.blocking import connect, serve
class Shop:
    def echo(self, value):
        return value
with serve(Shop()) as server, connect(server.endpoint) as connection:
    print(connection.root.echo(1), threading.current_thread() is threading.main_thread())
left = connect(server.endpoint) if 0 else None
"""


def test_server_in_a_thread_does_not_keep_the_program() -> None:
    assert script(THREAD).communicate(timeout=50)[0] == "1 True\n"


def test_inside_the_connection() -> None:
    """What is called by the connection itself gets Deferreds, and must not wait."""
    with connected(Shop()) as connection:
        root, driver = connection.root, connection.broker.driver
        found = driver.run(lambda: type(connection.reference.callRemote("echo", 1)).__name__)
        assert found == "Waiter"
        with pytest.raises(CannotWait, match="inside"):
            driver.run(lambda: root.echo(1))
        assert root.echo(2) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks nothing")
def test_fork() -> None:
    with served(Shop()) as server, connect(server.endpoint) as connection:
        root = connection.root
        result = async_(root.echo)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            said = []
            for use in (lambda: root.echo(1), lambda: root.price, lambda: result(1), connection.statistics):
                try:
                    use()
                    said.append("used")
                except DeadReferenceError as error:
                    said.append(str(error))
                except BaseException as error:  # noqa: BLE001  shown by the parent
                    said.append(repr(error))
            connection.close()
            with connect(server.endpoint) as fresh:
                said.append(str(fresh.root.echo(5)))
            os.write(writing, "\n".join(said).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as file:
            said = file.read().splitlines()
        os.waitpid(child, 0)
        assert len(said) == 5 and said[4] == "5" and all("forked" in text for text in said[:4]), said
        assert root.echo(2) == 2 and not connection.closed


def _may_wait(reactor: object) -> list[str]:
    """Return what is refused to the calling thread."""
    said = []
    for function in (check_thread, lambda: reactor_thread(reactor)):
        try:
            function()
        except (CannotWait, DeadReferenceError) as error:
            said.append(type(error).__name__)
    return said


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks nothing")
def test_the_thread_of_a_reactor_stays_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    # In a child, any thread may have the number that the reactor's had; this one has it for certain.
    running = SimpleNamespace(running=True)
    monkeypatch.setitem(sys.modules, "twisted.internet.reactor", running)
    monkeypatch.setattr(threadable, "ioThread", threading.get_ident())
    with pytest.raises(CannotWait):
        check_thread()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            said = [*_may_wait(running), "and"]
            # A reactor of its own, in the same thread.
            threadable.ioThread = int(str(threadable.ioThread))
            os.write(writing, " ".join([*said, *_may_wait(running)]).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading) as file:
        assert file.read() == "DeadReferenceError and CannotWait"
    os.waitpid(child, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks nothing")
def test_fork_of_a_server() -> None:
    with served(Shop()) as server:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            try:
                server.close()
            except BaseException as error:  # noqa: BLE001  shown by the parent
                os.write(writing, str(error).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as file:
            assert "forked" in file.read()
        os.waitpid(child, 0)


INTERRUPTED = """
import sys, threading
from broker.blocking import connect
connection = connect(sys.argv[1])
root = connection.root
if sys.argv[2] == "follower":
    threading.Thread(target=root.wait, daemon=True).start()
    while not connection.broker.driver._reading.locked():
        pass
try:
    print("waits", flush=True)
    root.wait()
except KeyboardInterrupt:
    print("interrupted", flush=True)
print(root.echo("goes on"), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise")
@pytest.mark.parametrize("kind", ["reader", "follower"])
def test_interrupt(kind: str) -> None:
    shop = Shop()
    with served(shop) as server:
        process = script(INTERRUPTED, server.endpoint, kind)
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        assert shop.entered.wait(20)
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        shop.gate.set()
        assert process.stdout.readline() == "goes on\n"
        _ended(process)


STORM = """
import sys
from broker.blocking import connect
connection = connect(sys.argv[1])
root = connection.reference
count = turn = 0
while turn < 100:
    told = False
    try:
        while True:
            count += 1
            if root.callRemote("echo", count) != count:
                print("wrong")
            if not told:
                told = True
                print("go", flush=True)
    except KeyboardInterrupt:
        turn += 1
print(root.callRemote("echo", "well"), connection.statistics()["questions"], flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise")
def test_interrupts_at_any_moment() -> None:
    """However often and whenever: what is done for the connection between two sleeps is not interrupted."""
    with served(Echo()) as server:
        process = script(STORM, server.endpoint)
        assert process.stdout is not None
        for _ in range(100):
            assert process.stdout.readline() == "go\n"
            process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "well 0\n"
        _ended(process)


def _ended(process: subprocess.Popen[str]) -> None:
    output = process.communicate(timeout=30)[0]
    assert not output and process.returncode == 0
