"""Lifting: s-expressions to Python values. The basic types are here, the rest is in `broker._values.lifter`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, Final

from broker._values.graph import Entry, Member, Slot, settle
from broker._values.jellyable import Unjellyable, Unpersistable, setInstanceState
from broker._values.lifter import DEPTH, UNCLAIMED, Handler, Lifter, Local
from broker._values.path import CAUGHT, brief, key_step
from broker._values.policy import DummySecurityOptions
from broker._values.registry import Registry, globalRegistry
from broker._values.scalars import lift_decimal, lift_moment
from broker.errors import BadValue, LimitExceeded

__all__ = ["Unjellier", "Unjellyable", "Unpersistable", "setInstanceState", "unjelly"]

_NO_TEXT: Final = "a text that is not UTF-8"


class Unjellier(Lifter):
    """Lifts one value.

    :param taster: the policy: what may cross.
    :param persistentLoad: ``(id, unjellier)`` returns what the sender's persistentStore gave an id for.
    :param invoker: the connection, for objects that lift themselves.
    :param registry: which classes stand for which names.
    :param depth: deepest nesting of containers, and of instances.
    :param local: for trusted data only; a connection has none.
    :ivar references: by number, what references refer to; a `Slot` where that is not final.
    :ivar postCallbacks: called with nothing once the whole value is there.
    """

    __slots__ = ("_text",)

    def __init__(
        self,
        taster: Any,
        persistentLoad: Callable[[Any, Any], Any] | None = None,
        invoker: Any = None,
        *,
        registry: Registry = globalRegistry,
        depth: int = DEPTH,
        local: Local | None = None,
    ) -> None:
        super().__init__(taster, persistentLoad, invoker, registry=registry, depth=depth, local=local)
        plain = getattr(taster, "allows_plain", False) and registry.plain
        self._forms = _FORMS if plain else _allowed_forms(taster, registry)
        self._text = b"unicode" in self._forms

    def _none(self, form: list[Any], depth: int, target: Any) -> Any:
        if len(form) != 1:
            raise BadValue("a None with something in it")
        return None

    def _boolean(self, form: list[Any], depth: int, target: Any) -> Any:
        if len(form) != 2 or form[1] not in (b"true", b"false"):
            raise BadValue("a boolean that is neither true nor false")
        return form[1] == b"true"

    def _unicode(self, form: list[Any], depth: int, target: Any) -> Any:
        if len(form) != 2 or type(form[1]) is not bytes:
            raise BadValue("a text that is not one byte string")
        try:
            return form[1].decode()
        except UnicodeDecodeError:
            raise BadValue(_NO_TEXT) from None

    def _moment(self, form: list[Any], depth: int, target: Any) -> Any:
        return lift_moment(form)

    def _decimal(self, form: list[Any], depth: int, target: Any) -> Any:
        return lift_decimal(form)

    def _list(self, form: list[Any], depth: int, target: Any) -> Any:
        out: list[Any] = [] if target is None else target
        self._items(form, depth, out, None, False)
        return out

    def _tuple(self, form: list[Any], depth: int, target: Any) -> Any:
        items: list[Any] = []
        waiting = self._items(form, depth, items, target, True)
        return tuple(items) if waiting is None else self._awaiting(waiting)

    def _frozenset(self, form: list[Any], depth: int, target: Any) -> Any:
        items: list[Any] = []
        waiting = self._items(form, depth, items, target, True)
        if waiting is None:
            return self._keys.frozen(items)
        waiting.keys = self._keys
        return self._awaiting(waiting)

    def _items(self, form: list[Any], depth: int, out: list[Any], target: Any, whole: bool) -> Slot | None:
        """Lift the items of a list, tuple or frozenset.

        :param whole: whether all must be final before the container can be made.
        :returns: what waits for them, if some are not.
        """
        if depth <= 0:
            raise LimitExceeded(f"nested deeper than {self._depth}")
        append = out.append
        find = self._forms.get
        text = self._text
        waiting: Slot | None = None
        depth -= 1
        item: Any = None
        try:
            for item in islice(form, 1, None):
                if type(item) is not list:
                    append(item)
                    continue
                head = item[0] if item else None
                if text and head == b"unicode" and len(item) == 2 and type(item[1]) is bytes:
                    append(item[1].decode())
                    continue
                handler = find(head) if type(head) is bytes else None
                value = self._other(item, depth, None) if handler is None else handler(self, item, depth, None)
                if self._loose is not None:
                    if whole and waiting is None:
                        waiting = target or self._slot(None)
                        waiting.wait(out)
                    if waiting is not None:
                        waiting.missing += 1
                    self._taken(waiting or out, len(out))
                append(value)
        except UnicodeDecodeError as error:
            raise self._no_text(error, (item,), f"[{len(out)}]") from None
        except CAUGHT as error:
            raise self._trail.at(error, f"[{len(out)}]") from None
        return waiting

    def _set(self, form: list[Any], depth: int, target: Any) -> Any:
        if depth <= 0:
            raise LimitExceeded(f"nested deeper than {self._depth}")
        out: set[Any] = set() if target is None else target
        index = 0
        try:
            for index in range(1, len(form)):
                value = self._form(form[index], depth - 1)
                if self._loose is None:
                    self._keys.add(out, value)
                else:
                    self._taken(Member(self._keys, out, value), 0)
        except CAUGHT as error:
            raise self._trail.at(error, f"[{index - 1}]") from None
        return out

    def _dictionary(self, form: list[Any], depth: int, target: Any) -> Any:
        if depth <= 0:
            raise LimitExceeded(f"nested deeper than {self._depth}")
        out: dict[Any, Any] = {} if target is None else target
        find = self._forms.get
        text = self._text
        depth -= 1
        entry: Any = None
        try:
            for entry in islice(form, 1, None):
                if type(entry) is not list or len(entry) != 2:
                    raise BadValue("a dictionary entry that is no pair")
                key, value = entry
                loose: Slot | None = None
                if type(key) is list:
                    if text and len(key) == 2 and key[0] == b"unicode" and type(key[1]) is bytes:
                        key = key[1].decode()
                    else:
                        key = self._form(key, depth)
                        loose, self._loose = self._loose, None
                if type(value) is list:
                    head = value[0] if value else None
                    if text and head == b"unicode" and len(value) == 2 and type(value[1]) is bytes:
                        value = value[1].decode()
                    else:
                        handler = find(head) if type(head) is bytes else None
                        item = value
                        value = self._other(item, depth, None) if handler is None else handler(self, item, depth, None)
                if type(key) is str and self._loose is None:
                    out[key] = value
                else:
                    self._enter(out, key, loose, value)
        except UnicodeDecodeError as error:
            raise self._no_text(error, entry, _step(entry)) from None
        except CAUGHT as error:
            raise self._trail.at(error, _step(entry)) from None
        return out

    def _enter(self, out: dict[Any, Any], key: Any, loose: Slot | None, value: Any) -> None:
        """Make an entry of a dictionary.

        :param loose: what the key has to wait for. What the value has to wait for is in ``_loose``.
        """
        if loose is not None and loose.final:
            # The reference to it came first, and the value held what it refers to.
            key, loose = loose.value, None
        if loose is None:
            self._keys.put(out, key, value)
            self._taken(out, key)
        else:
            entry = Entry(self._keys, out, key, value)
            loose.places.append((entry, 0))
            self._taken(entry, 1)

    def _no_text(self, error: UnicodeDecodeError, forms: Any, step: str) -> Exception:
        """Return an error of ours for bytes that are no text, or the one of a hook as it is."""
        for form in forms:
            if type(form) is list and len(form) == 2 and form[0] == b"unicode" and _undecodable(form[1]):
                return self._trail.at(BadValue(_NO_TEXT), step)
        return error

    def _awaiting(self, slot: Slot) -> Any:
        """Return what stands for a tuple or frozenset some of whose items are not final."""
        assert slot.items is not None
        if slot.arrived_all():
            value = slot.made()
            if slot.number is None:
                settle(slot, value)
            return value
        if slot.keys is None and not any(type(item) is Slot for item in slot.items):
            slot.value = tuple(slot.items)
        self._loose = slot
        self._seen.append(slot)
        return slot.value

    def _reference(self, form: list[Any], depth: int, target: Any) -> Any:
        if len(form) != 3 or type(form[1]) is not int:
            raise BadValue("a reference that is not a number and a form")
        number, inner = form[1], form[2]
        known = self.references.get(number)
        if number in self.references and (type(known) is not Slot or known.begun):
            raise BadValue(f"two references with the number {brief(number)}")
        self._keys.shared = True
        low = self._low
        self._low = self._open[number] = len(self._open)
        value = self._numbered(number, known, inner, depth)
        self._close(number, low)
        return value

    def _numbered(self, number: int, known: Any, inner: Any, depth: int) -> Any:
        """Lift what a reference wraps.

        :param known: the slot for its number, if it was referred to already.
        """
        head = inner[0] if type(inner) is list and inner else None
        if type(head) is str:
            # The other spelling of a head; see `_other`.
            head = head.encode()
            inner = [head, *inner[1:]]
        handler = self._forms.get(head) if type(head) is bytes else None
        if handler is not None and head in _MAKERS:
            made = _MAKERS[head]()
            self.references[number] = made
            if known is not None:
                settle(known, made)
            return handler(self, inner, depth, made)
        slot: Slot = known or self._slot(number)
        slot.begun = True
        return self._referred(slot, inner, depth - 1 if head == b"reference" else depth)

    def _dereference(self, form: list[Any], depth: int, target: Any) -> Any:
        if len(form) != 2 or type(form[1]) is not int:
            raise BadValue("a dereference that is not a number")
        self._keys.shared = True
        self._met(form[1])
        found = self.references.get(form[1], UNCLAIMED)
        if found is UNCLAIMED:
            found = self._slot(form[1])
        if type(found) is not Slot:
            return found
        self._loose = found
        self._seen.append(found)
        return found.value


_FORMS: Final[dict[bytes, Handler]] = {
    b"None": Unjellier._none,
    b"boolean": Unjellier._boolean,
    b"unicode": Unjellier._unicode,
    b"list": Unjellier._list,
    b"tuple": Unjellier._tuple,
    b"dictionary": Unjellier._dictionary,
    b"set": Unjellier._set,
    b"frozenset": Unjellier._frozenset,
    b"datetime": Unjellier._moment,
    b"date": Unjellier._moment,
    b"time": Unjellier._moment,
    b"timedelta": Unjellier._moment,
    b"decimal": Unjellier._decimal,
    b"reference": Unjellier._reference,
    b"dereference": Unjellier._dereference,
}

#: The containers that are made empty, known, and then filled.
_MAKERS: Final[dict[bytes, Callable[[], Any]]] = {b"list": list, b"dictionary": dict, b"set": set}


def _allowed_forms(taster: Any, registry: Registry) -> dict[bytes, Handler]:
    """Return the handlers of the heads that the policy allows and the registry has no other meaning for."""
    return {
        head: handler
        for head, handler in _FORMS.items()
        if taster.isTypeAllowed(head) and registry.unjellyable_for(head) is None and registry.factory_for(head) is None
    }


def _undecodable(data: Any) -> bool:
    try:
        return type(data) is bytes and data.decode() is None
    except UnicodeDecodeError:
        return True


def _step(entry: Any) -> str:
    """Return the step to an entry of a dictionary, from its form."""
    if type(entry) is not list or len(entry) != 2:
        return "[an entry]"
    key = entry[0]
    if type(key) is list and len(key) == 2 and key[0] == b"unicode" and type(key[1]) is bytes:
        return key_step(key[1].decode("utf-8", "replace"))
    return key_step(key)


def unjelly(
    sexp: Any,
    taster: Any = None,
    persistentLoad: Callable[[Any, Any], Any] | None = None,
    invoker: Any = None,
) -> Any:
    """Lift an s-expression to the value it stands for.

    :param taster: the policy; by default everything may pass, but nothing is imported: names of classes mean what the
        process-wide registry says.
    :param persistentLoad: ``(id, unjellier)`` returns what `jelly`'s persistentStore gave an id for.
    :param invoker: the connection, for objects that lift themselves.
    :raises InsecureJelly: something in it is not allowed, or is malformed (`BadValue`).
    :raises LimitExceeded: it is nested too deeply, or too costly.
    """
    return Unjellier(DummySecurityOptions() if taster is None else taster, persistentLoad, invoker).unjellyFull(sexp)
