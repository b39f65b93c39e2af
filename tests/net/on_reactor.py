"""A program for `test_direct`: connections over real sockets on the reactor that is named on the command line."""

from __future__ import annotations

import socket
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, ensureDeferred, gatherResults

__all__: list[str] = []


async def over(reactor: Any, server: str, client: str) -> None:
    """Call over one endpoint: one by one, many at once, much in both directions, and close."""
    from broker import Root, connect, serve
    from broker._net import flow as module

    flow: Any = module

    class Echo(Root):
        def __init__(self) -> None:
            self.seen: list[int] = []

        def remote_echo(self, value: Any) -> Any:
            return value

        def remote_number(self, number: int) -> None:
            self.seen.append(number)

    at_once: list[int] = []

    def counting(transport: Any, data: bytes, producer: Any = None) -> int:
        sent = send(transport, data, producer)
        if sent:
            at_once.append(sent)
        return sent

    send, flow.send = flow.send, counting
    root = Echo()
    try:
        listener = await serve(server, root)
        where = client.format(getattr(listener.getHost(), "port", ""))
        reference = await connect(where)
        for number in range(20):
            assert await reference.callRemote("echo", number) == number
        assert len(at_once) >= 40, "each call and each answer went at once"
        large = [bytes([n]) * 300_000 for n in range(20)]
        calls = [reference.callRemote("echo", value) for value in large]
        calls += [reference.callRemote("number", n) for n in range(500)]
        got = await gatherResults(calls)
        assert got[:20] == large and root.seen == list(range(500))
        connection = reference.broker
        await connection.disconnect()
        assert connection.disconnected
        await listener.stopListening()
    finally:
        flow.send = send


async def gone(reactor: Any) -> None:
    """That a peer reset the connection is not told within a write, but soon."""
    from broker._net.factory import ServerFactory
    from broker._objects.referenceable import Root

    factory: Any = ServerFactory(Root())
    made: Deferred[Any] = Deferred()
    build = factory.buildProtocol

    def noting(address: Any) -> Any:
        connection = build(address)
        reactor.callLater(0, made.callback, connection)
        return connection

    factory.buildProtocol = noting
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    peer = socket.create_connection(("127.0.0.1", port.getHost().port))
    connection = await made
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()
    for _ in range(20):
        connection._flow.write(b"x" * 1000)
        assert not connection.disconnected, "the loss is not told within a write"
    ended: Deferred[None] = Deferred()
    connection.notifyOnDisconnect(lambda: ended.callback(None))
    await ended
    await port.stopListening()


async def main(reactor: Any) -> None:
    await over(reactor, "tcp:0:interface=127.0.0.1", "tcp:127.0.0.1:{}")
    print("tcp")
    if hasattr(socket, "AF_UNIX"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "socket"
            await over(reactor, f"unix:{path}", f"unix:{path}")
    print("unix")
    await gone(reactor)
    print("gone")


if __name__ == "__main__":
    import_module(f"twisted.internet.{sys.argv[1]}reactor").install()
    from twisted.internet import reactor as running

    problems: list[Any] = []
    looping: Any = running

    def start() -> None:
        DeferredList([ensureDeferred(main(running)).addErrback(problems.append)]).addBoth(lambda _: looping.stop())

    looping.callWhenRunning(start)
    looping.run()
    for problem in problems:
        problem.printTraceback(sys.stderr)
    if problems:
        sys.exit(1)
    print("done")
