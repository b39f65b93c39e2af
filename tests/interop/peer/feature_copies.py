"""Copyables: what is sent as a copy of itself."""

from __future__ import annotations

from typing import Any

from twisted.python.failure import Failure

from peer import shapes, tree
from peer.site import Site, alive, answer_or_loss, caught, equal, holds
from peer.spread import jelly, pb

__all__: list[str] = []


async def _described(root: Any, value: Any) -> Any:
    return await root.callRemote("describe", value)


async def feature_copyable_to_client(site: Site) -> None:
    root = await site.root()
    point = await root.callRemote("point", 3, 4)
    holds(type(point) is shapes.Point, "a Point arrives")
    equal(vars(point), {"x": 3, "y": 4})


async def feature_copyable_to_server(site: Site) -> None:
    root = await site.root()
    equal(await _described(root, shapes.Point(3, 4)), ("Point", [("x", "3"), ("y", "4")]))


async def feature_copyable_there_and_back(site: Site) -> None:
    root = await site.root()
    point = await root.callRemote("echo", shapes.Point(5, 6))
    equal((point.x, point.y), (5, 6))


async def feature_copyable_custom_tag(site: Site) -> None:
    root = await site.root()
    received = await root.callRemote("make", "tagged")
    holds(type(received) is shapes.TaggedCopy, "the class registered for the tag")
    equal(vars(received), {"value": 17})
    equal(await _described(root, shapes.Tagged()), ("TaggedCopy", [("value", "17")]))


async def feature_copyable_state_not_a_dict(site: Site) -> None:
    root = await site.root()
    received = await root.callRemote("make", "list-state")
    equal(received.items, [1, "two", [3]])
    equal(await _described(root, shapes.ListState([b"x"])), ("ListState", [("items", "[b'x']")]))


async def feature_copyable_by_factory(site: Site) -> None:
    """setFactoryForClass: a function makes the object out of the state."""
    root = await site.root()
    received = await root.callRemote("make", "factory")
    holds(type(received) is shapes.ByFactory, "what the factory returned")
    equal(received.number, 42)
    equal(await _described(root, shapes.ByFactory(1)), ("ByFactory", [("number", "2")]))


async def feature_copyable_by_class_tree(site: Site) -> None:
    """setUnjellyableForClassTree: all RemoteCopy classes of a module."""
    root = await site.root()
    received = await root.callRemote("make", "document")
    holds(type(received) is tree.DocumentCopy, "the class found in the module")
    equal(received.title, "report")
    equal(await _described(root, shapes.Document("d")), ("DocumentCopy", [("title", "'d'")]))


async def feature_jellyable(site: Site) -> None:
    """The lower level: Jellyable.getStateFor and Unjellyable.setStateFor."""
    root = await site.root()
    received = await root.callRemote("make", "plain")
    holds(type(received) is shapes.Plain, "a Plain arrives")
    equal(received.content, ["content", 1])
    equal(await _described(root, shapes.Plain(b"c")), ("Plain", [("content", "b'c'")]))


async def feature_copyable_nested(site: Site) -> None:
    """Copyables, containers and references within a Copyable."""
    root = await site.root()
    received = await root.callRemote("make", "envelope")
    point, table, raw = received.content
    equal((point.x, point.y, raw), (1, 2, b"raw"))
    equal(await table["two"].callRemote("times", 7), 14)
    returned = await root.callRemote("echo", shapes.Envelope([shapes.Envelope(table["two"]), None]))
    equal(await root.callRemote("is_two", returned.content[0].content), True)


async def feature_copyable_shared_to_client(site: Site) -> None:
    root = await site.root()
    first, second, third = await root.callRemote("shared_points")
    holds(first is second, "one object sent twice arrives once")
    holds(first is not third, "two objects arrive as two")
    equal(vars(second), {"x": 1, "y": 2})


async def feature_copyable_shared_to_server(site: Site) -> None:
    root = await site.root()
    point = shapes.Point(1, 2)
    equal(await root.callRemote("sharing", [point, point, shapes.Point(1, 2)]), [True, True, False])


