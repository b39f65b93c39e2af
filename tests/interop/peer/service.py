"""The server's root object, which offers every feature of Perspective Broker but logging in."""

# mypy: disable-error-code="misc"

from __future__ import annotations

import gc
import io
import os
import weakref
from typing import Any, NoReturn

from twisted.internet.defer import Deferred, fail, gatherResults, inlineCallbacks
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.python import log

from peer import shapes
from peer.net import later, net
from peer.spread import PACKAGE, foreign_modules, pb, publish, util
from peer.values import VALUES, difference

__all__ = ["ErrorLog", "News", "Root"]


class ErrorLog:
    """What was logged as an error in this process since last asked."""

    def __init__(self) -> None:
        self._types: list[str] = []
        log.addObserver(self._observe)

    def _observe(self, event: dict[str, Any]) -> None:
        if event.get("isError") and event.get("failure") is not None:
            kind = event["failure"].type
            self._types.append(kind if isinstance(kind, str) else getattr(kind, "__name__", repr(kind)))

    def take(self) -> list[str]:
        """Return the names of the exception types logged, and forget them."""
        types, self._types = self._types, []
        return types


class Two(pb.Referenceable):
    """A small object to hold a reference to."""

    def remote_times(self, factor: int) -> int:
        return 2 * factor

    def remote_itself(self) -> Any:
        return self

    def remote_hello(self) -> str:
        return "hello"


class Dispatcher(pb.Referenceable):
    """Takes every method, as the proxies of Buildbot and others do."""

    def remoteMessageReceived(self, broker: Any, message: Any, args: Any, kw: Any) -> Any:
        name = message if isinstance(message, str) else message.decode()
        arguments, keywords = broker.unserialize(args), broker.unserialize(kw)
        return broker.serialize((name, list(arguments), keywords), None, name, arguments, keywords)


class Collector(pb.Referenceable):
    """Receives pages that the peer sends."""

    def __init__(self) -> None:
        self.finished: Deferred[list[bytes]] = Deferred()
        self.inner = util.CallbackPageCollector(self.finished.callback)

    def remote_wait(self) -> Deferred[list[bytes]]:
        return self.finished


