"""Pagers: pages in order, the end told once, and nothing left behind when one side gives up."""

from __future__ import annotations

import io
from typing import Any

import pytest
from twisted.internet.defer import CancelledError

from broker import FilePager, Pager, PBConnectionLost, Root, StringPager, getAllPages
from broker.testing.harness import Pairs


class Library(Root):
    def __init__(self) -> None:
        self.finished: list[Any] = []

    def remote_text(self, collector: Any, text: Any, size: int) -> None:
        StringPager(collector, text, size, self.finished.append, "text")

    def remote_file(self, collector: Any, content: bytes) -> None:
        FilePager(collector, io.BytesIO(content), self.finished.append, "file")

    def remote_never(self, collector: Any) -> None:
        pass

    def remote_broken(self, collector: Any) -> None:
        class Broken(Pager):
            def nextPage(self) -> Any:
                raise OSError("the page is torn")

        Broken(collector)


@pytest.mark.parametrize("text", [b"", b"abc", b"abcdef", "pages of text"], ids=repr)
def test_slices_arrive_in_order(pairs: Pairs, text: Any) -> None:
    library = Library()
    pair = pairs(library)
    pages = pair.result(getAllPages(pair.root, "text", text, 3))
    assert type(text)().join(pages) == text and all(len(page) <= 3 for page in pages)
    assert library.finished == ["text"] and pair.server.pageProducers == []


@pytest.mark.parametrize("size", [0, 1, 200_000])
def test_a_file_arrives_whole(pairs: Pairs, size: int) -> None:
    library = Library()
    pair = pairs(library)
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    assert b"".join(pair.result(getAllPages(pair.root, "file", content))) == content
    assert library.finished == ["file"]


def test_two_pagers_take_turns(pairs: Pairs) -> None:
    pair = pairs(Library())
    both = [getAllPages(pair.root, "text", bytes([65 + n]) * 50, 5) for n in range(2)]
    assert [b"".join(pair.result(pages)) for pages in both] == [b"A" * 50, b"B" * 50]


def test_nobody_is_notified_any_more_once_the_pages_are_there(pairs: Pairs) -> None:
    pair = pairs(Library())
    pair.result(getAllPages(pair.root, "text", b"abc", 3))
    cancelled = getAllPages(pair.root, "never")
    lost = getAllPages(pair.root, "never")
    pair.flush()
    cancelled.cancel()
    assert isinstance(pair.failure(cancelled), CancelledError)
    assert len(pair.client.disconnects) == 1
    pair.wire.drop()
    assert isinstance(pair.failure(lost), PBConnectionLost)
    assert pair.client.disconnects == []


def test_a_pager_that_fails_is_through(pairs: Pairs) -> None:
    pair = pairs(Library())
    lost = getAllPages(pair.root, "broken")
    pair.flush()
    assert pair.server.pageProducers == [] and len(pairs.flush_logged(OSError)) == 1
    assert b"".join(pair.result(getAllPages(pair.root, "text", b"goes on", 2))) == b"goes on"
    pair.wire.drop()
    assert isinstance(pair.failure(lost), PBConnectionLost)
