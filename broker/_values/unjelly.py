"""Lifting: s-expressions to Python values.

One `Unjellier` lifts one value. Nothing is imported by name: a name means what the registry says, or a class that the
policy allows, or nothing. References may form cycles; see `broker._values.graph` for how these are closed.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, Final, Protocol

from broker._limits import Limits
from broker._values.graph import Entry, Holder, Keys, Member, Slot, settle
from broker._values.jellyable import Unjellyable, Unpersistable, give_state, setInstanceState
from broker._values.path import CAUGHT, Trail, brief, key_step
from broker._values.policy import DummySecurityOptions, dotted_name
from broker._values.registry import Registry, globalRegistry
from broker._values.scalars import lift_decimal, lift_moment
from broker.errors import BadValue, InsecureJelly, LimitExceeded

__all__ = ["Unjellier", "Unjellyable", "Unpersistable", "setInstanceState", "unjelly"]

_DEPTH: Final = Limits.depth
_NO_TEXT: Final = "a text that is not UTF-8"

#: What `Local.lift` returns for a form that it does not know.
UNCLAIMED: Final[Any] = object()


class Local(Protocol):
    """Lifts what only makes sense within one process: names that mean whatever can be imported under them."""

    def find(self, unjellier: Unjellier, name: str) -> type | None:
        """Return the class of a dotted name, or None."""

    def lift(self, unjellier: Unjellier, head: str, form: list[Any]) -> Any:
        """Lift a form, or return `UNCLAIMED`."""


def _createBlank(cls: Any) -> Any:
    """Return an instance of a class without having called its ``__init__``; None for what is no class."""
    maker: Any = cls
    return maker.__new__(cls) if isinstance(cls, type) else None


def _newInstance(cls: type, state: Any) -> Any:
    """Return an instance of a class with a state, without having called its ``__init__``."""
    instance = _createBlank(cls)
    give_state(instance, state)
    return instance


class Unjellier:
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

    __slots__ = (
        *("taster", "persistentLoad", "invoker", "registry", "references", "postCallbacks"),
        *("_classes", "_depth", "_forms", "_keys", "_level", "_local", "_loose", "_nested", "_seen", "_slots"),
        *("_text", "_trail"),
    )

    def __init__(
        self,
        taster: Any,
        persistentLoad: Callable[[Any, Any], Any] | None = None,
        invoker: Any = None,
        *,
        registry: Registry = globalRegistry,
        depth: int = _DEPTH,
        local: Local | None = None,
    ) -> None:
        self.taster = taster
        self.persistentLoad = persistentLoad
        self.invoker = invoker
        self.registry = registry
        self.references: dict[int, Any] = {}
        self.postCallbacks: list[Callable[[], object]] = []
        self._depth = depth
        self._level = depth
        self._nested = depth
        self._local = local
        self._classes: dict[str, type] | None = None
        self._keys = Keys(depth)
        self._slots: list[Slot] = []
        #: Set by a handler whose result is not final: what the result has to wait for. Whoever asked takes it.
        self._loose: Slot | None = None
        #: What the innermost hook has been given that is not final.
        self._seen: list[Slot] = []
        self._trail = Trail()
        plain = getattr(taster, "allows_plain", False) and registry.plain
        self._forms = _FORMS if plain else _allowed_forms(taster, registry)
        self._text = b"unicode" in self._forms

    def unjellyFull(self, obj: Any) -> Any:
        """Lift a whole value, check that nothing in it is left open, and call the `postUnjelly` hooks.

        :raises InsecureJelly: something in it is not allowed, or is malformed (`BadValue`).
        :raises LimitExceeded: it is nested too deeply, or too costly.
        """
        value = self.unjelly(obj)
        for slot in self._slots:
            if not slot.final:
                raise BadValue(
                    f"a reference ({slot.number}) to something that is not there, or needs itself to be made"
                )
        for callback in self.postCallbacks:
            callback()
        return value

    def unjelly(self, obj: Any) -> Any:
        """Lift a value, or, called by a hook, a part of one; raises what `unjellyFull` raises.

        In a cycle through a tuple, a frozenset or a factory, what a hook gets may be a placeholder or have one in it.
        It is replaced later in what was returned here, and in the attributes of the hook's instance.
        """
        if type(obj) is not list:
            return obj
        head = obj[0] if obj else None
        handler = self._forms.get(head) if type(head) is bytes else None
        depth = self._level
        try:
            value = self._other(obj, depth, None) if handler is None else handler(self, obj, depth, None)
        except RecursionError as error:
            raise self._trail.at(error, "") from None
        self._loose = None
        return value

    def unjellyInto(self, obj: Any, loc: Any, jel: Any) -> Any:
        """Lift a part and put it where it belongs, now and, if it is not final yet, then once more.

        :param obj: what gets it, by ``obj[loc] = part``.
        """
        value = self._form(jel, self._level)
        self._taken(obj, loc)
        obj[loc] = value
        return value

    # Parts that are not final.

    def _slot(self, number: int | None) -> Slot:
        """Return a new slot, for a number or for something that nobody refers to."""
        slot = Slot(number)
        self._slots.append(slot)
        if number is not None:
            self.references[number] = slot
            slot.places.append((self.references, number))
        return slot

    def _taken(self, container: Any, key: Any) -> None:
        """Note where the result of the last handler went, if it is not final."""
        if self._loose is not None:
            self._loose.places.append((container, key))
            self._loose = None

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

    # The handlers. Each gets the form, how many levels of containers there may still be, and from `_reference` the
    # empty container to fill, or the slot that stands for the result.

    def _form(self, form: Any, depth: int, target: Any = None) -> Any:
        """Lift any form."""
        if type(form) is not list:
            return form
        head = form[0] if form else None
        handler = self._forms.get(head) if type(head) is bytes else None
        return self._other(form, depth, target) if handler is None else handler(self, form, depth, target)

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
            if type(form) is list and len(form) == 2 and error.object is form[1]:
                return self._trail.at(BadValue(_NO_TEXT), step)
        return error

    def _reference(self, form: list[Any], depth: int, target: Any) -> Any:
        if len(form) != 3 or type(form[1]) is not int:
            raise BadValue("a reference that is not a number and a form")
        number, inner = form[1], form[2]
        known = self.references.get(number)
        if number in self.references and (type(known) is not Slot or known.begun):
            raise BadValue(f"two references with the number {brief(number)}")
        self._keys.shared = True
        head = inner[0] if type(inner) is list and inner else None
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

    def _referred(self, slot: Slot, inner: Any, depth: int) -> Any:
        """Lift what a reference wraps, if that is nothing that can be made empty and then filled."""
        if depth < 0:
            raise LimitExceeded(f"nested deeper than {self._depth}")
        value = self._form(inner, depth, slot)
        if self._loose is None:
            settle(slot, value)
        elif self._loose is not slot:
            raise BadValue(f"a reference ({slot.number}) to a reference that is not complete")
        return value

    def _dereference(self, form: list[Any], depth: int, target: Any) -> Any:
        if len(form) != 2 or type(form[1]) is not int:
            raise BadValue("a dereference that is not a number")
        self._keys.shared = True
        found = self.references.get(form[1], UNCLAIMED)
        if found is UNCLAIMED:
            found = self._slot(form[1])
        if type(found) is not Slot:
            return found
        self._loose = found
        self._seen.append(found)
        return found.value

    # What is not plain.

    def _other(self, form: list[Any], depth: int, target: Any) -> Any:
        """Lift a form whose head is not one of the basic ones, or is one in an unusual spelling."""
        head = form[0] if form else None
        if type(head) is str:
            # Only forms written by hand have this.
            form = [head.encode(), *form[1:]]
            return self._form(form, depth, target)
        if type(head) is not bytes:
            raise BadValue(f"a form without a head: {brief(head)} in its place" if form else "an empty form")
        if not (self.taster.isTypeAllowed(head) or self.registry.allows(head)):
            raise InsecureJelly(_refusal(head))
        made = self.registry.unjellyable_for(head)
        if made is not None:
            blank = _createBlank(made)
            hook = made if blank is None else getattr(blank, "unjellyFor", made)
            if target is not None and hook is not made:
                target.value = blank
            return self._hooked(hook, self, form, depth, form)
        factory = self.registry.factory_for(head)
        if factory is not None:
            return self._hooked(self._manufactured, factory, form, depth, form)
        return self._unregistered(form, depth, target)

    def _hooked(self, hook: Callable[[Any, Any], Any], first: Any, second: Any, depth: int, form: list[Any]) -> Any:
        """Return what a hook, called with two arguments, makes of a form."""
        if self._nested <= 0:
            raise LimitExceeded(f"nested deeper than {self._depth}")
        level, seen = self._level, self._seen
        self._level, self._seen = depth, []
        self._nested -= 1
        try:
            made = hook(first, second)
        except CAUGHT as error:
            raise self._trail.at(error, "") from None
        except IndexError:
            if len(form) > 1:
                raise
            raise BadValue(f"a form ({brief(form[0])}) without contents") from None
        finally:
            fresh, self._seen = self._seen, seen
            self._level = level
            self._nested += 1
        if fresh:
            self._watch(made, fresh)
        post = getattr(made, "postUnjelly", None)
        if post is not None:
            self.postCallbacks.append(post)
        self._loose = made if type(made) is Slot else None
        return made

    def _watch(self, made: Any, slots: list[Slot]) -> None:
        """Keep the attributes of what a hook made right, whatever becomes of what the hook has seen."""
        for slot in slots:
            holder = Holder(made, slot)
            if slot.final:
                holder[0] = slot.value
            elif slot.value is not made:
                slot.places.append((holder, 0))

    def _manufactured(self, factory: Callable[[Any], Any], form: list[Any]) -> Any:
        return factory(self.unjelly(form[1]))

    def _unregistered(self, form: list[Any], depth: int, target: Any) -> Any:
        """Lift a form whose head is allowed, but is no name in the registry."""
        try:
            name = form[0].decode()
        except UnicodeDecodeError:
            raise BadValue(f"a head that is no text: {brief(form[0])}") from None
        if self._local is not None:
            made = self._hooked(self._lifted, name, form, depth, form)
            if made is not UNCLAIMED:
                return made
        if name in ("persistent", "unpersistable", "class", "instance"):
            if len(form) != (3 if name == "instance" else 2):
                raise BadValue(f"a form ({name}) of {len(form)} parts")
            if name == "persistent":
                return self._persistent(form[1])
            if name == "unpersistable":
                return Unpersistable(f"Unpersistable data: {brief(form[1])}")
            if name == "class":
                return self._class_named(form[1])
            cls = self._form(form[1], depth)
            if not isinstance(cls, type):
                raise BadValue("an instance of something that is no class")
            return self._instance(cls, form[2], depth, target)
        if len(form) != 2:
            raise BadValue(f"an instance ({brief(name)}) of {len(form)} parts")
        return self._instance(self._class_named(name), form[1], depth, target)

    def _lifted(self, name: str, form: list[Any]) -> Any:
        assert self._local is not None
        return self._local.lift(self, name, form)

    def _persistent(self, ident: Any) -> Any:
        if self.persistentLoad is None:
            return Unpersistable("Persistent callback not found")
        return self.persistentLoad(ident, self)

    def _class_named(self, name: Any) -> type:
        """Return the class that a dotted name means.

        :raises InsecureJelly: the policy allows none of that name.
        """
        if type(name) not in (str, bytes):
            raise BadValue(f"the name of a class is {brief(name)}")
        text: str = name if isinstance(name, str) else name.decode("utf-8", "replace")
        found = None if self._local is None else self._local.find(self, text)
        if found is None:
            if self._classes is None:
                self._classes = {dotted_name(cls): cls for cls in getattr(self.taster, "allowedClasses", ())}
            found = self._classes.get(text)
        if found is None or not self.taster.isClassAllowed(found):
            raise InsecureJelly(_refusal(text.encode()))
        return found

    def _instance(self, cls: type, state: Any, depth: int, target: Any) -> Any:
        """Lift an instance of an allowed class by its state."""
        try:
            blank = _createBlank(cls)
        except TypeError as error:
            raise BadValue(f"a blank {cls.__name__} cannot be made: {error}") from None
        if target is not None:
            target.value = blank
        return self._hooked(self._revived, blank, state, depth, [b"", state])

    def _revived(self, blank: Any, state: Any) -> Any:
        give_state(blank, self.unjelly(state))
        return blank


_Handler = Callable[[Unjellier, list[Any], int, Any], Any]

_FORMS: Final[dict[bytes, _Handler]] = {
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


def _allowed_forms(taster: Any, registry: Registry) -> dict[bytes, _Handler]:
    """Return the handlers of the heads that the policy allows and the registry has no other meaning for."""
    return {
        head: handler
        for head, handler in _FORMS.items()
        if taster.isTypeAllowed(head) and registry.unjellyable_for(head) is None and registry.factory_for(head) is None
    }


def _refusal(head: bytes) -> str:
    """Return PB's text for a head, or class, that is not allowed."""
    module, dot, _ = head.decode("utf-8", "replace")[:200].rpartition(".")
    return f"Module {module} not allowed (in type {module}.{_})." if dot else repr(head[:200])


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
