"""Names in a file: what is kept over a restart, and files that cannot be used."""

from __future__ import annotations

import sqlite3
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from broker import Referenceable
from broker._directory.values import Stored, Values
from broker.errors import Error
from broker.names import WRITE, Directory, NameLimits, Unusable, directory
from broker.testing.harness import Pairs

pytestmark = pytest.mark.in_dialects("broker/1")

SHOP = """
import broker

made = []

class Shop(broker.Referenceable):
    def __init__(self):
        made.append(self)
    def remote_price(self):
        return 3

class Wrong(broker.Referenceable):
    def __init__(self):
        raise RuntimeError("no money")

ready = Shop()
number = 5

class Plain:
    pass
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module that objects are made from."""
    (tmp_path / "shop_of_names.py").write_text(SHOP)
    monkeypatch.syspath_prepend(tmp_path)
    yield "shop_of_names"
    sys.modules.pop("shop_of_names", None)


def opened(path: Path, **options: Any) -> Directory:
    names = directory(WRITE, **options)
    names.keep_in(str(path))
    return names


VALUES = [
    *(None, True, 5, -(10**30), 2.5, 1 + 2j, "caf\u00e9", b"\x00\xff", Decimal("1.50")),
    {"tea": [1, (2, {3})], None: frozenset((1,))},
    datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=timezone(timedelta(hours=2))),
]


def test_values_are_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "names"
    names = opened(path)
    kept = [(f"value {index}", value) for index, value in enumerate(VALUES)]
    for name, value in kept:
        names.export(value, name)
    names.export(1, "replaced")
    names.export(2, "replaced")
    names.export(3, "gone")
    names.withdraw("gone")
    names.close()
    again = opened(path)
    for name, value in kept:
        found = again.fetch(name)
        assert found == value and type(found) is type(value)
    assert again.fetch("replaced") == 2
    assert sorted(again.browse()) == sorted([*(name for name, _ in kept), "replaced"])
    again.close()


def test_a_shared_and_cyclic_value(tmp_path: Path) -> None:
    loop: list[Any] = [1]
    loop.append(loop)
    names = opened(tmp_path / "names")
    names.export({"a": loop, "b": loop}, "loop")
    names.close()
    again = opened(tmp_path / "names")
    found = again.fetch("loop")
    assert found["a"] is found["b"] is found["a"][1]
    again.close()


def test_what_peers_store_is_kept_and_what_they_publish_is_not(tmp_path: Path, pairs: Pairs) -> None:
    names = opened(tmp_path / "names")
    pair = pairs(names)
    pair.call(pair.root, "export", "x", "value")
    pair.call(pair.root, "attach", pair.call(pair.root, "store", [5]), "handle")
    pair.call(pair.root, "export", "x", "was a value")
    pair.call(pair.root, "export", Referenceable(), "was a value", replace=True)
    pair.call(pair.root, "export", Referenceable(), "object")
    names.export("ours", "ours")
    pair.close()
    names.close()
    again = opened(tmp_path / "names")
    assert again.browse() == {"handle": "value", "ours": "value", "value": "value"}
    pair = pairs(again)
    assert pair.call(pair.root, "fetch", "handle") == [5]
    pair.call(pair.root, "withdraw", "value")
    # Whose a name is, is kept too.
    assert "belongs to the server" in str(pair.failure(pair.root.callRemote("withdraw", "ours")))
    again.close()


def test_factories_are_kept_and_made_when_they_are_wanted(tmp_path: Path, pairs: Pairs, shop: str) -> None:
    names = opened(tmp_path / "names")
    names.provide("shop", f"{shop}:Shop")
    names.provide("ready", f"{shop}:ready")
    names.close()
    again = opened(tmp_path / "names")
    import shop_of_names  # type: ignore[import-not-found]

    before = len(shop_of_names.made)
    assert again.browse() == {"ready": "object", "shop": "object"}
    pair = pairs(again)
    assert len(shop_of_names.made) == before
    fetched = pair.call(pair.root, "fetch", "shop")
    assert pair.call(fetched, "price") == 3
    assert again.fetch("shop") is shop_of_names.made[-1] and len(shop_of_names.made) == before + 1
    assert again.fetch("ready") is shop_of_names.ready
    again.close()


def test_what_makes_no_object(shop: str) -> None:
    names = directory()
    for factory, reason in (
        ("nowhere", "'nowhere' names no factory: expected package.module:Name"),
        ("no.such:Shop", "cannot import 'no.such': "),
        (f"{shop}:Nothing", "no 'Nothing' in 'shop_of_names'"),
        (f"{shop}:number", "it cannot be called"),
        (f"{shop}:Wrong", "RuntimeError: no money"),
    ):
        with pytest.raises(ValueError) as caught:
            names.provide("shop", factory)
        assert reason in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="Plain is neither referenceable nor a plain value"):
        Directory().provide("shop", f"{shop}:Plain")
    assert names.browse() == {}


def test_peers_are_not_told_why_a_factory_of_the_file_fails(tmp_path: Path, pairs: Pairs, shop: str) -> None:
    names = opened(tmp_path / "names")
    names.provide("shop", f"{shop}:Shop")
    names.close()
    with sqlite3.connect(tmp_path / "names") as database:
        database.execute("UPDATE names SET factory = 'no.such:Shop'")
    database.close()
    again = opened(tmp_path / "names")
    pair = pairs(again)
    error = pair.failure(pair.root.callRemote("fetch", "shop"))
    assert str(error) == "the object of that name cannot be made at the moment"
    assert again.browse() == {"shop": "object"}
    again.close()


