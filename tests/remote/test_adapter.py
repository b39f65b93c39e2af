"""Programs over the wire: what each verb does, what is refused, and what hostile ones come to."""

from __future__ import annotations

import gc
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from broker import Copyable, NoSuchMethod, Referenceable, RemoteReference, Root
from broker._remote.atoms import REFERENCE
from broker._remote.verbs import DO, Result, Step, Verb, Want
from broker.errors import BadValue, InsecureJelly, LimitExceeded, RemoteError
from broker.testing import Pair, assert_empty
from broker.testing.harness import Pairs
from broker.transparent import (
    HANDLES,
    LIVE,
    PB,
    SHARED,
    Exported,
    Expose,
    HiddenName,
    HiddenVerb,
    Policy,
    Quota,
    copy,
    export,
    expr,
    live,
    ops,
    ref,
    stream,
    value,
)
from tests.remote.scene import Num, Tree, counted


def do(pair: Pair, *steps: list[Any], want: int = 0) -> Any:
    """Send a program as it is."""
    return pair.result(pair.root.callRemote(DO, want, list(steps)))


def test_each_verb(pairs: Pairs) -> None:
    tree = Tree()
    pair = pairs(export(tree, HANDLES))
    x = expr(pair.root)
    assert pair.result(ops.int(x.value)) == 4
    pair.result(ops.setattr(x, "value", 5))
    assert tree.value == 5
    pair.result(ops.delattr(x, "value"))
    assert not hasattr(tree, "value")
    assert pair.result(ops.int(x.child(0).value + 1)) == 5
    assert pair.result(ops.len(x.items)) == 3
    pair.result(ops.setitem(x.items, 0, "new"))
    assert tree.items == ["new", 2, 3]
    pair.result(ops.delitem(x.items, slice(1, None)))
    assert tree.items == ["new"]
    assert pair.result(ops.contains(x.items, "new")) is True
    assert pair.result(value(x.items)) == ["new"]
    assert pair.result(ops.str(x.items)) == "['new']"
    assert pair.result(ops.format(x.number.value, "03d")) == "005"


ECHOES = [
    *(None, True, 0, -1, 2**400, -(2**2000), 1.5, "text", b"bytes", "", Decimal("1.5"), 3 + 4j, ..., NotImplemented),
    *(slice(1, None, 2), range(0, 10, 3), bytearray(b"x"), (), (1, (2, "x")), frozenset((1, 2))),
    # Tuples that look like those that stand for something.
    *((b"\0r", 1), (b"\0",), ((b"\0k", 0), "x"), frozenset(((b"\0q", 1),))),
]


@pytest.mark.parametrize("thing", ECHOES, ids=lambda thing: repr(thing)[:30])
def test_values_come_back_as_they_are(pairs: Pairs, thing: Any) -> None:
    pair = pairs(export(Tree(), LIVE))
    back = pair.result(expr(pair.root).echo(thing).deferred())
    assert type(back) is type(thing) and back == thing


@pytest.mark.parametrize(
    "thing",
    [[1, [2]], {"a": [1], 2: (3,)}, {1, 2}, [{"deep": [(1, [2 + 1j, (b"\0c",)])]}, 2**500], {(b"\0r", 1): 1, 2j: 2}],
)
def test_containers_are_copied_where_that_is_wanted(pairs: Pairs, thing: Any) -> None:
    pair = pairs(export(Tree(), LIVE))
    back = pair.result(value(expr(pair.root).echo(thing)))
    assert type(back) is type(thing) and back == thing


def test_sharing_and_cycles_survive(pairs: Pairs) -> None:
    pair = pairs(export(Tree(), LIVE))
    x = expr(pair.root)
    inner = [1]
    back = pair.result(value(x.echo([inner, inner])))
    assert back[0] is back[1]
    cycle: list[Any] = [2j]
    cycle.append(cycle)
    back = pair.result(value(x.echo(cycle)))
    assert back[0] == 2j and back[1] is back


