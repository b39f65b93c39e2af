"""Which form of broker runs: what of its core is compiled, and whether it was compiled from the sources beside it."""

from __future__ import annotations

import hashlib
import sys
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

__all__ = ["Form", "INTERPRETED", "LIBRARY", "PACKAGES", "compiled_modules", "core", "form", "source_digest", "stale"]

Form = Literal["compiled", "pure", "partly compiled"]

#: The packages whose modules a build compiles where it can. Nothing in them knows: a compiled module does what its
#: source does.
PACKAGES: Final = ("_messages", "_session", "_values", "_wire")

#: The modules among them that are not compiled, by their names inside the package ``broker``, each with the reason.
INTERPRETED: Final = {
    "_messages.dialect": "protocols for type checkers, nothing that runs",
    "_session.imports": "a weak reference with attributes of its own cannot be a compiled class",
    "_session.states": "an enumeration and a table",
    "_values.jellyable": "programs derive from its classes and set attributes on them",
    "_values.policy": "programs derive from its classes and set attributes on them",
    "_values.registry": "programs derive from its classes and set attributes on them",
    "_wire.unlibrt": "stands in for what compiled code cannot do without",
}

#: The library that all compiled modules share is called this and the digest of the sources it was made from.
LIBRARY: Final = "broker_"
_LIBRARY_END: Final = "__mypyc"
_HERE: Final = Path(__file__).resolve().parent


def core(package: Path = _HERE) -> tuple[str, ...]:
    """Return the names, inside the package, of the modules that a build compiles.

    :param package: the folder of the package ``broker``; by default this one.
    """
    paths = [path for folder in PACKAGES for path in sorted((package / folder).glob("*.py"))]
    names = [f"{path.parent.name}.{path.stem}" for path in paths if path.stem != "__init__"]
    return tuple(name for name in names if name not in INTERPRETED)


def source_digest(package: Path = _HERE) -> str:
    """Return a short digest of everything that compiled modules are made from.

    :param package: the folder of the package ``broker``; by default this one.
    """
    files = [path for folder in PACKAGES for path in sorted((package / folder).glob("*.py"))]
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
    for name in core():
        spec = find_spec(f"broker.{name}")
        if spec is not None and str(spec.origin).endswith(tuple(EXTENSION_SUFFIXES)):
            found.append(f"broker.{name}")
    return tuple(found)


def form() -> Form:
    """Return which form of the core this process runs."""
    compiled = len(compiled_modules())
    if not compiled:
        return "pure"
    return "compiled" if compiled == len(core()) else "partly compiled"


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
    wanted = LIBRARY + source_digest() + _LIBRARY_END
    return len(compiled) < len(core()) or found != {wanted}
