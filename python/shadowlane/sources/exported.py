"""What ``shadowlane export`` wrote, read back: JSON lines and Parquet, with bodies or without.

Invariants: a record means what its pair meant: the same name, moment, request, answers and times; one without
``--bodies`` has its answers as texts. An exchange comes once, however many shadows had it; each record is in one count.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

from ..errors import DataError, MissingExtraError
from ..types import Headers
from .files import Item, json_lines
from .http1 import kept_headers
from .records import Answered, Record, Recorded, Unusable, clipped, time_ns

__all__ = ["PARQUET", "is_exported", "read_exported", "read_exported_parquet"]

PARQUET = b"PAR1"
"""What a Parquet file begins with."""
_BLOB = "data:application/octet-stream;base64,"
_TEXT: Headers = ((b"content-type", b"text/plain; charset=utf-8"),)
_CONTROL = "control"
_ROWS = 256
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_exported(item: dict[str, Any]) -> bool:
    """Whether a line is one of an export's."""
    return {"shadow_id", "req_hash", "prod_status", "shadow"} <= item.keys()


def read_exported(path: str, shadow: str) -> Iterator[Record]:
    """The lines in the order of the file, with the answers of ``shadow`` where the file has such, else of any but the
    control. (Standard input can be read once: of whoever comes first.)"""
    arm = "" if path == "-" else _arm(json_lines(path), shadow)
    return _records(json_lines(path), arm)


def read_exported_parquet(path: str, shadow: str) -> Iterator[Record]:
    """The rows in the order of the file. Raises
    :class:`~shadowlane.errors.MissingExtraError` without pyarrow."""
    return _records(_rows(path), _arm(_rows(path), shadow))


def _arm(items: Iterator[Item], shadow: str) -> str:
    """``shadow`` where a record is of it; empty: none is."""
    return shadow if any(isinstance(item, dict) and item.get("shadow") == shadow for _, item in items) else ""


def _rows(path: str) -> Iterator[Item]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ImportError:
        raise MissingExtraError("a Parquet file", "parquet", "pyarrow") from None
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_ROWS):
                for row in _plain(pa, batch).to_pylist():
                    number += 1
                    yield f"row {number}", row
    except (pa.ArrowException, OSError) as error:
        why = f"the file cannot be read on: {str(error).splitlines()[0]}"
        where = f"row {number + 1}"
        yield where, Unusable(where=where, why=why)


def _plain(pa: Any, batch: Any) -> Any:
    """Its times as whole nanoseconds: a ``datetime`` has none."""
    columns = [one.cast(pa.int64()) if pa.types.is_timestamp(one.type) else one for one in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _records(items: Iterator[Item], shadow: str) -> Iterator[Record]:
    seen = set[str]()
    for where, item in items:
        if isinstance(item, Unusable):
            yield item
            continue
        try:
            found = _record(where, item)
        except (DataError, RecursionError) as error:
            yield Unusable(where=where, why=str(error))
            continue
        arm = item["shadow"]
        if arm == _CONTROL or (shadow and arm != shadow):
            yield Unusable(where=where, why=f"an answer of {clipped(arm)}", reason="other_shadow")
        elif item["shadow_id"] in seen:
            yield Unusable(where=where, why="its exchange came already", reason="other_shadow")
        else:
            seen.add(item["shadow_id"])
            yield found


def _record(where: str, item: dict[str, Any]) -> Record:
    if not is_exported(item):
        raise DataError("not a record of an export: shadow_id, req_hash, shadow and prod_status are expected")
    name, status = _text(item, "shadow_id"), _whole(item, "prod_status")
    if not _UUID.fullmatch(name):
        raise DataError(f"shadow_id = {clipped(name)}: not a UUID")
    if item.get("request_body") is None:
        why = "its bodies were not kept, see store.keep_bodies"
        return Unusable(where=where, why=why, reason="bodies_gone")
    whole = "prod_body" in item
    reason, answered = _text(item, "reason"), _whole(item, "status")
    return Recorded(
        where=where,
        id=name,
        started_ns=_time(item.get("started_at")),
        method=_text(item, "method"),
        target=_text(item, "target"),
        headers=_headers(item, "request_headers"),
        body=_body(item, "request_body"),
        prod=_answer(item, "prod", status, whole) if status else None,
        shadow=_answer(item, "shadow", answered, whole) if answered and not reason else None,
        stored=True,
    )


def _answer(item: dict[str, Any], side: str, status: int, whole: bool) -> Answered:
    return Answered(
        status=status,
        headers=_headers(item, f"{side}_headers") if whole else _TEXT,
        body=_body(item, f"{side}_body" if whole else f"{side}_text"),
        ttfb_ns=_whole(item, f"{side}_ttfb_ns"),
        duration_ns=_whole(item, f"{side}_ns"),
    )


def _text(item: dict[str, Any], field: str) -> str:
    value = item.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DataError(f"{field} = {clipped(value)}: a text is expected")
    return value


def _whole(item: dict[str, Any], field: str) -> int:
    value = item.get(field)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise DataError(f"{field} = {clipped(value)}: a whole number of at least 0 is expected")
    return value


def _time(value: Any) -> int:
    """JSON has RFC 3339, Parquet nanoseconds."""
    return value if isinstance(value, int) and 0 <= value < 1 << 63 else time_ns(value, "started_at")


def _body(item: dict[str, Any], field: str) -> bytes:
    text = _text(item, field)
    if not text.startswith(_BLOB):
        return text.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text[len(_BLOB) :], validate=True)
    except binascii.Error:
        raise DataError(f"{field} = {clipped(text)}: not base64") from None


def _headers(item: dict[str, Any], field: str) -> Headers:
    found = []
    for line in filter(None, _text(item, field).split("\n")):
        name, colon, value = line.partition(": ")
        if not colon:
            raise DataError(f"{field} = {clipped(line)}: NAME: VALUE is expected")
        try:
            found.append((name.encode("latin-1"), value.encode("latin-1")))
        except UnicodeEncodeError:
            raise DataError(f"{field} = {clipped(line)}: not a field of HTTP") from None
    return kept_headers(tuple(found))
