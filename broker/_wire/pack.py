"""Numbers and bytes of fixed layout: a writer that grows, and readers, little-endian but for the floats of banana.

They are those of `librt`, which compiled code calls without going through Python. Where there is no librt, which only
code that is not compiled can do without, `broker._wire.unlibrt` stands in for it.
"""

from __future__ import annotations

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

try:
    from librt.strings import (
        BytesWriter,
        read_f64_be,
        read_f64_le,
        read_i16_le,
        read_i32_le,
        read_i64_le,
        write_f64_be,
        write_f64_le,
        write_i16_le,
        write_i32_le,
        write_i64_le,
    )
except ImportError:
    from broker._wire.unlibrt import (  # type: ignore[assignment]
        BytesWriter,
        read_f64_be,
        read_f64_le,
        read_i16_le,
        read_i32_le,
        read_i64_le,
        write_f64_be,
        write_f64_le,
        write_i16_le,
        write_i32_le,
        write_i64_le,
    )
