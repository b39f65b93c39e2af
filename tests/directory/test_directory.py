"""Names, as their owner and as peers use them."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import Anonymous, UsernamePassword
from twisted.cred.portal import IRealm, Portal
from zope.interface import implementer

from broker import Copyable, Referenceable, RemoteReference, Root
from broker._cred.login import login
from broker._remote.verbs import DO
from broker.errors import Error, InsecureJelly, LimitExceeded, NoSuchMethod, NotAllowed, UnknownName
from broker.interfaces import IPerspective
from broker.names import READ, WRITE, Directory, NameLimits, Visitor, allow, directory, writers
from broker.testing import Pair
from broker.testing.harness import Pairs
from broker.transparent import HANDLES, LIVE, Refused, Verb, Want, export, live, publish, transmit, value
from tests.remote.scene import Waiting


class Counter(Referenceable):
    def __init__(self) -> None:
        self.count = 0

    def remote_add(self, number: int) -> int:
        self.count += number
        return self.count


class Shop:
    @publish
    def price(self, what: str) -> int:
        return len(what)

    def secret(self) -> None:
        raise AssertionError("reached")


class Note(Copyable):
    pass


def failed(pair: Pair, name: str, *args: Any, **kw: Any) -> str:
    """Return the text of the failure of a request."""
    return str(pair.failure(pair.root.callRemote(name, *args, **kw)))


def settle(*pairs: Pair) -> None:
    for _ in range(3):
        gc.collect()
        for pair in pairs:
            pair.flush()


# The owner.


def test_the_owner_names_finds_and_takes_away() -> None:
    names, counter = directory(), Counter()
    names.export(counter, "counter")
    names.export({"tea": [1, 2]}, "stock")
    assert names.browse() == {"counter": "object", "stock": "value"}
    assert names.browse("st") == {"stock": "value"}
    assert names.fetch("counter") is counter
    names.export(5, "counter")
    assert names.fetch("counter") == 5
    names.withdraw("counter")
    with pytest.raises(UnknownName, match="there is no name 'counter'"):
        names.fetch("counter")
    with pytest.raises(UnknownName):
        names.withdraw("counter")


def test_a_value_is_copied_when_it_gets_a_name() -> None:
    names, stock = directory(), {"tea": [1]}
    names.export(stock, "stock")
    stock["tea"].append(2)
    names.fetch("stock")["tea"].append(3)
    assert names.fetch("stock") == {"tea": [1]}


@pytest.mark.parametrize("name", ["", " ", "a ", "a\nb", "\u202eab", "\ud800", 5, None, b"name"])
def test_what_is_no_name(name: Any) -> None:
    with pytest.raises(Error, match="a name is a text of visible characters"):
        directory().export(1, name)


def test_names_that_look_the_same_are_the_same() -> None:
    names = directory()
    names.export(1, "caf\u00e9")
    assert names.fetch("cafe\u0301") == 1
    assert names.browse() == {"caf\u00e9": "value"}


def test_containers_of_objects_are_neither_values_nor_objects() -> None:
    with pytest.raises(TypeError, match="this list is no plain value: export it"):
        directory().export([Shop()], "shops")


def test_without_transparent_objects_only_what_pb_has_gets_a_name() -> None:
    with pytest.raises(TypeError, match="Shop is neither referenceable nor a plain value"):
        Directory().export(Shop(), "shop")


# Peers.


def test_peers_browse_and_fetch(pairs: Pairs) -> None:
    names, counter = directory(), Counter()
    names.export(counter, "counter")
    names.export({"tea": [1, 2.5], None: {b"x"}}, "stock")
    pair = pairs(names)
    assert pair.call(pair.root, "browse") == {"counter": "object", "stock": "value"}
    assert pair.call(pair.root, "browse", "c") == {"counter": "object"}
    assert pair.call(pair.root, "fetch", "stock") == {"tea": [1, 2.5], None: {b"x"}}
    fetched = pair.call(pair.root, "fetch", "counter")
    assert pair.call(fetched, "add", 5) == 5
    assert fetched == pair.call(pair.root, "fetch", "counter")
    assert failed(pair, "fetch", "nothing") == "there is no name 'nothing'"
    assert failed(pair, "fetch", "counter", "value").startswith("'counter' is the name of an object")
    assert failed(pair, "fetch", "counter", "copy").startswith("'copy' is no way to want something")
    assert failed(pair, "browse", 5) == "the beginning of a name is a text"
    pair.failure(pair.root.callRemote("fetch"))
    pairs.flush_logged(TypeError)


def test_errors_are_of_their_classes(pairs: Pairs) -> None:
    pair = pairs(directory(allow("browse", "fetch", "attach")))
    assert isinstance(pair.failure(pair.root.callRemote("fetch", "x")), UnknownName)
    assert isinstance(pair.failure(pair.root.callRemote("export", 1, "x")), NotAllowed)
    assert isinstance(pair.failure(pair.root.callRemote("close")), NoSuchMethod)


def test_an_object_that_publishes_is_offered_by_what_it_publishes(pairs: Pairs) -> None:
    names = directory()
    names.export(Shop(), "shop")
    pair = pairs(names)
    shop = pair.call(pair.root, "fetch", "shop")
    assert pair.call(shop, "price", "tea") == 3
    assert "no attribute 'secret' is offered" in str(pair.failure(shop.callRemote("secret")))
    assert live(shop, transport=Waiting(pair)).price("milk") == 4


def test_an_exported_object_is_what_its_policy_says(pairs: Pairs) -> None:
    names, items = directory(), [1, 2]
    names.export(export(items, LIVE), "items")
    one, other = pairs(names), pairs(names)
    for pair in (one, other):
        shown = live(pair.call(pair.root, "fetch", "items"), transport=Waiting(pair))
        shown.append(3)
    assert items == [1, 2, 3, 3]


def test_a_root_in_a_directory_is_one_for_each_connection(pairs: Pairs) -> None:
    class Numbered(Root):
        given = 0

        def rootObject(self, broker: Any) -> Any:
            self.given += 1
            made = Counter()
            made.count = self.given
            return made

    names = directory()
    names.export(Numbered(), "numbered")
    one, other = pairs(names), pairs(names)
    assert [pair.call(pair.call(pair.root, "fetch", "numbered"), "add", 0) for pair in (one, other)] == [1, 2]


def test_by_default_peers_change_nothing(pairs: Pairs) -> None:
    names = directory()
    names.export(1, "one")
    pair = pairs(names)
    mine = Counter()
    requests = [("export", mine, "x"), ("store", 1), ("attach", mine, "x"), ("withdraw", "one"), ("withdraw", "x")]
    for verb, *args in requests:
        error = pair.failure(pair.root.callRemote(verb, *args))
        assert isinstance(error, NotAllowed) and str(error).startswith(verb)
    assert names.browse() == {"one": "value"}


# Writing.


def test_a_stored_value_gets_a_handle_and_a_handle_a_name(pairs: Pairs) -> None:
    names = directory(WRITE)
    pair = pairs(names)
    handle = pair.call(pair.root, "store", [1, {"a": 2}])
    assert isinstance(handle, RemoteReference) and names.browse() == {}
    assert pair.call(pair.root, "attach", handle, "list") is None
    assert pair.call(pair.root, "attach", handle, "also") is None
    assert pair.call(pair.root, "fetch", "list") == [1, {"a": 2}] == names.fetch("also")
    assert names.browse() == {"also": "value", "list": "value"}
    again = pair.call(pair.root, "fetch", "list", "ref")
    assert again == handle
    assert failed(pair, "attach", [5], "five") == "a handle or a reference can be attached, not a list: store it first"
    assert pair.call(pair.root, "export", [5], "five") is None
    assert names.fetch("five") == [5]


def test_a_handle_is_read_like_the_value_and_never_changes_it(pairs: Pairs) -> None:
    names = directory(WRITE)
    pair = pairs(names)
    reference = pair.call(pair.root, "store", [1, [2]])
    handle = live(reference, HANDLES.but(want=LIVE.want), transport=Waiting(pair))
    assert handle + [3] == [1, [2], 3] and handle[1] == [2] and len(handle) == 2 and 1 in handle
    assert list(handle) == [1, [2]] and handle.index(1) == 0 and value(handle) == [1, [2]]
    handle[1].append(4)
    for change in ("append", "clear", "__setitem__", "sort", "__init__"):
        assert isinstance(pair.failure(reference.callRemote(change, 5)), NoSuchMethod)
    with pytest.raises(TypeError):
        handle[0] = 5
    with pytest.raises((TypeError, Refused)):
        del handle[0]
    in_place = [[int(Verb.OP), 0, "iadd", False, [9]]]
    assert pair.call(reference, DO.decode(), int(Want.VALUE), in_place) == [1, [2], 9]
    assert value(handle) == [1, [2]]
    text = live(pair.call(pair.root, "store", "tea"), transport=Waiting(pair))
    assert text.upper() == "TEA" and text + "!" == "tea!" and text == "tea"
    with pytest.raises(AttributeError):
        text.format(1)
    number = live(pair.call(pair.root, "store", 4), transport=Waiting(pair))
    assert number * 2 == 8 and int(number) == 4


def test_without_transparent_objects_a_handle_has_one_method(pairs: Pairs) -> None:
    pair = pairs(Directory(WRITE))
    handle = pair.call(pair.root, "store", {"a": 1})
    assert pair.call(handle, "value") == {"a": 1}


def test_a_handle_that_nobody_holds_is_forgotten(pairs: Pairs) -> None:
    names = directory(WRITE)
    pair = pairs(names)
    handles = [pair.call(pair.root, "store", "x" * 1000) for _ in range(3)]
    assert names.statistics()["bytes"] > 3000
    pair.call(pair.root, "attach", handles[0], "x")
    del handles
    settle(pair)
    assert 1000 < names.statistics()["bytes"] < 2000
    pair.call(pair.root, "withdraw", "x")
    assert names.statistics() == {"names": 0, "bytes": 0}


def test_a_taken_name_is_replaced_only_when_that_is_said(pairs: Pairs) -> None:
    names = directory(WRITE)
    names.export(0, "ours")
    one, other = pairs(names), pairs(names)
    one.call(one.root, "export", 1, "x")
    assert failed(other, "export", 2, "x") == "there is a name 'x' already"
    other.call(other.root, "export", 2, "x", replace=True)
    assert names.fetch("x") == 2
    assert failed(one, "export", 1, "ours", replace=True) == "the name 'ours' belongs to the server"
    assert failed(one, "withdraw", "ours") == "the name 'ours' belongs to the server"
    one.call(one.root, "withdraw", "x")
    assert failed(one, "withdraw", "x") == "there is no name 'x'"
    assert names.browse() == {"ours": "value"}


@pytest.mark.parametrize("thing", [Note(), [1, {"a": Note()}], [Counter()]])
def test_what_is_not_plain_is_not_kept(pairs: Pairs, thing: Any) -> None:
    names = directory(WRITE)
    pair = pairs(names)
    for verb, args in (("store", (thing,)), ("export", (thing, "x")), ("attach", (thing, "x"))):
        assert isinstance(pair.failure(pair.root.callRemote(verb, *args)), (InsecureJelly, Error))
    assert names.statistics() == {"names": 0, "bytes": 0}
    pairs.flush_logged(InsecureJelly)


def test_an_object_of_the_server_may_get_another_name(pairs: Pairs) -> None:
    names, counter = directory(WRITE), Counter()
    names.export(counter, "counter")
    pair = pairs(names)
    pair.call(pair.root, "attach", pair.call(pair.root, "fetch", "counter"), "alias")
    assert names.fetch("alias") is counter
    pair.call(pair.root, "withdraw", "alias")
    assert names.browse() == {"counter": "object"}


# What clients publish.


def test_a_client_publishes_an_object_and_others_call_it(pairs: Pairs) -> None:
    names, mine = directory(WRITE), Counter()
    one, other = pairs(names), pairs(names)
    one.call(one.root, "export", mine, "counter")
    assert other.call(other.root, "browse") == {"counter": "client"}
    fetched = other.call(other.root, "fetch", "counter")
    waiting = fetched.callRemote("add", 7)
    settle(other, one, other)
    assert other.result(waiting) == 7 and mine.count == 7
    assert one.call(one.root, "fetch", "counter") is mine
    del fetched
    one.close()
    settle(one, other)
    assert names.browse() == {}
    assert failed(other, "fetch", "counter") == "there is no name 'counter'"


def test_an_exported_object_of_a_client_reads_like_one_of_the_server(pairs: Pairs) -> None:
    names = directory(WRITE)
    one, other = pairs(names), pairs(names)
    one.call(one.root, "export", export(Shop(), LIVE.but(expose=LIVE.expose)), "shop")

    class Through(Waiting):
        def perform(self, reference: Any, program: Any) -> Any:
            answer = transmit(reference, program)
            settle(other, one, other)
            return self.pair.result(answer)

    shop = live(other.call(other.root, "fetch", "shop"), transport=Through(other))
    assert shop.price("milk") == 4
    del shop
    settle(other, one)
    one.call(one.root, "withdraw", "shop")


def test_what_a_client_published_is_changed_by_nobody_else(pairs: Pairs) -> None:
    names, mine = directory(WRITE), Counter()
    one, other = pairs(names), pairs(names)
    one.call(one.root, "export", mine, "counter")
    theirs = "the name 'counter' belongs to another client, for as long as that is connected"
    assert failed(other, "withdraw", "counter") == theirs
    assert failed(other, "export", 1, "counter", replace=True) == theirs
    fetched = other.call(other.root, "fetch", "counter")
    alias = failed(other, "attach", fetched, "alias")
    assert alias == "an object of another client is given names by that client only"
    names.export(1, "counter")
    assert names.browse() == {"counter": "value"}
    names.withdraw("counter")
    one.call(one.root, "attach", mine, "counter")
    one.call(one.root, "export", Counter(), "counter", replace=True)
    one.call(one.root, "withdraw", "counter")
    del fetched
    settle(other, one)
    assert names.browse() == {}


def test_names_that_were_given_anew_stay_when_their_first_owner_goes(pairs: Pairs) -> None:
    names = directory(WRITE)
    one = pairs(names)
    one.call(one.root, "export", Counter(), "a")
    one.call(one.root, "export", Counter(), "b")
    names.export(5, "a")
    one.close()
    settle(one)
    assert names.browse() == {"a": "value"}


# Rules.


def test_a_rule_may_look_at_user_verb_and_name(pairs: Pairs) -> None:
    asked: list[tuple[Any, str, str]] = []

    def rule(visitor: Visitor, verb: str, name: str) -> bool:
        asked.append((visitor.user, verb, name))
        return READ(visitor, verb, name) and not name.startswith("hidden")

    names = directory(rule)
    names.export(1, "one")
    names.export(2, "hidden.two")
    pair = pairs(names)
    assert pair.call(pair.root, "browse") == {"one": "value"}
    assert failed(pair, "fetch", "hidden.two") == "fetch 'hidden.two' is not allowed here"
    # The same whether it is there or not.
    assert failed(pair, "fetch", "hidden.three") == "fetch 'hidden.three' is not allowed here"
    assert asked[-1] == (None, "fetch", "hidden.three")


@implementer(IRealm)
class Realm:
    def __init__(self, names: Directory) -> None:
        self.names = names

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        return IPerspective, self.names.for_user(avatarId), lambda: None


def test_who_has_logged_in_is_known_to_the_rule(pairs: Pairs) -> None:
    names = directory(writers("alice"))
    checker = InMemoryUsernamePasswordDatabaseDontUse()
    checker.users = {b"alice": b"a", b"bob": b"b"}
    portal = Portal(Realm(names), [checker, AllowAnonymousAccess()])
    for credentials, may in (
        (UsernamePassword(b"alice", b"a"), True),
        (UsernamePassword(b"bob", b"b"), False),
        (Anonymous(), False),
    ):
        pair = pairs(portal)
        avatar = pair.result(login(pair.root, credentials))
        if may:
            assert pair.call(avatar, "export", 1, "one") is None
        else:
            assert isinstance(pair.failure(avatar.callRemote("export", 2, "two")), NotAllowed)
        assert pair.call(avatar, "browse") == {"one": "value"}
    pair = pairs(names)
    assert isinstance(pair.failure(pair.root.callRemote("export", 1, "two")), NotAllowed)


def test_a_rule_of_no_such_verb() -> None:
    with pytest.raises(ValueError, match="there is no verb 'drop'; there are browse, fetch"):
        allow("browse", "drop")


# Ceilings.


def test_ceilings(pairs: Pairs) -> None:
    names = directory(WRITE, limits=NameLimits(length=10, names=3, value=1000, total=3000, published=1))
    pair = pairs(names)

    def refused(verb: str, *args: Any) -> str:
        error = pair.failure(pair.root.callRemote(verb, *args))
        assert isinstance(error, LimitExceeded)
        return str(error)

    assert refused("export", 1, "x" * 11) == "the name is longer than 10 bytes"
    assert refused("export", 1, "\u00e9" * 6) == "the name is longer than 10 bytes"
    assert refused("store", "x" * 1000).endswith("bytes; most are 1000")
    handles = [pair.call(pair.root, "store", "x" * 900) for _ in range(2)]
    assert "there is no room for another" in refused("export", "y" * 900, "y")
    del handles
    settle(pair)
    pair.call(pair.root, "export", "y" * 900, "y")
    pair.call(pair.root, "export", Counter(), "mine")
    assert refused("export", Counter(), "mine2") == "a client may publish 1 objects"
    pair.call(pair.root, "export", 1, "z")
    assert refused("export", 1, "zz") == "there are 3 names already"
    pair.call(pair.root, "export", 2, "z", True)
    deep: list[Any] = []
    for _ in range(150):
        deep = [deep]
    assert refused("export", deep, "z", True).startswith("the value is nested deeper than 100")
    assert names.fetch("z") == 2 and names.statistics()["names"] == 3
    pair.call(pair.root, "withdraw", "mine")


def test_wrong_ceilings() -> None:
    with pytest.raises(ValueError, match=r"NameLimits\.names must be a positive whole number, not 0"):
        NameLimits(names=0)