def test_a_factory_never_comes_from_a_peer(tmp_path: Path, pairs: Pairs) -> None:
    names = opened(tmp_path / "names")
    pair = pairs(names)
    pair.call(pair.root, "export", "os:getcwd", "text")
    for verb in ("provide", "keep_in", "close", "for_user", "statistics"):
        pair.failure(pair.root.callRemote(verb, "x", "os:getcwd"))
    names.close()
    again = opened(tmp_path / "names")
    assert again.fetch("text") == "os:getcwd" and again.browse() == {"text": "value"}
    again.close()


def test_what_has_a_name_already_goes_before_the_file(tmp_path: Path) -> None:
    names = opened(tmp_path / "names")
    names.export(1, "a")
    names.export(2, "b")
    names.close()
    mine = Referenceable()
    names = directory()
    names.export(mine, "a")
    names.export(3, "c")
    names.keep_in(str(tmp_path / "names"))
    assert names.fetch("a") is mine
    names.close()
    again = opened(tmp_path / "names")
    assert {name: again.fetch(name) for name in again.browse()} == {"b": 2, "c": 3}
    again.close()


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    names = opened(tmp_path / "names")
    assert stat.S_IMODE((tmp_path / "names").stat().st_mode) == 0o600
    names.close()


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is no database, and long enough to be seen as none. " * 20)
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE mine (x)")
    other.close()
    newer = opened(tmp_path / "newer")
    newer.close()
    with sqlite3.connect(tmp_path / "newer") as database:
        database.execute("PRAGMA user_version = 9")
    database.close()
    for name, reason in (
        ("text", "file is not a database"),
        ("other", "it is a database of something else"),
        ("newer", "it is of version 9, and this is for version 1"),
        ("no/such/folder", "No such file or directory"),
        (".", "Is a directory"),
    ):
        with pytest.raises(Unusable) as caught:
            opened(tmp_path / name)
        assert reason in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE names SET value = x'ffff'", "cannot be used: "),
        ("UPDATE names SET value = substr(value, 1, 3)", "cut short"),
        ("UPDATE names SET name = 'a' || char(10) || 'b'", "a name is a text of visible characters"),
    ],
)
def test_a_damaged_file_is_seen_at_the_start(tmp_path: Path, statement: str, reason: str) -> None:
    names = opened(tmp_path / "names")
    names.export("a text of some length", "text")
    names.close()
    with sqlite3.connect(tmp_path / "names") as database:
        database.execute(statement)
    database.close()
    with pytest.raises(Unusable, match=reason):
        opened(tmp_path / "names")
    # Nothing keeps it: it can be looked at.
    sqlite3.connect(tmp_path / "names").close()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    names = opened(tmp_path / "names")
    with pytest.raises(Unusable, match="another process uses it"):
        opened(tmp_path / "names")
    names.close()
    opened(tmp_path / "names").close()


def test_a_file_with_more_names_than_there_may_be(tmp_path: Path) -> None:
    names = opened(tmp_path / "names")
    for number in range(3):
        names.export(number, str(number))
    names.close()
    with pytest.raises(Unusable, match="there are more than 2 names"):
        opened(tmp_path / "names", limits=NameLimits(names=2))


def test_a_change_that_cannot_be_written_is_none(tmp_path: Path, pairs: Pairs) -> None:
    names = opened(tmp_path / "names")
    names.export(1, "one")
    pair = pairs(names)
    pair.call(pair.root, "export", 2, "two")
    file: Any = names._table._file
    file._database.execute("PRAGMA query_only = ON")
    with pytest.raises(Unusable, match="attempt to write a readonly database"):
        names.export(5, "one")
    for verb, *args in (("export", 3, "three"), ("export", 3, "two", True), ("withdraw", "two")):
        error = pair.failure(pair.root.callRemote(verb, *args))
        # Not where the file is.
        assert isinstance(error, Error) and str(error) == "the names cannot be kept at the moment"
    assert {name: names.fetch(name) for name in names.browse()} == {"one": 1, "two": 2}
    names.close()
    names.export(5, "one")
    assert names.fetch("one") == 5


def test_several_threads(tmp_path: Path) -> None:
    names = opened(tmp_path / "names")

    def change(number: int) -> None:
        for round in range(10):
            names.export(round, f"{number} {round}")
            names.browse()
        names.withdraw(f"{number} 0")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(change, range(4)))
    names.close()
    again = opened(tmp_path / "names")
    assert sorted(again.browse()) == sorted(f"{number} {round}" for number in range(4) for round in range(1, 10))
    again.close()


def test_what_files_have_can_be_read_for_ever() -> None:
    """If this fails, the encoding of values has changed: files of names need another version, and a way to it."""
    written = (
        "bd83746561a201b202d00100000003c0d101000000c3000000000000f83f8174cb0200ff816ec80d0000000000"
        "00c015128bb92f63d360f38162c2"
    )
    value = {"tea": [1, (2, {3})], None: frozenset((1.5,)), "t": b"\x00\xff", "n": -(10**30), "b": True}
    assert Values(NameLimits()).encode(value).hex() == written
    assert Stored(bytes.fromhex(written)).value == value
