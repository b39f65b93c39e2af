"""Copies, views and perspectives: what each is shown of the one it is sent to."""

from __future__ import annotations

from typing import Any

import pytest

from broker import (
    Avatar,
    Copyable,
    Jellyable,
    NoSuchMethod,
    Registry,
    RemoteCopy,
    Root,
    Unjellyable,
    Viewable,
    ViewPoint,
    globalRegistry,
)
from broker._objects.flavor import keywords, positional
from broker._objects.referenceable import AsReferenceable
from broker.errors import BadValue
from broker.testing import check_copyable, check_referenceable, tables
from broker.testing.harness import Pairs


class Document(Copyable):
    def __init__(self, text: str = "", secret: str = "") -> None:
        self.text = text
        self.secret = secret

    def getStateToCopyFor(self, perspective: Any) -> dict[str, Any]:
        return {"text": self.text, "reader": getattr(perspective, "name", None)}

    def getTypeToCopyFor(self, perspective: Any) -> str:
        # Text is a tag as good as bytes.
        return "tests.Document"


class DocumentCopy(RemoteCopy):
    reader: Any
    text: str


class Board(Viewable):
    def view_read(self, perspective: Any, *lines: Any, **named: Any) -> list[Any]:
        return [getattr(perspective, "name", None), list(lines), named]

    def view_self(self, perspective: Any) -> Board:
        return self


class User(Avatar):
    def __init__(self, name: str) -> None:
        self.name = name

    def perspective_document(self) -> Document:
        return Document("news", "s")

    def perspective_board(self) -> Board:
        return BOARD

    async def perspective_later(self) -> list[Any]:
        return [Document("late"), BOARD]

    def remote_no(self) -> None:
        raise AssertionError("not to be reached")


BOARD = Board()
USERS = {name: User(name) for name in ("ann", "bob")}


class Door(Root):
    def remote_enter(self, name: str) -> AsReferenceable:
        return AsReferenceable(USERS[name], "perspective")

    def remote_board(self) -> Board:
        return BOARD

    def remote_document(self) -> Document:
        return Document("public")


@pytest.fixture
def registry() -> Registry:
    made = Registry(globalRegistry)
    made.setUnjellyableForClass("tests.Document", DocumentCopy)
    return made


def test_each_perspective_gets_its_own_state_and_view(pairs: Pairs, registry: Registry) -> None:
    pair = pairs(Door(), registry=registry)
    views = []
    for name in USERS:
        user = pair.call(pair.root, "enter", name)
        document = pair.call(user, "document")
        assert type(document) is DocumentCopy and vars(document) == {"text": "news", "reader": name}
        views.append(pair.call(user, "board"))
        assert pair.call(views[-1], "read", 1, two=2) == [name, [1], {"two": 2}]
        # The result of a view is for the same eyes.
        assert pair.call(views[-1], "self") is views[-1]
        late, board = pair.call(user, "later")
        assert late.reader == name and board is views[-1]
    assert views[0] != views[1]


def test_outside_a_login_there_is_no_perspective(pairs: Pairs, registry: Registry) -> None:
    pair = pairs(Door(), registry=registry)
    assert pair.call(pair.root, "document").reader is None
    view = pair.call(pair.root, "board")
    assert pair.call(view, "read") == [None, [], {}]
    assert pair.call(pair.root, "board") is view


@pytest.mark.parametrize("name", ["no", "missing", "_class__"])
def test_only_the_methods_of_the_kind_are_reached(pairs: Pairs, name: str) -> None:
    pair = pairs(Door())
    user = pair.call(pair.root, "enter", "ann")
    for target in (user, pair.call(user, "board")):
        assert isinstance(pair.failure(target.callRemote(name)), NoSuchMethod)
    pairs.flush_logged(NoSuchMethod)


def test_a_view_of_anything(pairs: Pairs) -> None:
    class Plain:
        def view_hello(self, perspective: Any) -> str:
            return f"hello {perspective}"

    pair = pairs(Sends([ViewPoint("you", Plain())]))
    (view,) = pair.call(pair.root, "send")
    assert pair.call(view, "hello") == "hello you"


class Sends(Root):
    def __init__(self, value: Any) -> None:
        self.value = value

    def remote_send(self) -> Any:
        return self.value


