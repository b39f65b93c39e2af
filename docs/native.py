"""The parts of the page on ``broker/1`` that come from the code: frames, flags, messages, tags, settings, examples.

Examples are bytes that our own encoder writes; tests read them again with a reader that knows the page only.
"""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from broker._limits import Limits
from broker._messages import messages
from broker._messages.codecs import Codecs
from broker._messages.native import NativeDialect, settings_of
from broker._values import moments, tags
from broker._values.native import NativeEncoder
from broker._wire import frames
from docs.notation import hexadecimal

#: For each kind of frame that is a message: the class, the layout of the body, and examples, each with a text.
#: In a layout, ``byte`` is a byte, ``number`` a number of variable length, ``name`` a byte with a length and so many
#: bytes, ``value`` a value; what stands in brackets is there if its flag is set.
_LAYOUTS: dict[str, tuple[str, str]] = {
    "CALL": (
        "Call",
        "`flags` byte, `request` number, `target` number or name, `method` name, [`deadline` number], "
        "[`options` value], `args` value, [`kwargs` value]",
    ),
    "ANSWER": ("Answer", "`request` number, `payload` value"),
    "FAILED": ("Failed", "`request` number, `payload` value"),
    "RELEASE": ("Release", "`target` number, `count` number, and so on to the end of the body"),
    "RELEASE_CACHE": ("ReleaseCache", "`target` number, `count` number, and so on to the end of the body"),
    "CACHE_RELEASED": ("CacheReleased", "`target` number"),
    "CANCEL": ("Cancel", "`request` number"),
    "PING": ("Ping", "`data`, at most 8 bytes"),
    "PONG": ("Pong", "`data`, at most 8 bytes"),
    "GO_AWAY": ("GoAway", "`reason`, a text in UTF-8 of at most 1024 bytes"),
    "NOT_UNDERSTOOD": ("NotUnderstood", "`command`: the kind of the message in one byte, then at most 79 bytes of it"),
    "ABORT": ("Abort", "`reason`, a text in UTF-8 of at most 1024 bytes"),
}
#: The frames that are no messages.
_OTHERS: dict[str, str] = {
    "HELLO": "not used: what a side accepts stands in the greeting",
    "PART": "a piece of a large message, more of which follows",
    "LAST": "its last piece",
}
#: Kinds that have a meaning later.
_RESERVED: dict[int, str] = {
    0x10: "resolve",
    0x11: "listen",
    0x12: "finish",
    0x13: "credit",
    0x14: "data",
    0x15: "end",
    0x16: "reset",
}

_FLAGS: dict[str, str] = {
    "WANTS_ANSWER": "the call is to be answered",
    "CACHED": "`target` is the number of a cached object of the sender, of which the receiver has a copy",
    "NAMED": "`target` is the name of a preset object, such as `root`, and not a number",
    "DEADLINE": "there is a `deadline`",
    "KEYWORDS": "there are `kwargs`",
    "OPTIONS": "there are `options`: any value; none is defined yet, and a reader passes over it",
    "PIPELINED": "reserved: `target` is the answer to an earlier call",
}

_SETTINGS: dict[str, str] = {
    "message": "bytes in the body of one call, answer or failure",
    "elements": "elements of one value: an item counts one, an entry of a dictionary two, a set four more than it has",
    "depth": "containers in each other, in one value",
    "references": "objects that the other side may have this one hold by reference, and as many by a cached copy",
    "calls": "calls of the other side that want an answer and have none yet",
    "streams": "large messages of the other side that have begun and not ended",
    "buffer": "bytes of these together, if they are more than one",
}


class _Everything:
    """Stands for the connection where nothing but plain values is encoded."""

    plain = True


def dialect() -> NativeDialect:
    """Return a dialect to encode with."""
    return NativeDialect(Limits(), {}, Codecs())


