"""Pagers: the end of paging is always told."""

from __future__ import annotations

from typing import Any

from tests.defects.defect import defect
from tests.defects.wire import Sides, Wire, collect, failure_of, logged


def root_of(sides: Sides) -> Any:
    pb, util = sides.server.pb, sides.server.util

    class Endless(util.Pager):  # type: ignore[misc,name-defined]
        def nextPage(self) -> bytes:
            return b"page"

    class Served(pb.Root):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.ended: list[str] = []
            self.pagers: list[Any] = []

        def remote_pages(self, collector: Any) -> None:
            util.StringPager(collector, b"abcdef", 4)

        def remote_endless(self, collector: Any) -> None:
            self.pagers.append(Endless(collector, lambda: self.ended.append("ended")))

        def remote_refuses(self, _collector: Any) -> None:
            raise pb.Error("no pages today")

    return Served()


@defect("ours", "our-client", stock="never fired")
def test_1843_pages_of_a_missing_method(sides: Sides) -> None:
    """``getAllPages`` on a method that does not exist never fires."""
    wire = Wire(sides, root_of(sides))
    with logged() as log:
        pages = sides.client.util.getAllPages(wire.root(), "nothing")
        wire.pump()
        failure = failure_of(pages)
        del pages
        assert failure.check("twisted.spread.flavors.NoSuchMethod", AttributeError)
    assert not [line for line in log.errors() if "error in Deferred" in line]


@defect("ours", "our-client", stock="never fired")
def test_1843_pages_refused(sides: Sides) -> None:
    """``getAllPages`` on a method that fails never fires."""
    wire = Wire(sides, root_of(sides))
    pages = sides.client.util.getAllPages(wire.root(), "refuses")
    wire.pump()
    assert failure_of(pages).getErrorMessage() == "no pages today"


@defect("ours", "our-client", stock="never fired")
def test_1843_pages_cut_off(sides: Sides) -> None:
    """``getAllPages`` never fires when the connection goes between two pages."""
    wire = Wire(sides, root_of(sides))
    wire.page_budget = 3
    pages = sides.client.util.getAllPages(wire.root(), "endless")
    wire.pump()
    assert not pages.called
    wire.lose()
    failure_of(pages)


@defect("ours", "our-server", stock="still registered")
def test_1843_pager_cut_off(sides: Sides) -> None:
    """A pager whose collector is gone with its connection stays registered and never ends."""
    root = root_of(sides)
    wire = Wire(sides, root)
    wire.page_budget = 3
    pages = sides.client.util.getAllPages(wire.root(), "endless")
    wire.pump()
    with logged() as log:
        wire.lose()
        pages.addErrback(lambda _failure: None)
    assert list(wire.server.pageProducers) == [], "still registered"
    assert log.errors() == []
    collect()
