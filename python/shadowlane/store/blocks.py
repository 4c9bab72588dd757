"""Blocks: the columns of rows that are over, packed, so that what reads many rows does not read rows.

A block holds, of some thousand rows of one shadow within one hour, everything that
:class:`~shadowlane.columns.ScoreColumns` has, and what sums by route, tenant, model and version are made of. It is a
copy: nothing is in a block that is not in its rows. Invariant: a block counts only while the rows of its time are those
that it was made of, told by their number and the sum of their times, which an index has; where a row came late, or
went, the rows themselves are read.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..columns import ScoreColumns, Texts, codes_of
from .column_codec import PackedColumn, column_of, packed, packed_texts, texts_of
from .engine import Dialect
from .scores import SCORE_TABLE

__all__ = [
    "BLOCK_ROWS",
    "FORM",
    "Block",
    "DamagedBlockError",
    "Part",
    "block_sql",
    "opened",
    "part_of",
    "read_part",
    "read_scores",
    "sealed",
    "sound",
    "to_blobs",
]

FORM = 2
"""Of blocks that this release reads."""
_SUM_BYTES = 4
"""Before each content: its CRC-32 (RFC 1952, section 8), little-endian."""
BLOCK_ROWS = 1 << 14
"""A block has no more rows, but for those of one and the same time."""
_TEXT_COLUMNS = {"route": ""} | {
    name: name
    for name in (
        "tenant", "prod_model", "model", "model_rev", "index_hash", "prod_index_hash", "pins", "finish", "prod_finish",
        "tools", "blocked", "why",
    )
}  # fmt: skip
"""Columns of texts beside those of :data:`.scores.SCORE_TABLE`, as SQL; the route's is the dialect's."""
_PART = (
    "started_ns", "delta_s", "fact_flip", "reason", "prod_status", "status", "prod_ns", "shadow_ns", "embedder",
    "group", "unread", "strange_calls", "prod_strange_calls", "flip", "prod_flip", "flags", *_TEXT_COLUMNS,
)  # fmt: skip
"""What sums are made of: read by itself, so that a sum does not read the scores."""
_SQL = {score.field: score.sql for score in SCORE_TABLE} | {"flags": "flags"} | _TEXT_COLUMNS
_ARRAYS = {score.field: score.array for score in SCORE_TABLE}
_ARRAYS["flags"] = _ARRAYS["started_ns"]
_TEXTS = frozenset((*_TEXT_COLUMNS, *(name for name, array in _ARRAYS.items() if isinstance(array([]), Texts))))
_Columns = dict[str, PackedColumn]
_decoder = msgspec.msgpack.Decoder(_Columns)


class DamagedBlockError(Exception):
    """A content is not what :func:`to_blobs` made."""


class Block(NamedTuple):
    """A row of ``blocks`` without its contents."""

    id: int
    first_ns: int
    """Of rows that began then or later, and before ``until_ns``."""
    until_ns: int
    n: int
    total_ns: int
    """The sum of the rows' times since ``first_ns``."""


class Part:
    """Of some rows what sums are made of: arrays (n,) by name, and texts, read when they are asked for."""

    def __init__(
        self, n: int, columns: Mapping[str, PackedColumn | NDArray[Any] | Texts], rows: slice | NDArray[np.bool_]
    ) -> None:
        self._n, self._columns, self._rows = n, columns, rows
        self._read: dict[str, NDArray[Any]] = {}
        self._texts: dict[str, Texts] = {}

    def __getitem__(self, name: str) -> NDArray[Any]:
        """A column that is not of texts."""
        if name not in self._read:
            column = self._columns[name]
            values = column_of(column, self._n) if isinstance(column, PackedColumn) else column
            self._read[name] = np.asarray(values)[self._rows]
        return self._read[name]

    def texts(self, name: str) -> Texts:
        """A column of texts."""
        if name not in self._texts:
            column = self._columns[name]
            texts = texts_of(column, self._n) if isinstance(column, PackedColumn) else column
            self._texts[name] = Texts(texts.words, texts.codes[self._rows])  # type: ignore[union-attr]
        return self._texts[name]

    def where(self, name: str, *wanted: str) -> NDArray[np.bool_]:
        """Which rows have one of these texts (n,)."""
        return self.texts(name).isin(wanted)

    def within(self, since_ns: int, until_ns: int) -> Part:
        """Only the rows of a time."""
        started = self["started_ns"]
        if not len(started) or (started[0] >= since_ns and started[-1] < until_ns):
            return self
        return Part(self._n, self._columns, slice(*np.searchsorted(started, [since_ns, until_ns]).tolist()))


