"""Pages, and published state."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred

from peer.service import News
from peer.site import Site, alive, equal, holds
from peer.spread import pb, publish, util

__all__: list[str] = []

PATTERN = bytes(range(256))


class NewsCopy(publish.RemotePublished):  # type: ignore[misc]
    """The holder's side of News."""

    activations = 0

    def activated(self) -> None:
        self.activations += 1


pb.setUnjellyableForClass(News, NewsCopy)


async def feature_string_pager(site: Site) -> None:
    root = await site.root()
    await root.callRemote("paged")
    pages = await util.getAllPages(root, "string_pages", 1024, 100)
    equal(b"".join(pages), PATTERN * 4)
    equal([len(page) for page in pages], [100] * 10 + [24])
    equal(await root.callRemote("paged"), ["string"])


async def feature_string_pager_large(site: Site) -> None:
    """A megabyte, more than any transport buffers, with calls in between."""
    root = await site.root()
    paging = util.getAllPages(root, "string_pages", 2**20, 8192)
    equal(await root.callRemote("echo", 1), 1)
    pages = await paging
    equal(len(pages), 128)
    equal(b"".join(pages), PATTERN * 4096)
    await root.callRemote("paged")


async def feature_file_pager(site: Site) -> None:
    root = await site.root()
    await root.callRemote("paged")
    pages = await util.getAllPages(root, "file_pages", 300_032)
    equal(b"".join(pages), PATTERN * 1172)
    holds(len(pages) > 1, "in pieces")
    equal(await root.callRemote("paged"), ["file"])


async def feature_two_pagers_at_once(site: Site) -> None:
    root = await site.root()
    first = util.getAllPages(root, "string_pages", 51_200, 1000)
    second = util.getAllPages(root, "file_pages", 102_400)
    equal(len(b"".join(await first)), 51_200)
    equal(len(b"".join(await second)), 102_400)
    await root.callRemote("paged")


async def feature_pager_of_client(site: Site) -> None:
    """The client sends pages to a collector of the server's."""
    root = await site.root()
    waiting, collector = await root.callRemote("collector")
    done: Deferred[Any] = Deferred()
    util.StringPager(collector, PATTERN * 100, 3000, done.callback, "sent")
    equal(await done, "sent")
    pages = await waiting.callRemote("wait")
    equal(b"".join(pages), PATTERN * 100)
    equal(len(pages), 9)


async def feature_published(site: Site) -> None:
    """State is fetched once, then taken from the file, until it is published anew."""
    # The file's name is of the server's making, so the name of the state tells the runs of this test apart.
    name = f"{os.getpid()}"
    news = await publish.whenReady((await site.root()).callRemote("news", name))
    equal((news.headline, news._wasCleanWhenLoaded, news.isActivated), ("first", 0, 1))
    root = await site.root()
    await alive(root)
    holds(os.path.exists(f"None-None-{name}.pub"), "the file is written")
    again = await publish.whenReady(root.callRemote("news", name))
    equal((again.headline, again._wasCleanWhenLoaded), ("first", 1))
    await root.callRemote("republish", name, "second")
    third = await publish.whenReady((await site.root()).callRemote("news", name))
    equal((third.headline, third._wasCleanWhenLoaded), ("second", 0))
    told: list[Any] = []
    third.callWhenActivated(told.append)
    equal(told, [third])
