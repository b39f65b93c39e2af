"""The options of the ``twistd`` plugin, made to be extended by the plugins of others."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import fields
from textwrap import dedent
from typing import Any, Final, NoReturn

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import IAnonymous, IUsernameHashedPassword
from twisted.cred.strcred import AuthOptionMixin, InvalidAuthType, UnsupportedInterfaces, makeChecker
from twisted.internet.interfaces import IReactorCore
from twisted.python import usage

from broker._cred.portal import IUsernameMD5Password
from broker._limits import Limits
from broker._net.endpoints import DEFAULT_ENDPOINT, guarded, parse
from broker._net.factory import dialects_for
from broker._net.leaving import GRACE
from broker.service.builtin import broker_version
from broker.service.naming import NamesOptions
from broker.service.roots import find, servable
from broker.service.sizes import count

__all__ = ["Options", "ServeOptions"]


def _seconds(text: str) -> float:
    """Read a positive number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError(f"{text!r} is no positive number of seconds")
    return value


def _grace(text: str) -> float:
    """Read a number of seconds, which may be none at all."""
    return 0.0 if text.strip() == "0" else _seconds(text)


def _keepalive(text: str) -> float:
    """Read a positive number of seconds, or ``off``, which is 0 here."""
    if text.strip() == "off":
        return 0.0
    try:
        return _seconds(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither a positive number of seconds nor 'off'") from None


def _dialect(text: str) -> str:
    """Read the name of a dialect."""
    dialects_for(text, None)
    return text


#: What is asked of every connection, and of the end of the service.
_CONNECTIONS: Final[list[list[Any]]] = [
    ["prefer", None, None, "the dialect to speak with clients that can: broker/1 (the default) or pb", _dialect],
    ["require", None, None, "the only dialect to speak; clients that cannot are turned away", _dialect],
    ["call-timeout", None, None, "seconds that a call to a client may take (default: no bound)", _seconds],
    [
        "keepalive",
        None,
        None,
        "seconds of silence after which a client is asked whether it is there, or off (default 60)",
        _keepalive,
    ],
    ["grace", None, None, f"seconds that calls in flight are given at the end (default {GRACE:g})", _grace],
]


def _limit_parameters() -> list[list[Any]]:
    """Return an option for each ceiling in `Limits`, explained by its docstring."""
    explained = dict(re.findall(r":param (\w+): ([^.]+)", " ".join((Limits.__doc__ or "").split())))
    return [
        [
            f"max-{field.name}",
            None,
            None,
            f"{explained.get(field.name, field.name).strip()} (default {field.default})",
            _seconds if isinstance(field.default, float) else count,
        ]
        for field in fields(Limits)
    ]


class ServeOptions(usage.Options, AuthOptionMixin):
    """Where and to whom to serve: all that a plugin with a root object of its own needs.

    Subclass it, add your own options, and give your root object to `makeService`.
    """

    #: Kinds of credentials that PB's login can present to a checker: an answer to a challenge, or none at all.
    supportedInterfaces = (IUsernameHashedPassword, IUsernameMD5Password, IAnonymous)

    optParameters: Sequence[Sequence[Any]] = [*_CONNECTIONS, *_limit_parameters()]

    optFlags: Sequence[Sequence[Any]] = [
        ["unsafe-tracebacks", None, "send callers the tracebacks of unexpected exceptions, with what they reveal"],
    ]

    examples = ""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["listen"] = []
        self["credCheckers"] = []

    def opt_listen(self, description: str) -> None:
        """An endpoint to serve at; repeatable. [default: tcp:8787:interface=127.0.0.1]"""
        try:
            parse(_reactor(), guarded(description)[0])
        except ValueError as error:
            raise usage.UsageError(str(error)) from error
        self["listen"].append(description)

    def opt_auth(self, description: str) -> None:
        """Who may log in: file:PATH, memory:NAME:PASSWORD, anonymous, or another of --help-auth; repeatable."""
        kind, _, argument = description.partition(":")
        if kind == "file" and not os.path.isfile(argument):
            raise usage.UsageError(f"--auth file: there is no file {argument!r}")
        try:
            self.addChecker(makeChecker(description))
        except InvalidAuthType:
            raise usage.UsageError(f"--auth: unknown kind {kind!r}; --help-auth lists those there are") from None
        except UnsupportedInterfaces:
            raise usage.UsageError(
                f"--auth {kind}: this checker cannot be used, because it wants the password itself; "
                "PB's login only sends the answer to a challenge, which a checker of stored plain passwords can check"
            ) from None
        except Exception as error:  # checkers are plugins, they may raise anything; it is reported
            raise usage.UsageError(f"--auth {kind}: {' '.join(str(error).split())}") from error

    def addChecker(self, checker: Any) -> None:
        """Take a checker of credentials."""
        if isinstance(checker, InMemoryUsernamePasswordDatabaseDontUse):
            # Twisted's `memory:` checker keeps text, while names and passwords come as bytes: nobody would get in.
            checker.users = {_as_bytes(name): _as_bytes(password) for name, password in checker.users.items()}
        super().addChecker(checker)  # type: ignore[no-untyped-call]

    def opt_version(self) -> NoReturn:
        """Show the version and exit."""
        print(f"broker {broker_version()}")
        sys.exit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse arguments.

        :raises UsageError: they are wrong. As a subcommand of ``twistd``, which would print its own long help before
            the error, the process ends instead: with one line on standard error and exit code 1.
        """
        try:
            super().parseOptions(options)  # type: ignore[no-untyped-call]
        except usage.UsageError as error:
            if self.parent is None:
                raise
            raise SystemExit(f"{self.parent.subCommand}: {error} (--help shows the options)") from error

    def postOptions(self) -> None:
        """Compare options with each other.

        :raises UsageError: two of them exclude each other.
        """
        super().postOptions()  # type: ignore[no-untyped-call]
        prefer, require = self["prefer"], self["require"]
        if prefer is not None and require is not None and prefer != require:
            raise usage.UsageError(f"--prefer {prefer} and --require {require} exclude each other")

    def getUsage(self, width: int | None = None) -> str:
        """Return the help text."""
        return f"{super().getUsage(width)}{dedent(self.examples)}"

    @property
    def limits(self) -> Limits:
        """The ceilings asked for; PB's and ours where nothing was asked for."""
        asked = {field.name: self[f"max-{field.name}"] for field in fields(Limits)}
        return Limits(**{name: value for name, value in asked.items() if value is not None})

    @property
    def connections(self) -> dict[str, Any]:
        """What was asked for that `BrokerService` takes, by the names of its parameters."""
        names = {"prefer": "prefer", "require": "require", "call-timeout": "callTimeout", "grace": "grace"}
        asked = {name: self[option] for option, name in names.items() if self[option] is not None}
        if self["keepalive"] is not None:
            asked["keepalive"] = self["keepalive"] or None
        return {**asked, "limits": self.limits, "unsafeTracebacks": bool(self["unsafe-tracebacks"])}

    @property
    def endpoints(self) -> list[str]:
        """Where to listen, as asked for or by default."""
        return list(self["listen"]) or [DEFAULT_ENDPOINT]


class Options(ServeOptions, NamesOptions):
    """The options of ``twistd broker``."""

    optParameters: Sequence[Sequence[Any]] = [
        ["root", "r", None, "what to serve, as package.module:Name; without it, a small object to try things with"],
    ]

    longdesc = "Serves an object to remote callers, over broker's protocol or Perspective Broker's."

    examples = """
        Examples:
          twistd -n broker
              serves a small built-in object on this machine; try `broker call tcp:localhost:8787 methods`
          twistd -n broker --root shop.server:Shop --listen tcp:8787:interface=0.0.0.0
              makes a Shop (a broker.Root) and serves it to every machine
          twistd -n broker --root shop.server:Shop --auth file:passwords --auth anonymous
              gives the Shop to whoever logs in
          twistd -n broker --root shop.server:ShopRealm --auth file:passwords
              gives each user what the realm (twisted.cred's IRealm) returns
          twistd -n broker --root shop.server:Customer --auth file:passwords
              gives each user a Customer(avatarId, mind)
          twistd -n broker --listen unix:/run/shop/broker --listen tcp:8787 --max-message 256M
          twistd -n broker --name shop=shop.server:Shop --names names.sqlite --names-writable
              serves a directory in which clients find the Shop and put names of their own; see `broker browse --help`
          twistd -n broker --require broker/1 --keepalive 20
              turns away clients that speak Perspective Broker only, and notices within a minute who is gone

        The root is an object, or a class or function that makes one when called without arguments.
        Modules are also looked for in the current directory.

        Without a root, what is served is also a directory: objects of --name, and what clients have stored if they may.
        A file of --names keeps values and the objects of --name; what clients offer themselves goes when they go.

        Endpoints are Twisted's: tcp:PORT[:interface=ADDRESS], unix:/PATH[:mode=660], ssl:PORT:privateKey=FILE:...,
        or a bare port number. Without an interface only this machine can connect, without a mode only this user.

        A password file has lines of name:password, in plain text: the login of Perspective Broker answers a challenge
        and never sends the password. Checkers that want to see the password itself cannot be used.

        Two ends of broker speak the dialect broker/1; with a peer on twisted.spread they speak pb. When the service
        stops, calls in flight are given the time of --grace, and new ones are refused.

        Counts and sizes may be written as 64k, 256M or 2G.
        """

    def postOptions(self) -> None:
        """Find the root object, so that a wrong name is reported like any wrong option."""
        super().postOptions()
        given = self.names_given()
        if self["root"] is None:
            if self["names-writer"] and not self["credCheckers"]:
                raise usage.UsageError("--names-writer needs --auth, to know who is who")
            self["directory"] = self.directory()
            return
        if given is not None:
            raise usage.UsageError(f"--root and --{given} exclude each other: name the root with --name")
        try:
            self["served"] = servable(find(self["root"]), self["credCheckers"])
        except ValueError as error:
            raise usage.UsageError(f"--root: {error}") from error


def _reactor() -> IReactorCore:
    from twisted.internet import reactor

    return IReactorCore(reactor)


def _as_bytes(text: str | bytes) -> bytes:
    return text.encode("utf-8") if isinstance(text, str) else text
