"""OpenTelemetry's GenAI telemetry out of a collector's file: OTLP/JSON, one export of logs or of traces a line.

Invariants: other logs and spans are passed over; one that tells of an operation without its messages, which are opt-in,
is left out by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import DataError
from .files import json_lines
from .genai import rebuilt
from .otlp_json import log_records, read_log, read_span, spans
from .records import Record, Unusable

__all__ = ["read_otel"]


def read_otel(path: str, target: str, model: str) -> Iterator[Record]:
    """The operations in the order of the file; ``target`` is that of the requests, ``model`` when given their model."""
    for where, item in json_lines(path):
        if isinstance(item, Unusable):
            yield item
            continue
        number = 0
        try:
            for read, service, record in _records(item):
                at = f"{where}, {'event' if read is read_log else 'span'} {number + 1}"
                try:
                    told = read(service, record)
                    if told is None:
                        continue
                    found = rebuilt(at, told, target, model)
                except (DataError, RecursionError) as error:
                    found = Unusable(where=at, why=str(error))
                # Agents, tools and embeddings are operations, and no exchanges of a chat.
                if not (isinstance(found, Unusable) and found.reason == "other_operation"):
                    number += 1
                    yield found
        except (DataError, RecursionError) as error:
            yield Unusable(where=where, why=str(error))


def _records(item: dict[str, Any]) -> Iterator[tuple[Any, str, dict[str, Any]]]:
    if isinstance(item.get("logRecords"), list):
        item = {"resourceLogs": [{"scopeLogs": [item]}]}
    elif isinstance(item.get("spans"), list):
        item = {"resourceSpans": [{"scopeSpans": [item]}]}
    yield from ((read_log, service, record) for service, record in log_records(item))
    yield from ((read_span, service, record) for service, record in spans(item))
