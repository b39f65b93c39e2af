"""``broker call``: calls one method and prints its result."""

from __future__ import annotations

import ast
import shutil
from argparse import ArgumentTypeError
from collections.abc import Sequence
from pprint import pformat
from typing import Any, Final

from broker._cli.client import client_parser, run_client
from broker._objects.reference import RemoteReference

__all__ = ["main", "named", "shown", "value"]

_EPILOG: Final = """
An argument that is a Python literal (5, 1.5, None, "5", [1, 2], {"a": b"x"}) is sent as that value, any other as text.
Put -- before arguments that start with a dash and are no numbers.
A text is printed as it is, any other result as Python would write it.

examples:
  broker call tcp:localhost:8787 echo hello
  broker call tcp:localhost:8787 echo '{"ducks": ["Huey", "Dewey", "Louie"], "pond": None}'
  broker call tcp:localhost:8787 sleep 0.5 --timeout 2
  broker call tcp:localhost:8787 order tea --kw cups=2 --kw milk=False
  broker call unix:/run/shop/broker balance --user alice --password-file ~/.shop-password
"""


def value(text: str) -> Any:
    """Return the Python literal that a text is, or the text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def named(text: str) -> tuple[str, Any]:
    """Read ``name=value``."""
    name, equals, rest = text.partition("=")
    if not equals or not name.isidentifier():
        raise ArgumentTypeError(f"{text!r} is not of the form name=value")
    return name, value(rest)


def shown(result: Any) -> str:
    """Return a result as text for a person."""
    if isinstance(result, str) and all(line.isprintable() for line in result.split("\n")):
        return result
    return pformat(result, width=shutil.get_terminal_size().columns, sort_dicts=False)


def main(argv: Sequence[str]) -> int:
    """Run ``broker call``; returns the exit code."""
    parser = client_parser("call", "Calls a method of a served object and prints its result.", _EPILOG)
    parser.add_argument("method", metavar="METHOD", help="its bare name: echo for remote_echo")
    parser.add_argument("arguments", metavar="ARG", nargs="*", type=value, help="positional arguments")
    parser.add_argument(
        "--kw", metavar="NAME=VALUE", action="append", default=[], type=named, help="a keyword argument; repeatable"
    )
    arguments = parser.parse_intermixed_args(argv)

    async def use(reactor: Any, reference: RemoteReference) -> None:
        patient = reference.options(timeout=arguments.timeout)
        print(shown(await patient.callRemote(arguments.method, *arguments.arguments, **dict(arguments.kw))))

    return run_client("call", parser, arguments, use)
