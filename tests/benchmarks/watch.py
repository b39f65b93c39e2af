"""Where an operation's time goes on one side: a watch that changes stages as the program passes from one to another.

A stage has the time that passes in it and in nothing that it calls which is another stage. The watch costs about half a
microsecond for each change, so what is called often has few of them.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

__all__ = ["STAGES", "Watch"]

#: The stages, in the order in which they are shown.
STAGES = ("waiting", "system", "twisted", "deferred", "decoding", "encoding", "objects", "benchmark")
#: What a connection of `twisted.spread.pb`, of broker or of a bare protocol does, by the name of the method.
_CONNECTION = {
    "connectionMade": "objects",
    "connectionLost": "objects",
    "dataReceived": "objects",
    "expressionReceived": "objects",
    "_sendMessage": "objects",
    "serialize": "encoding",
    "unserialize": "decoding",
    "sendEncoded": "encoding",
}
#: The same of a session of ours, which is compiled, so that nobody can look into it.
_SESSION = {
    "connected": "encoding",
    "receive_data": "decoding",
    "next_event": "decoding",
    "call": "encoding",
    "call_plain": "encoding",
    "answer": "encoding",
    "answer_plain": "encoding",
    "release_dropped": "encoding",
    "data_to_send": "encoding",
}
_SOCKET = ("accept", "bind", "close", "connect_ex", "recv", "send", "setblocking", "setsockopt", "shutdown", "__init__")
_POLLER = {"poll": "waiting", "register": "system", "modify": "system", "unregister": "system"}


class Watch:
    """Measures the stages of this process from when it is made; what is already running it does not see."""

    def __init__(self) -> None:
        self._times = dict.fromkeys(STAGES, 0.0)
        self._operations = 0
        self._stage = "twisted"
        self._since = perf_counter()
        self._hang()

    def restart(self) -> None:
        """Forget what was measured."""
        self._times.update(dict.fromkeys(STAGES, 0.0))
        self._operations = 0

    def read(self) -> dict[str, float]:
        """Return the seconds of each stage, and `operations`, how many were begun by the loops of the harness."""
        return {**self._times, "operations": self._operations}

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the same, in a stage."""
        times = self._times

        def run(*args: Any, **kw: Any) -> Any:
            outer, self._stage = self._stage, stage
            now = perf_counter()
            times[outer] += now - self._since
            self._since = now
            try:
                return function(*args, **kw)
            finally:
                self._stage = outer
                now = perf_counter()
                times[stage] += now - self._since
                self._since = now

        return run

    def _replace(self, owner: Any, names: dict[str, str]) -> None:
        for name, stage in names.items():
            found = getattr(owner, name, None)
            if found is not None:
                setattr(owner, name, self.timed(stage, found))

    def _hang(self) -> None:
        """Put the watch between Twisted, the system, Deferreds, and this harness."""
        import socket

        from twisted.internet import defer, protocol, reactor, tcp

        from tests.benchmarks.driver import Loop

        self._replace(socket.socket, dict.fromkeys(_SOCKET, "system"))
        self._replace(tcp.Connection, dict.fromkeys(("write", "writeSequence", "loseConnection"), "twisted"))
        self._replace(defer.Deferred, dict.fromkeys(("addCallbacks", "callback", "errback"), "deferred"))
        self._replace(Loop, dict.fromkeys(("_begin", "_done"), "benchmark"))
        self._count(Loop)
        installed: Any = reactor
        installed._poller = _Poller(installed._poller, self)
        self._hang_on_factories(installed)
        self._hang_on_connections(protocol.BaseProtocol)

    def _count(self, kind: Any) -> None:
        begin = kind._begin

        def counted(loop: Any) -> None:
            self._operations += 1
            begin(loop)

        kind._begin = counted

    def _hang_on_factories(self, reactor: Any) -> None:
        for name, place in (("listenTCP", 1), ("connectTCP", 2)):
            usual = getattr(reactor, name)

            def opening(*args: Any, usual: Any = usual, place: int = place, **kw: Any) -> Any:
                self._replace(args[place], {"buildProtocol": "objects"})
                return usual(*args, **kw)

            setattr(reactor, name, self.timed("twisted", opening))

    def _hang_on_connections(self, kind: Any) -> None:
        usual = kind.makeConnection

        def makeConnection(connection: Any, transport: Any) -> None:
            self._replace(connection, _CONNECTION)
            if hasattr(connection, "session"):
                connection.session = _Session(connection.session, self)
            usual(connection, transport)

        kind.makeConnection = makeConnection


class _Poller:
    """What the reactor asks for events."""

    def __init__(self, poller: Any, watch: Watch) -> None:
        for name, stage in _POLLER.items():
            setattr(self, name, watch.timed(stage, getattr(poller, name)))
        self.close = poller.close
        self.fileno = poller.fileno


class _Session:
    """A session with a watch: its methods cannot be replaced, since it is compiled."""

    def __init__(self, session: Any, watch: Watch) -> None:
        self.__dict__["_session"] = session
        for name, stage in _SESSION.items():
            self.__dict__[name] = watch.timed(stage, getattr(session, name))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._session, name, value)
