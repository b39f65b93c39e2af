"""What the page on transparent objects says about messages: each of its statements is run and counted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from broker.testing.harness import Pairs
from broker.transparent import LIVE, expr, ops, reference, run, same, value
from tests.remote.scene import counted, proxied

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "explanation" / "transparent.md").read_text(encoding="utf-8")
ROWS = [(code.replace("\\|", "|"), int(count)) for code, count in re.findall(r"^\| `(.*)` \| (\d+) \|$", PAGE, re.M)]
POLICY = LIVE.but(expose=replace(LIVE.expose, writable=True))


def shop() -> Any:
    """Return the object of the page."""
    found = re.search(r"```\{code-block\} python\n:caption: shop.py\n\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found[1], names)
    return names["Shop"]()


def test_each_statement_takes_what_the_page_says(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, shop(), POLICY)
    names = {"shop": proxy, "run": run, "expr": expr, "ops": ops, "value": value, "same": same, "Mapping": Mapping}
    assert len(ROWS) > 20
    for statement, expected in ROWS:
        with counted(pair) as messages:
            exec(statement, names)
        assert (messages.calls, statement) == (expected, statement)
    assert (names["price"], names["copied"], names["total"]) == (23, {"assam": 5, "sencha": 5}, 499500)
    assert (names["missing"], names["there"], names["both"], names["count"]) == (False, True, True, 2)
    assert names["known"] == (True, False, False) and not names["stock"] != {"assam": 5, "sencha": 5, "oolong": 1}


def test_a_mapping_is_asked_for_each_value(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, {"a": 1, "b": 2, "c": 3})
    with counted(pair) as messages:
        assert dict(proxy) == {"a": 1, "b": 2, "c": 3}
    assert messages.calls > 3
    with counted(pair) as messages:
        assert dict(value(proxy)) == {"a": 1, "b": 2, "c": 3}
    assert (messages.calls, messages.answers) == (1, 1)


def test_a_thousand_small_items(pairs: Pairs) -> None:
    def thousand() -> Any:
        yield from range(1000)

    pair, proxy = proxied(pairs, {"list": list(range(1000)), "made": thousand})
    listed, made = proxy["list"], proxy["made"]
    with counted(pair) as messages:
        assert list(iter(listed)) == list(range(1000))
    assert messages.calls <= 5
    with counted(pair) as messages:
        assert list(made()) == list(range(1000))
    assert messages.calls <= 12, "1, 2, 4, ... items at a time, so that a generator is not run far ahead"


def test_a_proxy_and_its_reference_are_the_object_where_they_come_home(pairs: Pairs) -> None:
    class Owner:
        def __init__(self) -> None:
            self.part: list[int] = []

        def is_me(self, *things: Any) -> list[bool]:
            return [thing is self for thing in things]

        def is_part(self, thing: Any) -> bool:
            return thing is self.part

    pair, proxy = proxied(pairs, Owner())
    assert value(proxy.is_me(proxy, reference(proxy), expr(proxy), proxy.part)) == [True, True, True, False]
    assert proxy.is_part(proxy.part) is True and proxy.is_part([]) is False
