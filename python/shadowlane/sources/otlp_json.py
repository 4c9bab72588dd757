"""OTLP/JSON as plain values: the log records and spans of one export, and their attributes.

The mapping is that of the OTLP specification, "JSON Protobuf Encoding": names in lowerCamelCase, whole numbers as text
or numbers, ids in hex, fields with other names ignored (https://opentelemetry.io/docs/specs/otlp/). Invariants: each
record comes once, in the order of the export; what has not the form of OTLP raises, and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import DataError
from .genai import EVENT, Telling
from .records import clipped

__all__ = ["DEEPEST", "MOST_VALUES", "any_value", "attributes_of", "log_records", "read_log", "read_span", "spans"]

DEEPEST = 32
"""Levels of an attribute's value."""
MOST_VALUES = 20_000
"""Attributes of a record, or values of an attribute."""
_MOST_NS = 1 << 63
_HEX = frozenset("0123456789abcdefABCDEF")


def log_records(export: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each log record of an export, with its service's name. Raises :class:`~shadowlane.errors.DataError`."""
    return _records(export, "resourceLogs", "scopeLogs", "logRecords")


def spans(export: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each span of an export, with its service's name. Raises :class:`~shadowlane.errors.DataError`."""
    return _records(export, "resourceSpans", "scopeSpans", "spans")


def _records(export: Mapping[str, Any], *names: str) -> Iterator[tuple[str, dict[str, Any]]]:
    resources, scopes, records = names
    for resource in _objects(export, resources):
        service = _service(resource.get("resource"))
        for scope in _objects(resource, scopes):
            for record in _objects(scope, records):
                yield service, record


def _objects(holder: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    value = holder.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise DataError(f"{name} = {clipped(value)}: an array of objects is expected")
    if len(value) > MOST_VALUES and name in ("attributes", "values"):
        raise DataError(f"more than {MOST_VALUES} values in one place")
    return value


def _service(resource: Any) -> str:
    if resource is None:
        return ""
    if not isinstance(resource, dict):
        raise DataError(f"resource = {clipped(resource)}: an object is expected")
    return str(next((any_value(v) for k, v in _pairs(resource) if k == "service.name"), None) or "")


def read_log(service: str, record: dict[str, Any]) -> Telling | None:
    """What a log record tells of a GenAI operation; ``None``: it is another one."""
    named = record.get("eventName")
    if named != EVENT and not any(k == "event.name" and any_value(v) == EVENT for k, v in _pairs(record)):
        return None
    body = any_value(record.get("body"))
    attributes = attributes_of(record)
    return Telling(
        kind="event",
        service=service,
        trace_id=_hex(record, "traceId"),
        span_id=_hex(record, "spanId"),
        at_ns=_time(record, "timeUnixNano") or _time(record, "observedTimeUnixNano"),
        attributes={**body, **attributes} if isinstance(body, dict) else attributes,
    )


def read_span(service: str, span: dict[str, Any]) -> Telling | None:
    """What a span tells of a GenAI operation, by itself or by an event on it; ``None``: it is another one."""
    events = [one for one in _objects(span, "events") if one.get("name") == EVENT]
    if not events and not any(key.startswith("gen_ai.") for key, _ in _pairs(span)):
        return None
    attributes = attributes_of(span)
    for event in events:
        attributes |= attributes_of(event)
    began, ended = _time(span, "startTimeUnixNano"), _time(span, "endTimeUnixNano")
    return Telling(
        kind="span",
        service=service,
        trace_id=_hex(span, "traceId"),
        span_id=_hex(span, "spanId"),
        at_ns=began,
        took_ns=max(ended - began, 0) if began else 0,
        attributes=attributes,
        trace_state=str(span.get("traceState") or ""),
    )


def attributes_of(holder: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a record as plain values."""
    return {key: any_value(value) for key, value in _pairs(holder)}


def _pairs(holder: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for pair in _objects(holder, "attributes"):
        if isinstance(pair.get("key"), str):
            yield pair["key"], pair.get("value")


def any_value(value: Any, depth: int = 0) -> Any:
    """An OTLP ``AnyValue`` (opentelemetry/proto/common/v1/common.proto) as plain JSON.

    Raises :class:`~shadowlane.errors.DataError`.
    """
    if value is None:
        return None
    if depth > DEEPEST:
        raise DataError(f"an attribute has more than {DEEPEST} levels")
    if not isinstance(value, dict):
        raise DataError(f"{clipped(value)}: an object such as {{'stringValue': …}} is expected")
    for kind, inner in value.items():
        if kind in ("arrayValue", "kvlistValue"):
            if inner is not None and not isinstance(inner, dict):
                raise DataError(f"{kind} = {clipped(inner)}: an object is expected")
            values = _objects(inner or {}, "values")
            if kind == "arrayValue":
                return [any_value(one, depth + 1) for one in values]
            return {str(one.get("key", "")): any_value(one.get("value"), depth + 1) for one in values}
        if kind == "intValue":
            return _whole(inner, kind)
        if kind == "doubleValue":
            return _real(inner)
        if kind in ("stringValue", "bytesValue", "boolValue"):
            if not isinstance(inner, bool if kind == "boolValue" else str):
                raise DataError(f"{kind} = {clipped(inner)}: not such a value")
            return inner
    return None


def _whole(value: Any, field: str) -> int:
    text = str(value)
    digits = text.removeprefix("-")
    if isinstance(value, bool) or not isinstance(value, (int, str)) or len(text) > 20:
        raise DataError(f"{field} = {clipped(value)}: not a whole number of 64 bits")
    if not (digits.isascii() and digits.isdigit()):
        raise DataError(f"{field} = {clipped(value)}: not a whole number of 64 bits")
    found = int(text)
    if not -_MOST_NS <= found < 2 * _MOST_NS:
        raise DataError(f"{field} = {clipped(value)}: not a whole number of 64 bits")
    return found


def _real(value: Any) -> float | None:
    """As the mapping has it: a number, or a text of one; ``None`` for what JSON has no number for."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise DataError(f"doubleValue = {clipped(value)}: not a number")
    try:
        found = float(value)
    except (ValueError, OverflowError):
        raise DataError(f"doubleValue = {clipped(value)}: not a number") from None
    return found if abs(found) < float("inf") else None


def _time(record: Mapping[str, Any], field: str) -> int:
    """Unix time in ns; 0 where there is none."""
    value = record.get(field)
    if value is None:
        return 0
    found = _whole(value, field)
    if not 0 <= found < _MOST_NS:
        raise DataError(f"{field} = {clipped(value)}: not between the years 1970 and 2262")
    return found


def _hex(record: Mapping[str, Any], field: str) -> str:
    """An id in lower case; empty where there is none, or one of zeros only, which is none (W3C Trace Context)."""
    value = record.get(field)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > 64 or not _HEX.issuperset(value):
        raise DataError(f"{field} = {clipped(value)}: not an id in hex")
    return value.lower() if value.strip("0") else ""
