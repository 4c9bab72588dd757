"""Readers of recorded traffic: one iterator of exchanges, whatever recorded them.

Invariant: a form that is not known is refused before anything is read; what is read is never held as a whole, but for
documents that are one value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from ..errors import ConfigError, DataError
from .access_log import LOG_LINE, read_access_log
from .datasets import DATASET_FORMS, read_dataset
from .exchanges import read_exchanges
from .exported import PARQUET, is_exported, read_exported, read_exported_parquet
from .files import opened
from .gor import SEPARATOR, read_gor
from .har import read_har
from .mitmproxy import read_mitmproxy
from .openai_batch import read_batch
from .otel import read_otel
from .phoenix_csv import is_phoenix_csv
from .records import Answered, Record, Recorded, Unusable
from .stored import open_stored, read_stored, stored_record

__all__ = ["FORMS", "Answered", "Record", "Recorded", "Source", "Unusable", "form_of", "open_stored", "stored_record"]

FORMS = (
    "store",
    "har",
    "gor",
    "mitmproxy",
    "access-log",
    "openai-batch",
    *DATASET_FORMS,
    "otel",
    "exchanges",
    "export",
    "parquet",
)
"""What ``--format`` takes."""
_LOOKED_AT = 1 << 20
_GOR = re.compile(rb"[12] [0-9a-zA-Z-]+ \d+[ \n]")
_FLOW = re.compile(rb"\d{2,10}:\d+:")
_HAR = re.compile(rb'\{\s*"log"\s*:\s*\{')


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Recorded traffic and how it is to be read. ``target`` and ``model`` are those of requests that a form has not."""

    path: str
    form: str
    answers: str = ""
    target: str = "/v1/chat/completions"
    model: str = ""
    shadow: str = ""
    """Of a store or an export: whose answers are the second ones."""

    @classmethod
    def of(cls, path: str, form: str | None = None, **more: str) -> Source:
        """A source whose form is recognised unless it is given. Raises :class:`~shadowlane.errors.ConfigError` and
        :class:`~shadowlane.errors.DataError`."""
        if form is not None and form not in FORMS:
            raise ConfigError(f"--format = {form!r}: not a form; known: {', '.join(FORMS)}")
        if form is None and path == "-":
            raise ConfigError("--format: missing; standard input cannot be looked at first")
        return cls(path=path, form=form or form_of(path), **more)

    def records(self) -> Iterator[Record]:
        """The records in the order of the source. Raises :class:`~shadowlane.errors.DataError` and
        :class:`~shadowlane.errors.StoreError` when it cannot be read at all."""
        readers: dict[str, Any] = {
            "har": read_har,
            "gor": read_gor,
            "mitmproxy": read_mitmproxy,
            "access-log": read_access_log,
            "exchanges": read_exchanges,
        }
        if self.form == "store":
            return read_stored(self.path, self.shadow)
        if self.form == "export":
            return read_exported(self.path, self.shadow)
        if self.form == "parquet":
            return read_exported_parquet(self.path, self.shadow)
        if self.form == "openai-batch":
            return read_batch(self.path, self.answers)
        if self.form == "otel":
            return read_otel(self.path, self.target, self.model)
        if self.form in DATASET_FORMS:
            return read_dataset(self.path, self.target, self.model)
        found: Iterator[Record] = readers[self.form](self.path)
        return found


def form_of(path: str) -> str:
    """The form of a file by its beginning. Raises :class:`~shadowlane.errors.DataError` when it is none of them."""
    with opened(path) as file:
        try:
            head = file.read(_LOOKED_AT)
        except (OSError, EOFError) as error:
            raise DataError(f"{path}: cannot be read: {error}; is the file whole?") from None
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"SQLite format 3\x00"):
        return "store"
    if head.startswith(PARQUET):
        return "parquet"
    if SEPARATOR in head or _GOR.match(head):
        return "gor"
    if _HAR.match(head):
        return "har"
    if _FLOW.match(head):
        return "mitmproxy"
    if any(LOG_LINE.match(line) for line in head.splitlines()[:20]):
        return "access-log"
    for item in _objects(head):
        if form := _form_of_object(item):
            return form
    if is_phoenix_csv(head):
        return "phoenix"
    raise DataError(f"{path}: not recognised as recorded traffic; say what it is with --format: {', '.join(FORMS)}")


def _objects(head: bytes) -> Iterator[dict[str, Any]]:
    """The first objects of JSON lines, or of an array."""
    if head[:1] == b"[":
        found = re.match(rb"\[\s*", head)
        text = head[found.end() if found else 1 :].decode("utf-8", "replace")
        try:
            value, _ = json.JSONDecoder().raw_decode(text)
        except ValueError:
            return
        if isinstance(value, dict):
            yield value
        return
    for line in head.splitlines()[:20]:
        try:
            value = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value


def _form_of_object(item: dict[str, Any]) -> str:
    has = item.keys().__contains__
    if has("resourceLogs") or has("logRecords") or has("resourceSpans"):
        return "otel"
    if is_exported(item):
        return "export"
    if has("custom_id") and (has("url") or has("response")):
        return "openai-batch"
    if has("prod") and has("time"):
        return "exchanges"
    if isinstance(item.get("item"), dict) or (has("input") and has("ideal")):
        return "openai-evals"
    if has("inputs"):
        return "langsmith"
    if has("expectedOutput") or has("sourceTraceId") or has("datasetId"):
        return "langfuse"
    if has("messages"):
        return "fine-tuning"
    if has("attributes.input.value") or has("attributes") or (has("input") and has("output")):
        return "phoenix"
    return ""