def test_results_of_a_live_object(pairs: Pairs) -> None:
    tree = Tree()
    pair = pairs(export(tree, LIVE))
    x = expr(pair.root)
    one, listed = pair.result(x.echo((1, [2])).deferred())
    assert one == 1 and isinstance(listed, RemoteReference), "tuples are looked at item by item"
    assert isinstance(pair.result(x.new().deferred()), RemoteReference)
    assert pair.result(x.me().deferred()) == pair.root or isinstance(pair.result(x.me().deferred()), RemoteReference)
    del listed


def test_an_object_sent_back_is_the_object(pairs: Pairs) -> None:
    tree = Tree()
    pair = pairs(export(tree, LIVE))
    x = expr(pair.root)
    child = pair.result(x.child(0).deferred())
    assert pair.result(expr(child).is_me(child).deferred()) is True
    assert pair.result(x.is_me(child).deferred()) is False
    assert pair.result(x.is_me(pair.root).deferred()) is True
    pair.result(x.hold([{"it": (child,)}]).deferred())
    assert tree.held[0]["it"][0] is tree.children[0]
    tree.held = None


def test_the_same_object_is_one_reference(pairs: Pairs) -> None:
    pair = pairs(export(Tree(), LIVE))
    x = expr(pair.root)
    first, second = pair.result(x.child(0).deferred()), pair.result(x.child(0).deferred())
    assert first is second
    method, again = pair.result(x.echo.deferred()), pair.result(x.echo.deferred())
    assert method is again, "each reading of a method makes another object, but it is one method"
    items, more = pair.result(x.items.append.deferred()), pair.result(x.items.append.deferred())
    assert items is more


def test_wrappers_say_what_the_server_means(pairs: Pairs) -> None:
    class Wrapping:
        def referred(self) -> Any:
            return ref(5)

        def copied(self) -> Any:
            return [copy([1, [2]])]

        def streamed(self) -> Any:
            return stream([1, 2])

    pair = pairs(export(Wrapping(), LIVE))
    x = expr(pair.root)
    five = pair.result(x.referred().deferred())
    assert isinstance(five, RemoteReference) and pair.result(ops.int(five)) == 5
    (inner,) = pair.result(value(x.copied()))
    assert inner == [1, [2]]

    async def all_of() -> list[int]:
        return [item async for item in await x.streamed()]

    assert pair.result(all_of()) == [1, 2]


def test_the_policy_may_speak_of_single_methods(pairs: Pairs) -> None:
    class Shelf:
        def plain(self) -> list[int]:
            return [1]

        def handle(self) -> list[int]:
            return [1]

    readable = LIVE.but(expose=Expose(dunders=frozenset(("__len__",))))
    pair = pairs(export(Shelf(), SHARED.but(methods={"handle": readable})))
    x = expr(pair.root)
    assert pair.result(x.plain().deferred()) == [1]
    handle = pair.result(x.handle().deferred())
    assert pair.result(ops.len(handle)) == 1
    assert isinstance(pair.failure(expr(handle).append(2).deferred()), HiddenName)


def test_once_shared_always_shared(pairs: Pairs) -> None:
    class SharedList(list):  # type: ignore[type-arg]
        pass

    class Maker:
        def __init__(self) -> None:
            self.made: list[Any] = []

        def make(self) -> Any:
            self.made.append(SharedList())
            return ref(self.made[-1])

        def all(self) -> Any:
            return self.made

    pair = pairs(export(Maker(), SHARED))
    x = expr(pair.root)
    one = pair.result(x.make().deferred())
    pair.result(expr(one).append("hello").deferred())
    (inside,) = pair.result(x.all().deferred())
    assert inside is one, "a copy of the outer list, with the shared one in it by reference"
    assert pair.result(value(expr(inside))) == ["hello"]


# Refusals.


@pytest.mark.parametrize("name", ["_secret", "__class__", "__dict__", "nosuch", "\uff3fsecret"])
def test_hidden_and_missing_names_look_alike(pairs: Pairs, name: str) -> None:
    pair = pairs(export(Tree(), LIVE))
    for step in ([Verb.GET, 0, name], [Verb.SET, 0, name, 1], [Verb.DEL, 0, name], [Verb.CALL, 0, name, [], {}]):
        answer = do(pair, [int(step[0]), *step[1:]])
        assert answer[0] == b"\0!"
        assert answer[1]["type"].endswith(".HiddenName")
        assert answer[1]["text"] == f"no attribute {name.replace(chr(0xFF3F), '_')!r} is offered"


