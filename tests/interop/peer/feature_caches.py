"""Cacheables: what is sent once, observed, and sent home."""

from __future__ import annotations

import gc
from typing import Any

from twisted.internet.defer import gatherResults

from peer import shapes
from peer.site import Site, alive, caught, equal, holds, until

__all__: list[str] = []


def _one_cache(first: Any, second: Any) -> bool:
    """Tell whether what is written on one is read on the other; the objects may be two."""
    first.mark = object()
    return second.mark is first.mark


async def feature_cacheable_to_client(site: Site) -> None:
    root = await site.root()
    cache = await root.callRemote("ticker", "first")
    holds(isinstance(cache, shapes.TickerCache), "a TickerCache arrives")
    equal(cache.price, 10)


async def feature_cacheable_updates(site: Site) -> None:
    """The owner calls the caches, and gets their answers."""
    root = await site.root()
    cache = await root.callRemote("ticker", "updates")
    equal(await root.callRemote("set_price", "updates", 11), ["noted 11"])
    equal(await root.callRemote("set_price", "updates", 12), ["noted 12"])
    equal((cache.price, cache.history), (12, [10, 11, 12]))


async def feature_cacheable_update_fails(site: Site) -> None:
    """What a cache raises reaches the owner."""
    root = await site.root()
    cache = await root.callRemote("ticker", "fails")
    failure = await caught(root.callRemote, "observer_method", "fails", "failing")
    equal(failure.getErrorMessage(), "the cache failed")
    failure = await caught(root.callRemote, "observer_method", "fails", "nothing_such")
    holds("nothing_such" in failure.getErrorMessage(), "the missing method is named")
    equal(cache.price, 10)


async def feature_cacheable_sent_again(site: Site) -> None:
    """A second reception is the same cache, and state is sent once only."""
    root = await site.root()
    first = await root.callRemote("ticker", "again")
    second = await root.callRemote("ticker", "again")
    holds(_one_cache(first, second), "both are views of one cache")
    equal(hash(first), hash(second))
    equal(await root.callRemote("ticker_state", "again"), (1, 0))
    await root.callRemote("set_price", "again", 13)
    equal((first.price, second.price), (13, 13))


async def feature_cacheable_twice_in_one_answer(site: Site) -> None:
    root = await site.root()
    first, second = await root.callRemote("ticker_twice", "twice")
    holds(_one_cache(first, second), "both are views of one cache")
    await root.callRemote("set_price", "twice", 14)
    equal((first.price, second.price), (14, 14))


async def feature_cacheable_home(site: Site) -> None:
    """The owner gets its very object back."""
    root = await site.root()
    cache = await root.callRemote("ticker", "home")
    equal(await root.callRemote("is_ticker", "home", [cache, cache]), [True, True])
    again = await root.callRemote("echo", {"cache": cache})
    holds(_one_cache(again["cache"], cache), "it comes back as the same cache")


async def feature_cacheable_dropped(site: Site) -> None:
    """When the holder has dropped every reference the owner is told; the next time it is a new cache."""
    root = await site.root()
    first = await root.callRemote("ticker", "dropped")
    second = await root.callRemote("ticker", "dropped")
    del first
    gc.collect()
    await alive(root)
    equal(await root.callRemote("ticker_state", "dropped"), (1, 0))
    await root.callRemote("set_price", "dropped", 15)
    equal(second.price, 15)
    del second
    await until(lambda: root.callRemote("ticker_state", "dropped"), (0, 1))
    third = await root.callRemote("ticker", "dropped")
    equal(third.history, [15])
    equal(await root.callRemote("ticker_state", "dropped"), (1, 1))


async def feature_cacheable_disconnected(site: Site) -> None:
    """The end of the connection ends the observation."""
    watcher, root = site.connect(), await site.root()
    cache = await (await watcher.getRootObject()).callRemote("ticker", "cut")
    equal(await root.callRemote("ticker_state", "cut"), (1, 0))
    watcher.disconnect()
    await until(lambda: root.callRemote("ticker_state", "cut"), (0, 1))
    equal(cache.price, 10)


async def feature_cacheable_two_clients(site: Site) -> None:
    """Two connections observe one object, and both learn of changes."""
    one, other = await site.root(), await site.root()
    caches = [await one.callRemote("ticker", "pair"), await other.callRemote("ticker", "pair")]
    equal(await one.callRemote("set_price", "pair", 16), ["noted 16", "noted 16"])
    equal([cache.price for cache in caches], [16, 16])


async def feature_cacheable_two_clients_one_leaves(site: Site) -> None:
    """The owner keeps its observers in a list, and removes the one that has left."""
    first, second, root = site.connect(), site.connect(), await site.root()
    kept = await (await first.getRootObject()).callRemote("ticker", "leave")
    left = await (await second.getRootObject()).callRemote("ticker", "leave")
    second.disconnect()
    await until(lambda: root.callRemote("ticker_state", "leave"), (1, 1))
    equal(await root.callRemote("set_price", "leave", 17), ["noted 17"])
    equal((kept.price, left.price), (17, 10))


async def feature_cacheable_to_server(site: Site) -> None:
    """The client owns the object, the server holds the cache."""
    root = await site.root()
    mine = shapes.Ticker(20)
    equal(await root.callRemote("hold_cache", "theirs", mine), 20)
    equal(await gatherResults(mine.set_price(21)), ["noted 21"])
    equal(await root.callRemote("cache_history", "theirs"), [20, 21])
    holds(await root.callRemote("kept", "theirs") is mine, "my object comes home as itself")
    await root.callRemote("forget", "theirs")

    async def state() -> Any:
        await alive(root)
        return (len(mine.observers), mine.stopped)

    await until(state, (0, 1))


async def feature_cacheable_observer_object(site: Site) -> None:
    """The observer's remoteMethod, and its equality."""
    root = await site.root()
    mine = shapes.Ticker(30)
    await root.callRemote("hold_cache", "observer", mine)
    observer = mine.observers[0]
    equal(await observer.callRemote("price", 31), "noted 31")
    equal(hash(observer), hash(observer))
    holds(observer == mine.observers[0], "an observer equals itself")
    await root.callRemote("forget", "observer")
