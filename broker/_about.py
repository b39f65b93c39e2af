"""Which form of broker runs: what of its core is compiled, and whether it was compiled from the sources beside it."""

from __future__ import annotations

import hashlib
import sys
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

__all__ = ["CORE", "INTERPRETED", "Form", "LIBRARY", "compiled_modules", "form", "source_digest", "stale"]

Form = Literal["compiled", "pure", "partly compiled"]

#: The modules that a build compiles where it can, by their names inside the package. Nothing in them knows: a compiled
#: module does what its source does.
CORE: Final = (
    *("_wire.banana", "_wire.buffer", "_wire.frames", "_wire.greeting", "_wire.integers", "_wire.pack"),
    "_wire.vocabulary",
    *("_values.byvalue", "_values.classes", "_values.fields", "_values.forms", "_values.graph", "_values.hashed"),
    *("_values.jelly", "_values.lifter", "_values.moments", "_values.native", "_values.path", "_values.payload"),
    *("_values.plain", "_values.runs", "_values.scalars", "_values.shapes", "_values.tags", "_values.unjelly"),
    *("_values.unnative", "_values.unplain"),
    *("_messages.growing", "_messages.messages", "_messages.native", "_messages.native_reader"),
    *("_messages.native_values", "_messages.pb", "_messages.pb_reader", "_messages.stream"),
    *("_session.answers", "_session.caches", "_session.events", "_session.exports", "_session.hello"),
    *("_session.outbox", "_session.questions", "_session.sending", "_session.session"),
)

#: The other modules of the same packages, each with the reason why it is not compiled.
INTERPRETED: Final = {
    "_messages.dialect": "protocols for type checkers, nothing that runs",
    "_session.imports": "a weak reference with attributes of its own cannot be a compiled class",
    "_session.states": "an enumeration and a table",
    "_wire.unlibrt": "stands in for what compiled code cannot do without",
    "_values.jellyable": "programs derive from its classes and set attributes on them",
    "_values.policy": "programs derive from its classes and set attributes on them",
    "_values.registry": "programs derive from its classes and set attributes on them",
}

#: The library that all compiled modules share is called this and the digest of the sources it was made from.
LIBRARY: Final = "broker_"
_LIBRARY_END: Final = "__mypyc"


def source_digest(package: Path) -> str:
    """Return a short digest of everything that compiled modules are made from.

    :param package: the folder of the package ``broker``.
    """
    folders = sorted({name.partition(".")[0] for name in CORE})
    files = [path for folder in folders for path in sorted((package / folder).glob("*.py"))]
    files += [package / name for name in ("_limits.py", "errors.py", "interfaces.py")]
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(package).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:12]


def compiled_modules() -> tuple[str, ...]:
    """Return the full names of the modules that are compiled in this process."""
    found = []
    for name in CORE:
        spec = find_spec(f"broker.{name}")
        if spec is not None and str(spec.origin).endswith(tuple(EXTENSION_SUFFIXES)):
            found.append(f"broker.{name}")
    return tuple(found)


def form() -> Form:
    """Return which form of the core this process runs."""
    compiled = len(compiled_modules())
    if not compiled:
        return "pure"
    return "compiled" if compiled == len(CORE) else "partly compiled"


def stale() -> bool:
    """Return whether compiled modules run that were made from other sources than those beside them.

    Such a checkout runs code that nobody sees; an installed package is never like this.
    """
    compiled = compiled_modules()
    if not compiled:
        return False
    for name in compiled:
        import_module(name)
    found = {name for name in sys.modules if name.startswith(LIBRARY) and name.endswith(_LIBRARY_END)}
    wanted = LIBRARY + source_digest(Path(__file__).resolve().parent) + _LIBRARY_END
    return len(compiled) < len(CORE) or found != {wanted}
