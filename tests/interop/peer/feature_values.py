"""Values as arguments, as results, and in ways that a table cannot hold."""

from __future__ import annotations

from typing import Any

from twisted.python.failure import Failure

from peer.net import net
from peer.site import Listener, Site, alive, answer_or_loss, caught, equal, holds
from peer.spread import foreign_modules, pb
from peer.values import VALUES, difference

__all__: list[str] = []


async def value(site: Site, name: str) -> None:
    """One value of the table: as argument, as result, and there and back."""
    root = await site.root()
    equal(await root.callRemote("check", name, VALUES[name]()), "")
    equal(difference(await root.callRemote("give", name), VALUES[name]()), "")
    equal(difference(await root.callRemote("echo", VALUES[name]()), VALUES[name]()), "")
    listener = Listener()
    echoed = await root.callRemote("call", listener, "hold", VALUES[name]())
    equal(difference(listener.held[0], VALUES[name]()), "")
    equal(difference(echoed, VALUES[name]()), "")


async def feature_implementations_are_apart(site: Site) -> None:
    """Neither process has loaded modules of the other implementation."""
    root = await site.root()
    equal(foreign_modules(), [])
    equal(await root.callRemote("foreign_modules"), [])


async def feature_keywords(site: Site) -> None:
    root = await site.root()
    equal(await root.callRemote("keywords", 1, name="Bob"), [1, None, "Bob", []])
    answer = await root.callRemote("keywords", 1, second=b"2", name="Bob", größe=3, class_=[4])
    equal(answer, [1, b"2", "Bob", [("class_", [4]), ("größe", 3)]])
    equal(await root.callRemote("echo", 1, 2, 3), (1, 2, 3))
    equal(await root.callRemote("echo", 1, args=2, kw=3), ((1,), {"args": 2, "kw": 3}))


async def feature_same_value_twice_in_one_call(site: Site) -> None:
    """Sharing is kept within the arguments."""
    root = await site.root()
    shared = [1]
    first, second = await root.callRemote("echo", shared, shared)
    holds(first is second, "one list arrives")


async def feature_numbers_beyond_the_wire(site: Site) -> None:
    """An integer of 449 bits cannot be sent by everyone: it arrives, or the call alone fails."""
    root = await site.root()
    outcome = await answer_or_loss(root, root.callRemote, "echo", 2**448)
    holds(isinstance(outcome, Failure) or outcome == 2**448, "refused or delivered")
    await alive(root)


async def feature_oversized_argument(site: Site) -> None:
    """More than 640 KiB in one string: it arrives, or the call alone fails."""
    root = await site.root()
    outcome = await answer_or_loss(root, root.callRemote, "echo", bytes(700_000))
    holds(isinstance(outcome, Failure) or outcome == bytes(700_000), "refused or delivered")
    await alive(root)


async def feature_oversized_answer(site: Site) -> None:
    """A method returns more than 640 KiB at once."""
    root = await site.root()
    outcome = await answer_or_loss(root, root.callRemote, "big", 700_000)
    holds(not _lost(outcome), "the connection outlives an answer that is too big")
    holds(isinstance(outcome, Failure) or outcome == bytes(700_000), "refused or delivered")
    await alive(root)


async def feature_oversized_answer_later(site: Site) -> None:
    """The same through a Deferred."""
    root = await site.root()
    call = root.callRemote("big_later", 700_000)
    call.addTimeout(2, net)
    outcome = await answer_or_loss(root, lambda: call)
    text = outcome.getErrorMessage() if isinstance(outcome, Failure) else ""
    holds("TimeoutError" not in f"{getattr(outcome, 'type', '')}", f"the call ends ({text})")
    holds(isinstance(outcome, Failure) or outcome == bytes(700_000), "refused or delivered")
    await alive(root)


async def feature_unsendable_argument(site: Site) -> None:
    """A value that has no form on the wire fails in the caller, and is not silently replaced."""
    root = await site.root()
    await caught(root.callRemote, "type_name", range(3))
    await alive(root)


async def feature_unsendable_answer(site: Site) -> None:
    """The same on the way back."""
    root = await site.root()
    await caught(root.callRemote, "range")
    await alive(root)


def _lost(outcome: Any) -> bool:
    return isinstance(outcome, Failure) and bool(outcome.check(pb.PBConnectionLost))
