"""One body of OTLP/HTTP as what its records tell: unpacked and decoded, protobuf or JSON, logs or traces.

Invariants: the body is never larger than :data:`MOST_BYTES` in either form; it is decoded as a whole or refused as a
whole; each of its records comes once, as what it tells, as ``None`` where it tells of nothing of ours, or as why it
cannot be read, and the two encodings of one record tell the same.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Literal, TypeAlias

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ..errors import DataError
from ..sources.genai import EVENT, Telling
from ..sources.otlp_json import DEEPEST, MOST_VALUES, log_records, read_log, read_span, spans

__all__ = ["MOST_BYTES", "MOST_RECORDS", "BadBody", "Signal", "Told", "TooLarge", "check_number", "decoded", "unpacked"]

Signal: TypeAlias = Literal["logs", "traces"]
Told: TypeAlias = "Telling | DataError | None"
MOST_BYTES = 16 << 20
"""Of a body, before and after it is unpacked."""
MOST_RECORDS = 20_000
"""Of one body: an SDK sends 512, a collector 8,192."""
_MOST_NS = 1 << 63
_MOST_MEMBERS = 100
"""Of one gzip (RFC 1952 §2.2): each costs a copy of all that is behind it, and an exporter sends one."""


_TOO_MANY = f"more than {MOST_RECORDS} records in one request: send smaller batches"


class BadBody(Exception):
    """The body is not what its head says: it is not to be sent again."""


class TooLarge(BadBody):
    """It is beyond :data:`MOST_BYTES`, packed or unpacked, or has more than :data:`MOST_RECORDS`."""


def unpacked(body: bytes, coding: str) -> bytes:
    """Raises :class:`BadBody`. ``coding``: that of ``Content-Encoding``, ``gzip`` or nothing."""
    if coding in ("", "identity"):
        return body
    if coding not in ("gzip", "x-gzip"):
        raise BadBody(f"Content-Encoding {coding!r} is not known: send gzip, or nothing")
    if not body:
        return body
    whole, rest = bytearray(), body
    for _ in range(_MOST_MEMBERS):
        inflate = zlib.decompressobj(wbits=31)
        try:
            whole += inflate.decompress(rest, MOST_BYTES + 1 - len(whole))
        except zlib.error as error:
            raise BadBody(f"the body is no gzip: {error}") from None
        if len(whole) > MOST_BYTES:
            raise TooLarge(f"more than {MOST_BYTES} bytes when unpacked: send smaller batches")
        if not inflate.eof:
            raise BadBody("the gzip ends too early")
        if not (rest := inflate.unused_data):
            return bytes(whole)
    raise BadBody(f"more than {_MOST_MEMBERS} gzips in one body: send one")


def decoded(signal: Signal, body: bytes, *, as_json: bool) -> Iterator[Told]:
    """What each record tells. Raises :class:`BadBody` before the first one."""
    return _of_json(signal, body) if as_json else _of_protobuf(signal, body)


def _of_json(signal: Signal, body: bytes) -> Iterator[Told]:
    try:
        export = msgspec.json.decode(body)
        if not isinstance(export, dict):
            raise DataError("an object is expected")
        found = log_records(export) if signal == "logs" else spans(export)
        records = list(islice(found, MOST_RECORDS + 1))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, DataError) as error:
        raise BadBody(f"not OTLP/JSON: {error}") from None
    if len(records) > MOST_RECORDS:
        raise TooLarge(_TOO_MANY)
    read = read_log if signal == "logs" else read_span
    return (_read(read, service, record) for service, record in records)


def _of_protobuf(signal: Signal, body: bytes) -> Iterator[Told]:
    check_number(body)
    export: Any = ExportLogsServiceRequest() if signal == "logs" else ExportTraceServiceRequest()
    try:
        export.ParseFromString(body)
    except (DecodeError, RecursionError) as error:
        raise BadBody(f"not an {type(export).__name__}: {error}") from None
    if signal == "logs":
        groups = [(scope.log_records, one.resource) for one in export.resource_logs for scope in one.scope_logs]
        return (_read(_log, _service(resource), record) for records, resource in groups for record in records)
    groups = [(scope.spans, one.resource) for one in export.resource_spans for scope in one.scope_spans]
    return (_read(_span, _service(resource), record) for records, resource in groups for record in records)


def check_number(body: bytes) -> None:
    """Raises :class:`TooLarge` where a body in protobuf has more records than are taken, before it is decoded: 16 MiB
    have room for 8 million empty ones, which are a GiB as objects. Export, resource and scope have what they hold in a
    field of their own (1, 2, 2); how many fields are looked at is bounded, whatever they are."""
    left = 4 * MOST_RECORDS
    records = 0
    waiting = [(0, len(body), 0)]
    while waiting:
        at, end, level = waiting.pop()
        while at < end:
            left -= 1
            if left < 0 or records > MOST_RECORDS:
                raise TooLarge(_TOO_MANY)
            tag, at = _varint(body, at, end)
            kind = tag & 7
            if kind == 0:
                _, at = _varint(body, at, end)
            elif kind in (1, 5):
                at += 8 if kind == 1 else 4
            elif kind == 2:
                size, at = _varint(body, at, end)
                if tag >> 3 == _HELD[level] and level == 2:
                    records += 1
                elif tag >> 3 == _HELD[level]:
                    waiting.append((at, min(at + size, end), level + 1))
                at += size
            else:
                raise BadBody("not OTLP: a field of an unknown kind")
    if records > MOST_RECORDS:
        raise TooLarge(_TOO_MANY)


_HELD = (1, 2, 2)
"""The field of resources in an export, of scopes in a resource, of records in a scope."""


def _varint(body: bytes, at: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            break
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise BadBody("not OTLP: it ends within a field")


def _read(read: Callable[[str, Any], Telling | None], service: str, record: Any) -> Told:
    try:
        return read(service, record)
    except RecursionError:
        return DataError("an attribute is nested too deep")
    except DataError as error:
        return error


def _service(resource: Any) -> str:
    for pair in resource.attributes:
        if pair.key == "service.name":
            return str(pair.value.string_value)
    return ""


def _log(service: str, record: Any) -> Telling | None:
    _few(record.attributes)
    named = record.event_name == EVENT
    if not named and not any(one.key == "event.name" and one.value.string_value == EVENT for one in record.attributes):
        return None
    attributes = _attributes(record.attributes)
    body = _value(record.body, 0)
    return Telling(
        kind="event",
        service=service,
        trace_id=_id(record.trace_id),
        span_id=_id(record.span_id),
        at_ns=_time(record.time_unix_nano or record.observed_time_unix_nano),
        attributes={**body, **attributes} if isinstance(body, dict) else attributes,
    )


def _span(service: str, span: Any) -> Telling | None:
    _few(span.attributes)
    events = [one for one in span.events if one.name == EVENT]
    if not events and not any(one.key.startswith("gen_ai.") for one in span.attributes):
        return None
    attributes = _attributes(span.attributes)
    for event in events:
        attributes |= _attributes(event.attributes)
    began, ended = _time(span.start_time_unix_nano), _time(span.end_time_unix_nano)
    return Telling(
        kind="span",
        service=service,
        trace_id=_id(span.trace_id),
        span_id=_id(span.span_id),
        at_ns=began,
        took_ns=max(ended - began, 0) if began else 0,
        attributes=attributes,
        trace_state=str(span.trace_state),
    )


def _few(values: Any) -> Any:
    if len(values) > MOST_VALUES:
        raise DataError(f"more than {MOST_VALUES} values in one place")
    return values


def _attributes(pairs: Any) -> dict[str, Any]:
    return {one.key: _value(one.value, 0) for one in pairs}


def _value(value: Any, depth: int) -> Any:
    """As :func:`shadowlane.sources.otlp_json.any_value` reads the same value."""
    if depth > DEEPEST:
        raise DataError(f"an attribute has more than {DEEPEST} levels")
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one, depth + 1) for one in _few(value.array_value.values)]
    if kind == "kvlist_value":
        return {one.key: _value(one.value, depth + 1) for one in _few(value.kvlist_value.values)}
    if kind == "double_value":
        return value.double_value if abs(value.double_value) < float("inf") else None
    if kind == "bytes_value":
        return _base64(value.bytes_value)
    if kind in ("string_value", "bool_value", "int_value"):
        return getattr(value, kind)
    return None


def _base64(data: bytes) -> str:
    return str(msgspec.to_builtins(data))


def _time(value: int) -> int:
    if value >= _MOST_NS:
        raise DataError(f"a time of {value} ns is not between the years 1970 and 2262")
    return value


def _id(value: bytes) -> str:
    """Empty where there is none, or one of zeros only."""
    return value.hex() if value.strip(b"\0") else ""
