"""The ``broker`` command: picks one of its subcommands."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final

from broker._about import form

__all__ = ["main"]

#: Each in the module of its name, imported only when it is used.
_COMMANDS: Final = {
    "browse": "list the names of a served directory",
    "call": "call a method of a served object and print its result",
    "fetch": "print what has a name in a directory, or call a method of it",
    "ping": "measure round trips to a server",
    "serve": "serve an object in the foreground (as `twistd -n broker` does)",
    "shell": "use the objects of a server from a Python prompt",
    "store": "give a name to a value in a directory",
}

_EXAMPLES: Final = """
examples:
  broker serve                                    serve a small built-in object at port 8787
  broker call tcp:localhost:8787 echo hello       call it
  broker call tcp:localhost:8787 methods          see what else it can do
  broker ping tcp:localhost:8787 -c 10            measure it

`broker COMMAND --help` tells more about a command.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    :param argv: the arguments, those of the process if None.
    :returns: the exit code: 0, 1 for a failure, 2 for wrong usage, 130 after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if arguments and arguments[0] in _COMMANDS:
            command: Callable[[Sequence[str]], int] = import_module(f"broker._cli.{arguments[0]}").main
            return command(arguments[1:])
        _parser().parse_args(arguments or ["--help"])
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> ArgumentParser:
    # Here, because what serving takes to import would slow down the commands that do not serve.
    from broker.service.builtin import versions

    commands = "\n".join(f"  {name:<6} {text}" for name, text in _COMMANDS.items())
    parser = ArgumentParser(
        prog="broker",
        usage="broker [--help] [--version] COMMAND ...",
        description=f"Calls and serves objects over the network.\n\ncommands:\n{commands}",
        epilog=_EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    found = versions()
    shown = f"broker {found['broker']} ({form()}, Python {found['python']}, Twisted {found['twisted']})"
    parser.add_argument("--version", action="version", version=shown)
    parser.add_argument("command", metavar="COMMAND", choices=list(_COMMANDS), help="one of the above")
    return parser
