"""Cached objects with a file: fetched once, read afterwards, and fetched again when they change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed

import broker.spread.pb as pb
from broker.spread import publish
from broker.testing import Pair, pair


class Page(publish.Publishable):
    fetched = 0
    text: Any = "first"

    def getStateToPublishFor(self, perspective: Any) -> dict[str, Any]:
        self.fetched += 1
        if isinstance(self.text, Exception):
            raise self.text
        return {"text": self.text, "luid": "a name that must not be taken"}


class PageCopy(publish.RemotePublished):
    text: Any
    calls = 0

    def activated(self) -> None:
        self.calls += 1


pb.setUnjellyableForClass(Page, PageCopy)


class Site(pb.Root):
    def __init__(self, page: Page) -> None:
        self.page = page

    def remote_page(self) -> Page:
        return self.page


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Page:
    monkeypatch.chdir(tmp_path)
    return Page("front page")


def fetch(page: Page) -> tuple[Pair, Any]:
    made = pair(Site(page), server_factory=pb.PBServerFactory, client_factory=pb.PBClientFactory)
    return made, made.result(publish.whenReady(made.root.callRemote("page")))


def test_fetched_once_and_read_afterwards(page: Page, tmp_path: Path) -> None:
    made, copy = fetch(page)
    assert (copy.text, copy.calls, copy._wasCleanWhenLoaded) == ("first", 1, 0)
    assert copy.broker is made.client
    assert [path.name for path in tmp_path.iterdir()] == ["None-None-front page.pub"]
    _, again = fetch(page)
    assert (again.text, again._wasCleanWhenLoaded, page.fetched) == ("first", 1, 1)


def test_fetched_again_when_it_changed(page: Page) -> None:
    fetch(page)
    page.text = "second"
    page.timestamp += 1
    assert fetch(page)[1].text == "second"
    assert fetch(page)[1]._wasCleanWhenLoaded == 1 and page.fetched == 2


@pytest.mark.parametrize("rubbish", [b"", b"\xff\xff", b"\x01\x80", b"\x02\x80\x04\x82list\x01\x81", b"\x00\x80"])
def test_a_file_that_makes_no_sense_is_fetched_anew(page: Page, rubbish: bytes) -> None:
    Path("None-None-front page.pub").write_bytes(rubbish)
    assert fetch(page)[1].text == "first"
    assert fetch(page)[1]._wasCleanWhenLoaded == 1


def test_state_that_cannot_be_kept_leaves_the_old_file(page: Page) -> None:
    fetch(page)
    before = Path("None-None-front page.pub").read_bytes()
    page.text = pb.Referenceable()
    page.timestamp += 1
    _, copy = fetch(page)
    assert copy.isActivated and copy.text.callRemote
    assert Path("None-None-front page.pub").read_bytes() == before


def test_a_state_that_cannot_be_fetched_fails_who_waits(page: Page) -> None:
    page.text = pb.Error("not today")
    made = pair(Site(page), server_factory=pb.PBServerFactory, client_factory=pb.PBClientFactory)
    copy = made.call(made.root, "page")
    waiting: Deferred[Any] = publish.whenReady(succeed(copy))
    assert isinstance(made.failure(waiting), pb.Error) and not copy.isActivated


def test_who_waits_is_told_once_and_at_once_afterwards(page: Page) -> None:
    made, copy = fetch(page)
    told: list[Any] = []
    copy.callWhenActivated(told.append)
    assert told == [copy]
    failed: Deferred[Any] = publish.whenReady(made.root.callRemote("missing"))
    assert isinstance(made.failure(failed), pb.NoSuchMethod)
