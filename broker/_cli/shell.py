"""``broker shell``: a Python prompt at which the objects of a server are at hand."""

from __future__ import annotations

import ast
import builtins
import code
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from traceback import TracebackException
from typing import Any, Final

from broker import _about, blocking, transparent
from broker._cli.client import check_client, client_parser, credentials_of
from broker._cli.complete import Completer
from broker._cli.explain import explain, one_line
from broker._cli.fetch import listed
from broker._cli.history import History, default_path
from broker._cli.run import fail, log_to
from broker._remote.held import Held
from broker._remote.program import more_of
from broker._remote.proxy import Method
from broker.blocking import Connection
from broker.errors import DeadReferenceError, Error, PBConnectionLost, RemoteError

__all__ = ["Console", "banner", "main", "names_for"]

_EPILOG: Final = """
At the prompt `root` is the server's object, or with --user what that user is given. What is done with it is done there.
Names and methods are completed with Tab, which asks the server nothing. Statements may come from a pipe as well; then,
as with -c, the first failure ends it.

examples:
  broker shell tcp:localhost:8787
  broker shell tcp:localhost:8787 -c 'root.echo("hello")'
  broker shell tcp:localhost:8787 < statements.py
"""

#: What is bound at the start, beside `root`, `connection` and `help`.
_HELPERS: Final = (
    *("activate", "describe", "expr", "live", "ops", "program", "reference", "release", "run", "same", "value"),
    *("async_", "deadline", "timed"),
)
_SECONDS: Final = 30.0
#: What operations fail with when the connection is gone.
_GONE: Final = (DeadReferenceError, PBConnectionLost, Error)
_HERE: Final = str(Path(__file__).parents[1])

_LESSON: Final = """\
  root.name   root.method(1)   root.items[0] + 1   len(root)   for item in root: ...
  value(root.items)                a copy
  run(expr(root).items[0] + 1)     any chain of operations in one message
  async_(root.method)(1).value     begin a call now, wait for it later
  with deadline(5): ...            calls that take no longer than 5 seconds"""
_OF_REFERENCES: Final = """\
  root.callRemote("name", 1)               a method; what it returns is a value or another reference
  async_(root.remoteMethod("name"))(1)     begin a call now; wait for its .value later
  with deadline(5): ...                    calls that take no longer than 5 seconds"""
_NAMES: Final = '  browse()   fetch("name")   store(5, "name")     the names of the server'
_KEYS: Final = "Tab completes, Ctrl-C gives up the call that is running, Ctrl-D leaves."


def names_for(connection: Connection) -> dict[str, Any]:
    """Return what is bound at the start."""
    try:
        root = connection.root
    except TypeError:
        # An object of PB, which takes no operations but has methods.
        root = connection.reference
    names: dict[str, Any] = {"__name__": "__console__", "__doc__": None, "root": root, "connection": connection}
    for name in _HELPERS:
        names[name] = getattr(transparent, name, None) or getattr(blocking, name)
    names["help"] = _help
    if {"browse", "fetch", "store", "export"} <= set(dir(root)):
        names.update(_of_directory(root))
    return names


def _of_directory(root: Any) -> dict[str, Callable[..., Any]]:
    def browse(prefix: str = "") -> Any:
        """Return the names that begin so, each with what it stands for."""
        return root.browse(prefix)

    def fetch(name: str) -> Any:
        """Return what has a name: a copy of a value, or an object."""
        return root.fetch(name)

    def store(value: Any, name: str | None = None, replace: bool = False) -> Any:
        """Name a value, or an object of yours or the server's; without a name return a handle of a stored value."""
        return root.store(value) if name is None else root.export(value, name, replace)

    return {"browse": browse, "fetch": fetch, "store": store}


def _help(*things: Any) -> None:
    """Say what a remote object offers, or what one of its methods does; for anything else, as Python does."""
    kind = type(things[0]) if things else object
    if issubclass(kind, Method):
        proxy, name = more_of(things[0])
        found = transparent.describe(proxy)
        print(f"{one_line(name)}{one_line(found.signature(name) or '(...)')}")
        print(_shown("\n".join(f"    {line}" for line in (found.doc(name) or "").splitlines())))
    elif issubclass(kind, Held):
        print(listed(transparent.describe(things[0])))
    else:
        builtins.help(*things)


def banner(connection: Connection, endpoint: str, names: dict[str, Any]) -> str:
    """Return what is said at the start: where one is, and how it goes."""
    root = names["root"]
    lines = [f"{endpoint} speaks {connection.broker.dialect}."]
    if issubclass(type(root), Held):
        lines += [
            f"root is {one_line(root)}: what is done with it is done there. help(root) lists what it offers.",
            _LESSON,
        ]
        if "browse" in names:
            lines.append(_NAMES)
    else:
        lines += ["root is a reference: the server's object has methods, and nothing else is on offer.", _OF_REFERENCES]
    return "\n".join([*lines, _KEYS])


