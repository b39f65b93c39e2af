"""What the commands that connect have in common: their options, connecting, and readable failures."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Awaitable, Callable
from getpass import getpass
from typing import Any, Final

from twisted.cred.credentials import Anonymous, UsernamePassword
from twisted.internet.defer import CancelledError

from broker._cli.explain import explain
from broker._cli.run import fail, log_to, run
from broker._net.connect import connect
from broker._objects.reference import RemoteReference

__all__ = ["DIALECT_NAMES", "check_client", "client_parser", "credentials_of", "positive", "run_client"]

#: What ``--prefer`` and ``--require`` take.
DIALECT_NAMES: Final = ("broker/1", "pb")


def positive(text: str) -> float:
    """Read a positive number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"{text!r} is no positive number of seconds")
    return value


def client_parser(
    command: str,
    description: str,
    epilog: str,
    patience: float | None = 30.0,
    timeout: str = "seconds that connecting and each call may take (default 30)",
) -> ArgumentParser:
    """Return a parser with the options of every command that connects.

    :param patience: what ``--timeout`` is by default.
    :param timeout: what it means.
    """
    parser = ArgumentParser(
        prog=f"broker {command}",
        description=description,
        epilog=epilog,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("endpoint", metavar="ENDPOINT", help="where to, such as tcp:localhost:8787 or unix:/PATH")
    login = parser.add_argument_group("login")
    login.add_argument("--user", metavar="NAME", help="log in, and use what that user is given instead of the root")
    login.add_argument("--password-file", metavar="FILE", help="its first line is the password (else it is asked for)")
    login.add_argument("--anonymous", action="store_true", help="log in as nobody in particular")
    dialect = parser.add_argument_group("dialect")
    helps = {"prefer": "speak this one if the server can: broker/1 (the default) or pb", "require": "this one or none"}
    for name, text in helps.items():
        dialect.add_argument(f"--{name}", choices=DIALECT_NAMES, metavar="DIALECT", help=text)
    parser.add_argument(
        "--timeout",
        type=positive,
        default=patience,
        metavar="S",
        help=timeout,
    )
    parser.add_argument("--verbose", action="store_true", help="show the log on standard error")
    return parser


def check_client(parser: ArgumentParser, arguments: Namespace) -> None:
    """End with a message about wrong usage if there are options that exclude each other."""
    if arguments.user is not None and arguments.anonymous:
        parser.error("--user and --anonymous exclude each other")
    if arguments.password_file is not None and arguments.user is None:
        parser.error("--password-file needs --user")
    if arguments.require is not None and arguments.prefer not in (None, arguments.require):
        parser.error(f"--prefer {arguments.prefer} and --require {arguments.require} exclude each other")


def credentials_of(arguments: Namespace) -> Any:
    """Return what to log in with, or None; asks for a password that is in no file.

    :raises OSError: the password cannot be read.
    """
    if arguments.user is None:
        return Anonymous() if arguments.anonymous else None
    if arguments.password_file is None:
        password = getpass(f"Password for {arguments.user}: ").encode("utf-8")
    else:
        with open(arguments.password_file, "rb") as file:
            password = file.readline().rstrip(b"\r\n")
    return UsernamePassword(arguments.user.encode("utf-8"), password)


def run_client(
    command: str, parser: ArgumentParser, arguments: Namespace, use: Callable[[Any, RemoteReference], Awaitable[None]]
) -> int:
    """Connect, use the reference, disconnect.

    :param use: called with the reactor and with the root object, or with what the login gave.
    :returns: the exit code.
    """
    check_client(parser, arguments)
    try:
        credentials = credentials_of(arguments)
    except OSError as error:
        return fail(command, f"cannot read the password: {error}")
    log_to(sys.stderr if arguments.verbose else None)

    async def work(reactor: Any) -> int:
        try:
            reference = await connect(
                arguments.endpoint,
                credentials=credentials,
                timeout=arguments.timeout,
                prefer=arguments.prefer,
                require=arguments.require,
            )
            try:
                await use(reactor, reference)
            finally:
                await reference.broker.disconnect()
        except CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a server or an endpoint may raise; it is reported
            return fail(command, explain(error, arguments.endpoint))
        return 0

    return run(work)