class News(publish.Publishable):
    """State that the receiver keeps in a file."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.headline = "first"

    def getStateToPublish(self) -> dict[str, Any]:
        return {"headline": self.headline, "timestamp": self.timestamp}


class Values(pb.Root):
    """Checks what arrives, gives what is asked for."""

    def remote_echo(self, *args: Any, **kw: Any) -> Any:
        return (args, kw) if kw else args[0] if len(args) == 1 else args

    def remote_check(self, name: str, value: Any) -> str:
        return difference(value, VALUES[name]())

    def remote_give(self, name: str) -> Any:
        return VALUES[name]()

    def remote_keywords(self, first: int, second: Any = None, *, name: str, **rest: Any) -> Any:
        return [first, second, name, sorted(rest.items())]

    def remote_big(self, size: int) -> bytes:
        return bytes(size)

    def remote_big_later(self, size: int) -> Deferred[bytes]:
        return later(bytes(size))

    def remote_range(self) -> range:
        return range(3)

    def remote_type_name(self, value: Any) -> str:
        return type(value).__name__

    async def remote_coroutine(self, value: Any) -> Any:
        return await later(["awaited", value])

    async def remote_coroutine_failing(self) -> NoReturn:
        await later(None)
        raise shapes.UnexpectedError("in a coroutine")

    def remote_foreign_modules(self) -> list[str]:
        return foreign_modules()

    def remote_package(self) -> str:
        return PACKAGE

    def remote_logged(self) -> list[str]:
        return self.errors.take()

    errors: ErrorLog


class References(Values):
    """Objects passed around and called."""

    def __init__(self) -> None:
        self.two = Two()
        self.kept: dict[str, Any] = {}
        self.notes: list[Any] = []
        self.weak: Any = None

    def remote_two(self) -> Two:
        return self.two

    def remote_twos(self) -> list[Two]:
        return [self.two, self.two, Two()]

    def remote_fresh_two(self) -> Two:
        fresh = Two()
        self.weak = weakref.ref(fresh)
        return fresh

    def remote_fresh_two_alive(self) -> bool:
        gc.collect()
        return self.weak() is not None

    def remote_is_two(self, value: Any) -> bool:
        return value is self.two

    def remote_are_two(self, container: Any) -> list[bool]:
        items = container.values() if isinstance(container, dict) else container
        return [item is self.two for item in items]

    def remote_many(self, count: int) -> list[Two]:
        return [Two() for _ in range(count)]

    def remote_keep(self, key: str, value: Any) -> None:
        self.kept[key] = value

    def remote_kept(self, key: str) -> Any:
        return self.kept[key]

    def remote_kept_in_containers(self, key: str) -> Any:
        value = self.kept[key]
        return [value, (value,), {"key": value}]

    def remote_forget(self, key: str) -> None:
        del self.kept[key]
        gc.collect()

    def remote_dispatcher(self) -> Dispatcher:
        return Dispatcher()

    def remote_note(self, value: Any) -> None:
        self.notes.append(value)

    def remote_notes(self) -> list[Any]:
        notes, self.notes = self.notes, []
        return notes

    def remote_call(self, target: Any, method: str, *args: Any) -> Any:
        return target.callRemote(method, *args)

    def remote_call_without_answer(self, target: Any, method: str, *args: Any) -> bool:
        return target.callRemote(method, *args, pbanswer=False) is None

    def remote_lend_two(self, target: Any) -> Any:
        return target.callRemote("use", self.two)

    def remote_bounce(self, target: Any, depth: int) -> Any:
        return target.callRemote("bounce", self, depth - 1) if depth else "bottom"

    @inlineCallbacks
    def remote_is_mine_echoed(self, target: Any, hold: bool) -> Any:
        mine = Two()
        back = yield target.callRemote("hold" if hold else "echo", mine)
        return back is mine

    def remote_call_kept(self, key: str, method: str) -> Any:
        return self.kept[key].callRemote(method)

    @inlineCallbacks
    def remote_call_and_tell(self, target: Any, key: str) -> Any:
        """Tell in the notes how a call to the peer ended."""
        self.kept[key] = "pending"
        target.notifyOnDisconnect(lambda reference: self.notes.append(reference is target))
        try:
            yield target.callRemote("never")
        except pb.PBConnectionLost as error:
            self.kept[key] = type(error).__name__
        except pb.DeadReferenceError as error:
            self.kept[key] = type(error).__name__


class Copies(References):
    """Things that are copied, cached, published."""

    def __init__(self) -> None:
        super().__init__()
        self.tickers: dict[str, shapes.Ticker] = {}
        self.news: dict[str, News] = {}

    def remote_point(self, x: int, y: int) -> shapes.Point:
        return shapes.Point(x, y)

    def remote_describe(self, value: Any) -> Any:
        return (type(value).__name__, sorted((key, repr(item)) for key, item in vars(value).items()))

    def remote_shared_points(self) -> list[shapes.Point]:
        point = shapes.Point(1, 2)
        return [point, point, shapes.Point(1, 2)]

    def remote_sharing(self, values: list[Any]) -> list[bool]:
        return [value is values[0] for value in values]

    def remote_make(self, name: str) -> Any:
        makers: dict[str, Any] = {
            "tagged": shapes.Tagged,
            "list-state": lambda: shapes.ListState([1, "two", [3]]),
            "factory": lambda: shapes.ByFactory(41),
            "document": lambda: shapes.Document("report"),
            "plain": lambda: shapes.Plain(["content", 1]),
            "secret": shapes.Secret,
            "envelope": lambda: shapes.Envelope([shapes.Point(1, 2), {"two": self.two}, b"raw"]),
            "perspective": shapes.ByPerspective,
        }
        return makers[name]()

    def remote_self_linked_node(self) -> shapes.Node:
        node = shapes.Node("ring")
        node.itself = node
        return node

    def remote_list_linked_node(self) -> shapes.Node:
        node = shapes.Node("ring")
        node.links.append(node)
        return node

    def remote_is_ring(self, node: Any) -> bool:
        return node.itself is node

    def remote_is_list_ring(self, node: Any) -> bool:
        return node.links[0] is node

    def remote_ticker(self, key: str) -> shapes.Ticker:
        return self.tickers.setdefault(key, shapes.Ticker())

    def remote_ticker_twice(self, key: str) -> list[shapes.Ticker]:
        return [self.remote_ticker(key), self.remote_ticker(key)]

    def remote_is_ticker(self, key: str, values: list[Any]) -> list[bool]:
        return [value is self.tickers[key] for value in values]

    def remote_set_price(self, key: str, price: int) -> Any:
        return gatherResults(self.tickers[key].set_price(price))

    def remote_observer_method(self, key: str, method: str) -> Any:
        return self.tickers[key].observers[0].callRemote(method)

    def remote_ticker_state(self, key: str) -> tuple[int, int]:
        gc.collect()
        return (len(self.tickers[key].observers), self.tickers[key].stopped)

    def remote_hold_cache(self, key: str, cache: Any) -> int:
        self.kept[key] = cache
        return int(cache.price)

    def remote_cache_history(self, key: str) -> list[int]:
        return list(self.kept[key].history)

    def remote_news(self, name: str) -> News:
        return self.news.setdefault(name, News(name))

    def remote_republish(self, name: str, headline: str) -> None:
        self.news[name].headline = headline
        self.news[name].republish()


class Failures(Copies):
    """Everything that goes wrong."""

    def remote_expected(self) -> NoReturn:
        raise shapes.ExpectedError("expected")

    def remote_expected_later(self) -> Deferred[Any]:
        return fail(shapes.ExpectedError("expected later"))

    def remote_bare(self) -> NoReturn:
        raise pb.Error("bare")

    def remote_unexpected(self) -> NoReturn:
        raise shapes.UnexpectedError("unexpected: Grüße")

    def remote_unexpected_later(self) -> Deferred[Any]:
        return fail(shapes.UnexpectedError("unexpected later"))

    def remote_value_error(self) -> NoReturn:
        raise ValueError("no such value")

    def remote_found_error(self) -> NoReturn:
        raise shapes.FoundError("two bases")

    def remote_special(self) -> NoReturn:
        error = shapes.SpecialError()
        error.code = 7
        raise error

    def remote_special_later(self) -> Deferred[Any]:
        error = shapes.SpecialError()
        error.code = 8
        return fail(error)

    def remote_relay(self, target: Any, method: str) -> Any:
        return target.callRemote(method)

    def remote_relay_to(self, port: int, method: str) -> Any:
        """Call a method of a third node, and pass on what comes of it."""
        factory = pb.PBClientFactory()
        connected: Deferred[Any] = TCP4ClientEndpoint(net, "127.0.0.1", port).connect(factory)
        connected.addCallback(lambda _: factory.getRootObject())
        connected.addCallback(lambda root: root.callRemote(method))

        def hang_up(outcome: Any) -> Any:
            factory.disconnect()
            return outcome

        return connected.addBoth(hang_up)

    def remote_failure_of(self, failure: Any) -> Any:
        kind = failure.type if isinstance(failure.type, bytes) else f"{failure.type}".encode()
        return [kind, str(failure.value), failure.getErrorMessage(), bool(failure.check(ValueError))]

    def remote_copyable_failure(self) -> Any:
        try:
            raise ValueError("kept for later")
        except ValueError:
            return pb.CopyableFailure()

    def remote_never(self) -> Deferred[Any]:
        return Deferred()


class Root(Failures):
    """All of the above, and pages."""

    def __init__(self, errors: ErrorLog) -> None:
        super().__init__()
        self.errors = errors
        self.paged: list[str] = []

    def remote_string_pages(self, collector: Any, size: int, chunk: int) -> None:
        text = bytes(range(256)) * (size // 256)
        util.StringPager(collector, text, chunk, self.paged.append, "string")

    def remote_file_pages(self, collector: Any, size: int) -> None:
        util.FilePager(collector, io.BytesIO(bytes(range(256)) * (size // 256)), self.paged.append, "file")

    def remote_paged(self) -> list[str]:
        paged, self.paged = self.paged, []
        return paged

    def remote_collector(self) -> Any:
        collector = Collector()
        return [collector, collector.inner]

    def remote_vanish(self) -> NoReturn:
        os._exit(7)

    def remote_hang_up(self, reference: Any) -> None:
        reference.broker.transport.loseConnection()