def call(
    target: int | bytes,
    method: str,
    args: tuple[Any, ...] = (),
    kwargs: dict[str, Any] | None = None,
    *,
    request: int = 1,
    answer: bool = True,
    cached: bool = False,
    deadline: int = -1,
) -> bytes:
    """Return the bytes of a call with plain arguments."""
    swizzler: Any = _Everything()
    name = method.encode()
    return dialect().encode_call(request, target, name, args, kwargs or {}, answer, cached, deadline, swizzler)


def value(thing: Any) -> bytes:
    """Return the bytes of a plain value."""
    return NativeEncoder(Limits().depth, Limits().elements).encode(thing)


def _payload(thing: Any) -> Any:
    swizzler: Any = _Everything()
    return dialect().lower(thing, swizzler)


def _examples() -> dict[str, list[tuple[bytes, str]]]:
    """Return messages in bytes, by the name of their kind, each with what it means."""
    encode = dialect().encode
    releases = dialect().encode_releases
    return {
        "CALL": [
            (call(b"root", "echo", ("hello",)), "call 1: root.echo('hello')"),
            (
                call(3, "move", (1, -2), {"fast": True}, request=300, deadline=2500),
                "call 300: #3.move(1, -2, fast=True), within 2500 ms",
            ),
            (call(b"root", "note", request=4, answer=False), "call 4: root.note(), no answer"),
            (call(7, "set", (11,), request=5, cached=True), "call 5: cached #7.set(11)"),
        ],
        "ANSWER": [(encode(messages.Answer(1, _payload("hello"))), "answer 1: 'hello'")],
        "FAILED": [(encode(messages.Failed(2, _payload(None))), "failed 2: None")],
        "RELEASE": [(releases([(3, 2), (200, 1)], False), "release: 2 of #3; release: 1 of #200")],
        "RELEASE_CACHE": [(releases([(7, 1)], True), "release of copies: 1 of #7")],
        "CACHE_RELEASED": [(encode(messages.CacheReleased(7)), "no more updates of #7")],
        "CANCEL": [(encode(messages.Cancel(300)), "cancel 300")],
        "PING": [(encode(messages.Ping(b"\x01\x02")), "ping 0102")],
        "PONG": [(encode(messages.Pong(b"\x01\x02")), "pong 0102")],
        "GO_AWAY": [(encode(messages.GoAway("closing")), "going away: 'closing'")],
        "NOT_UNDERSTOOD": [(encode(messages.NotUnderstood(b"\x10")), "not understood: 10")],
        "ABORT": [(encode(messages.Abort("enough")), "aborting: 'enough'")],
    }


def _zone() -> ZoneInfo:
    """Return a time zone by its name; no database of them is needed to send one."""
    counts = b"".join(number.to_bytes(4, "big") for number in (0, 0, 0, 0, 1, 4))
    return ZoneInfo.from_file(io.BytesIO(b"TZif" + bytes(16) + counts + bytes(6) + b"XYZ\0"), key="Europe/Vienna")


#: Values, as Python writes them; the last statement is the value. Of each the bytes are shown.
VALUES = (
    *(
        "None",
        "False",
        "True",
        "0",
        "127",
        "-1",
        "-32",
        "128",
        "-33",
        "1000",
        "-100000",
        "2**40",
        "2**64",
        "-2**63 - 1",
    ),
    *("0.0", "-2.5", "float('inf')", "''", "'h\\u00e9'", "'x' * 32", "'x' * 256", "b''", "b'\\x00\\xff'", "b'x' * 256"),
    *("[]", "[1, 'a', None]", "[None] * 16", "()", "(1, 2)", "(None,) * 8"),
    *("{}", "{1: 2}", "{'a': 1}", "dict.fromkeys(range(8))", "set()", "{5}", "frozenset()", "frozenset({5})"),
    *("{'a': 1, 'b': 2}", "[{'a': 1, 'b': 2}, {'a': 3, 'b': 4}]", "{'a': {'x': 1, 'y': 2}, 'b': {'a': 3, 'b': 4}}"),
    *("list(range(16))", "[1000] * 16", "[-(2**31) - 1] * 16", "[0.1] * 16"),
    *("a = []; [a, a]", "a = []; a.append(a); a", "a = (1,); [{}, a, a]", "a = {}; a[1] = (a,); a"),
    *("complex(1, -2)", "Decimal('-12.345')", "Decimal('1E+5')", "Decimal('NaN')", "Decimal('-Infinity')"),
    *("date(2026, 2, 28)", "time(23, 59, 58, 7)", "datetime(2026, 2, 28, 12, 30)", "timedelta(days=-1, seconds=5)"),
    "datetime(2026, 2, 28, 12, 30, tzinfo=timezone.utc)",
    "datetime(2026, 2, 28, 12, 30, tzinfo=timezone(timedelta(hours=2)))",
    "datetime(2026, 2, 28, 12, 30, tzinfo=timezone(timedelta(hours=-1), 'X'))",
    "datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo('Europe/Vienna'), fold=1)",
    "UUID('00112233-4455-6677-8899-aabbccddeeff')",
)


