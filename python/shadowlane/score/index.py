"""The fingerprint of a retrieval index: two answers can be held against each other only when it agrees.

Invariant: it depends on what the index holds (each id with its vector, and the manifest), never on the order in which
it was built or is listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from ..errors import DataError

__all__ = ["index_hash"]

_BLOCK = 4096
_FORMAT = b"shadowlane.index/1"


def index_hash(vectors: NDArray[np.float32], ids: Sequence[str], manifest: Mapping[str, Any]) -> str:
    """XXH3-128 of an index, as 32 hex digits.

    ``vectors`` is (n, d) float32, finite; ``ids`` are n distinct texts, one for each row; ``manifest`` is what else
    makes the index what it is (embedder and revision, analyzer, chunking, corpus version): JSON values under text keys,
    in any order. Rows are hashed sorted by the UTF-8 bytes of their id, as little-endian float32 with -0.0 taken as
    0.0, every part with its length before it. Not a cryptographic hash: it finds accidents, not forgeries.

    Raises :class:`~shadowlane.errors.DataError` that names what does not fit.
    """
    if not isinstance(vectors, np.ndarray) or vectors.ndim != 2 or vectors.dtype != np.float32:
        shape = f"{vectors.dtype} of shape {vectors.shape}" if isinstance(vectors, np.ndarray) else type(vectors)
        raise DataError(f"vectors must be a (n, d) float32 array, not {shape}: use np.asarray(vectors, np.float32)")
    if len(ids) != len(vectors):
        raise DataError(f"ids must name every row: {len(ids)} ids for {len(vectors)} vectors")
    keys = [_encoded(name, position) for position, name in enumerate(ids)]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    for before, after in pairwise(order):
        if keys[before] == keys[after]:
            raise DataError(f"ids[{after}] {ids[after]!r} appears twice: every row needs an id of its own")
    try:
        described = msgspec.json.encode(dict(manifest), order="sorted")
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"manifest must hold JSON values only: {error}") from error
    hasher = xxhash.xxh3_128(_FORMAT)
    hasher.update(b"".join(number.to_bytes(8, "little") for number in (*vectors.shape, len(described))))
    hasher.update(described)
    for first in range(0, len(order), _BLOCK):
        positions = order[first : first + _BLOCK]
        hasher.update(b"".join(len(keys[position]).to_bytes(8, "little") + keys[position] for position in positions))
        rows = vectors[positions] + np.float32(0.0)  # -0.0 + 0.0 is 0.0
        if not np.isfinite(rows).all():
            row = positions[int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])]
            raise DataError(f"vectors[{row}] ({ids[row]!r}) is not finite: embed that text again")
        hasher.update(rows.astype("<f4", copy=False).tobytes())
    return hasher.hexdigest()


def _encoded(name: str, position: int) -> bytes:
    if not isinstance(name, str):
        raise DataError(f"ids[{position}] must be a text, not {type(name).__name__}: use str()")
    try:
        return name.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"ids[{position}] {name!r} cannot be written as UTF-8: {error.reason}") from error
