"""Columns of a block of rows as bytes: small, and read again without a loop over rows.

Invariant: what :func:`column_of` gives is what :func:`packed` got, bit by bit, NaN included. Layouts (the element is
little-endian, of the smallest width that holds it; zlib's stream of RFC 1950 in its stead where that is much smaller):

========  ==============================================================================
``same``  one value at all rows: ``base``
``ints``  each value less ``base``, as unsigned numbers modulo 2^64
``rise``  ascending whole numbers: each less the one before it, the first less ``base``
``reals`` float64
``coded`` which of the float64 in ``table`` it is
``bits``  truth values, eight in a byte
``texts`` which of ``words`` it is
========  ==============================================================================
"""

from __future__ import annotations

import zlib
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..columns import Texts

__all__ = ["PackedColumn", "column_of", "packed", "packed_texts", "texts_of"]

_Array = NDArray[Any]
_LEVEL = 1
_LEAST = 64
_GAIN = 0.75
_MOST_CODED = 1 << 12
_ALL_BITS = (1 << 64) - 1


class PackedColumn(msgspec.Struct, frozen=True, array_like=True):
    """One column of ``n`` rows, the number of which is not in it."""

    layout: Literal["same", "ints", "rise", "reals", "coded", "bits", "texts"]
    kind: Literal["i", "f", "b", "U"]
    """Of :attr:`numpy.dtype.kind`."""
    base: int = 0
    """Of ``same`` the bits of the float64, the truth value, or the number of its word."""
    width: int = 0
    """Bytes of an element."""
    data: bytes = b""
    zipped: bool = False
    table: bytes = b""
    words: tuple[str, ...] = ()


def packed(values: _Array) -> PackedColumn:
    """A column (n,) of int64, float64 or bool. Raises TypeError for another kind."""
    kind = values.dtype.kind
    if kind == "b":
        if len(values) and values.min() == values.max():
            return PackedColumn("same", "b", int(values[0]))
        return _stored("bits", "b", 0, np.packbits(values))
    if kind == "i":
        return _whole(values)
    if kind != "f":
        raise TypeError(f"a column of {values.dtype}: give int64, float64 or bool")
    bits = values.astype(np.float64, copy=False).view(np.int64)
    known, codes = np.unique(bits, return_inverse=True)
    if len(known) == 1:
        return PackedColumn("same", "f", int(known[0]))
    if len(known) <= min(_MOST_CODED, len(values) // 4):
        return _stored("coded", "f", 0, _narrow(codes.astype(np.uint64)), table=known.astype("<i8").tobytes())
    return _stored("reals", "f", 0, values.astype("<f8"))


def packed_texts(texts: Texts) -> PackedColumn:
    """A column of texts."""
    if len(texts.words) == 1:
        return PackedColumn("same", "U", words=texts.words)
    return _stored("texts", "U", 0, _narrow(texts.codes.astype(np.uint64)), words=texts.words)


def _whole(values: _Array) -> PackedColumn:
    if not len(values):
        return PackedColumn("ints", "i", width=1)
    base, most = int(values.min()), int(values.max())
    if base == most:
        return PackedColumn("same", "i", base)
    steps = np.diff(values, prepend=base)
    if most - base <= _ALL_BITS >> 1 and bool((steps >= 0).all()):
        return _stored("rise", "i", base, _narrow(steps.astype(np.uint64)))
    return _stored("ints", "i", base, _narrow(values.astype(np.uint64) - np.uint64(base & _ALL_BITS)))


def _narrow(values: NDArray[np.uint64]) -> _Array:
    most = int(values.max()) if len(values) else 0
    width = next(width for width in (1, 2, 4, 8) if most < 1 << 8 * width)
    return values.astype(f"<u{width}")


def _stored(layout: Any, kind: Any, base: int, values: _Array, **more: Any) -> PackedColumn:
    data = values.tobytes()
    if len(data) > _LEAST:
        smaller = zlib.compress(data, _LEVEL)
        if len(smaller) < _GAIN * len(data):
            return PackedColumn(layout, kind, base, values.itemsize, smaller, zipped=True, **more)
    return PackedColumn(layout, kind, base, values.itemsize, data, **more)


def column_of(column: PackedColumn, n: int) -> _Array:
    """The values (n,) of a column that is not of texts; they may not be written to. Raises :class:`ValueError` and
    :class:`zlib.error` for what :func:`packed` did not make of so many rows."""
    if column.layout == "same":
        base = np.array([column.base], dtype=np.int64)
        one = base.view(np.float64) if column.kind == "f" else base.astype(bool) if column.kind == "b" else base
        return np.broadcast_to(one, (n,))
    if column.layout == "bits":
        bits = np.frombuffer(_bytes(column), dtype=np.uint8)
        return _checked(np.unpackbits(bits, count=n).astype(bool), n)
    if column.layout == "reals":
        return _checked(np.frombuffer(_bytes(column), dtype="<f8"), n)
    values = _elements(column, n)
    if column.layout == "coded":
        return np.frombuffer(column.table, dtype="<i8").view(np.float64)[values]
    if column.layout == "rise":
        return np.cumsum(values.astype(np.int64)) + np.int64(column.base)
    if column.layout != "ints":
        raise ValueError(f"a column of {column.layout} where numbers were looked for")
    return (values.astype(np.uint64) + np.uint64(column.base & _ALL_BITS)).view(np.int64)


def texts_of(column: PackedColumn, n: int) -> Texts:
    """The inverse of :func:`packed_texts`. Raises as :func:`column_of`."""
    if column.kind != "U":
        raise ValueError(f"a column of {column.layout} where texts were looked for")
    if column.layout == "same":
        return Texts(column.words, np.broadcast_to(np.zeros(1, dtype=np.int64), (n,)))
    return Texts(column.words, _elements(column, n))


def _elements(column: PackedColumn, n: int) -> _Array:
    return _checked(np.frombuffer(_bytes(column), dtype=f"<u{column.width}"), n)


def _bytes(column: PackedColumn) -> bytes:
    return zlib.decompress(column.data) if column.zipped else column.data


def _checked(values: _Array, n: int) -> _Array:
    if len(values) != n:
        raise ValueError(f"a column of {len(values)} values in a block of {n} rows")
    return values
