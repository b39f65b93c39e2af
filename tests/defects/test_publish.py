"""Published objects: files only in the directory of the program, under safe names, read as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.spread import banana, jelly

from tests.defects.defect import defect, kept
from tests.defects.wire import Sides, Wire, value_of

TAG = b"tests.defects.Published"
TIME = 1000.5
unpickled: list[Any] = []


class Trap:
    """A class that a file must not be able to name: restoring it leaves a trace."""

    def __setstate__(self, state: Any) -> None:
        unpickled.append(state)


def published(sides: Sides, **state: Any) -> Wire:
    """A server that publishes one object, and says of itself what `state` says."""

    class Paper(sides.server.publish.Publishable):  # type: ignore[misc,name-defined]
        def getTypeToCopy(self) -> bytes:
            return TAG

        def getStateToPublish(self) -> Any:
            return {"text": "from the wire"}

        def getStateToCacheAndObserveFor(self, perspective: Any, observer: Any) -> Any:
            return {**super().getStateToCacheAndObserveFor(perspective, observer), "timestamp": TIME, **state}

    class RemotePaper(sides.client.publish.RemotePublished):  # type: ignore[misc,name-defined]
        pass

    # The file names the class by its place in a module, so it must have one.
    RemotePaper.__qualname__ = "RemotePaper" + sides.client.package.partition(".")[0]
    globals()[RemotePaper.__qualname__] = RemotePaper
    sides.client.pb.setUnjellyableForClass(TAG, RemotePaper)
    sides.client.pb.setUnjellyableForClass(RemotePaper, RemotePaper)
    paper = Paper("paper")

    class Served(sides.server.pb.Root):  # type: ignore[misc,name-defined]
        def remote_paper(self) -> Any:
            return paper

    return Wire(sides, Served(), tolerant=True)


def files(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


ESCAPES: dict[str, dict[str, Any]] = {
    "service": {"service": "../out"},
    "service of bytes": {"service": b"../out"},
    "absolute service": {"service": "{outside}/out"},
    "perspective": {"service": "..", "perspective": "x/../../out"},
    "publishedID": {"service": "sub", "publishedID": "x/../../../out"},
}


@pytest.mark.parametrize("name", ["service", "absolute service"])
@defect("ours", "our-client", stock="written outside")
def test_published_file_stays_inside(sides: Sides, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of a published object is named by strings of the peer: a path leads it out of the directory."""
    escape(sides, ESCAPES[name], tmp_path, monkeypatch)


@pytest.mark.parametrize("name", sorted(ESCAPES))
@kept("ours", "our-client")
def test_no_part_of_the_name_leads_outside(
    sides: Sides, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither service nor perspective nor ID does, where stock is saved by directories that do not exist."""
    if not sides.client.stock:
        escape(sides, ESCAPES[name], tmp_path, monkeypatch)


def escape(sides: Sides, state: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "inside"
    for directory in (inside, inside / "sub-None-x", inside / "..-x", tmp_path / "outside"):
        directory.mkdir()
    monkeypatch.chdir(inside)
    outside = str(tmp_path / "outside")
    state = {key: text.replace("{outside}", outside) if isinstance(text, str) else text for key, text in state.items()}
    wire = published(sides, **state)
    called = wire.call("paper")
    wire.pump()
    called.addErrback(lambda _failure: None)
    written = [name for name in files(tmp_path) if not name.startswith("inside/") or "/" in name[len("inside/") :]]
    assert written == [], f"written outside: {written}"


@defect("ours", "our-client", stock="read from outside")
def test_published_file_is_not_read_outside(sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same path makes the client read a file from elsewhere."""
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    wire = published(sides)
    value_of(wire.call("paper"))
    wire.pump()
    (name,) = files(inside)
    (tmp_path / "out-None-paper.pub").write_bytes((inside / name).read_bytes())
    again = published(sides, service="../out")
    read: list[Any] = []
    again.call("paper").addCallbacks(read.append, lambda _failure: None)
    again.pump()
    assert not any(each._wasCleanWhenLoaded for each in read), "read from outside"


@defect("ours", "our-client", stock="a class was restored")
def test_published_file_is_data(sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of a published object is decoded with everything allowed: it can restore any class."""
    monkeypatch.chdir(tmp_path)
    unpickled.clear()
    planted = banana.encode(jelly.jelly([Trap.__new__(Trap)]))
    Path("None-None-paper.pub").write_bytes(planted)
    wire = published(sides)
    wire.call("paper").addErrback(lambda _failure: None)
    wire.pump()
    assert unpickled == [], "a class was restored"


@kept("ours", "our-client", "our-server")
def test_published_file_is_used(sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second reception of an unchanged object takes its state from the file."""
    monkeypatch.chdir(tmp_path)
    first = published(sides)
    paper = value_of(first.call("paper"))
    first.pump()
    assert paper.text == "from the wire" and not paper._wasCleanWhenLoaded
    assert files(tmp_path) == ["None-None-paper.pub"]
    again = value_of(published(sides).call("paper"))
    assert again._wasCleanWhenLoaded and again.text == "from the wire"
