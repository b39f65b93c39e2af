"""``broker browse``: lists the names of a directory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from broker._cli.client import client_parser, run_client
from broker._cli.explain import one_line
from broker._objects.reference import RemoteReference
from broker.errors import Error

__all__ = ["main"]

_EPILOG: Final = """
Each line has a name, and what it stands for: `value`; `object`, one of the server's; `client`, one that some client
offers as long as it is connected.

examples:
  broker browse tcp:localhost:8787
  broker browse tcp:localhost:8787 shop.
"""


def main(argv: Sequence[str]) -> int:
    """Run ``broker browse``; returns the exit code."""
    parser = client_parser("browse", "Lists the names of a served directory.", _EPILOG)
    parser.add_argument("prefix", metavar="PREFIX", nargs="?", default="", help="only names that begin so")
    arguments = parser.parse_args(argv)

    async def use(reactor: Any, reference: RemoteReference) -> None:
        found = await reference.options(timeout=arguments.timeout).callRemote("browse", arguments.prefix)
        if not isinstance(found, dict):
            raise Error("the server's `browse` lists no names: it serves no directory")
        width = max((len(one_line(name)) for name in found), default=0)
        for name, kind in found.items():
            print(f"{one_line(name):<{width}}  {one_line(kind)}")

    return run_client("browse", parser, arguments, use)
