"""Where an export goes: lines of JSON or a Parquet file, to a file that appears whole or to standard output.

Invariant: what is held does not grow with the pairs: a line at a time, or one row group of at most
:data:`_ROWS` pairs and about :data:`_BYTES` of text (of those that are written Parquet keeps the footer, 0.1 MB each).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol, cast

from ..errors import ConfigError, MissingExtraError, ShadowlaneError
from ..files import private_file
from ..render.text import json_line, print_raw
from ..store import StoredPair
from .records import Field, record
from .shapes import LINES, Wfgy

__all__ = ["Writer", "output", "writer_of"]

_ROWS = 16_384
_BYTES = 32 * 1024 * 1024
_FLUSHED = 256 * 1024


class Writer(Protocol):
    """Takes pairs one by one."""

    written: int
    """Pairs that made a line or a row."""
    left_out: int
    """Those that make none in this format."""

    def add(self, row: StoredPair) -> None: ...
    def close(self) -> None: ...


class _Stdout:
    """Standard output as a file."""

    closed = False

    def write(self, data: bytes) -> int:
        print_raw(bytes(data))
        return len(data)

    def flush(self) -> None:
        """What is written is on its way already."""


@contextlib.contextmanager
def output(path: Path | None) -> Iterator[BinaryIO]:
    """The file at ``path``, which takes its name when all is written, mode 0600; ``None``: standard output. Raises
    :class:`~shadowlane.errors.ShadowlaneError` where it cannot be written."""
    if path is None:
        yield cast(BinaryIO, _Stdout())
        return
    try:
        with private_file(path) as file:
            yield file
    except OSError as error:
        raise ShadowlaneError(
            f"--out = {str(path)!r}: cannot be written: {error.strerror}; choose a folder that exists, has room and is "
            "yours"
        ) from None


def writer_of(
    form: str,
    file: BinaryIO,
    fields: tuple[Field, ...],
    *,
    lane: str,
    dataset: str,
    pointer: str,
    to_stdout: bool,
) -> Writer:
    """The writer of a format. Raises :class:`~shadowlane.errors.MissingExtraError` and, where a terminal would get
    bytes, :class:`~shadowlane.errors.ConfigError`."""
    if form == "parquet":
        if to_stdout and sys.stdout.isatty():
            raise ConfigError("--format = 'parquet': is no text for a terminal; give --out FILE, or a pipe")
        return _Parquet(file, fields)
    if form == "wfgy":
        return _Lines(file, *_wfgy(Wfgy(lane, pointer)))
    if form in LINES:
        line = LINES[form]

        def one(row: StoredPair) -> Iterator[dict[str, Any]]:
            made = line(row, dataset)
            if made is not None:
                yield made

        return _Lines(file, one)
    return _Lines(file, lambda row: iter((record(row, fields),)))


Lines = Callable[[StoredPair], Iterator[dict[str, Any]]]
End = Callable[[], Iterator[dict[str, Any]]]


def _wfgy(made: Wfgy) -> tuple[Lines, End]:
    return made.lines, made.packs


class _Lines:
    def __init__(self, file: BinaryIO, lines: Lines, end: End | None = None) -> None:
        self.written = self.left_out = 0
        self._file, self._lines, self._end = file, lines, end
        self._waiting = bytearray()

    def add(self, row: StoredPair) -> None:
        before = len(self._waiting)
        for line in self._lines(row):
            self._put(line)
        if len(self._waiting) == before:
            self.left_out += 1
            return
        self.written += 1
        if len(self._waiting) >= _FLUSHED:
            self._flush()

    def _put(self, line: dict[str, Any]) -> None:
        self._waiting += json_line(line).encode() + b"\n"

    def _flush(self) -> None:
        self._file.write(bytes(self._waiting))
        self._waiting.clear()

    def close(self) -> None:
        if self._end is not None:
            for line in self._end():
                self._put(line)
        self._flush()


class _Parquet:
    def __init__(self, file: BinaryIO, fields: tuple[Field, ...]) -> None:
        try:
            import pyarrow as arrow
            from pyarrow import parquet
        except ImportError:
            raise MissingExtraError("--format parquet", "parquet", "pyarrow") from None
        kinds = {
            "text": arrow.string(),
            "int": arrow.int64(),
            "real": arrow.float64(),
            "bool": arrow.bool_(),
            "time": arrow.timestamp("ns", tz="UTC"),
            "texts": arrow.map_(arrow.string(), arrow.string()),
            "counts": arrow.map_(arrow.string(), arrow.int64()),
        }
        self.written = self.left_out = 0
        self._arrow, self._fields = arrow, fields
        self._schema = arrow.schema([(field.name, kinds[field.kind]) for field in fields])
        # The smallest and largest text of each row group would stay in memory until the file's end.
        plain = [field.name for field in fields if field.kind in ("int", "real", "bool", "time")]
        self._writer = parquet.ParquetWriter(
            cast("IO[bytes]", file), self._schema, compression="zstd", write_statistics=plain
        )
        self._columns: list[list[Any]] = [[] for _ in fields]
        self._bytes = 0

    def add(self, row: StoredPair) -> None:
        for field, column in zip(self._fields, self._columns, strict=True):
            value = field.of(row)
            if isinstance(value, dict):
                value = list(value.items())
            elif isinstance(value, str):
                self._bytes += len(value)
            column.append(value)
        self.written += 1
        if len(self._columns[0]) >= _ROWS or self._bytes >= _BYTES:
            self._flush()

    def _flush(self) -> None:
        arrays = [
            self._arrow.array(column, type=field.type)
            for column, field in zip(self._columns, self._schema, strict=True)
        ]
        self._writer.write_batch(self._arrow.record_batch(arrays, schema=self._schema), row_group_size=_ROWS)
        self._columns = [[] for _ in self._fields]
        self._bytes = 0

    def close(self) -> None:
        if self._columns[0]:
            self._flush()
        self._writer.close()
