"""broker.spread and twisted.spread in one conversation: every pair of them, every feature, over real sockets.

For each pair a server process and a client process are started from the package ``peer``, which is written for either
implementation. The client runs all features, each on its own connection, and reports one outcome per feature; this file
turns each into a test, such as ``test_interop[broker->stock-login]``. Neither implementation is loaded in this process.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from twisted import version as twisted_version

__all__: list[str] = []

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
PACKAGES = {"stock": "twisted.spread", "broker": "broker.spread"}
PAIRS = [(client, server) for client in PACKAGES for server in PACKAGES]
#: Without a line from the client for so long, it spins; its features have a limit of their own, which is shorter.
SILENCE = 45.0
#: How often a pair is started anew after a feature that hangs.
RESTARTS = 6


class Defect(NamedTuple):
    """A documented fault of twisted.spread, by which a feature fails for every pair that has it in that role."""

    role: str
    outcome: str
    reason: str
    #: False where stock gets away with it now and then.
    always: bool = True
    #: Major and minor number of the first Twisted that has it.
    since: tuple[int, int] = (0, 0)

    def applies(self, client: str, server: str) -> bool:
        """Say whether a pair has it, with the Twisted that is there."""
        if (twisted_version.major, twisted_version.minor) < self.since:
            return False
        return {"client": client, "server": server}[self.role] == "stock"


#: Feature to what happens with twisted.spread in the role named: the outcome is a pattern that must be found in the
#: report of the client. A pair that passes in spite of its row fails here, so that the table stays true.
STOCK_DEFECTS: dict[str, Defect] = {
    "echo-home-to-client": Defect(
        "server",
        "my object comes back as itself",
        "#2334: the callee's decref overtakes the answer, so None comes home",
    ),
    "echo-home-to-server": Defect(
        "client", "got False, expected True", "#2334: the same with the client as callee of the server's call"
    ),
    "copyable-cycle-to-client": Defect(
        "client", "not to a .*_Dereference", "#10071: a cycle through an attribute leaves a placeholder in the receiver"
    ),
    "copyable-cycle-to-server": Defect(
        "server", "got False, expected True", "#10071: the same with the server as receiver"
    ),
    "insecure-answer": Defect(
        "client", "the connection was lost, and the call never ended", "#10910: a refused answer drops the connection"
    ),
    "oversized-answer": Defect(
        "server", "the connection outlives an answer that is too big", "#3212: more than 640 KiB drops the connection"
    ),
    "oversized-answer-later": Defect(
        "server", "not so: the call ends", "#3212: through a Deferred, the answer is lost and nobody is told"
    ),
    "unsendable-argument": Defect(
        "client", "a failure was due, and not the result 'Unpersistable'", "#7294: replaced without a word"
    ),
    "unsendable-answer": Defect(
        "server", "a failure was due, and not the result Unpersistable", "#7294: replaced without a word"
    ),
    "coroutine-method": Defect("server", "Unpersistable", "coroutines are not awaited, and cannot be sent"),
    "avatar-coroutine": Defect("server", "Unpersistable", "coroutines are not awaited, and cannot be sent"),
    "error-trap-mismatch": Defect(
        "client",
        "not <class 'AttributeError'>",
        "#12530: the value is a string, and cannot be raised",
        # Before, a Failure made of what another one's raiseException raised was the other one again.
        since=(24, 10),
    ),
    "cacheable-two-clients-one-leaves": Defect(
        "server",
        r"got \(2, 0\), expected \(1, 1\)|TimeoutError",
        "#9671: observers of two connections cannot be compared; whether that shows depends on their order in memory",
        always=False,
    ),
}


def _feature_names() -> list[str]:
    """Read the names of the features from their source, since loading it would load an implementation."""
    names = []
    for path in sorted((HERE / "peer").glob("feature_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("feature_"):
                names.append(node.name.removeprefix("feature_").replace("_", "-"))
    return names + [f"value-{name}" for name in _value_names()]


def _value_names() -> list[str]:
    for node in ast.parse((HERE / "peer" / "values.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "VALUES":
            assert isinstance(node.value, ast.Dict)
            return [str(key.value) for key in node.value.keys if isinstance(key, ast.Constant)]
    raise AssertionError("peer/values.py has no table VALUES")


FEATURES = _feature_names()


class Peers:
    """A server and a client of one pair, and what the client has reported."""

    def __init__(self, client: str, server: str, folder: Path) -> None:
        self._client, self._server, self._folder = client, server, folder
        self.problems: dict[str, str] = {}

    def run(self) -> None:
        """Run all features; one that hangs the client ends this client, and the rest gets new processes."""
        waiting = list(FEATURES)
        for attempt in range(RESTARTS + 1):
            folder = self._folder / str(attempt)
            folder.mkdir()
            begun = self._attempt(waiting, folder)
            waiting = [name for name in waiting if name not in self.problems]
            if not waiting:
                return
            if begun in waiting:
                self.problems[begun] = f"the processes hung or ended in this feature\n{_logs(folder)}"
                waiting.remove(begun)
        self.problems.update(dict.fromkeys(waiting, "not reached, after too many restarts"))

    def _attempt(self, names: list[str], folder: Path) -> str:
        """Start both processes, and collect reports until the client ends or falls silent.

        :returns: the feature that was begun last.
        """
        with open(folder / "server.log", "w") as server_log, open(folder / "client.log", "w") as client_log:
            server = self._start(self._server, ["peer.server", str(folder)], folder, server_log.fileno())
            client = None
            try:
                with _Watch(server.kill):
                    places = _line(server)
                if not places:
                    self.problems.update({name: f"the server did not start\n{_logs(folder)}" for name in names})
                    return names[0]
                arguments = ["peer.client", places.strip(), PACKAGES[self._server]]
                client = self._start(self._client, arguments, folder, client_log.fileno())
                return self._collect(client, server, names, folder)
            finally:
                for process in filter(None, (client, server)):
                    process.kill()
                    process.communicate()

    def _start(self, implementation: str, arguments: list[str], folder: Path, log: int) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "INTEROP_SPREAD": PACKAGES[implementation],
            "PYTHONPATH": os.pathsep.join([str(HERE), str(CHECKOUT)]),
        }
        pipe = subprocess.PIPE
        command = [sys.executable, "-m", *arguments]
        return subprocess.Popen(command, env=environment, cwd=folder, stdin=pipe, stdout=pipe, stderr=log, text=True)

    def _collect(
        self, client: subprocess.Popen[str], server: subprocess.Popen[str], names: list[str], folder: Path
    ) -> str:
        assert client.stdin is not None
        begun = names[0]
        with _Watch(client.kill) as watch:
            client.stdin.write("\n".join(names))
            client.stdin.close()
            client.stdin = None
            while line := _line(client):
                watch.restart()
                report = json.loads(line)
                begun = report.get("begin", begun)
                if "feature" not in report:
                    continue
                problem = report["problem"]
                self.problems[report["feature"]] = problem and f"{problem}\n{_logs(folder)}"
                if problem and (server.poll() is not None or "TimeoutError" in problem):
                    # The server is gone, or may be spinning: what comes next would suffer for it.
                    break
        return begun


class _Watch:
    """Kills a process that says nothing for too long, so that reading from it ends."""

    def __init__(self, kill: Callable[[], None]) -> None:
        self._kill = kill
        self._timer = threading.Timer(SILENCE, kill)

    def __enter__(self) -> _Watch:
        self._timer.start()
        return self

    def restart(self) -> None:
        self._timer.cancel()
        self._timer = threading.Timer(SILENCE, self._kill)
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def _logs(folder: Path) -> str:
    paths = [folder / name for name in ("client.log", "server.log")]
    tails = [path.read_text(encoding="utf-8", errors="replace")[-3000:] for path in paths]
    return "---- client's log:\n{}\n---- server's log:\n{}".format(*tails)


@pytest.fixture(scope="module")
def run_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], dict[str, str]]]:
    """Run a pair when its first test asks for it; later ones find the outcomes."""
    outcomes: dict[tuple[str, str], dict[str, str]] = {}

    def run(client: str, server: str) -> dict[str, str]:
        if (client, server) not in outcomes:
            # A short path: the name of a Unix socket has room for about a hundred bytes.
            peers = Peers(client, server, tmp_path_factory.mktemp(f"{client[0]}{server[0]}"))
            peers.run()
            outcomes[client, server] = peers.problems
        return outcomes[client, server]

    yield run


def _needs(feature: str) -> None:
    """Skip what cannot run here: an optional dependency is absent."""
    if feature == "transport-tls":
        pytest.importorskip("OpenSSL", reason="TLS is an optional dependency")
        pytest.importorskip("service_identity", reason="TLS is an optional dependency")


@pytest.mark.parametrize(
    ("client", "server", "feature"),
    [pytest.param(*pair, feature, id=f"{pair[0]}->{pair[1]}-{feature}") for pair in PAIRS for feature in FEATURES],
)
def test_interop(client: str, server: str, feature: str, run_pair: Callable[[str, str], dict[str, str]]) -> None:
    _needs(feature)
    problem = run_pair(client, server)[feature]
    defect = STOCK_DEFECTS.get(feature)
    if defect is None or not defect.applies(client, server):
        assert not problem, problem
    else:
        if not problem and not defect.always:
            return
        assert problem, f"twisted.spread as {defect.role} has learnt this; take it out of the table: {defect.reason}"
        assert re.search(defect.outcome, problem), f"fails in another way than documented ({defect.reason}):\n{problem}"


def test_table_of_defects() -> None:
    assert set(STOCK_DEFECTS) <= set(FEATURES)
    assert all(defect.role in ("client", "server") and defect.reason for defect in STOCK_DEFECTS.values())


def test_features_have_names_of_their_own() -> None:
    assert len(set(FEATURES)) == len(FEATURES)
    assert len(FEATURES) > 150