def test_an_attribute_error_of_the_objects_own_is_its_own(pairs: Pairs) -> None:
    class Broken:
        @property
        def half(self) -> int:
            return self.nosuch  # type: ignore[attr-defined,no-any-return]

    pair = pairs(export(Broken(), LIVE))
    error = pair.failure(expr(pair.root).half.deferred())
    assert isinstance(error, AttributeError) and "nosuch" in str(error)


def test_the_default_takes_calls_only(pairs: Pairs) -> None:
    class Old:
        value = 1

        def remote_echo(self, value: Any) -> Any:
            return value

        def other(self) -> None: ...

        def __len__(self) -> int:
            return 1

    pair = pairs(export(Old()))
    x = expr(pair.root)
    assert pair.result(x.echo([1]).deferred()) == [1]
    for refused in (x.value, x.echo, x + 1, x[0], x == 1):
        assert isinstance(pair.failure(refused.deferred()), (HiddenName, HiddenVerb))
    assert isinstance(pair.failure(x.other().deferred()), HiddenName)
    for refused in (ops.len(x), ops.str(x), ops.repr(x), ops.hash(x), value(x), ops.contains(x, 1)):
        assert isinstance(pair.failure(refused), HiddenVerb)
    assert isinstance(pair.failure(x.echo(1).real.deferred()), HiddenName)
    assert do(pair, [int(Verb.DESCRIBE), 0])[0] == b"\0!"
    assert do(pair, [int(Verb.ITER), 0, 1])[0] == b"\0!"
    assert do(pair, [int(Verb.ENTER), 0])[0] == b"\0!"


def test_what_has_no_form_is_refused_with_its_place(pairs: Pairs) -> None:
    pair = pairs(export(Tree(), LIVE))
    error = pair.failure(value(expr(pair.root).echo({"a": [1, expr(pair.root).new()]})))
    assert isinstance(error, InsecureJelly)
    assert "Num" in str(error) and "['a'][1]" in str(error)


def test_modules_and_frames_are_never_sent(pairs: Pairs) -> None:
    import sys

    class Leaky:
        system = sys

        def frame(self) -> Any:
            return sys._getframe()

        def wrapped(self) -> Any:
            return ref(sys)

    pair = pairs(export(Leaky(), HANDLES))
    x = expr(pair.root)
    for leak in (x.system, x.frame(), x.wrapped(), x.system.path, x.frame().f_globals):
        assert isinstance(pair.failure(leak.deferred()), (InsecureJelly, HiddenVerb))


def test_what_may_not_be_a_result_is_no_step_to_one(pairs: Pairs) -> None:
    class Inner:
        def remote_steal(self) -> str:
            return "stolen"

    class Outer:
        def remote_inner(self) -> Any:
            return Inner()

    pair = pairs(export(Outer(), PB))
    error = pair.failure(expr(pair.root).inner().steal().deferred())
    assert isinstance(error, HiddenVerb) and "Inner" in str(error)


def test_an_operand_keeps_its_own_policy(pairs: Pairs) -> None:
    class Service:
        def __init__(self) -> None:
            self.closed = export(Num(1), PB)

        def get(self) -> Any:
            return self.closed

    pair = pairs(export(Service(), LIVE))
    x = expr(pair.root)
    closed = pair.result(x.get().deferred())
    # Not as the right operand of something that may be added, nor as the subject of a step.
    for program in (x.get() + 1, 1 + expr(closed)):
        assert isinstance(pair.failure(program.deferred()), HiddenVerb)
    program = [[int(Verb.GET), 0, "nothing"]]
    assert do(pair, *program)[0] == b"\0!"
    put = pair.result(
        pair.root.callRemote(DO, 0, [[int(Verb.PUT), 0, (REFERENCE, closed)], [int(Verb.CONV), 1, "int"]])
    )
    assert put[0] == b"\0!" and put[1]["type"].endswith("HiddenVerb")
    swapped = [[int(Verb.OP), 0, "add", True, (REFERENCE, closed)]]
    refused = pair.result(pair.root.callRemote(DO, 0, swapped))
    assert refused[0] == b"\0!" and refused[1]["type"].endswith("HiddenVerb")


