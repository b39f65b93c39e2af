"""Published methods: listed or not, documented or not, told who calls; and what a server says about single values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from broker.errors import InsecureJelly
from broker.testing.harness import Pairs
from broker.transparent import (
    EXPOSED,
    HANDLES,
    LENT,
    LIVE,
    CallContext,
    copy,
    describe,
    export,
    expr,
    live,
    native,
    publish,
    ref,
    run,
    same,
    stream,
    value,
)
from tests.remote.scene import Waiting, counted, proxied


class Point:
    def __init__(self, x: int) -> None:
        self.x = x

    def moved(self, by: int) -> Point:
        return Point(self.x + by)


class Shop:
    """Sells tea."""

    def __init__(self) -> None:
        self.stock = {"tea": 3}
        self.point = Point(1)

    @publish
    def buy(self, what: str, count: int = 1) -> int:
        """Buy something."""
        self.stock[what] -= count
        return self.stock[what]

    @publish(show=False)
    def audit(self) -> int:
        """Count everything."""
        return sum(self.stock.values())

    @publish(doc=False)
    def price(self, what: str) -> float:
        """Nobody's business."""
        return 2.5

    @publish(ctx=True)
    def visits(self, step: int = 1, *, ctx: CallContext) -> int:
        """Count visits."""
        ctx.session["visits"] = ctx.session.get("visits", 0) + step
        return int(ctx.session["visits"])

    @publish(ctx=True)
    @staticmethod
    def who(ctx: CallContext) -> tuple[str, Any, Any]:
        return ctx.peer, ctx.notes, ctx.remaining

    @publish
    def shelf(self, form: str) -> Any:
        forms = {"ref": ref, "copy": copy, "native": native, "stream": stream}
        wrapped: Any = forms[form]
        return wrapped(self.point if form == "native" else self.stock)

    @publish
    def nested(self) -> list[Any]:
        return [ref(self.stock), {"point": native(self.point)}]

    @publish
    def only_x(self) -> Any:
        return ref(self.point, HANDLES)

    def unpublished(self) -> None:
        raise AssertionError("reached")


class Later(Shop):
    @publish(show=True)
    def audit(self) -> int:
        return -1


POLICIES = pytest.mark.parametrize("policy", [LIVE, EXPOSED], ids=["live", "exposed"])


@POLICIES
def test_what_is_published_can_be_called_and_nothing_else(pairs: Pairs, policy: Any) -> None:
    _, shop = proxied(pairs, Shop(), policy)
    assert shop.buy("tea", count=2) == 1
    with pytest.raises(AttributeError, match="no attribute 'unpublished' is offered"):
        shop.unpublished()
    with pytest.raises(AttributeError, match="no attribute 'nothing' is offered"):
        shop.nothing()


@POLICIES
def test_what_is_not_shown_is_not_listed_but_there(pairs: Pairs, policy: Any) -> None:
    _, shop = proxied(pairs, Shop(), policy)
    assert "buy" in dir(shop) and "audit" not in dir(shop)
    described = describe(shop)
    assert "price" in described.methods and "audit" not in (*described.methods, *described.attributes)
    assert described.doc("audit") is None and described.signature("audit") is None
    assert shop.audit() == 3


def test_looking_for_an_unlisted_method_costs_no_message(pairs: Pairs) -> None:
    pair, shop = proxied(pairs, Shop(), EXPOSED)
    with counted(pair) as messages:
        method = shop.audit
    assert messages.calls == 0
    with counted(pair) as messages:
        assert method() == 3
    assert messages.calls == 1


def test_where_all_is_listed_a_wrong_name_is_known_at_once(pairs: Pairs) -> None:
    pair, shop = proxied(pairs, Later(), EXPOSED)
    with counted(pair) as messages, pytest.raises(AttributeError, match="'Later' object has no attribute 'nothing'"):
        _ = shop.nothing
    assert messages.calls == 0
    assert shop.audit() == -1 and "audit" in dir(shop)


def test_documentation_is_read_only_where_it_may_be(pairs: Pairs) -> None:
    _, shop = proxied(pairs, Shop(), EXPOSED)
    described = describe(shop)
    assert described.doc("buy") == "Buy something."
    assert "what: str, count: int = 1" in described.signature("buy")
    assert (described.doc("price"), described.signature("price")) == (None, None)