def block_sql(dialect: Dialect, *, whole: bool) -> str:
    """The columns of a query whose rows :func:`to_blobs` (``whole``) or :func:`part_of` takes."""
    names = _SQL if whole else _PART
    return ", ".join(_SQL[name] or dialect.route for name in names)


def to_blobs(chunks: Iterable[Sequence[Sequence[Any]]]) -> tuple[int, bytes, bytes]:
    """Rows of all columns, some at a time, as their number and the two contents of a block."""
    arrays: dict[str, list[NDArray[Any]]] = {name: [] for name in _SQL}
    words: dict[str, dict[str, int]] = {name: {} for name in _TEXTS}
    n = 0
    for rows in chunks:
        n += len(rows)
        for name, values in zip(_SQL, zip(*rows, strict=True), strict=True):
            arrays[name].append(codes_of(values, words[name]) if name in _TEXTS else _ARRAYS[name](values))
    columns: _Columns = {}
    for name, parts in arrays.items() if n else ():
        whole = np.concatenate(parts)
        columns[name] = packed_texts(Texts(tuple(words[name]), whole)) if name in _TEXTS else packed(whole)
    first = {name: columns.pop(name) for name in _PART} if n else {}
    return n, sealed(msgspec.msgpack.encode(first)), sealed(msgspec.msgpack.encode(columns))


def sealed(content: bytes) -> bytes:
    """A content with what tells whether it is as it was made."""
    return zlib.crc32(content).to_bytes(_SUM_BYTES, "little") + content


def sound(blob: bytes) -> bool:
    """Whether a content is as it was made."""
    return zlib.crc32(memoryview(blob)[_SUM_BYTES:]).to_bytes(_SUM_BYTES, "little") == blob[:_SUM_BYTES]


def opened(blob: bytes) -> memoryview:
    """What :func:`sealed` was given."""
    return memoryview(blob)[_SUM_BYTES:]


def _opened(blob: bytes) -> _Columns:
    if not sound(blob):
        raise DamagedBlockError
    return _decoder.decode(opened(blob))


def part_of(rows: Sequence[Sequence[Any]]) -> Part:
    """Rows of the part's columns as such."""
    columns: dict[str, PackedColumn | NDArray[Any] | Texts] = {}
    for name, values in zip(_PART, zip(*rows, strict=True), strict=True):
        columns[name] = Texts.of(values) if name in _TEXTS else _ARRAYS[name](values)
    return Part(len(rows), columns, slice(None))


def read_part(blob: bytes, n: int) -> Part:
    """The first content of a block. Raises :class:`DamagedBlockError`."""
    return Part(n, _opened(blob), slice(None))


def read_scores(part: bytes, rest: bytes, n: int, *, since_ns: int, without: Sequence[str]) -> ScoreColumns:
    """Both contents as the columns of the rows that began at ``since_ns`` or later, but for routes of ``without``.
    Raises :class:`DamagedBlockError`."""
    columns = _opened(part) | _opened(rest)
    rows: NDArray[np.bool_] | slice = slice(None)
    if without or column_of(columns["started_ns"], n)[0] < since_ns:
        rows = column_of(columns["started_ns"], n) >= since_ns
        if without:
            rows &= ~texts_of(columns["route"], n).isin(without)
    return ScoreColumns(**{score.field: _array(score.field, columns[score.field], n)[rows] for score in SCORE_TABLE})


def _array(name: str, column: PackedColumn, n: int) -> Any:
    return texts_of(column, n) if name in _TEXTS else column_of(column, n)
