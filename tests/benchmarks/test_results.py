"""What the harness makes of numbers: tables, targets, page and chart, from numbers that are made up."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.benchmarks.bases import base, quotients, ratio
from tests.benchmarks.chart import svg
from tests.benchmarks.page import page, write
from tests.benchmarks.peers import ALL, MODULES, load
from tests.benchmarks.runner import Cell, Comparison, Plan
from tests.benchmarks.sources import environment, form_of, pure_copy
from tests.benchmarks.table import details, failures, matrix, outcomes
from tests.benchmarks.targets import TARGETS, Outcome, Target, evaluate
from tests.benchmarks.workloads import WORKLOADS


def made(form: str = "pure") -> Comparison:
    """Return a comparison with made-up numbers."""
    comparison = Comparison(Plan(["stock", "echo"], []), lambda *_: None)
    comparison.absent = {"grpc": "it is not there"}
    comparison.peers = ["echo", "stock", "pyro-msgpack", "amp", "broker-native", "broker-pb"]
    comparison.where = {**comparison.where, "form": form}
    comparison.cells = {
        "pipe-null": {
            "stock": Cell([100.0, 300.0, 200.0]),
            "echo": Cell([4000.0, 4000.0, 4000.0]),
            "pyro-msgpack": Cell([5000.0] * 3),
            "amp": Cell([250.0, 250.0, 250.0]),
            "broker-native": Cell([1900.0, 2400.0, 2600.0]),
            "broker-pb": Cell([700.0, 700.0, 700.0]),
        },
        "latency": {"stock": Cell([50.0]), "echo": Cell([20.0]), "amp": Cell([40.0]), "broker-native": Cell([30.0])},
        "refs": {"stock": Cell(error="it broke"), "echo": Cell()},
    }
    return comparison


def test_the_letters_stand_for_the_right_peers() -> None:
    comparison = made()
    medians = {letter: cell.median for letter in "PTBS" if (cell := base(comparison, "pipe-null", letter)) is not None}
    # Pyro5 is the best peer, but sends one message for many calls; echo is a limit.
    assert medians == {"P": 200.0, "T": 4000.0, "B": 5000.0, "S": 250.0}
    best = base(comparison, "latency", "B")
    assert best is not None and best.median == 40.0
    assert base(comparison, "refs", "P") is None
    assert base(comparison, "callback", "T") is None


def test_quotients_are_of_medians_and_of_each_round() -> None:
    one, other = Cell([400.0, 400.0, 400.0]), Cell([100.0, 300.0, 200.0])
    assert ratio(one, other) == 2.0
    assert quotients(one, other) == [4.0, 4 / 3, 2.0]
    assert quotients(one, Cell([1.0])) == []
    assert ratio(one, Cell([0.0])) is None


def test_every_target_can_be_read_and_names_what_exists() -> None:
    for target in TARGETS:
        more, factor, of = target.parts()
        assert more is not WORKLOADS[target.workload].less_is_better
        assert 0 < factor <= 150
        assert of in "PTBS" or of in MODULES or of.removeprefix("self:") in WORKLOADS
        assert target.level in ("must", "aim")
        assert target.text()
    assert {target.workload for target in TARGETS} == set(WORKLOADS) - {"steps", "calls-5", "rss-conn", "rss-ref"}


def outcome(comparison: Comparison, *line: str) -> Outcome:
    """Return what became of one target."""
    return next(outcome for outcome in evaluate(comparison) if outcome.target == Target(*line))


def test_targets_are_met_missed_or_unknown() -> None:
    comparison = made()
    met = outcome(comparison, "must", "broker-native", "pipe-null", ">= 0.5 T")
    assert (met.measured, met.met, met.spread) == (0.6, True, (0.475, 0.65))
    missed = outcome(comparison, "must", "broker-native", "pipe-null", ">= 13 P")
    assert (missed.measured, missed.met) == (12.0, False)
    best = outcome(comparison, "must", "broker-native", "pipe-null", ">= 6 S")
    # Of those that send a message for each call, the two Foolscaps, RPyCs, gRPC and pycapnp are not there.
    assert (best.met, best.why) == (True, "without 6 of the peers")
    less = outcome(comparison, "must", "broker-native", "latency", "<= 0.8 P")
    assert (less.measured, less.met, less.spread) == (0.6, True, None)
    assert outcome(comparison, "aim", "broker-native", "latency", "<= 1.0 T").met is False
    unknown = outcome(comparison, "must", "broker-native", "refs", ">= 2 P")
    assert (unknown.measured, unknown.met, unknown.why) == (None, None, "not measured")
    assert outcome(comparison, "aim", "broker-batch", "pipe-null", ">= 1.0 pyro-msgpack").why == "not offered yet"


def test_which_form_a_target_is_about() -> None:
    interpreted = ("must", "broker-pb-pure", "pipe-null", ">= 2 P")
    compiled = ("must", "broker-pb", "pipe-null", ">= 4 P")
    # Where nothing is compiled, the one form there is is the interpreted one.
    assert outcome(made(), *interpreted).measured == 3.5
    assert outcome(made(), *compiled).why == "not compiled here"
    assert outcome(made("compiled"), *interpreted).why == "not measured"
    assert outcome(made("compiled"), *compiled).met is False
    assert outcome(made("stale"), *compiled).why == "stale here"
    assert outcome(made("stale"), *interpreted).why == "not measured"


def test_tables_show_medians_spreads_ratios_and_failures() -> None:
    comparison = made()
    table = details(comparison, "pipe-null")
    assert table[0] == ["pipe-null", "/s", "smallest–largest", "÷ P", "÷ T", "÷ B"]
    assert [row[0] for row in table[1:3]] == ["Pyro5 msgpack", "limit: bare Twisted echo"]
    assert table[-1] == ["twisted.spread.pb", "200", "100–300", "1", "0.05", "0.04"]
    # The smallest latency is the best one.
    assert [row[1] for row in details(comparison, "latency")[1:]] == ["20", "30", "40", "50"]
    assert details(comparison, "refs")[1:] == [
        ["limit: bare Twisted echo", "–", "–", "–", "–", "–"],
        ["twisted.spread.pb", "failed", "–", "–", "–", "–"],
    ]
    overview = matrix(comparison, ["latency", "refs", "connect"])
    assert overview[0] == ["", "latency us ↓", "refs /s"]
    # Ours first, limits last, and nobody who offers none of it.
    assert [row[0] for row in overview[1:]] == ["broker/1", "twisted.spread.pb", "AMP", "limit: bare Twisted echo"]
    assert failures(comparison) == [
        "gRPC aio, msgpack is absent: it is not there",
        "refs, twisted.spread.pb failed: it broke",
    ]


def test_the_page_has_everything_and_the_chart_is_a_picture(tmp_path: Path) -> None:
    comparison = made()
    text = page(comparison)
    for part in ("it broke", "it is not there", "| must, broker/1 | pipe-null | ≥ 13 P |", "## The targets", "**AMP**"):
        assert part in text
    assert len(outcomes(comparison)) == 1 + len([t for t in TARGETS if t.workload in comparison.cells])
    target = write(comparison, tmp_path)
    assert target.read_text(encoding="utf-8") == text
    tree = ElementTree.fromstring((tmp_path / "performance.svg").read_text(encoding="utf-8"))
    dots = list(tree.iter("{http://www.w3.org/2000/svg}circle"))
    # One for each kind in the legend, and one for each cell with a number.
    assert len(dots) == 3 + 6 + 4


def test_the_chart_puts_ten_times_as_much_one_step_to_the_right() -> None:
    comparison = made()
    comparison.cells = {"seq-null": {"stock": Cell([10.0]), "amp": Cell([100.0]), "echo": Cell([1000.0])}}
    tree = ElementTree.fromstring(svg(comparison))
    xs = [float(circle.attrib["cx"]) for circle in tree.iter("{http://www.w3.org/2000/svg}circle")][3:]
    assert xs[0] - xs[1] == pytest.approx(xs[1] - xs[2])
    assert xs[0] > xs[1]


def test_a_run_survives_being_written_and_read() -> None:
    comparison = made()
    comparison.plan = Plan(["stock", "echo", "grpc"], list(comparison.cells))
    again = Comparison.from_json(comparison.as_json())
    assert again.cells == comparison.cells
    assert again.peers == ["stock", "echo"]
    assert again.absent == comparison.absent


def test_a_pure_copy_has_the_sources_only_and_is_what_workers_import(tmp_path: Path) -> None:
    package = tmp_path / "here" / "broker"
    (package / "_wire").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "_wire" / "__init__.py").write_text("")
    (package / "_wire" / "banana.py").write_text("")
    (package / "_wire" / f"banana{EXTENSION_SUFFIXES[0]}").write_bytes(b"no library")
    copy = pure_copy(package, tmp_path / "copy")
    assert sorted(path.name for path in copy.rglob("*.*")) == ["__init__.py", "__init__.py", "banana.py"]
    code = "import broker; print(broker.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=copy, env=environment(), capture_output=True, text=True)
    assert Path(done.stdout.strip()) == copy / "broker" / "__init__.py"
    assert form_of(copy) == "pure"


@pytest.mark.parametrize("name", ALL)
def test_every_peer_says_what_it_is(name: str) -> None:
    peer = load(name)
    assert peer.name == name
    assert peer.kind in ("ours", "peer", "limit")
    assert peer.offers <= set(WORKLOADS) and peer.offers
    assert peer.batched <= peer.offers
    assert peer.title.startswith("limit: ") is (peer.kind == "limit")


def test_no_peer_is_imported_by_the_harness() -> None:
    code = (
        "import sys; from tests.benchmarks.peers import ALL, load\n"
        "for name in ALL: load(name).missing()\n"
        "print([m for m in ('foolscap', 'rpyc', 'Pyro5', 'grpc', 'capnp', 'uvloop', 'msgpack') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
