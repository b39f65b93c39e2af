"""References: passed, called, returned home, dropped."""

# mypy: disable-error-code="misc"

from __future__ import annotations

import gc
from typing import Any

from twisted.internet.defer import gatherResults
from twisted.python.failure import Failure

from peer.site import Listener, Site, alive, answer_or_loss, caught, equal, holds, until
from peer.spread import pb

__all__: list[str] = []


async def feature_reference_called(site: Site) -> None:
    root = await site.root()
    two = await root.callRemote("two")
    holds(isinstance(two, pb.RemoteReference), "a RemoteReference arrives")
    equal(await two.callRemote("times", 4), 8)
    equal(await (await two.callRemote("itself")).callRemote("times", 5), 10)


async def feature_remote_method(site: Site) -> None:
    root = await site.root()
    two = await root.callRemote("two")
    times = two.remoteMethod("times")
    holds(isinstance(times, pb.RemoteMethod), "a RemoteMethod")
    equal(await times(6), 12)
    holds(times == two.remoteMethod("times"), "methods of one name are equal")
    equal(hash(times), hash(two.remoteMethod("times")))


async def feature_no_answer(site: Site) -> None:
    """pbanswer=False: nothing is returned, and order with other calls is kept."""
    root = await site.root()
    await root.callRemote("notes")
    equal(root.callRemote("note", "quiet", pbanswer=False), None)
    equal(await root.callRemote("notes"), ["quiet"])


async def feature_no_answer_failing(site: Site) -> None:
    """A failure of which nobody is told."""
    root = await site.root()
    equal(root.callRemote("unexpected", pbanswer=False), None)
    equal(root.callRemote("no_such_method", pbanswer=False), None)
    equal(root.callRemote("expected_later", pbanswer=False), None)
    await alive(root)


async def feature_no_answer_to_client(site: Site) -> None:
    root = await site.root()
    listener = Listener()
    equal(await root.callRemote("call_without_answer", listener, "hear", 1), True)
    equal(listener.heard, [1])


async def feature_home_to_server(site: Site) -> None:
    """What the server gave out arrives there as the very object."""
    root = await site.root()
    two = await root.callRemote("two")
    equal(await root.callRemote("is_two", two), True)
    equal(await root.callRemote("is_two", await two.callRemote("itself")), True)


async def feature_home_to_server_in_containers(site: Site) -> None:
    root = await site.root()
    two, same, other = await root.callRemote("twos")
    equal(await root.callRemote("are_two", [two, same, other]), [True, True, False])
    equal(await root.callRemote("are_two", (other, two)), [False, True])
    equal(await root.callRemote("are_two", {"a": two, b"b": other}), [True, False])


async def feature_home_to_client(site: Site) -> None:
    root = await site.root()
    mine = Listener()
    await root.callRemote("keep", "home", mine)
    holds(await root.callRemote("kept", "home") is mine, "my object comes home as itself")
    holds(await root.callRemote("kept", "home") is mine, "a second time")
    await root.callRemote("forget", "home")


async def feature_home_to_client_in_containers(site: Site) -> None:
    root = await site.root()
    mine = Listener()
    await root.callRemote("keep", "box", [mine, {"mine": mine}])
    listed, table = await root.callRemote("kept", "box")
    holds(listed is mine and table["mine"] is mine, "my object in a list and in a dict")
    await root.callRemote("keep", "box", mine)
    listed, (inside,), table = await root.callRemote("kept_in_containers", "box")
    holds(listed is mine and inside is mine and table["key"] is mine, "my object in each container")
    await root.callRemote("forget", "box")


async def feature_echo_home_to_client(site: Site) -> None:
    """The server returns at once what it was given, and keeps nothing."""
    root = await site.root()
    mine = Listener()
    holds(await root.callRemote("echo", mine) is mine, "my object comes back as itself")
    holds(await root.callRemote("echo", mine) is mine, "a second time")


async def feature_echo_home_to_server(site: Site) -> None:
    """The client returns at once what it was given, and keeps nothing."""
    root = await site.root()
    equal(await root.callRemote("is_mine_echoed", Listener(), False), True)


async def feature_held_home_to_server(site: Site) -> None:
    """The client returns what it was given, and keeps it."""
    root = await site.root()
    equal(await root.callRemote("is_mine_echoed", Listener(), True), True)


async def feature_client_called(site: Site) -> None:
    """The server calls the client's object while the client's call is open."""
    root = await site.root()
    listener = Listener("ear")
    equal(await root.callRemote("call", listener, "hear", 5), "ear heard 5")
    equal(await root.callRemote("call", listener, "later", 6), ["ear", 6])
    equal(listener.heard, [5])


async def feature_client_called_afterwards(site: Site) -> None:
    """The server keeps the client's object, and calls it on another occasion."""
    root = await site.root()
    listener = Listener("ear")
    await root.callRemote("keep", "ear", listener)
    elsewhere = await site.root()
    equal(await elsewhere.callRemote("call_kept", "ear", "expected").addErrback(_message), "expected by the client")
    equal(await root.callRemote("call_kept", "ear", "value_error").addErrback(_message), "a value of the client")
    await root.callRemote("forget", "ear")