WRONG: list[list[Any]] = [
    [],
    [[]],
    [[1]],
    [[99, 0]],
    [[0, 0]],
    [["GET", 0, "x"]],
    [[1, 1, "value"]],
    [[1, -1, "value"]],
    [[1, 0]],
    [[1, 0, "value", 2]],
    [[1, 0, 3]],
    [[1, 0, b"value"]],
    [[4, 0, "echo", (), {}]],
    [[4, 0, "echo", [], []]],
    [[4, 0, "echo", [], {1: 2}]],
    [[4, 0, "echo", [(b"\0k", 5)], {}]],
    [[4, 0, "echo", [(b"\0?", 5)], {}]],
    [[4, 0, "echo", [(b"\0r", 5)], {}]],
    [[4, 0, "echo", [(b"\0r",)], {}]],
    [[4, 0, "echo", [(b"\0s", None)], {}]],
    [[4, 0, "echo", [(b"\0R", 0, 1, 0)], {}]],
    [[5, 0, "__add__", False, 1]],
    [[5, 0, "getattr", False, "x"]],
    [[5, 0, "add", 1, 1]],
    [[6, 0, "eval"]],
    [[6, 0, "dir"]],
    [[11, 0, -1]],
    [[11, 0, "many"]],
    [[14, 0, {"type": "x"}]],
    [[20, 0, 5]],
    [[20, 0, "text"]],
    "steps",
]


@pytest.mark.parametrize("steps", WRONG, ids=repr)
def test_wrong_programs_are_refused(pairs: Pairs, steps: Any) -> None:
    pair = pairs(export(Tree(), LIVE))
    outcome: list[Any] = []
    pair.root.callRemote(DO, 0, steps).addBoth(outcome.append)
    pair.flush()
    answer = outcome[0]
    if not hasattr(answer, "check"):
        assert answer[0] == b"\0!", answer
    assert pair.result(expr(pair.root).value.deferred()) == 4, "the connection goes on"


@pytest.mark.parametrize("arguments", [(), (0,), (9, [[1, 0, "value"]]), (0, [], 1, 2), (0, [[1, 0, "value"]], 7)])
def test_a_program_has_a_wish_and_steps(pairs: Pairs, arguments: tuple[Any, ...]) -> None:
    pair = pairs(export(Tree(), LIVE))
    assert isinstance(pair.failure(pair.root.callRemote(DO, *arguments)), BadValue)


def test_ceilings(pairs: Pairs) -> None:
    pair = pairs(export(Tree(), HANDLES.but(quota=Quota(steps=3, size=1000))))
    root = pair.root
    x = expr(root)
    too_long = x.child(0).child(0).child(0).value
    assert isinstance(pair.failure(too_long.deferred()), LimitExceeded)
    one = pair.result(x.echo(1 << 400).deferred())
    listed = pair.result(x.items.deferred())
    for bomb in (expr(one) ** 10_000, expr(one) << 10_000, expr(listed) * 1000, 1000 * expr(listed)):
        assert isinstance(pair.failure(bomb.deferred()), LimitExceeded)
    assert isinstance(pair.failure(ops.bytes(expr(one))), LimitExceeded)
    assert pair.result(ops.int(expr(one) % 7)) == (1 << 400) % 7


# How it gets along with PB.


def test_a_peer_that_knows_nothing_of_verbs_calls_methods(pairs: Pairs) -> None:
    class Old(Referenceable):
        def remote_hi(self) -> str:
            return "hi"

    tree = Tree()
    tree.held = Old()
    pair = pairs(export(tree, LIVE))
    root = pair.root
    assert pair.call(root, "echo", [1]) is not None
    assert pair.call(root, "echo", 5) == 5
    child = pair.call(root, "child", 0)
    assert isinstance(child, RemoteReference) and pair.call(child, "is_me", child) is True
    assert pair.call(root, "is_me", root) is True
    error = pair.failure(root.callRemote("fail"))
    assert isinstance(error, ValueError)
    pairs.flush_logged()
    with pytest.raises(NoSuchMethod):
        pair.call(root, "_private")
    old = pair.result(expr(root).held.deferred())
    assert pair.call(old, "hi") == "hi"


