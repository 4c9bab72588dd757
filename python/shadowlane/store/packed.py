"""The contents of a row as one compressed value: headers, bodies and texts of both sides.

They have much in common: a text stands in its body, and both answers are much alike. So one stream is smaller than one
for each, and is made in less time (measured in ``docs/parts/store.md``).

Invariant: what :func:`unpack` gives is what :func:`pack` got. Layout: a zlib stream (RFC 1950) of the number of parts
(one byte), their lengths in bytes (8 each, little-endian), and the parts.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

from .. import _core

__all__ = ["pack", "pack_all", "unpack"]

_LEVEL = 1  # most of the gain for a fraction of the time: the worker shares the machine with the gateway
_AT_ONCE = 64 * 1024
"""Parts that are larger together are not joined first."""
_MOST_PARTS = 255


def pack(parts: Sequence[bytes]) -> bytes:
    """At most 255 parts as one value. Raises :class:`ValueError` for more."""
    return pack_all([parts])[0]


def pack_all(rows: Iterable[Sequence[bytes]]) -> list[bytes]:
    """:func:`pack` of each of many rows: the small ones in one call of the core, without the GIL."""
    packed: list[bytes] = []
    small: dict[int, Sequence[bytes]] = {}
    for place, parts in enumerate(rows):
        if sum(map(len, parts)) <= _AT_ONCE:
            small[place] = parts
            packed.append(b"")
        else:
            packed.append(_streamed(parts))  # now, so that one large row is held at a time
    for place, value in zip(small, _core.pack_rows(list(small.values())), strict=True):
        packed[place] = value
    return packed


def _streamed(parts: Sequence[bytes]) -> bytes:
    if len(parts) > _MOST_PARTS:
        raise ValueError(f"a row of {len(parts)} parts: a packed value has at most {_MOST_PARTS} parts")
    stream = zlib.compressobj(_LEVEL)
    head = struct.pack(f"<B{len(parts)}Q", len(parts), *map(len, parts))
    return b"".join([stream.compress(head), *(stream.compress(part) for part in parts), stream.flush()])


def unpack(value: bytes) -> list[bytes]:
    """The parts. Raises :class:`zlib.error` and :class:`ValueError` for what :func:`pack` did not make."""
    data = zlib.decompress(value)
    count = data[0] if data else 0
    start = 1 + 8 * count
    if len(data) < start:
        raise ValueError(f"a packed value of {len(data)} bytes has no lengths of {count} parts")
    ends = list(accumulate(struct.unpack_from(f"<{count}Q", data, 1), initial=start))
    if ends[-1] != len(data):
        raise ValueError(f"a packed value of {len(data)} bytes, where its lengths say {ends[-1]}")
    return [data[begin:end] for begin, end in pairwise(ends)]
