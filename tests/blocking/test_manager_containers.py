"""Shared lists, dictionaries, sets, namespaces and numbers, one operation after the other, and from other processes."""

from __future__ import annotations

from typing import Any

import pytest

from broker.blocking import Manager
from broker.transparent import same
from tests.blocking.family import in_process

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


def test_what_a_proxy_has_is_listed(manager: Manager) -> None:
    names = dir(manager.list())
    assert {"append", "_callmethod", "_getvalue", "__len__"} <= set(names)
    assert len(names) == len(set(names))


# Lists.


def test_list_operations(manager: Manager) -> None:
    ten, some = manager.list(range(10)), manager.list()
    assert ten[:] == list(range(10)) and some[:] == []
    some.extend(range(5))
    assert some[:] == [0, 1, 2, 3, 4] and some[2] == 2 and some[2:10] == [2, 3, 4] and some[::-2] == [4, 2, 0]
    before = some
    some *= 2
    assert some is before and some[:] == [0, 1, 2, 3, 4] * 2
    assert some + [5, 6] == [*some[:], 5, 6] and [9] + some == [9, *some[:]] and type(some + [5]) is list
    assert some * 2 == some[:] * 2 and 3 in some and 9 not in some
    some[1:3] = "xyz"
    del some[::2]
    assert some[:] == ["x", "z", 4, 1, 3]
    some.insert(1, "y")
    some.remove(4)
    assert some.pop() == 3 and some.pop(0) == "x" and some[:] == ["y", "z", 1]
    some.reverse()
    assert some.index("z") == 1 and some.count("y") == 1 and list(reversed(some)) == ["y", "z", 1]
    ten.sort(key=lambda number: -number % 3, reverse=True)
    assert ten[:] == sorted(range(10), key=lambda number: -number % 3, reverse=True)
    copied = some.copy()
    some.clear()
    assert len(some) == 0 and not some and copied == [1, "z", "y"] and type(copied) is list
    with pytest.raises(IndexError):
        some.pop()
    with pytest.raises(ValueError, match="not in list"):
        some.remove(1)


def test_iterating_a_list(manager: Manager) -> None:
    numbers = manager.list(range(10))
    drawn = iter(numbers)
    assert list(drawn) == list(range(10)) and list(drawn) == [], "what is exhausted stays so"
    drawn = iter(numbers)
    numbers[0] = 100
    assert next(drawn) == 100, "as the list is when the item is asked for"
    many = manager.list(range(2500))
    assert sum(many) == sum(range(2500)) and max(many) == 2499


def test_lists_in_lists(manager: Manager) -> None:
    outer = manager.list([manager.list(range(3)) for _ in range(3)])
    assert [inner[:] for inner in outer] == [[0, 1, 2]] * 3
    outer[0][-1] = 55
    assert outer[0][:] == [0, 1, 55] and outer[1][:] == outer[2][:] == [0, 1, 2]
    assert outer[1].pop() == 2 and [len(inner) for inner in outer] == [3, 2, 3]
    one, other = manager.list([1]), manager.list([2])
    both = manager.list([one, other])
    one.append("hello")
    assert [inner[:] for inner in both] == [[1, "hello"], [2]] and manager.list([one])[0][:] == [1, "hello"]


def test_a_list_in_itself(manager: Manager) -> None:
    numbers = manager.list()
    numbers.append(numbers)
    assert numbers[0] is numbers and same(numbers[0][0], numbers) and str(numbers) == "[[...]]"
    numbers.clear()


# Dictionaries.