def test_flavors_keep_their_own_form(pairs: Pairs) -> None:
    class Note(Copyable):
        def __init__(self, text: str) -> None:
            self.text = text

    from broker import Registry, RemoteCopy, globalRegistry

    class Received(RemoteCopy):
        text: str

    registry = Registry(globalRegistry)
    registry.setUnjellyableForClass(Note, Received)
    tree = Tree()
    tree.held = Note("theirs")
    pair = pairs(export(tree, LIVE), registry=registry)
    back = pair.result(expr(pair.root).held.deferred())
    assert type(back) is Received and back.text == "theirs"
    pair.result(expr(pair.root).hold((Note("ours"), 1)).deferred())
    assert type(tree.held[0]) is Received and tree.held[0].text == "ours"


def test_an_ordinary_object_takes_no_programs(pairs: Pairs) -> None:
    pair = pairs(Root())
    error = pair.failure(expr(pair.root).value.deferred())
    assert isinstance(error, TypeError) and "export" in str(error)
    for other in (expr(pair.root).call(1), expr(pair.root).call([1]), expr(pair.root) + 1):
        assert isinstance(pair.failure(other.deferred()), TypeError)
    assert isinstance(pair.failure(pair.root.callRemote("value")), NoSuchMethod)


def test_a_call_alone_reaches_any_object(pairs: Pairs) -> None:
    class Service(Root):
        def remote_echo(self, value: Any) -> Any:
            return value

        def remote_me(self) -> Any:
            return self

        def remote_is_me(self, value: Any) -> bool:
            return value is self

    pair = pairs(Service())
    x = expr(pair.root, PB)
    assert pair.result(x.echo([1]).deferred()) == [1]
    assert pair.result(x.echo([(b"\0r", 1)]).deferred()) == [(b"\0r", 1)]
    assert pair.result(x.is_me(pair.root).deferred()) is True
    assert isinstance(pair.failure(x.echo(1j).deferred()), InsecureJelly)
    me = pair.result(x.me().deferred())
    assert pair.result(expr(me, PB).echo("x").deferred()) == "x"
    assert isinstance(pair.failure(x.echo(1).real.deferred()), TypeError)
    exported = pairs(export(Tree(), LIVE))
    assert pair.result(x.echo(5).deferred()) == exported.result(expr(exported.root, PB).echo(5).deferred())


# Deferreds, coroutines, order.


def test_a_program_waits_for_what_has_to_wait(pairs: Pairs) -> None:
    waiting: Deferred[Any] = Deferred()

    class Slow:
        def later(self) -> Any:
            return waiting

        async def soon(self) -> int:
            return int(await waiting)

    pair = pairs(export(Slow(), LIVE))
    x = expr(pair.root)
    results: list[Any] = []
    (x.later() + x.soon() * 2).deferred().addCallback(results.append)
    pair.flush()
    assert not results
    waiting.callback(10)
    pair.flush()
    assert len(results) == 1


def test_calls_begin_in_the_order_in_which_they_were_sent(pairs: Pairs) -> None:
    tree = Tree()
    pair = pairs(export(tree, LIVE))
    x = expr(pair.root)
    order: list[int] = []
    tree.take = lambda number, callback: order.append(number)  # type: ignore[attr-defined]
    results = [x.take(number, lambda: None).deferred() for number in range(12)]
    for result in results:
        pair.result(result)
    assert order == list(range(12)), "each with an argument by reference"


def test_without_an_answer(pairs: Pairs) -> None:
    tree = Tree()
    pair = pairs(export(tree, LIVE))
    from broker._remote.expr import evaluate
    from broker._remote.live import view_of

    root = pair.root
    with counted(pair) as messages:
        assert pair.result(evaluate(expr(root).note("x"), want=Want.NONE, view_of=view_of)) is None
    assert tree.log == ["x"] and messages.calls == 1 and messages.answers == 0
    pair.result(evaluate(expr(root).fail(), want=Want.NONE, view_of=view_of))
    assert len(pairs.flush_logged(ValueError)) == 1, "nobody hears of it, so it is logged"


