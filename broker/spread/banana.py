"""The names of `twisted.spread.banana`: banana as a protocol of its own, and its free functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.protocol import Protocol
from twisted.logger import Logger

from broker._limits import PB_PREFIX, PB_SIZE, Limits
from broker._wire import banana
from broker._wire.buffer import Decoder
from broker._wire.vocabulary import INCOMING, OUTGOING
from broker.errors import BananaError, LimitExceeded

__all__ = [
    "Banana",
    "BananaError",
    "FLOAT",
    "HIGH_BIT_SET",
    "INT",
    "LIST",
    "LONGINT",
    "LONGNEG",
    "NEG",
    "SIZE_LIMIT",
    "STRING",
    "VOCAB",
    "b1282int",
    "decode",
    "encode",
    "int2b128",
    "setPrefixLimit",
]

LIST = b"\x80"
INT = b"\x81"
STRING = b"\x82"
NEG = b"\x83"
FLOAT = b"\x84"
LONGINT = b"\x85"
LONGNEG = b"\x86"
VOCAB = b"\x87"
HIGH_BIT_SET = b"\x80"
#: Most bytes of a byte string, and most elements of a list.
SIZE_LIMIT = PB_SIZE

_log = Logger()


def int2b128(integer: int, stream: Callable[[bytes], object]) -> None:
    """Write a number that is not negative in base 128, least significant digit first.

    :param stream: called with the digits.
    :raises ValueError: the number is negative.
    """
    stream(banana.int_to_digits(integer))


def b1282int(st: bytes) -> int:
    """Return the number that base-128 digits stand for."""
    return banana.digits_to_int(st)


def setPrefixLimit(limit: int) -> None:
    """Set the limit that connections made from now on start with.

    :param limit: most bytes of a length prefix.
    """
    # PB keeps this for the whole process, so the class does.
    Banana._startingPrefixLimit = limit


class Banana(Protocol):
    """Banana as a protocol: expressions go to `expressionReceived`, and `sendEncoded` sends them.

    Both ends first agree on a dialect: the server offers `knownDialects`, the client picks one.

    :param isClient: whether this end picks.
    """

    knownDialects: list[bytes] = [b"pb", b"none"]
    outgoingVocabulary: dict[bytes, int] = dict(OUTGOING)
    incomingVocabulary: dict[int, bytes] = dict(INCOMING)
    currentDialect: bytes | None = None
    prefixLimit: int | None = None
    #: PB's number; it is not read.
    sizeLimit = SIZE_LIMIT

    _startingPrefixLimit = PB_PREFIX

    def __init__(self, isClient: bool | int = 1) -> None:
        self.isClient = isClient
        self.outgoingSymbols = dict(self.outgoingVocabulary)
        self.outgoingSymbolCount = 0
        self._decoder = _decoder(PB_PREFIX)

    def setPrefixLimit(self, limit: int) -> None:
        """Set the limit for this connection, both ways.

        :param limit: most bytes of a length prefix.
        """
        self.prefixLimit = limit
        rest = self._decoder.take_rest()
        self._decoder = _decoder(limit)
        self._decoder.receive_data(rest)

    def connectionMade(self) -> None:
        """Offer the dialects, on the server's side."""
        self.setPrefixLimit(self._startingPrefixLimit)
        self.currentDialect = None
        if not self.isClient:
            self.sendEncoded(self.knownDialects)

    def connectionReady(self) -> None:
        """Called when the dialect is agreed; to be overridden."""

    def expressionReceived(self, lst: Any) -> None:
        """Called with each expression received; to be overridden."""
        raise NotImplementedError("expressionReceived is to be overridden")

    def callExpressionReceived(self, obj: Any) -> None:
        """Take an expression: the first one settles the dialect, the others are handed on."""
        if self.currentDialect:
            self.expressionReceived(obj)
            return
        offered = obj if self.isClient and isinstance(obj, list) else [obj]
        for dialect in offered:
            if isinstance(dialect, bytes) and dialect in self.knownDialects:
                break
        else:
            _log.warn("no banana dialect in common with the peer: {offered!r}; closing", offered=obj)
            if self.transport is not None:
                self.transport.loseConnection()
            return
        if self.isClient:
            self.sendEncoded(dialect)
        self._selectDialect(dialect)

    def _selectDialect(self, dialect: bytes) -> None:
        self.currentDialect = dialect
        self.connectionReady()

    def gotItem(self, item: Any) -> None:
        """Called with each whole expression."""
        self.callExpressionReceived(item)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes as they came.

        :raises BananaError: they pass a ceiling.
        :raises KeyError: a word is not in the vocabulary.
        :raises NotImplementedError: a token is not known, or the dialect has no vocabulary.
        """
        decoder = self._decoder
        decoder.receive_data(data)
        while True:
            decoder.vocabulary = self.currentDialect == b"pb"
            try:
                expression = decoder.next_expression()
            except banana.UnknownWord as error:
                raise KeyError(error.args[1]) from None
            except (banana.UnknownToken, banana.WordNotAllowed) as error:
                raise NotImplementedError(error.args[0]) from None
            if expression is None:
                return
            self.gotItem(expression)

    def sendEncoded(self, obj: Any) -> None:
        """Send an expression.

        :raises BananaError: banana has no token for something in it, or something is too large to send.
        """
        data = _encode(obj, self.currentDialect == b"pb", self.prefixLimit or PB_PREFIX)
        if self.transport is not None:
            self.transport.write(data)


def encode(lst: Any) -> bytes:
    """Return the tokens of an expression, in dialect ``none``.

    :raises BananaError: banana has no token for something in it, or something is too large to send.
    """
    return _encode(lst, False, PB_PREFIX)


def decode(st: bytes) -> Any:
    """Return the first expression of the data, in dialect ``none``.

    :raises BananaError: the data pass a ceiling, are no tokens, or end before the expression does.
    """
    decoder = _decoder(PB_PREFIX)
    decoder.receive_data(st)
    expression = decoder.next_expression()
    if expression is None:
        raise BananaError("the expression ends early")
    return expression


def _encode(value: Any, vocabulary: bool, prefix_limit: int) -> bytes:
    try:
        return banana.encode(value, vocabulary=vocabulary, prefix_limit=prefix_limit)
    except LimitExceeded as error:
        raise BananaError(f"too large to send: {error}") from None


def _decoder(prefix_limit: int) -> Decoder:
    return Decoder(Limits(string=PB_SIZE, prefix=prefix_limit), vocabulary=False)
