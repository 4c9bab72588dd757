"""CSV out of Phoenix: the examples of a data set, or spans.

A data set's download has the columns ``example_id`` and, for each member of an example, ``input_NAME``, ``output_NAME``
and ``metadata_NAME`` (``GET /v1/datasets/ID/csv``, src/phoenix/server/api/routers/v1/datasets.py); a data frame of
spans or of examples that pandas wrote has ``attributes.input.value`` or ``input``. pandas writes what is no text as
Python does. Invariants: a row means what the same example means in JSON; a row that is none is named by its line.
"""

from __future__ import annotations

import ast
import csv
import json
import zlib
from collections.abc import Iterator
from typing import IO, Any

from .files import Item, opened
from .records import LONGEST, Unusable

__all__ = ["csv_items", "is_phoenix_csv"]

_SIDES = ("input", "output")
_ASKED = ("input", "attributes.input.value")
"""A frame's columns of what was asked."""
_MOST_PYTHON = 1 << 20


def is_phoenix_csv(head: bytes) -> bool:
    """Whether the first line of a file names the columns of a data set or of spans."""
    names = _names(head.partition(b"\n")[0].decode("utf-8", "replace"))
    return any(name in _ASKED or name.startswith("input_") for name in names) and len(names) > 1


def csv_items(path: str) -> Iterator[Item]:
    """Each row as the example that it is, with the line at which it begins."""
    csv.field_size_limit(LONGEST)
    broken: list[str] = []
    with opened(path) as file:
        reader = csv.reader(_texts(file, broken), strict=True)
        names: list[str] | None = None
        while True:
            where = f"line {reader.line_num + 1}"
            try:
                row = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                yield where, Unusable(where=where, why=f"not CSV: {error}")
                continue
            if names is None:
                names = row
            elif len(row) == len(names):
                yield where, _example(dict(zip(names, row, strict=True)))
            elif row:
                why = f"{len(row)} fields where the first line names {len(names)}"
                yield where, Unusable(where=where, why=why)
        if broken:
            yield where, Unusable(where=where, why=f"the file cannot be read on: {broken[0]}")


def _texts(file: IO[bytes], broken: list[str]) -> Iterator[str]:
    """The lines, as long as they can be read; a text may go over several."""
    first = True
    while True:
        try:
            line = file.readline(LONGEST + 1)
        except (OSError, EOFError, zlib.error) as error:
            broken.append(getattr(error, "strerror", None) or str(error))
            return
        if not line:
            return
        yield (line.removeprefix(b"\xef\xbb\xbf") if first else line).decode("utf-8", "replace")
        first = False


def _names(line: str) -> list[str]:
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error:
        return []


def _example(row: dict[str, str]) -> dict[str, Any]:
    """The row as an example of JSON lines: members put together, values read."""
    example: dict[str, Any] = {name: _value(text) for name, text in row.items() if text != ""}
    for side in _SIDES:
        start = f"{side}_"
        members = {name.removeprefix(start): value for name, value in example.items() if name.startswith(start)}
        if members and side not in example:
            example[side] = members
    return example


def _value(text: str) -> Any:
    """A text, or the object or list that it is the JSON or the Python of."""
    if text[:1] not in "{[":
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if len(text) > _MOST_PYTHON:  # its reader takes a hundred times the memory
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