def test_the_owner_hears_what_the_caller_says_about_the_call(pairs: Pairs) -> None:
    from broker._remote.adapter import Owner
    from broker._remote.live import view_of
    from broker._remote.program import Node, Program
    from broker._remote.sending import transmit

    heard: list[Any] = []

    class Listening(Owner):
        def invoke(self, run: Any, value: Any, name: str, function: Callable[..., Any], args: Any, kw: Any) -> Any:
            heard.append((name, run.notes))
            return super().invoke(run, value, name, function, args, kw)

    pair = pairs(Exported(Tree(), Listening(LIVE)))
    root = pair.root
    node = Node(root).then(Verb.CALL, "echo", [1], {})
    program = Program((node,), view_of(root), notes={"thread": 7})
    assert pair.result(transmit(root, program)) == 1
    assert heard == [("echo", {"thread": 7})]


def test_nothing_is_left_after_failures(pairs: Pairs) -> None:
    class Careless:
        def half(self) -> Any:
            return (ref(Num(1)), stream(iter([1])), object.__new__(RemoteError))

    pair = pairs(export(Careless(), SHARED))
    pair.failure(expr(pair.root).half().deferred())
    gc.collect()
    assert_empty(pair)


def test_steps_print() -> None:
    assert repr(Result(3)) == "$3"
    assert Step.decode([1, 0, "x"], 1).encoded() == [1, 0, "x"]


def test_two_connections_keep_their_objects_apart(pairs: Pairs) -> None:
    one, other = pairs(export(Tree(), LIVE)), pairs(export(Tree(), LIVE))
    first, second = one.result(expr(one.root).new().deferred()), other.result(expr(other.root).new().deferred())
    assert first.luid == second.luid and first != second, "equal numbers of two owners"
    refusing = LIVE.but(foreign="refuse")
    error = one.failure(expr(one.root, refusing).echo(second).deferred())
    assert isinstance(error, InsecureJelly) and "third party" in str(error)
    with pytest.raises(TypeError, match="another connection"):
        one.result(expr(one.root).echo(expr(second).value).deferred())


def test_policies_print_what_they_are() -> None:
    assert "Expose" in repr(Policy())


def nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


def test_nesting_has_an_end(pairs: Pairs) -> None:
    pair = pairs(export(Tree(), LIVE))
    x = expr(pair.root)
    assert pair.result(value(x.echo(nested(90)))) == nested(90)
    assert isinstance(pair.failure(x.echo(nested(200)).deferred()), LimitExceeded)
    deep = pair.root.callRemote(DO, 0, [[4, 0, "echo", [nested(200)], {}]])
    assert isinstance(pair.failure(deep), LimitExceeded)


def test_results_inside_any_container(pairs: Pairs) -> None:
    pair = pairs(export(Tree(), LIVE))
    x = expr(pair.root)
    assert pair.result(value(x.echo([{x.value}, {"k": (x.value,)}, frozenset((x.value,))]))) == [
        {4},
        {"k": (4,)},
        frozenset((4,)),
    ]


def test_expressions_do_not_leave_by_themselves(pairs: Pairs) -> None:
    tree = Tree()
    pair = pairs(export(tree, LIVE))
    other = pairs(export(Tree(), LIVE))
    tree.held = (expr(other.root).value,)
    assert isinstance(pair.failure(expr(pair.root).held.deferred()), TypeError)
    tree.held = None


def test_after_a_login(pairs: Pairs) -> None:
    from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
    from twisted.cred.credentials import UsernamePassword
    from twisted.cred.portal import IRealm, Portal
    from zope.interface import implementer

    from broker import IPerspective

    @implementer(IRealm)
    class Realm:
        def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
            return IPerspective, export(Tree(), LIVE), lambda: None

    checker = InMemoryUsernamePasswordDatabaseDontUse()
    checker.addUser(b"ann", b"secret")
    pair = pairs(Portal(Realm(), [checker]))
    avatar = pair.result(pair.client_factory.login(UsernamePassword(b"ann", b"secret")))
    assert pair.result((expr(avatar).child(0).value + 1).deferred()) == 5


