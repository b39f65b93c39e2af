"""The first byte of a value of the native dialect: what it is, and for small ones how large it is, or itself."""

from __future__ import annotations

from typing import Final

__all__ = [
    "BACK",
    "BIG",
    "BYTES",
    "BYTES8",
    "COMPLEX",
    "DATE",
    "DATETIME",
    "DECIMAL",
    "DICT",
    "FALSE",
    "FLOAT",
    "FLOATS",
    "FROZENSET",
    "I16",
    "I32",
    "I64",
    "I8",
    "INTS",
    "JELLY",
    "KNOWN16",
    "KNOWN8",
    "LIST",
    "MOST_SHAPES",
    "NEGATIVE",
    "NONE",
    "RECORD",
    "SET",
    "SHORT_DICT",
    "SHORT_LIST",
    "SHORT_STR",
    "SHORT_TUPLE",
    "STR",
    "STR8",
    "TIME",
    "TIMEDELTA",
    "TRUE",
    "TUPLE",
    "UUID_",
]

#: 00 to 7F are the integers 0 to 127. A text of up to 31 bytes: its length is added.
SHORT_STR: Final = 0x80
#: A list of up to 15 items.
SHORT_LIST: Final = 0xA0
#: A tuple of up to 7 items.
SHORT_TUPLE: Final = 0xB0
#: A dictionary of up to 7 entries: keys and values by turns.
SHORT_DICT: Final = 0xB8
NONE: Final = 0xC0
FALSE: Final = 0xC1
TRUE: Final = 0xC2
FLOAT: Final = 0xC3
I8: Final = 0xC4
I16: Final = 0xC5
I32: Final = 0xC6
I64: Final = 0xC7
#: A length of four bytes, then two's complement.
BIG: Final = 0xC8
#: A length of one byte, then UTF-8; `STR` has a length of four.
STR8: Final = 0xC9
STR: Final = 0xCA
BYTES8: Final = 0xCB
BYTES: Final = 0xCC
#: Containers with a count of four bytes.
LIST: Final = 0xCD
TUPLE: Final = 0xCE
DICT: Final = 0xCF
SET: Final = 0xD0
FROZENSET: Final = 0xD1
#: A dictionary whose keys are all texts: their number in one byte, the keys, the values.
RECORD: Final = 0xD2
#: A record whose keys are those of an earlier one, which is named by its number, of one byte or two; only the values.
KNOWN8: Final = 0xD3
KNOWN16: Final = 0xD4
#: A container met before in the same value, by its number of four bytes.
BACK: Final = 0xD5
COMPLEX: Final = 0xD6
DECIMAL: Final = 0xD7
DATE: Final = 0xD8
TIME: Final = 0xD9
DATETIME: Final = 0xDA
TIMEDELTA: Final = 0xDB
UUID_: Final = 0xDC
#: A list of integers: the bytes of each in one byte, their number in four, the integers.
INTS: Final = 0xDD
#: A list of floats: their number in four bytes, the floats.
FLOATS: Final = 0xDE
#: An s-expression follows; outermost only.
JELLY: Final = 0xDF
#: E0 to FF are the integers -32 to -1.
NEGATIVE: Final = 0xE0

#: Shapes of records that one value may define.
MOST_SHAPES: Final = 4096
