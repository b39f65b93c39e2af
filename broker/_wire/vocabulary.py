"""The words that dialect ``pb`` sends as one number, and their tokens."""

from __future__ import annotations

from typing import Final

__all__ = ["INCOMING", "OUTGOING", "TOKENS", "VOCAB"]

#: Type byte of a token that stands for a word.
VOCAB: Final = 0x87

_WORDS: Final = (
    b"None class dereference reference dictionary function instance list module persistent tuple unpersistable "
    b"copy cache cached remote local lcache version login password challenge logged_in not_logged_in "
    b"cachemessage message answer error decref decache uncache"
)

#: Word to number. The numbers are PB's and start at 1.
OUTGOING: Final[dict[bytes, int]] = {word: number for number, word in enumerate(_WORDS.split(), 1)}
#: Number to word.
INCOMING: Final[dict[int, bytes]] = {number: word for word, number in OUTGOING.items()}
#: Word to its whole token. All numbers are below 128, so each takes one digit.
TOKENS: Final[dict[bytes, bytes]] = {word: bytes((number, VOCAB)) for word, number in OUTGOING.items()}