class Goods:
    """Has something of every kind; what is read and called most often goes a shorter way."""

    number = 3
    large = 1 << 500
    text = "x" * 100_000
    octets = b"\0r"
    looks = (b"\0r", 1)
    items = (1, "a", None)

    def __init__(self) -> None:
        self.calls = 0

    @property
    def broken(self) -> int:
        raise KeyError("broken")

    @property
    def lacking(self) -> int:
        return self.nowhere  # type: ignore[attr-defined, no-any-return]

    def give(self, what: Any, *, named: Any = None) -> Any:
        self.calls += 1
        return what if named is None else named

    async def later(self, what: Any) -> Any:
        return what

    def fail(self) -> None:
        raise ValueError("bad", 3)

    def learn(self, value: Any) -> Any:
        self.learned = value
        return value


def test_one_step_alone_is_asked_for_and_answered_as_any_program(pairs: Pairs) -> None:
    asked: list[tuple[Verb, str]] = []

    class Careful(Policy):
        def check(self, session: Any, value: Any, verb: Verb, name: str) -> str:
            asked.append((verb, name))
            return super().check(session, value, verb, name)

    policy = Careful(expose=LIVE.expose, results=LIVE.results, arguments=LIVE.arguments)
    goods = Goods()
    pair = pairs(export(goods, policy))
    x = expr(pair.root)
    for name in ("number", "large", "text", "octets", "looks", "items"):
        assert pair.result(getattr(x, name).deferred()) == getattr(Goods, name)
        assert pair.result(x.give(getattr(Goods, name)).deferred()) == getattr(Goods, name)
        assert asked[-2:] == [(Verb.GET, name), (Verb.CALL, "give")]
    assert len(asked) == 12
    assert pair.result(x.give(1, named=b"n").deferred()) == b"n"
    assert pair.result(x.later(5).deferred()) == 5
    assert goods.calls == 7


@pytest.mark.parametrize(
    ("name", "args", "error"),
    [
        ("broken", None, KeyError),
        ("lacking", None, AttributeError),
        ("absent", None, HiddenName),
        ("_private", None, HiddenName),
        ("__class__", None, HiddenName),
        ("absent", (1,), HiddenName),
        ("__init__", (), HiddenName),
        ("__repr__", (), HiddenName),
        ("fail", (), ValueError),
        ("give", (), TypeError),
    ],
)
def test_one_step_alone_fails_as_any_program(
    pairs: Pairs, name: str, args: tuple[Any, ...] | None, error: type[Exception]
) -> None:
    pair = pairs(export(Goods(), LIVE))
    message = (":" if args is None else ".") + name
    tag, form, step = pair.result(pair.root.callRemote(message, *(args or ())))
    step_form = [int(Verb.GET), 0, name] if args is None else [int(Verb.CALL), 0, name, list(args), {}]
    assert (tag, step) == (b"\0!", 1)
    assert (tag, form, step) == do(pair, step_form)
    assert error.__name__ in repr(form)


def test_news_of_attributes_come_with_scalars(pairs: Pairs) -> None:
    pair = pairs(export(Goods(), LIVE))
    pair.result(expr(pair.root).give(1).deferred())
    described = pair.result(live(pair.root))
    assert "learned" not in dir(described)
    assert pair.result(described.learn(4)) == 4
    assert "learned" in dir(described) and pair.result(described.learned) == 4


def test_a_chain_of_scalars_is_one_message(pairs: Pairs) -> None:
    pair = pairs(export(Tree(), LIVE))
    with counted(pair) as messages:
        assert pair.result((expr(pair.root).child(0).value + 1).deferred()) == 5
    assert messages.calls == messages.answers == 1
    with pytest.raises(AttributeError) as caught:
        pair.result((expr(pair.root).child(0).nothing + 1).deferred())
    assert any("in step 2 of 3: " in note for note in getattr(caught.value, "__notes__", ["in step 2 of 3: "]))
