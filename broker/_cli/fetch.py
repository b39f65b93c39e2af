"""``broker fetch``: prints what has a name in a directory, or calls a method of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from broker._cli.call import named, shown, value
from broker._cli.client import client_parser, run_client
from broker._cli.explain import one_line
from broker._objects.reference import RemoteReference
from broker.errors import Error
from broker.transparent import Description, describe

__all__ = ["listed", "main"]

_EPILOG: Final = """
A value is printed as `broker call` prints a result. Of an object its methods are listed, as far as it tells, or one of
them is called and its result printed. Arguments are read as those of `broker call`.

examples:
  broker fetch tcp:localhost:8787 stock
  broker fetch tcp:localhost:8787 shop
  broker fetch tcp:localhost:8787 shop price tea
"""


async def _described(reference: RemoteReference) -> str:
    """Return lines about an object: its type and what it offers, if it tells."""
    try:
        found = await describe(reference)
    except TypeError:
        # It is no exported object, so only its methods can be called, and it lists none; or it does not tell.
        return "an object that does not list its methods"
    return listed(found)


def listed(found: Description) -> str:
    """Return lines about what an object offers: its type, and its methods."""
    lines = [f"an object of type {one_line(found.name)}"]
    for name in found.methods:
        first = (found.doc(name) or "").split("\n")[0]
        lines.append("  ".join(map(one_line, filter(None, (name + (found.signature(name) or "(...)"), first)))))
    return "\n  ".join(lines)


def main(argv: Sequence[str]) -> int:
    """Run ``broker fetch``; returns the exit code."""
    description = "Prints what has a name in a served directory, or calls a method of it."
    parser = client_parser("fetch", description, _EPILOG)
    parser.add_argument("name", metavar="NAME", help="the name")
    parser.add_argument("method", metavar="METHOD", nargs="?", help="a method to call")
    parser.add_argument("arguments", metavar="ARG", nargs="*", type=value, help="its positional arguments")
    parser.add_argument(
        "--kw", metavar="NAME=VALUE", action="append", default=[], type=named, help="a keyword argument; repeatable"
    )
    arguments = parser.parse_intermixed_args(argv)

    async def use(reactor: Any, reference: RemoteReference) -> None:
        found = await reference.options(timeout=arguments.timeout).callRemote("fetch", arguments.name)
        if arguments.method is None:
            print(await _described(found) if isinstance(found, RemoteReference) else shown(found))
            return
        if not isinstance(found, RemoteReference):
            raise Error(f"{arguments.name!r} is the name of a value, which has no methods to call")
        patient = found.options(timeout=arguments.timeout)
        print(shown(await patient.callRemote(arguments.method, *arguments.arguments, **dict(arguments.kw))))

    return run_client("fetch", parser, arguments, use)
