"""Where the leaders of paraphrase groups are looked up: which one of a scope is nearest to a request.

Two indexes with one face. :class:`Exact` compares with every leader of the scope, in Rust: its cost grows with their
number (``benches/ratios.py`` measures both). :class:`Hnsw` walks a graph and may miss a leader: for hundreds of
thousands, through the extra ``groups``. Invariant: neither ever gives a leader of another scope, or one below the
threshold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import MissingExtraError

__all__ = ["Exact", "Hnsw", "Leaders", "open_leaders"]

_ROOM = 1024
_M, _EF_CONSTRUCTION, _EF = 16, 100, 64
_NEIGHBOURS = 16
"""Leaders looked at for one of the request's scope: beyond these, a group may be missed, never mixed."""


class Leaders(Protocol):
    """Rows in numbered slots. Not safe for several threads at once."""

    def set(self, slot: int, scope: int, row: NDArray[np.float32]) -> None:
        """Put a (dim,) float32 row into a slot that there is, or into the next one."""

    def nearest(self, row: NDArray[np.float32], scope: int, least: float) -> int | None:
        """The slot of ``scope`` whose row has the greatest cosine to ``row``, at least ``least``."""

    def nearest_each(self, rows: NDArray[np.float32], scopes: Sequence[int], least: float) -> Iterator[int | None]:
        """:meth:`nearest` of each of (n, dim) float32 rows, one by one: what is set in between is seen by the next."""

    def row(self, slot: int) -> NDArray[np.float32]:
        """The (dim,) float32 row of a slot that there is."""


def open_leaders(kind: Literal["exact", "hnsw"], dim: int, capacity: int, seed: int) -> Leaders:
    """An index without rows. Raises :class:`~shadowlane.errors.MissingExtraError` for ``hnsw`` without hnswlib."""
    return Exact(dim) if kind == "exact" else Hnsw(dim, capacity, seed)


class Exact:
    """The nearest leader, always."""

    def __init__(self, dim: int) -> None:
        self._index = _core.FlatIndex(dim)

    def set(self, slot: int, scope: int, row: NDArray[np.float32]) -> None:
        self._index.set(slot, scope, row.tobytes())

    def nearest(self, row: NDArray[np.float32], scope: int, least: float) -> int | None:
        found = self._index.nearest(row.tobytes(), scope, least)
        return None if found is None else found[0]

    def nearest_each(self, rows: NDArray[np.float32], scopes: Sequence[int], least: float) -> Iterator[int | None]:
        # All at once, so that a leader's row is fetched from memory once for all of them.
        search = self._index.search(rows.tobytes(), scopes, least)
        for place in range(len(rows)):
            found = self._index.found(search, place)
            yield None if found is None else found[0]

    def row(self, slot: int) -> NDArray[np.float32]:
        data = self._index.row(slot)
        if data is None:
            raise IndexError(slot)
        return np.frombuffer(data, dtype=np.float32)


class Hnsw:
    """HNSW (Malkov & Yashunin 2018, "Efficient and robust approximate nearest neighbor search"), by hnswlib."""

    def __init__(self, dim: int, capacity: int, seed: int) -> None:
        self._capacity = capacity
        self._scopes: dict[int, int] = {}
        self._index: Any = _hnswlib().Index(space="cosine", dim=dim)
        self._index.init_index(
            max_elements=min(capacity, _ROOM), M=_M, ef_construction=_EF_CONSTRUCTION, random_seed=seed
        )
        self._index.set_ef(_EF)

    def set(self, slot: int, scope: int, row: NDArray[np.float32]) -> None:
        room = self._index.get_max_elements()
        if slot >= room:
            self._index.resize_index(min(max(2 * room, slot + 1), self._capacity))
        # A slot that is taken already gets the new row instead of the one there.
        self._index.add_items(row[None], [slot], num_threads=1)
        self._scopes[slot] = scope

    def nearest(self, row: NDArray[np.float32], scope: int, least: float) -> int | None:
        if not self._scopes:
            return None
        slots, distances = self._index.knn_query(row, k=min(_NEIGHBOURS, len(self._scopes)), num_threads=1)
        for slot, distance in zip(slots[0].tolist(), distances[0].tolist(), strict=True):
            if 1 - distance < least:
                return None
            if self._scopes[slot] == scope:
                return int(slot)
        return None

    def nearest_each(self, rows: NDArray[np.float32], scopes: Sequence[int], least: float) -> Iterator[int | None]:
        return (self.nearest(row, scope, least) for row, scope in zip(rows, scopes, strict=True))

    def row(self, slot: int) -> NDArray[np.float32]:
        return np.asarray(self._index.get_items([slot])[0], dtype=np.float32)


def _hnswlib() -> Any:
    try:
        import hnswlib
    except ImportError:
        raise MissingExtraError("score.group_index = 'hnsw' (or leave it at 'exact')", "groups", "hnswlib") from None
    return hnswlib