def test_documentation_where_the_policy_gives_names_only(pairs: Pairs) -> None:
    _, shop = proxied(pairs, Shop(), EXPOSED.but(describe="names"))
    described = describe(shop)
    assert described.doc("buy") == "Buy something." and described.doc() is None
    assert described.doc("price") is None


def test_a_published_method_may_be_told_who_calls(pairs: Pairs) -> None:
    pair, shop = proxied(pairs, Shop(), EXPOSED)
    assert (shop.visits(), shop.visits(2)) == (1, 3)
    assert "ctx" not in describe(shop).signature("visits")
    assert shop.who() == (pair.server.peerName(), {}, None)
    # What is kept is kept for one connection.
    _, other = proxied(pairs, Shop(), EXPOSED)
    assert other.visits() == 1


def test_the_context_is_there_however_the_method_is_reached(pairs: Pairs) -> None:
    pair, shop = proxied(pairs, Shop(), EXPOSED)
    assert pair.result(pair.root.callRemote("visits", 5)) == 5
    assert pair.result(expr(pair.root, EXPOSED).visits().deferred()) == 6
    pair = pairs(export(Shop().visits, LENT))
    assert live(pair.root, EXPOSED, transport=Waiting(pair))() == 1


def test_the_caller_says_something_about_a_call(pairs: Pairs) -> None:
    pair, shop = proxied(pairs, Shop(), EXPOSED)
    asked = expr(shop).who()
    assert run(asked, notes={"trace": "7f3a"})[1] == {"trace": "7f3a"}
    assert pair.result(run(expr(pair.root, EXPOSED).who(), {"trace": "7f3b"}))[1] == {"trace": "7f3b"}
    assert run(asked)[1] == {}
    with pytest.raises(InsecureJelly):
        run(asked, notes={"trace": object()})
    assert shop.who()[1] == {}


def test_nobody_brings_a_context(pairs: Pairs) -> None:
    _, shop = proxied(pairs, Shop(), EXPOSED)
    with pytest.raises(TypeError, match="takes no argument 'ctx' from a peer"):
        shop.visits(ctx={"session": {}})
    with pytest.raises(TypeError, match="multiple values for argument 'ctx'"):
        shop.who("mine")


def test_only_functions_are_published() -> None:
    with pytest.raises(TypeError, match="only functions can be published, not a property"):
        publish(property(lambda self: 1))
    with pytest.raises(TypeError, match="not a type"):
        publish(show=False)(Point)


def test_a_server_says_reference_copy_or_stream(pairs: Pairs) -> None:
    served = Shop()
    _, shop = proxied(pairs, served, LIVE)
    assert shop.shelf("copy") == {"tea": 3} and type(shop.shelf("copy")) is dict
    by_reference = shop.shelf("ref")
    assert type(by_reference) is not dict and value(by_reference) == {"tea": 3}
    served.stock["milk"] = 1
    assert len(by_reference) == 2
    items: Iterator[str] = shop.shelf("stream")
    assert next(items) == "tea" and list(items) == ["milk"]


def test_a_native_object_is_wholly_reached_whatever_the_policy(pairs: Pairs) -> None:
    served = Shop()
    _, shop = proxied(pairs, served, LIVE)
    point = shop.shelf("native")
    point.x += 4
    assert served.point.x == 5 and point.moved(1).x == 6
    stock, inside = shop.nested()
    assert same(inside["point"], point) and stock["tea"] == 3


def test_a_reference_with_a_policy_of_its_own(pairs: Pairs) -> None:
    _, shop = proxied(pairs, Shop(), EXPOSED)
    # The results of HANDLES are handles.
    assert int(shop.only_x().x) == 1 and type(shop.only_x().x) is not int


def test_what_was_wrapped_may_be_a_step_on_the_way(pairs: Pairs) -> None:
    pair = pairs(export(Shop(), LIVE))
    with counted(pair) as messages:
        assert pair.result(expr(pair.root).shelf("native").moved(2).x.deferred()) == 3
        assert pair.result(expr(pair.root).shelf("copy")["tea"].deferred()) == 3
    assert messages.calls == 2