def _shown(text: str) -> str:
    """Return a text without anything that a terminal would act on, but for ends of lines."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


class Console(code.InteractiveConsole):
    """Runs statements; tells of failures briefly.

    :param connection: what the statements use.
    :param endpoint: where that leads to.
    :param names: what is bound at the start.
    :ivar status: 0 as long as nothing failed, then what the exit code is to be.
    """

    def __init__(self, connection: Connection, endpoint: str, names: dict[str, Any]) -> None:
        super().__init__(names)
        self._connection = connection
        self._endpoint = endpoint
        self.status = 0

    def run_all(self, source: str, filename: str) -> int:
        """Run a text as if it were typed, up to the first failure; return the exit code."""
        self.filename = filename
        try:
            statements = ast.parse(source, filename).body
        except (SyntaxError, ValueError):
            self.showsyntaxerror(filename)
            return 1
        for statement in statements:
            self.runcode(compile(ast.Interactive([statement]), filename, "single"))
            if self.status:
                break
        return self.status

    def showtraceback(self) -> None:
        """Tell of the exception that is being handled."""
        error = sys.exc_info()[1]
        assert error is not None
        self.status = 130 if isinstance(error, KeyboardInterrupt) else 1
        self.write(_shown(self._told(error)))

    def _told(self, error: BaseException) -> str:
        if isinstance(error, KeyboardInterrupt):
            # The terminal has written ^C.
            return "\n" * (self.filename == "<console>") + "KeyboardInterrupt\n"
        if self._connection.closed and isinstance(error, _GONE) and not isinstance(error, RemoteError):
            return f"broker shell: {explain(error, self._endpoint)}\n"
        told = TracebackException.from_exception(error)
        _shorten(told)
        return "".join(told.format())


def _shorten(told: TracebackException | None) -> None:
    """Leave out what happened between the user's statement and the server's answer."""
    if told is None:
        return
    frames = [frame for frame in told.stack if frame.filename != code.__file__]
    inside = next((place for place, frame in enumerate(frames) if frame.filename.startswith(_HERE)), len(frames))
    told.stack[:] = frames[:inside]
    for other in (told.__cause__, told.__context__):
        _shorten(other)


def main(argv: Sequence[str]) -> int:
    """Run ``broker shell``; returns the exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    check_client(parser, arguments)
    try:
        credentials = credentials_of(arguments)
    except OSError as error:
        return fail("shell", f"cannot read the password: {error}")
    log_to(sys.stderr if arguments.verbose else None)
    try:
        with _connected(arguments, credentials) as connection:
            return _use(connection, arguments)
    except (*_GONE, RemoteError, OSError, ValueError) as error:
        return fail("shell", explain(error, arguments.endpoint))


def _parser() -> ArgumentParser:
    timeout = f"seconds that connecting may take (default {_SECONDS:g}); if given, each call too"
    description = "Offers the objects of a server at a Python prompt."
    parser = client_parser("shell", description, _EPILOG, None, timeout)
    parser.add_argument("-c", dest="command", metavar="COMMAND", help="run these statements instead, and end")
    parser.add_argument("--no-history", action="store_true", help="neither read nor write the file of what was typed")
    return parser


def _connected(arguments: Namespace, credentials: Any) -> Connection:
    return blocking.connect(
        arguments.endpoint,
        credentials=credentials,
        timeout=arguments.timeout or _SECONDS,
        callTimeout=arguments.timeout,
        prefer=arguments.prefer,
        require=arguments.require,
    )


def _use(connection: Connection, arguments: Namespace) -> int:
    names = names_for(connection)
    console = Console(connection, arguments.endpoint, names)
    if arguments.command is not None:
        return console.run_all(arguments.command, "<command>")
    if not sys.stdin.isatty():
        return console.run_all(sys.stdin.read(), "<stdin>")
    history = _edit_lines(names, not arguments.no_history)
    python = ".".join(map(str, sys.version_info[:3]))
    about = f"broker ({_about.form()}) on Python {python}, connected to {banner(connection, arguments.endpoint, names)}"
    console.interact(about, "")
    if history is not None:
        try:
            history.save()
        except OSError as error:
            return fail("shell", f"cannot keep what was typed: {error}")
    return 0


def _edit_lines(names: dict[str, Any], keep: bool) -> History | None:
    """Have lines be edited and completed, where the platform can."""
    try:
        import readline
    except ImportError:
        return None
    readline.set_completer(Completer(names).complete)
    libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")
    if not keep:
        return None
    history = History(readline, default_path())
    history.load()
    return history
