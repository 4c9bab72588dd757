"""The contents of a row as one compressed value: headers, bodies and texts of both sides.

They have much in common: a text stands in its body, and both answers are much alike. So one stream is smaller than one
for each, and is made in less time (measured in ``docs/parts/store.md``).

Invariant: what :func:`unpack` gives is what :func:`pack` got. Layout: a zlib stream (RFC 1950) of the number of parts
(one byte), their lengths in bytes (8 each, little-endian), and the parts.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from itertools import accumulate, pairwise

__all__ = ["pack", "unpack"]

_LEVEL = 1  # most of the gain for a fraction of the time: the worker shares the machine with the gateway
_AT_ONCE = 64 * 1024
"""Parts that are larger together are not joined first."""


def pack(parts: Sequence[bytes]) -> bytes:
    """At most 255 parts as one value."""
    lengths = [len(part) for part in parts]
    head = struct.pack(f"<B{len(parts)}Q", len(parts), *lengths)
    if sum(lengths) <= _AT_ONCE:
        return zlib.compress(b"".join((head, *parts)), _LEVEL)
    stream = zlib.compressobj(_LEVEL)
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