async def feature_calls_within_calls(site: Site) -> None:
    """Twenty calls open at once, one within the other."""
    root = await site.root()
    listener = Listener()
    equal(await root.callRemote("bounce", listener, 20), "bottom")
    equal(listener.heard, list(range(19, 0, -2)))


async def feature_server_object_lent(site: Site) -> None:
    """The server hands its object to the client's, which calls it and returns what came of it."""
    root = await site.root()
    equal(await root.callRemote("lend_two", Listener()), 42)


async def feature_calls_in_order(site: Site) -> None:
    """Two hundred calls in one burst arrive in order, and are answered in order."""
    root = await site.root()
    await root.callRemote("notes")
    answered: list[int] = []
    calls = [root.callRemote("note", n).addCallback(lambda _, n=n: answered.append(n)) for n in range(200)]
    await gatherResults(calls)
    equal(await root.callRemote("notes"), list(range(200)))
    equal(answered, list(range(200)))


async def feature_own_dispatch(site: Site) -> None:
    """An object that takes its messages undecoded, and serialises its answer itself."""
    root = await site.root()
    dispatcher = await root.callRemote("dispatcher")
    equal(await dispatcher.callRemote("anything", 1, b"2", key=[3]), ("anything", [1, b"2"], {"key": [3]}))


async def feature_same_object_received_twice(site: Site) -> None:
    root = await site.root()
    first, second, other = await root.callRemote("twos")
    holds(first == second, "two receptions of one object are equal")
    equal(hash(first), hash(second))
    holds(first != other, "two objects are not")


async def feature_dropped(site: Site) -> None:
    """An object that nobody refers to any more, on either side, is forgotten."""
    root = await site.root()
    fresh = await root.callRemote("fresh_two")
    equal(await fresh.callRemote("times", 1), 2)
    equal(await root.callRemote("fresh_two_alive"), True)
    del fresh
    await until(lambda: root.callRemote("fresh_two_alive"), False)


async def feature_dropped_by_server(site: Site) -> None:
    root = await site.root()
    listener = Listener()
    await root.callRemote("keep", "drop", listener)
    broker = root.broker
    holds(any(entry.object is listener for entry in broker.localObjects.values()), "the object is in the table")
    await root.callRemote("forget", "drop")

    async def remembered() -> bool:
        await alive(root)
        return any(entry.object is listener for entry in broker.localObjects.values())

    await until(remembered, False)


async def feature_received_twice_dropped_once(site: Site) -> None:
    """References are counted: dropping one of two leaves the object there."""
    root = await site.root()
    first, second, _ = await root.callRemote("twos")
    del second, _
    gc.collect()
    await alive(root)
    equal(await root.callRemote("is_two", first), True)
    equal(await first.callRemote("times", 2), 4)


async def feature_many_references(site: Site) -> None:
    root = await site.root()
    many = await root.callRemote("many", 800)
    equal(len(many), 800)
    equal(await gatherResults([one.callRemote("times", n) for n, one in enumerate(many)]), [2 * n for n in range(800)])


async def feature_more_references_than_allowed(site: Site) -> None:
    """Beyond 1024 objects the call that would send one more fails, if there is a limit, and the connection lives."""
    root = await site.root()
    outcome = await answer_or_loss(root, root.callRemote, "many", 1200)
    if isinstance(outcome, Failure):
        holds(outcome.check(pb.Error), f"a pb.Error, not {outcome.type}")
        holds("Maximum PB reference count exceeded" in outcome.getErrorMessage(), "that tells the reason")
    else:
        equal(len(outcome), 1200)
    await alive(root)


async def feature_third_party_refused(site: Site) -> None:
    """A reference of one connection does not pass over another."""
    first, second = await site.root(), await site.root()
    two = await first.callRemote("two")
    await caught(second.callRemote, "is_two", two)
    await alive(first)
    await alive(second)


async def feature_invalid_object_id(site: Site) -> None:
    root = await site.root()
    for name in (b"nowhere", 4711):
        failure = await caught(pb.RemoteReference(None, root.broker, name, 0).callRemote, "hello")
        equal(failure.getErrorMessage(), "Invalid Object ID")
        holds(failure.check(pb.Error), "it is a pb.Error")
    await alive(root)


async def feature_named_object(site: Site) -> None:
    """``remoteForName`` reaches what ``setNameForLocal`` set."""
    root = await site.root()
    equal(await root.broker.remoteForName("root").callRemote("echo", 3), 3)
    root.broker.setNameForLocal("ear", Listener("named"))
    equal(await root.callRemote("echo", 4), 4)


async def feature_coroutine_method(site: Site) -> None:
    root = await site.root()
    equal(await root.callRemote("coroutine", 5), ["awaited", 5])
    failure = await caught(root.callRemote, "coroutine_failing")
    equal(failure.getErrorMessage(), "in a coroutine")
    equal(await root.callRemote("echo", 1), 1)


def _message(failure: Any) -> str:
    return str(failure.getErrorMessage())