def evaluated(text: str, zone: Callable[[str], Any]) -> Any:
    """Return the value that a line of `VALUES` stands for."""
    from datetime import date, datetime, time, timedelta, timezone
    from decimal import Decimal
    from uuid import UUID

    *before, last = text.split("; ")
    names: dict[str, Any] = {"date": date, "datetime": datetime, "time": time, "timedelta": timedelta, "UUID": UUID}
    names.update(timezone=timezone, Decimal=Decimal, ZoneInfo=zone)
    exec("\n".join(before), names)
    return eval(last, names)


# The parts.


def frames_part() -> str:
    """Return the table of the kinds of frames."""
    kinds = {number: name for name, number in vars(frames).items() if name in _LAYOUTS or name in _OTHERS}
    lines = ["| kind | frame | |", "|---|---|---|"]
    for number in sorted(kinds):
        name = kinds[number]
        what = f"[{_LAYOUTS[name][0]}](#native-{_LAYOUTS[name][0].lower()})" if name in _LAYOUTS else _OTHERS[name]
        lines.append(f"| {number:02X} | `{name}` | {what} |")
    lines += [f"| {number:02X} | | reserved: {what} |" for number, what in _RESERVED.items()]
    lines.append(f"| {frames.HINTS:02X} to FF | | hints: passed over where they are not known |")
    return "\n".join(lines) + "\n"


def flags_part() -> str:
    """Return the table of the flags of a call."""
    lines = ["| flag | | |", "|---|---|---|"]
    lines += [f"| {vars(frames)[name]} | `{name}` | {what} |" for name, what in _FLAGS.items()]
    return "\n".join(lines) + "\n"


def messages_part() -> str:
    """Return the sections on messages: what the class says, the layout, and examples."""
    parts = []
    examples = _examples()
    for name, (cls, layout) in _LAYOUTS.items():
        said = inspect.cleandoc(getattr(messages, cls).__doc__).replace("``", "`")
        rows = [f"| `{data[:4].hex()} {hexadecimal(data[4:])}` | `{text}` |" for data, text in examples[name]]
        table = "\n".join(["| bytes | |", "|---|---|", *rows])
        kind = vars(frames)[name]
        parts.append(f"(native-{cls.lower()})=\n### {cls}\n\nKind {kind:02X}: {layout}.\n\n{said}\n\n{table}\n")
    return "\n".join(parts)


def tags_part() -> str:
    """Return the table of tags."""
    starts = {number: name for name, number in vars(tags).items() if name in tags.__all__ and number <= 0xFF}
    ranges = {"SHORT_STR": 0x9F, "SHORT_LIST": 0xAF, "SHORT_TUPLE": 0xB7, "SHORT_DICT": 0xBF, "NEGATIVE": 0xFF}
    lines = ["| tag | | contents |", "|---|---|---|", "| 00 to 7F | | the integer itself |"]
    for number in sorted(starts):
        name = starts[number]
        shown = f"{number:02X}" + (f" to {ranges[name]:02X}" if name in ranges else "")
        lines.append(f"| {shown} | `{name}` | {_CONTENTS[name]} |")
    return "\n".join(lines) + "\n"


