"""The fixture `broker_pair`, in pytest runs of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import broker

# The runs are of their own.
pytestmark = pytest.mark.in_dialects("broker/1")

HEAD = """
from broker import pb
from broker.testing.pytest_plugin import broker_pair

class Shop(pb.Root):
    def remote_give(self):
        return pb.Referenceable()
    def remote_break(self):
        raise ZeroDivisionError("broken")

kept = []

"""


def run(tmp_path: Path, body: str) -> str:
    """Run one test file in a fresh pytest; return what it printed."""
    (tmp_path / "test_it.py").write_text(HEAD + body, encoding="utf-8")
    root = str(Path(broker.__file__).parent.parent)
    command = [sys.executable, "-m", "pytest", "-p", "no:twisted", "-p", "no:cacheprovider", "-q", "--tb=short"]
    command += ["-c", "/dev/null", "--rootdir", str(tmp_path), str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    return ran.stdout + ran.stderr


def test_clean(tmp_path: Path) -> None:
    out = run(
        tmp_path,
        """
def test_it(broker_pair):
    connected = broker_pair(Shop(), chunk=1)
    thing = connected.call(connected.root, "give")
    assert isinstance(thing, pb.RemoteReference)
    try:
        connected.call(connected.root, "break")
    except ZeroDivisionError:
        pass
    assert len(broker_pair.flush_logged(ZeroDivisionError)) == 1
    assert broker_pair.flush_logged() == []
""",
    )
    assert "1 passed" in out and "error" not in out.lower(), out


def test_problems(tmp_path: Path) -> None:
    out = run(
        tmp_path,
        """
def test_leftover(broker_pair):
    connected = broker_pair(Shop())
    kept.append(connected.call(connected.root, "give"))

def test_logged(broker_pair):
    connected = broker_pair(Shop())
    connected.root.callRemote("break").addErrback(lambda _: None)
    connected.flush()

def test_escape(broker_pair):
    connected = broker_pair(Shop())
    connected.server.dataReceived = None
    connected.root.callRemote("give").addErrback(lambda _: None)
    connected.flush()
    broker_pair.flush_logged(TypeError)
""",
    )
    assert "3 passed, 3 errors" in out, out
    assert "the client has 1 in imports" in out
    assert "failures were logged:" in out and "builtins.ZeroDivisionError: broken" in out
    assert "TypeError escaped the server's protocol" in out


def test_a_failed_test_is_reported_once(tmp_path: Path) -> None:
    out = run(
        tmp_path,
        """
def test_it(broker_pair):
    connected = broker_pair(Shop())
    thing = connected.call(connected.root, "give")
    assert thing is None
""",
    )
    assert "1 failed" in out and "error" not in out.splitlines()[-1], out