def test_dictionary_operations(manager: Manager) -> None:
    table = manager.dict()
    for number in range(65, 70):
        table[number] = chr(number)
    plain = {number: chr(number) for number in range(65, 70)}
    assert table.copy() == plain and type(table.copy()) is dict and table == plain
    assert sorted(table.keys()) == list(plain) and sorted(table.values()) == list("ABCDE")
    assert sorted(table.items()) == list(plain.items()) and 65 in table and 64 not in table
    assert table.get(65) == "A" and table.get(1) is None and table.get(1, 2) == 2
    assert table.setdefault(65, "no") == "A" and table.setdefault(1, "one") == "one"
    assert table.pop(1) == "one" and table.pop(1, None) is None
    del table[65]
    table.update({66: "b"}, word=1)
    table |= {"more": 2}
    assert list(reversed(table)) == ["more", "word", 69, 68, 67, 66] and table[66] == "b"
    assert table | {1: 1} == {**table.copy(), 1: 1} and {1: 1} | table == {1: 1, **table.copy()}
    assert table.popitem() == ("more", 2) and len(table) == 5
    table.clear()
    assert not table and dict(table) == {} and {**manager.dict(a=1)} == {"a": 1}
    for missing in (lambda: table["no"], lambda: table.pop("no"), table.popitem):
        with pytest.raises(KeyError):
            missing()


def test_iterating_a_dictionary(manager: Manager) -> None:
    table = manager.dict({number: chr(number) for number in range(65, 70)})
    drawn = iter(table)
    assert list(drawn) == list(range(65, 70)) and list(drawn) == []
    drawn = iter(table)
    table.clear()
    with pytest.raises(RuntimeError, match="changed size"):
        next(drawn)


def test_dictionaries_in_dictionaries(manager: Manager) -> None:
    pets, stock = manager.dict(ferrets=2, hamsters=4), manager.dict(water=10, feed=3)
    both = manager.dict(pets=pets, stock=stock)
    assert stock["water"] == both["stock"]["water"] == 10
    both["stock"]["blankets"] = 5
    stock["water"] = 7
    assert stock["blankets"] == 5 and both["stock"] == {"water": 7, "feed": 3, "blankets": 5}
    del pets, stock
    assert both["pets"]["ferrets"] == 2
    pets, stock = both["pets"], both["stock"]
    both.clear()
    assert len(both) == 0 and stock["water"] == 7 and pets["hamsters"] == 4
    inner = manager.list([pets, stock])
    inner[0]["marmots"] = 1
    del stock
    assert pets["marmots"] == 1
    del pets
    assert inner[0]["marmots"] == 1
    outer = manager.list([[88, 99], inner])
    assert type(outer[0]) is list, "what is not shared is a copy"
    assert outer[-1][-1]["feed"] == 3


def test_queues_in_containers(manager: Manager) -> None:
    inside, table = manager.list(), manager.dict()
    inside.append(manager.Queue())
    inside[0].put(123)
    assert inside[0].get() == 123
    table[0] = manager.Queue()
    table[0].put(456)
    assert table[0].get() == 456


# Sets and the rest.


def test_set_operations(manager: Manager) -> None:
    some = manager.set([1, 2])
    some.add(3)
    some.discard(9)
    assert some == {1, 2, 3} and len(some) == 3 and 3 in some and sorted(some) == [1, 2, 3]
    assert some | {4} == {1, 2, 3, 4} and some & {1, 9} == {1} and some - {1} == {2, 3} and some ^ {1, 4} == {2, 3, 4}
    assert {0, 1} - some == {0} and some <= {1, 2, 3, 4} and some > {1} and some.isdisjoint([7])
    some |= {5}
    some.remove(1)
    some.difference_update([2])
    assert some == {3, 5} and some.union([1]) == {1, 3, 5} and type(some.copy()) is set
    with pytest.raises(KeyError):
        some.remove(99)
    other = manager.set([3])
    assert some & other == {3} and some.issuperset(other)
    some.clear()
    assert not some


def test_deque_operations(manager: Manager) -> None:
    line = manager.deque([1, 2, 3], 3)
    line.append(4)
    line.appendleft(1)
    line.rotate(1)
    assert list(line) == [3, 1, 2] and line.maxlen == 3 and line.pop() == 2 and line.popleft() == 3 and len(line) == 1


def test_namespace_operations(manager: Manager) -> None:
    names = manager.Namespace()
    names.name, names.job = "Bob", "Builder"
    names._hidden = "hidden"
    assert (names.name, names.job, names._hidden) == ("Bob", "Builder", "hidden")
    del names.job
    assert str(names) == "Namespace(name='Bob')" and hasattr(names, "name") and not hasattr(names, "job")