#: The contents behind each tag.
_CONTENTS = {
    "SHORT_STR": "a text of 0 to 31 bytes: the bytes, UTF-8",
    "SHORT_LIST": "a list of 0 to 15 items: the items",
    "SHORT_TUPLE": "a tuple of 0 to 7 items: the items",
    "SHORT_DICT": "a dictionary of 0 to 7 entries: key, value, key, value and so on",
    "NONE": "`None`",
    "FALSE": "`False`",
    "TRUE": "`True`",
    "FLOAT": "8 bytes, IEEE 754; every pattern of bits is kept",
    "I8": "an integer in 1 byte, signed",
    "I16": "an integer in 2 bytes, signed",
    "I32": "an integer in 4 bytes, signed",
    "I64": "an integer in 8 bytes, signed",
    "BIG": "a length in 4 bytes; an integer in so many bytes, two's complement",
    "STR8": "a length in 1 byte; a text of so many bytes, UTF-8",
    "STR": "a length in 4 bytes; a text of so many bytes, UTF-8",
    "BYTES8": "a length in 1 byte; so many bytes",
    "BYTES": "a length in 4 bytes; so many bytes",
    "LIST": "a count in 4 bytes; so many items",
    "TUPLE": "a count in 4 bytes; so many items",
    "DICT": "a count in 4 bytes; so many entries: key, value, key, value and so on",
    "SET": "a count in 4 bytes; so many members",
    "FROZENSET": "a count in 4 bytes; so many members",
    "RECORD": "a dictionary whose keys are texts, all different: their number in 1 byte, 2 to 255; keys; values",
    "KNOWN8": "a record with the keys of an earlier one: the number of its shape in 1 byte; the values",
    "KNOWN16": "the same, the number in 2 bytes",
    "BACK": "a container met before in this value: its number in 4 bytes",
    "COMPLEX": "real and imaginary part, 8 bytes each as for a float",
    "DECIMAL": "see below",
    "DATE": "the year in 2 bytes, the month, the day",
    "TIME": "see below",
    "DATETIME": "see below",
    "TIMEDELTA": "days in 4 bytes, signed; seconds, 0 to 86399, in 4; microseconds, 0 to 999999, in 4",
    "UUID_": "16 bytes, the most significant one first",
    "INTS": "a list of integers: 1, 2, 4 or 8 in 1 byte; a count in 4 bytes; integers of so many bytes each, signed",
    "FLOATS": "a list of floats: a count in 4 bytes; 8 bytes for each",
    "JELLY": "a value that is an s-expression: the list follows, as a value. Only as the very first tag",
    "NEGATIVE": "the integers -32 to -1: the tag less 256",
}


def settings_part() -> str:
    """Return the table of the settings in the greeting."""
    lines = ["| setting | default here | most |", "|---|---|---|"]
    lines += [f"| `{name}` | {number:,} | {_SETTINGS[name]} |" for name, number in settings_of(Limits()).items()]
    return "\n".join(lines) + "\n"


def values_part() -> str:
    """Return the table of examples of values."""
    lines = ["| value | bytes |", "|---|---|"]
    lines += [f"| `{text}` | `{hexadecimal(value(evaluated(text, lambda _: _zone())))}` |" for text in VALUES]
    return "\n".join(lines) + "\n"


def moments_part() -> str:
    """Return how dates and the like are laid out."""
    said = inspect.cleandoc(moments.__doc__ or "").partition("\n\n")[2]
    lead, _, rest = said.partition("\n\n")
    assert lead.startswith("Layout")
    return rest + "\n"


def conversation_part() -> str:
    """Return the recorded conversation that the page ends with."""
    recorded = Path(__file__).resolve().parents[1] / "tests" / "golden" / "broker-1" / "references.txt"
    return f"```text\n{recorded.read_text(encoding='utf-8')}```\n"


PARTS: dict[str, Callable[[], str]] = {
    "native-frames": frames_part,
    "native-flags": flags_part,
    "native-messages": messages_part,
    "native-tags": tags_part,
    "native-settings": settings_part,
    "native-moments": moments_part,
    "native-values": values_part,
    "native-conversation": conversation_part,
}
