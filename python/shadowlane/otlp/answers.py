"""What OTLP/HTTP answers an exporter: an ``Export…ServiceResponse``, or a ``google.rpc.Status``, in the encoding of the
request.

Invariants: ``partial_success`` is there only where a record was rejected; what an exporter may send again is answered
503 with ``Retry-After``, and nothing else is.
"""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from .decode import Signal
from .receiver import Account

__all__ = ["JSON", "PROTOBUF", "failed", "taken"]

JSON, PROTOBUF = "application/json", "application/x-protobuf"
RETRY_AFTER_S = 2
_REJECTED = {"logs": "rejected_log_records", "traces": "rejected_spans"}
_CODES = {400: 3, 404: 5, 405: 12, 413: 8, 415: 3, 500: 13, 503: 14}
"""``google.rpc.Code`` by HTTP status."""


def taken(signal: Signal, batch: Account, content_type: str) -> web.Response:
    """200, with how many records were rejected and why the first of them was."""
    rejected = sum(batch.rejected.values())
    partial: dict[str, Any] = {}
    if rejected:
        partial = {_REJECTED[signal]: rejected, "error_message": batch.why}
    if content_type == JSON:
        camel = {_camel(key): str(value) for key, value in partial.items()}  # 64 bits are text in the JSON mapping
        return _response(200, msgspec.json.encode({"partialSuccess": camel} if camel else {}), content_type)
    message: Any = ExportLogsServiceResponse() if signal == "logs" else ExportTraceServiceResponse()
    for key, value in partial.items():
        setattr(message.partial_success, key, value)
    return _response(200, message.SerializeToString(), content_type)


def failed(status: int, why: str, content_type: str) -> web.Response:
    """A ``Status`` that says why."""
    code = _CODES[status]
    if content_type == JSON:
        body = msgspec.json.encode({"code": code, "message": why})
    else:
        body = Status(code=code, message=why).SerializeToString()
    response = _response(status, body, content_type)
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _response(status: int, body: bytes, content_type: str) -> web.Response:
    return web.Response(status=status, body=body, headers={"Content-Type": content_type})


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
