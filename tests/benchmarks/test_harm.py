"""The measuring of harm, in short: each attack goes on, whatever the server does about it, and none ends the server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from broker._wire import frames
from tests.benchmarks import harm
from tests.benchmarks.__main__ import main
from tests.benchmarks.attacks import ATTACKS

#: Those that take seconds, a value of millions of elements being made and read.
_LARGE = {"large lists", "large dictionaries", "large forms", "large texts"}
#: One of each kind: served, never read, cut off, many connections.
_SHORT = ["calls", "never reads", "pings", "connects", "silent"]


@pytest.mark.parametrize("name", [name for name in ATTACKS if name not in _LARGE])
def test_an_attack_is_made_of_whole_frames(name: str) -> None:
    block, position = ATTACKS[name].block(), 0
    assert block or name in ("connects", "silent")
    while position < len(block):
        size = int.from_bytes(block[position + 1 : position + 4], "little")
        assert size <= frames.FRAME
        position += frames.HEAD + size
    assert position == len(block)


@pytest.mark.parametrize("name", _SHORT)
def test_an_attack_goes_on_and_others_are_answered(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harm, "LEAD", 0.05)
    got = harm.measure(name, 0.05)
    assert got["worst"] >= got["p99"] >= got["p50"] > 0
    assert got["sent"] or got["cut"] or name == "silent"
    assert got["cut"] or name not in ("pings", "connects")


def test_the_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "harm.json"
    assert main(["harm", "--seconds", "0.05", "--attacks", "cancels", "--json", str(target)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| alone", "| cancels"]
    rows = json.loads(target.read_text())
    assert rows["cancels"]["p99"] > 0
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- measured: harm -->\nold\n<!-- end -->\nbehind\n")
    harm.write(rows, 0.05, page)
    text = page.read_text()
    assert "old" not in text and lines[0] in text and text.startswith("before\n") and text.endswith("behind\n")


def test_unknown_attacks_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["harm", "--attacks", "charm"]) == 2
    assert "'charm' is none of" in capsys.readouterr().err
