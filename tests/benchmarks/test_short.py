"""The measuring itself, in short: everything runs, gives positive numbers, and leaves nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import compare, fairness, profiling, scaling, stages
from tests.benchmarks.__main__ import main
from tests.benchmarks.codecs import CODECS
from tests.benchmarks.driver import Loop, percentile
from tests.benchmarks.peers import ALL, load
from tests.benchmarks.port import Done, Failed
from tests.benchmarks.process import Pair, WorkerError
from tests.benchmarks.runner import Comparison, Plan
from tests.benchmarks.soak import Report, soak
from tests.benchmarks.table import details, text
from tests.benchmarks.workloads import FULL, SMALL, WORKLOADS, same, value_of


def quiet(done: int, total: int, what: str, left: float) -> None:
    """Show no progress."""


def ready(peer: str) -> str:
    """Return the peer, or skip the test where it cannot be measured."""
    reason = load(peer).missing()
    if reason is not None:
        pytest.skip(reason)
    return peer


@pytest.mark.parametrize("peer", ["stock", "broker-pb", "broker-native"])
def test_a_short_soak_leaves_nothing(peer: str) -> None:
    report = soak(ready(peer), 3_000)
    assert report.calls == 3_000
    assert report.left == {}
    assert all(len(parts) == 30 and min(parts) > 0 for parts in report.rss.values())


@pytest.mark.parametrize("peer", ALL)
def test_every_workload_gives_a_positive_number(peer: str) -> None:
    offered = [name for name in WORKLOADS if name in load(ready(peer)).offers]
    timed = [name for name in offered if WORKLOADS[name].unit != "B"]
    # Resident memory comes in pages, so what so few take may be none of it.
    held = [name for name in offered if WORKLOADS[name].traced]
    comparison = Comparison(Plan([peer], timed + held, rounds=1, seconds=0.02, sizes=SMALL), quiet)
    comparison.run()
    cells = {name: row[peer] for name, row in comparison.cells.items()}
    assert {name: cell.error for name, cell in cells.items() if cell.error is not None} == {}
    assert list(cells) == timed + held
    assert all(len(cell.samples) == 1 and cell.samples[0] > 0 for cell in cells.values())


def test_the_record_has_17_fields_and_the_values_their_sizes() -> None:
    assert len(value_of("struct", FULL)) == 17
    assert len(value_of("ints", FULL)) == 10_000
    assert len(value_of("recs", FULL)) == 1_000
    assert len(value_of("octets", FULL)) == 512 * 1024
    assert same((1, [2]), [1, (2,)])
    assert not same({"a": 1}, {"a": 2})
    assert not same([1], [1, 2])


def test_a_cell_that_fails_is_reported_and_the_run_goes_on() -> None:
    # Stock PB takes no string of more than 640 KiB.
    comparison = Comparison(Plan(["stock"], ["bytes-512k", "seq-null"], rounds=2, seconds=0.02, sizes=FULL), quiet)
    comparison.plan.sizes = type(FULL)(octets=1 << 20)
    comparison.run()
    failed, fine = comparison.cells["bytes-512k"]["stock"], comparison.cells["seq-null"]["stock"]
    assert failed.error is not None and failed.samples == []
    assert fine.error is None and len(fine.samples) == 2
    assert "failed" in text(details(comparison, "bytes-512k"))


def test_a_worker_that_dies_is_reported_and_the_run_goes_on() -> None:
    comparison = Comparison(
        Plan(["stock", "echo"], ["seq-null", "connect"], rounds=2, seconds=0.02, sizes=SMALL), quiet
    )
    pair = comparison._pairs["stock"] = Pair("stock")
    pair.client._process.kill()
    comparison.run()
    dead = comparison.cells["seq-null"]["stock"]
    assert dead.error is not None and "the worker" in dead.error and dead.samples == []
    assert len(comparison.cells["seq-null"]["echo"].samples) == 2
    # The next workload gets workers of its own.
    assert len(comparison.cells["connect"]["stock"].samples) == 2


def test_a_worker_that_does_not_answer_in_time_is_an_error_and_is_ended() -> None:
    with Pair("echo") as pair:
        with pytest.raises(WorkerError, match="no answer within"):
            pair.client.ask(0.05, do="many", operation="echo", in_flight=1, seconds=60.0, most=None)
        with pytest.raises(WorkerError, match="no such command"):
            pair.another().ask(10.0, do="dance")
    assert pair.client._process.returncode is not None
    assert pair.server._process.returncode is not None


def test_an_absent_peer_is_reported_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load("stock-again"), "_module", "tests.benchmarks.nowhere")
    comparison = Comparison(Plan(["stock-again"], ["seq-null"]), quiet)
    comparison.run()
    assert comparison.peers == []
    assert "nowhere" in comparison.absent["stock-again"]


def test_the_command_writes_table_json_and_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "out.json"
    options = ["--peers", "stock,echo", "--workloads", "seq-null,refs", "--rounds", "1", "--seconds", "0.02", "--small"]
    assert main([*options, "--json", str(target)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["seq-null", "/s"] and len(lines[2].split()) > 5
    written = json.loads(target.read_text())
    assert written["cells"]["seq-null"]["echo"]["median"] > 0
    assert "echo" not in written["cells"]["refs"]
    # What was written can be shown again, to the same tables.
    assert main(["--again", str(target)]) == 0
    assert capsys.readouterr().out.splitlines() == lines


def test_unknown_names_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--workloads", "seq-nul"])
    assert "'seq-nul' is none of" in capsys.readouterr().err


def test_a_soak_report_names_what_is_left_and_what_grew() -> None:
    report = Report(rss={"server": [10_000_000] * 50 + [20_000_000] * 50, "client": [10_000_000] * 100})
    report.left = {"client": {"exports": (0, 3)}}
    assert report.problems() == [
        "client: table exports had 0 entries at the start and has 3 at the end",
        "server: resident memory grew from 10,000,000 to 20,000,000 bytes",
    ]


def test_the_loop_keeps_its_flight_and_stops_at_its_number() -> None:
    waiting: list[Done] = []
    ended: list[object] = []

    def operation(done: Done, failed: Failed) -> None:
        waiting.append(done)

    loop = Loop(operation, 3, 1e9, ended.append, most=5)
    loop.start()
    assert len(waiting) == 3
    for number in range(5):
        assert ended == []
        waiting[number](None)
    assert (loop.count, len(waiting), ended) == (5, 5, [None])


def test_percentile() -> None:
    values = [float(i) for i in range(100)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile([1.0], 0.99)) == (50.0, 99.0, 1.0)


def test_the_exponent_tells_linear_from_quadratic() -> None:
    assert scaling.exponent([1.0, 2.0, 4.0, 8.0]) == pytest.approx(1.0)
    assert scaling.exponent([9.0, 1.0, 4.0, 16.0, 64.0]) == pytest.approx(2.0)


@pytest.mark.parametrize("shape", list(scaling.SHAPES))
def test_both_codecs_carry_every_shape_in_pieces(shape: str) -> None:
    value = scaling.SHAPES[shape](64)
    for codec in CODECS:
        data = codec.encode(value)
        assert [codec.decode(data, piece) for piece in (1, 7, 512, 1 << 20)] == [value] * 4
    assert len({codec.encode(value) for codec in CODECS}) == 1


def test_fairness_and_profile_give_numbers() -> None:
    got = fairness.measure("stock", {"in_flight": 10, "batches": True}, 0.05)
    assert got["p99"] >= got["p50"] > 0 and got["rate"] > 0
    assert "dataReceived" in profiling.profile("stock", "seq-null", "server", 0.05, 20)
    assert compare.EPILOG.count("pipe-null") >= 2


@pytest.mark.parametrize("peer", ["stock", "broker-native", "echo"])
def test_the_stages_of_an_operation_make_up_its_time(peer: str) -> None:
    sides = stages.measure(ready(peer), "seq-null", 0.2)
    for side in sides:
        assert all(side[stage] > 0 for stage in ("waiting", "system", "twisted", "objects"))
    assert all(sides[1][stage] > 0 for stage in ("deferred", "benchmark")) and sides[0]["benchmark"] == 0
    assert (sides[0]["encoding"] > 0) is (peer != "echo"), "a bare echo has no values"
    server, client = (sum(side.values()) for side in sides)
    assert server == pytest.approx(client, rel=0.5), "both take as long, one of them mostly waiting"


def test_the_table_of_stages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stages", "refs", "connect", "--peers", ready("broker-native"), "--seconds", "0.05"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line and "|" not in line] == ["refs", "connect"]
    assert lines[2] == "| µs | broker/1, server | broker/1, client |"
    assert len([line for line in lines if line.startswith("| **busy** |")]) == 2
    assert main(["stages", "refs", "--peers", "rpyc"]) == 1
    assert "no watch can be put on rpyc" in capsys.readouterr().out


def test_what_is_held_comes_back() -> None:
    command = [sys.executable, "-m", "tests.benchmarks", "held", "--connections", "20", "--references", "200"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "| and 200 references | 21 | 200 | 200 |" in done.stdout
    assert "left in the tables: 0;" in done.stdout