def test_the_conformance_checks_hold_for_our_flavors(registry: Registry) -> None:
    check_copyable(Document("x"), lambda sent, got: sent.text == got.text, registry=registry)
    check_referenceable(Sends(None))


def test_hooks_see_the_connection_and_its_perspectives(pairs: Pairs) -> None:
    seen: list[tuple[Any, Any]] = []

    class Stamped(Jellyable):
        def jellyFor(self, jellier: Any) -> Any:
            seen.append((jellier.invoker, jellier.invoker.serializingPerspective))
            return [b"tests.Stamped", jellier.jelly(["part"])]

    class Arrived(Unjellyable):
        parts: Any

        def unjellyFor(self, unjellier: Any, expression: Any) -> Any:
            seen.append((unjellier.invoker, unjellier.invoker.unserializingPerspective))
            self.parts = unjellier.unjelly(expression[1])
            return self

    class Stamps(Avatar):
        def perspective_swap(self, stamped: Any) -> Any:
            assert stamped.parts == ["part"]
            return Stamped()

    user = Stamps()
    registry = Registry(globalRegistry)
    registry.setUnjellyableForClass(b"tests.Stamped", Arrived)
    pair = pairs(Sends(AsReferenceable(user, "perspective")), registry=registry)
    seat = pair.call(pair.root, "send")
    assert pair.call(seat, "swap", Stamped()).parts == ["part"]
    assert seen == [(pair.client, None), (pair.server, user), (pair.server, user), (pair.client, None)]
    assert pair.server.serializingPerspective is pair.server.unserializingPerspective is None


def test_a_hook_may_call_while_it_is_lowered_or_lifted(pairs: Pairs) -> None:
    calls: list[Any] = []

    class Chatty(Copyable):
        def getStateToCopy(self) -> Any:
            calls.append(pair.server.remoteForName("root").callRemote("lowered"))
            return {"n": 1}

    class ChattyCopy(RemoteCopy):
        def setCopyableState(self, state: Any) -> None:
            calls.append(pair.root_reference.callRemote("send_plain"))  # type: ignore[attr-defined]
            super().setCopyableState(state)

    class Both(Sends):
        def remote_send_plain(self) -> str:
            return "plain"

    registry = Registry(globalRegistry)
    registry.setUnjellyableForClass(Chatty, ChattyCopy)
    pair = pairs(Both([Chatty(), BOARD]), registry=registry)
    pair.client.setNameForLocal("root", Both("client"))
    pair.root_reference = root = pair.root  # type: ignore[attr-defined]
    copy, view = pair.call(root, "send")
    assert copy.n == 1 and pair.call(view, "read") == [None, [], {}]
    lowered, lifted = calls
    assert isinstance(pair.failure(lowered), NoSuchMethod) and pair.result(lifted) == "plain"
    pairs.flush_logged(NoSuchMethod)
    # The registry keeps the class, whose hook keeps this list, which keeps a failure with its frames.
    calls.clear()
    assert tables(pair.server)["questions"] == tables(pair.client)["questions"] == 0


@pytest.mark.parametrize("state", [None, {}, {b"old": 1}])
def test_state_of_any_age_is_taken(pairs: Pairs, state: Any) -> None:
    class Old(Copyable):
        def getStateToCopy(self) -> Any:
            return state

    registry = Registry(globalRegistry)
    registry.setUnjellyableForClass(Old, DocumentCopy)
    pair = pairs(Sends(Old()), registry=registry)
    assert vars(pair.call(pair.root, "send")) == ({"old": 1} if state else {})


def test_a_factory_makes_what_stands_for_a_class(pairs: Pairs, registry: Registry) -> None:
    own = Registry(globalRegistry)
    own.setUnjellyableFactoryForClass("tests.Document", lambda state: ("made of", state["text"]))
    pair = pairs(Door(), registry=own)
    assert pair.call(pair.root, "document") == ("made of", "public")


def test_arguments_of_old_peers_and_of_none() -> None:
    assert positional([1]) == (1,) and keywords({b"a": 1, "b": 2}) == {"a": 1, "b": 2}
    for wrong in ({1: 2}, {b"\xff": 1}, []):
        with pytest.raises(BadValue):
            keywords(wrong)
    with pytest.raises(BadValue):
        positional({})
