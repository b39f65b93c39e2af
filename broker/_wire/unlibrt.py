"""What `librt.strings` offers, in plain Python: for machines that do not have it. This module is never compiled."""

from __future__ import annotations

from struct import Struct, error

__all__ = [
    "BytesWriter",
    "read_f64_be",
    "read_f64_le",
    "read_i16_le",
    "read_i32_le",
    "read_i64_le",
    "write_f64_be",
    "write_f64_le",
    "write_i16_le",
    "write_i32_le",
    "write_i64_le",
]

_i16 = Struct("<h")
_i32 = Struct("<i")
_i64 = Struct("<q")
_f64 = Struct("<d")
_f64_be = Struct(">d")


class BytesWriter(bytearray):
    """Bytes that are written one after the other."""

    __slots__ = ()

    write = bytearray.extend

    def getvalue(self) -> bytes:
        """Return what has been written."""
        return bytes(self)

    def truncate(self, size: int) -> None:
        """Drop everything behind the first `size` bytes."""
        if not 0 <= size <= len(self):
            raise ValueError("size out of range")
        del self[size:]


def _write(writer: BytesWriter, kind: Struct, number: float) -> None:
    try:
        writer += kind.pack(number)
    except error:
        raise ValueError("number out of range") from None


def _read(data: bytes, index: int, kind: Struct) -> int | float:
    if index < 0:
        raise ValueError("index must be non-negative")
    try:
        number: int | float = kind.unpack_from(data, index)[0]
    except error:
        raise IndexError("index out of range") from None
    return number


def write_i16_le(writer: BytesWriter, number: int) -> None:
    """Append a signed number of two bytes."""
    _write(writer, _i16, number)


def write_i32_le(writer: BytesWriter, number: int) -> None:
    """Append a signed number of four bytes."""
    _write(writer, _i32, number)


def write_i64_le(writer: BytesWriter, number: int) -> None:
    """Append a signed number of eight bytes."""
    _write(writer, _i64, number)


def write_f64_le(writer: BytesWriter, number: float) -> None:
    """Append a float of eight bytes."""
    _write(writer, _f64, number)


def read_i16_le(data: bytes, index: int) -> int:
    """Return the signed number of two bytes at `index`."""
    return int(_read(data, index, _i16))


def read_i32_le(data: bytes, index: int) -> int:
    """Return the signed number of four bytes at `index`."""
    return int(_read(data, index, _i32))


def read_i64_le(data: bytes, index: int) -> int:
    """Return the signed number of eight bytes at `index`."""
    return int(_read(data, index, _i64))


def read_f64_le(data: bytes, index: int) -> float:
    """Return the float of eight bytes at `index`."""
    return float(_read(data, index, _f64))


def write_f64_be(writer: BytesWriter, number: float) -> None:
    """Append a number of eight bytes, big-endian."""
    _write(writer, _f64_be, number)


def read_f64_be(data: bytes, index: int) -> float:
    """Return the number of eight bytes, big-endian, at an index."""
    return float(_read(data, index, _f64_be))
