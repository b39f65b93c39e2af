"""Writes what pages take from the code: ``python -m docs.generate`` in the checkout.

A page has such a part between ``<!-- generated: NAME -->`` and ``<!-- end -->``. A test compares each with the code.
"""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import broker
from broker import errors
from broker._limits import Limits
from broker._messages import messages
from broker._messages.pb_reader import _FIELDS
from broker._session.states import TRANSITIONS, State
from broker._wire.vocabulary import OUTGOING
from docs import native

DOCS = Path(__file__).resolve().parent
PART = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

#: The command words of each message in PB's dialects.
_COMMANDS: dict[str, tuple[bytes, ...]] = {
    "Version": (b"version",),
    "Call": (b"message", b"cachemessage"),
    "Answer": (b"answer",),
    "Failed": (b"error",),
    "Release": (b"decref",),
    "ReleaseCache": (b"decache",),
    "CacheReleased": (b"uncache",),
    "NotUnderstood": (b"didNotUnderstand",),
    "Unknown": (),
}
#: The names of the fields on the wire, which the letters in `_FIELDS` do not tell.
_FIELD_NAMES: dict[bytes, tuple[str, ...]] = {
    b"message": ("request", "target", "method", "wants_answer", "args", "kwargs"),
    b"cachemessage": ("request", "target", "method", "wants_answer", "args", "kwargs"),
    b"answer": ("request", "payload"),
    b"error": ("request", "payload"),
    b"decref": ("target",),
    b"decache": ("target",),
    b"uncache": ("target",),
    b"version": ("number",),
    b"didNotUnderstand": ("command",),
}
_KINDS = {"i": "an integer", "t": "an integer or byte string", "s": "a byte string", "p": "a value"}


def markdown(text: str) -> str:
    """Return a docstring of ours as Markdown: names in single backticks stay, other markup is turned."""
    text = inspect.cleandoc(text).replace("``", "`")
    return re.sub(r":(?:param|ivar) (\w+):", r"`\1`:", text)


def first_sentence(text: str) -> str:
    """Return the first sentence of a docstring in one line."""
    paragraph = " ".join(markdown(text).split("\n\n")[0].split())
    return re.split(r"(?<=[.:]) (?=[A-Z])", paragraph)[0].rstrip(":.") + "."


#: Names that are no classes and no functions, so that they have no docstring of their own.
_INSTANCES = {
    "globalRegistry": "The registry of the process, which connections have unless given another.",
    "globalSecurity": "The policy of the process, which connections have unless given another.",
    "__version__": "The version of this package, as text.",
}

# The parts.


def message_part() -> str:
    """Return the section on messages, from their docstrings and the table of fields."""
    parts = []
    for name, commands in _COMMANDS.items():
        forms = []
        for command in commands:
            forms.append(f"`({' '.join([command.decode(), *_FIELD_NAMES[command]])})`")
        heading = f"### {name}\n\n"
        if commands:
            named = dict(zip(_FIELD_NAMES[commands[0]], _FIELDS[commands[0]], strict=True))
            kinds = ", ".join(f"`{field}` {_KINDS[kind]}" for field, kind in named.items())
            heading += f"{' or '.join(forms)}: {kinds}.\n\n"
        parts.append(f"{heading}{markdown(getattr(messages, name).__doc__)}\n")
    return "\n".join(parts)