def test_what_begins_with_an_underscore_is_the_proxys(manager: Manager) -> None:
    names = manager.Namespace(x=1)
    around = manager.list([names])
    assert not hasattr(names, "_z")
    names._z = object()
    assert around[0] is names and names._z is around[0]._z and "_z" not in dir(names)
    del names._z
    with pytest.raises(AttributeError, match="_z"):
        names._z  # noqa: B018
    with pytest.raises(AttributeError, match="_z"):
        del names._z
    names._z = 1
    del names
    assert not hasattr(around[0], "_z"), "another proxy"


def test_value_and_array_operations(manager: Manager) -> None:
    for code, first, second in (("i", 4343, 24234), ("d", 3.625, -4.25), ("q", 2**33, 2**34), ("c", b"x", b"y")):
        value = manager.Value(code, first)
        assert value.value == first == value.get()
        value.value = second
        assert value.get() == second
        value.set(first)
        assert value.value == first
    numbers = manager.Array("i", [680, 626, 934, 821])
    assert len(numbers) == 4 and numbers[3] == 821 and list(numbers[1:3]) == [626, 934] and 626 in numbers
    numbers[0] += 1
    assert list(numbers) == [681, 626, 934, 821] and sum(numbers) == 3062
    assert list(manager.Array("i", 3)) == [0, 0, 0]
    with pytest.raises(TypeError):
        numbers[0] = "no number"


def test_exceptions_are_values(manager: Manager) -> None:
    error = FileNotFoundError(2, "nothing there", "somewhere")
    error.__cause__ = KeyError("why")
    table = manager.dict(error=error, same=[error])
    found = table["error"]
    assert isinstance(found, FileNotFoundError) and found is not error
    assert found.args == (2, "nothing there") and (found.errno, found.filename) == (2, "somewhere")
    assert isinstance(found.__cause__, KeyError) and found.__cause__.args == ("why",)
    assert isinstance(table["same"][0], OSError)
    with pytest.raises(FileNotFoundError, match="nothing there"):
        raise table["error"]
    # And once more around.
    table["error"] = found
    assert isinstance(table["error"], FileNotFoundError) and table["error"].args == found.args


# In another process.


def _change_list(numbers: Any) -> None:
    assert numbers[0] == 5 and numbers.count(5) == 1 and numbers.index(5) == 0
    numbers.sort()
    numbers.reverse()
    assert [number for number in numbers] == [5] and len(numbers) == 1 and numbers.pop(0) == 5  # noqa: C416


def test_a_list_in_a_process(manager: Manager) -> None:
    numbers = manager.list()
    numbers.append(5)
    in_process(_change_list, numbers)
    assert len(numbers) == 0


def _change_dictionary(table: Any) -> None:
    assert len(table) == 1 and table["foo"] == table.get("foo") == 5
    assert list(table.items()) == [("foo", 5)] and list(table.keys()) == ["foo"] and list(table.values()) == [5]
    assert table.copy() == {"foo": 5} and table.popitem() == ("foo", 5)


def test_a_dictionary_in_a_process(manager: Manager) -> None:
    table = manager.dict()
    table["foo"] = 5
    in_process(_change_dictionary, table)
    assert len(table) == 0


def _change_set(some: Any) -> None:
    assert some == {1, 2}
    some.add(3)
    some -= {1}


def test_a_set_in_a_process(manager: Manager) -> None:
    some = manager.set([1, 2])
    in_process(_change_set, some)
    assert some == {2, 3}


def _change_numbers(value: Any, numbers: Any, names: Any) -> None:
    assert value.value == value.get() == 1
    value.set(2)
    assert numbers[0] == 0 and numbers[1] == 1 and len(numbers) == 2 and list(numbers) == [0, 1]
    for index in range(1, len(numbers)):
        numbers[index] += numbers[index - 1] + 1
    assert (names.x, names.y) == (0, 1)
    names.x = "changed"


def test_numbers_and_names_in_a_process(manager: Manager) -> None:
    value, numbers, names = manager.Value("i", 1), manager.Array("i", [0, 1]), manager.Namespace(x=0, y=1)
    in_process(_change_numbers, value, numbers, names)
    assert value.value == value.get() == 2 and list(numbers) == [0, 2] and str(names) == "Namespace(x='changed', y=1)"
