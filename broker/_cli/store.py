"""``broker store``: gives a name to a value in a directory, or takes a name away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from broker._cli.call import value
from broker._cli.client import client_parser, run_client
from broker._objects.reference import RemoteReference

__all__ = ["main"]

_EPILOG: Final = """
The value is read as the arguments of `broker call` are: a Python literal, or else text. The server must let you: it
says so with --names-writable or --names-writer.

examples:
  broker store tcp:localhost:8787 stock '{"tea": 3, "milk": 0}'
  broker store tcp:localhost:8787 stock '{"tea": 2}' --replace
  broker store tcp:localhost:8787 stock --withdraw
"""


def main(argv: Sequence[str]) -> int:
    """Run ``broker store``; returns the exit code."""
    parser = client_parser("store", "Gives a name to a value in a served directory.", _EPILOG)
    parser.add_argument("name", metavar="NAME", help="the name")
    parser.add_argument("value", metavar="VALUE", nargs="*", type=value, help="the value")
    parser.add_argument("--replace", action="store_true", help="also if the name is taken")
    parser.add_argument("--withdraw", action="store_true", help="take the name away instead")
    arguments = parser.parse_intermixed_args(argv)
    if len(arguments.value) != (0 if arguments.withdraw else 1):
        parser.error("--withdraw takes no value" if arguments.withdraw else "one value is required")

    async def use(reactor: Any, reference: RemoteReference) -> None:
        patient = reference.options(timeout=arguments.timeout)
        if arguments.withdraw:
            await patient.callRemote("withdraw", arguments.name)
        else:
            await patient.callRemote("export", arguments.value[0], arguments.name, arguments.replace)

    return run_client("store", parser, arguments, use)