def vocabulary_part() -> str:
    """Return the table of the vocabulary."""
    cells = [f"{number} `{word.decode()}`" for word, number in OUTGOING.items()]
    columns = 4
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    lines = ["| " * columns + "|", "|---" * columns + "|"]
    lines += ["| " + " | ".join(row + [""] * (columns - len(row))) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def transition_part() -> str:
    """Return the table of states."""
    lines = ["| in state | when | comes |", "|---|---|---|"]
    lines += [f"| {old.name} | {event.name} | {new.name} |" for (old, event), new in TRANSITIONS.items()]
    return "\n".join(lines) + "\n"


def limit_part() -> str:
    """Return the table of ceilings, from the docstring of `Limits`."""
    explained = dict(re.findall(r":param (\w+): (.*?)(?=:param|$)", " ".join((Limits.__doc__ or "").split())))
    lines = ["| ceiling | default | what, and why this default |", "|---|---|---|"]
    lines += [f"| `{field.name}` | {field.default:,} | {explained[field.name].strip()} |" for field in fields(Limits)]
    return "\n".join(lines) + "\n"


def _described(name: str) -> str:
    value: Any = getattr(broker, name)
    return _INSTANCES.get(name) or first_sentence(inspect.getdoc(value) or "")


def _linked(name: str) -> str:
    """Return a name with a link to its place among the API pages, which the build makes."""
    value: Any = getattr(broker, name)
    module, path = str(getattr(value, "__module__", "")), str(getattr(value, "__qualname__", name))
    if name in _INSTANCES or not module.startswith("broker."):
        return f"`{name}`"
    *owner, last = path.split(".")
    if inspect.isroutine(value):
        page = f"{'.'.join([module, *owner])}.html#{last}"
    else:
        page = f"{module}.{path}.html"
    return f'<a href="../api/{page}"><code>{name}</code></a>'


def name_part() -> str:
    """Return a line for each name of the front door, from its docstring."""
    lines = ["| name | |", "|---|---|"]
    for name in sorted(broker.__all__, key=lambda name: (name.strip("_").lower(), name)):
        lines.append(f"| {_linked(name)} | {_described(name)} |")
    return "\n".join(lines) + "\n"


def error_part() -> str:
    """Return the table of errors: whose fault, how far, may it have run; and the name on the wire."""
    lines = ["| error | fault | reaches | ran | name on the wire |", "|---|---|---|---|---|"]
    for name in sorted(errors.__all__):
        value = getattr(errors, name)
        if not isinstance(value, type):
            continue
        answers = [getattr(value, what, "–") for what in ("fault", "reach", "ran")]
        wire = errors.WIRE_NAMES.get(value)
        lines.append(f"| `{name}` | {' | '.join(answers)} | {f'`{wire}`' if wire else '–'} |")
    return "\n".join(lines) + "\n"


def _help(*command: str) -> str:
    path = os.pathsep.join(filter(None, [str(DOCS.parent), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "COLUMNS": "80", "PYTHONPATH": path}
    shown = subprocess.run(
        [sys.executable, "-m", "broker", *command, "--help"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return "```text\n" + "\n".join(line.rstrip() for line in shown.stdout.strip().splitlines()) + "\n```\n"


def command_part() -> str:
    """Return the help texts of the commands."""
    names = ("", "serve", "call", "browse", "fetch", "store", "shell", "ping")
    return "\n".join(f"## broker {name}".rstrip() + f"\n\n{_help(*name.split())}" for name in names)


PARTS: dict[str, Callable[[], str]] = {
    "messages": message_part,
    "vocabulary": vocabulary_part,
    "states": transition_part,
    "limits": limit_part,
    "names": name_part,
    "errors": error_part,
    "commands": command_part,
    **native.PARTS,
}


# The picture of the states.

_STEP, _BOX, _HEIGHT, _TOP = 200, 110, 40, 60


def states_svg() -> str:
    """Return a picture of the states of a connection."""
    places = {state: 20 + index * _STEP for index, state in enumerate(State)}
    middle = _TOP + _HEIGHT // 2
    marks: list[str] = []
    drop = 0
    for (old, event), new in TRANSITIONS.items():
        start, end = places[old], places[new]
        if old is new:
            x = start + _BOX // 2
            path, where = f"M{x - 20} {_TOP} C{x - 30} {_TOP - 40} {x + 30} {_TOP - 40} {x + 20} {_TOP}", (x, _TOP - 36)
        elif end - start == _STEP:
            path, where = f"M{start + _BOX} {middle} H{end}", ((start + _BOX + end) // 2, middle - 6)
        else:
            drop += 30
            low = _TOP + _HEIGHT + drop
            path = f"M{start + _BOX // 2} {_TOP + _HEIGHT} V{low} H{end + _BOX // 2 - drop // 2} V{_TOP + _HEIGHT}"
            where = ((start + end + _BOX) // 2, low - 6)
        marks.append(f'<path d="{path}" fill="none" stroke="#333" marker-end="url(#tip)"/>')
        marks.append(f'<text x="{where[0]}" y="{where[1]}" font-size="11">{event.name}</text>')
    for state, x in places.items():
        marks.append(f'<rect x="{x}" y="{_TOP}" width="{_BOX}" height="{_HEIGHT}" rx="6" fill="#eef" stroke="#333"/>')
        marks.append(f'<text x="{x + _BOX // 2}" y="{middle + 4}" font-size="13">{state.name}</text>')
    width, height = 40 + _STEP * (len(places) - 1) + _BOX, _TOP + _HEIGHT + drop + 20
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">',
            '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
            '<path d="M0 0 L8 4 L0 8 z" fill="#333"/></marker></defs>',
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
            '<g font-family="sans-serif" text-anchor="middle">',
            *marks,
            "</g>",
            "</svg>",
            "",
        )
    )


PICTURES: dict[str, Callable[[], str]] = {"protocol/states.svg": states_svg}


def written(page: str) -> str:
    """Return a page with its generated parts made anew."""
    return PART.sub(lambda match: f"{match[1]}{PARTS[match[2]]()}{match[3]}", page)


def pages() -> list[Path]:
    """Return the pages that have generated parts."""
    return sorted(page for page in DOCS.rglob("*.md") if PART.search(page.read_text(encoding="utf-8")))


def main() -> None:
    """Write all generated parts and pictures."""
    for page in pages():
        page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
    for name, draw in PICTURES.items():
        (DOCS / name).write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