async def feature_copyable_cycle_to_client(site: Site) -> None:
    """A Copyable with itself as an attribute."""
    root = await site.root()
    node = await root.callRemote("self_linked_node")
    equal(node.name, "ring")
    holds(node.itself is node, f"the node is linked to itself, and not to a {type(node.itself)}")


async def feature_copyable_cycle_to_server(site: Site) -> None:
    root = await site.root()
    node = shapes.Node("ring")
    node.itself = node
    equal(await root.callRemote("is_ring", node), True)


async def feature_copyable_cycle_through_list_to_client(site: Site) -> None:
    root = await site.root()
    node = await root.callRemote("list_linked_node")
    holds(node.links[0] is node, f"the node is linked to itself, and not to a {type(node.links[0])}")


async def feature_copyable_cycle_through_list_to_server(site: Site) -> None:
    root = await site.root()
    node = shapes.Node("ring")
    node.links.append(node)
    equal(await root.callRemote("is_list_ring", node), True)


async def feature_copyable_without_perspective(site: Site) -> None:
    root = await site.root()
    equal((await root.callRemote("make", "perspective")).shown, "for None")


async def feature_insecure_argument(site: Site) -> None:
    """A class that the server does not accept."""
    root = await site.root()
    await root.callRemote("logged")
    failure = await caught(root.callRemote, "echo", shapes.Secret())
    holds(failure.check(jelly.InsecureJelly), "it is InsecureJelly")
    equal(failure.check("twisted.spread.jelly.InsecureJelly"), "twisted.spread.jelly.InsecureJelly")
    holds("peer.shapes" in failure.getErrorMessage(), f"the name is told in {failure.getErrorMessage()!r}")
    equal(await root.callRemote("logged"), ["InsecureJelly"] if site.refusals_logged else [])
    await alive(root)


async def feature_insecure_argument_nested(site: Site) -> None:
    """The same deep inside, and as a keyword."""
    root = await site.root()
    await root.callRemote("logged")
    holds((await caught(root.callRemote, "echo", [{"a": (shapes.Secret(),)}])).check(jelly.InsecureJelly), "refused")
    holds((await caught(root.callRemote, "echo", key=shapes.Secret())).check(jelly.InsecureJelly), "refused")
    equal(await root.callRemote("logged"), ["InsecureJelly", "InsecureJelly"] if site.refusals_logged else [])
    await alive(root)


async def feature_insecure_class_argument(site: Site) -> None:
    """A class itself is never accepted."""
    root = await site.root()
    await caught(root.callRemote, "echo", shapes.Point)
    await root.callRemote("logged")
    await alive(root)


async def feature_insecure_answer(site: Site) -> None:
    """A class that the client does not accept: the call fails, and only the call."""
    root = await site.root()
    outcome = await answer_or_loss(root, root.callRemote, "make", "secret")
    holds(isinstance(outcome, Failure), "a failure")
    holds(not outcome.check(pb.PBConnectionLost), "the connection outlives it")
    holds(outcome.check(jelly.InsecureJelly), f"InsecureJelly, not {outcome.type}")
    await alive(root)


async def feature_registered_later(site: Site) -> None:
    """Registration works while connected, and process-wide."""
    root = await site.root()

    class Later(pb.RemoteCopy):  # type: ignore[misc]
        """Registered for a tag that this test made up."""

    tagged = shapes.Tagged()
    tagged.getTypeToCopy = lambda: b"interop-later"  # type: ignore[method-assign]
    await root.callRemote("logged")
    await caught(root.callRemote, "echo", tagged)
    equal(await root.callRemote("logged"), ["InsecureJelly"] if site.refusals_logged else [])
    pb.setUnjellyableForClass("interop-later", Later)
    failure = await caught(root.callRemote, "echo", tagged)
    holds(failure.check(jelly.InsecureJelly), "the server has its own registry")
    await root.callRemote("logged")
