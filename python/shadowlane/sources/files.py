"""Opens a source's file, gzip or not, and cuts it into lines or into the items of a JSON document.

Invariants: what is held at a time is one line, or one JSON document; every piece has its position; a piece that is
not what it should be is a record of its own, and what comes after it is read.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import msgspec

from ..errors import DataError
from .records import LONGEST, Record, Unusable

__all__ = ["Item", "json_items", "json_lines", "lines", "opened", "read_all", "records_of"]

Item = tuple[str, Any]
"""Position and the JSON value there; or an :class:`Unusable` in its place."""
_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[\s,]*")
_MOST_DOCUMENT = 4 << 30


@contextlib.contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked; ``-`` is standard input. Raises :class:`~shadowlane.errors.DataError`."""
    if path == "-":
        yield sys.stdin.buffer
        return
    with contextlib.ExitStack() as stack:
        try:
            raw = stack.enter_context(Path(path).open("rb"))
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}; name a file of recorded traffic") from None
        yield cast("IO[bytes]", stack.enter_context(gzip.open(raw))) if packed else raw


def lines(path: str) -> Iterator[tuple[str, bytes | Unusable]]:
    """Each line that is not blank, with its position."""
    with opened(path) as file:
        for number in range(1, sys.maxsize):
            where = f"line {number}"
            try:
                line = file.readline(LONGEST + 1)
                if len(line) > LONGEST:
                    yield where, Unusable(where=where, why=f"longer than {LONGEST} bytes")
                    while line and not line.endswith(b"\n"):
                        line = file.readline(LONGEST)
                    continue
            except (OSError, EOFError, zlib.error) as error:
                why = getattr(error, "strerror", None) or str(error)
                yield where, Unusable(where=where, why=f"the file cannot be read on: {why}")
                return
            if not line:
                return
            line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if not line.isspace():
                yield where, line


def json_lines(path: str) -> Iterator[Item]:
    """Each line as a JSON object."""
    for where, line in lines(path):
        if isinstance(line, Unusable):
            yield where, line
            continue
        try:
            value = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            yield where, Unusable(where=where, why=f"not JSON: {error}")
            continue
        if isinstance(value, dict):
            yield where, value
        else:
            yield where, Unusable(where=where, why="JSON, but not an object")


def read_all(path: str) -> bytes:
    """A whole document. Raises :class:`~shadowlane.errors.DataError` where it cannot be read to its end."""
    try:
        with opened(path) as file:
            data = file.read(_MOST_DOCUMENT + 1)
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{path}: cannot be read on: {why}; is the file whole?") from None
    if len(data) > _MOST_DOCUMENT:
        raise DataError(f"{path}: larger than {_MOST_DOCUMENT} bytes; cut it into several files")
    return data


def json_items(path: str, start: str, again: str) -> Iterator[Item]:
    """The objects of the array that begins where the pattern ``start`` ends, each by itself: a damaged one costs only
    itself, up to the next place that the pattern ``again`` finds."""
    text = read_all(path).decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    found = re.search(start, text)
    if found is None:
        yield "offset 0", Unusable(where="offset 0", why="the array of records is not there")
        return
    at, number = found.end(), 0
    while True:
        blank = _BLANK.match(text, at)
        at = blank.end() if blank else at
        if at >= len(text):
            where = f"offset {len(text)}"
            yield where, Unusable(where=where, why="the document ends before its array does")
            return
        if text[at] == "]":
            return
        number += 1
        where = f"entry {number}"
        try:
            value, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            broken = f"{where}, character {at}"
            yield broken, Unusable(where=broken, why=f"not JSON: {error}")
            following = re.compile(again).search(text, at + 1)
            if following is None:
                return
            at = following.start()
            continue
        yield where, value if isinstance(value, dict) else Unusable(where=where, why="JSON, but not an object")


def records_of(items: Iterator[Item], read: Callable[[str, dict[str, Any]], Record]) -> Iterator[Record]:
    """Each item as the record that ``read`` makes of it; what it raises as :class:`~shadowlane.errors.DataError` is why
    there is none."""
    for where, item in items:
        if isinstance(item, Unusable):
            yield item
            continue
        try:
            yield read(where, item)
        except (DataError, RecursionError) as error:
            yield Unusable(where=where, why=str(error))
