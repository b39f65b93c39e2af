"""``broker ping``: measures round trips."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Sequence
from time import perf_counter
from typing import Any, Final

from twisted.internet.task import deferLater

from broker._cli.client import client_parser, positive, run_client
from broker._objects.reference import CallOptions, RemoteReference
from broker.errors import NoSuchMethod, RemoteError

__all__ = ["main"]

_EPILOG: Final = """
Says which dialect the two ends speak, then calls the method `ping` without arguments. A server that has none answers
so, and that is a round trip as well.

examples:
  broker ping tcp:localhost:8787
  broker ping tcp:localhost:8787 -c 100 -i 0.01
"""


def _count(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} is no positive whole number")
    return int(text)


async def _round_trip(patient: CallOptions) -> float:
    """Return the milliseconds that one call takes."""
    begun = perf_counter()
    try:
        await patient.callRemote("ping")
    except NoSuchMethod as error:
        if not isinstance(error, RemoteError):
            raise
    return (perf_counter() - begun) * 1000


def main(argv: Sequence[str]) -> int:
    """Run ``broker ping``; returns the exit code."""
    parser = client_parser("ping", "Measures round trips to a server.", _EPILOG)
    parser.add_argument("-c", "--count", type=_count, default=4, metavar="N", help="how many (default 4)")
    parser.add_argument(
        "-i", "--interval", type=positive, default=0.25, metavar="S", help="seconds between them (default 0.25)"
    )
    arguments = parser.parse_args(argv)

    async def use(reactor: Any, reference: RemoteReference) -> None:
        print(f"{arguments.endpoint} speaks {reference.broker.dialect}", flush=True)
        patient = reference.options(timeout=arguments.timeout)
        times: list[float] = []
        while len(times) < arguments.count:
            if times:
                await deferLater(reactor, arguments.interval)
            times.append(await _round_trip(patient))
            print(f"{len(times)}: {times[-1]:.3f} ms", flush=True)
        average = sum(times) / len(times)
        trips = f"{len(times)} round trip{'s' if len(times) > 1 else ''}"
        print(f"{trips}, min/avg/max = {min(times):.3f}/{average:.3f}/{max(times):.3f} ms")

    return run_client("ping", parser, arguments, use)
