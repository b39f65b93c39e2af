"""Where to listen: endpoint descriptions made safe by default, and addresses made readable."""

from __future__ import annotations

import re
from typing import Final

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IReactorCore, IStreamClientEndpoint, IStreamServerEndpoint

__all__ = ["DEFAULT_ENDPOINT", "describe", "guarded", "is_secure", "parse", "parse_client", "refusal"]

#: PB's port, for this machine only.
DEFAULT_ENDPOINT: Final = "tcp:8787:interface=127.0.0.1"

_LOOPBACK: Final = {"tcp": "127.0.0.1", "ssl": "127.0.0.1", "tls": "127.0.0.1", "tcp6": r"\:\:1"}
_PART: Final = re.compile(r"(?:^|:)((?:\\.|[^:\\])*)")


def guarded(description: str) -> tuple[str, str | None]:
    """Return a server endpoint description that does not reach further than it says, and a notice if it was changed.

    Twisted binds a TCP endpoint that names no interface to every address of the machine, and lets every local user
    connect to a Unix socket that names no mode. Here such an endpoint gets the loopback interface, or mode 600:
    who wants more has to say so.

    :param description: an endpoint in Twisted's notation, or a bare port number.
    """
    if description.isdigit():
        description = f"tcp:{description}"
    kind, *rest = _PART.findall(description.removeprefix("haproxy:"))
    if kind in _LOOPBACK and not _states(rest, "interface", 2 if kind in ("tcp", "tcp6") else None):
        address = _LOOPBACK[kind]
        wide = r"\:\:" if kind == "tcp6" else "0.0.0.0"
        notice = f"{description}: names no interface, so only this machine can connect; interface={wide} opens it"
        return f"{description}:interface={address}", notice
    if kind == "unix" and not _states(rest, "mode", 2):
        return f"{description}:mode=600", f"{description}: names no mode, so only this user can connect; see mode=660"
    return description, None


def _states(parts: list[str], keyword: str, position: int | None) -> bool:
    """Tell whether a description gives a parameter, by keyword or as the `position`-th positional one."""
    positional = [part for part in parts if not re.match(r"[a-zA-Z]\w*=", part)]
    by_position = position is not None and len(positional) >= position
    return by_position or any(part.startswith(f"{keyword}=") for part in parts)


def parse(reactor: IReactorCore, description: str) -> IStreamServerEndpoint:
    """Return the endpoint that a description stands for.

    :raises ValueError: it stands for none; the text says why, in one line.
    """
    # Imported late: the parsers of endpoint plugins may import the reactor.
    from twisted.internet.endpoints import serverFromString

    try:
        endpoint: IStreamServerEndpoint = serverFromString(reactor, description)
    except Exception as error:  # parsers are plugins, they may raise anything; all of it is reported
        # A wrong parameter is complained about in the name of a private function of Twisted's.
        reason = re.sub(r"^_\w+\(\) ", "", " ".join(str(error).split())) or type(error).__name__
        raise ValueError(f"cannot listen at {description!r}: {reason}") from error
    return endpoint


def parse_client(reactor: IReactorCore, description: str) -> IStreamClientEndpoint:
    """Return the endpoint to connect to that a description stands for.

    :raises ValueError: it stands for none; the text says why, in one line.
    """
    from twisted.internet.endpoints import clientFromString

    try:
        endpoint: IStreamClientEndpoint = clientFromString(reactor, description)
    except Exception as error:  # see `parse`
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"cannot connect to {description!r}: {reason}") from error
    return endpoint


def is_secure(endpoint: object) -> bool:
    """Return whether an endpoint, of either end, is a string that asks for TLS."""
    return isinstance(endpoint, str) and endpoint.startswith(("ssl:", "tls:"))


def refusal(error: CannotListenError) -> tuple[str, str]:
    """Return where it was not possible to listen, and why, in the words of the system."""
    where = f"{error.interface}:{error.port}" if error.interface else str(error.port)
    return where, getattr(error.socketError, "strerror", None) or str(error.socketError)


def describe(address: IAddress | object, secure: bool = False) -> str:
    """Return the address of a listening port as the endpoint string that a client connects to.

    :param secure: whether clients have to speak TLS.
    """
    if isinstance(address, (IPv4Address, IPv6Address)):
        host = address.host.replace(":", r"\:")
        return f"{'tls' if secure else 'tcp'}:{host}:{address.port}"
    if isinstance(address, UNIXAddress):
        name = address.name or b""
        return f"unix:{name.decode('utf-8', 'backslashreplace')}"
    return str(address)
