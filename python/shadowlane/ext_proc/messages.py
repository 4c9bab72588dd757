"""Envoy's messages, as far as they are read here: ``envoy.service.ext_proc.v3.ProcessingRequest`` and what is in it.

The few fields are described here by their numbers, and not taken from the package that has all of Envoy's API: its
files overwrite those of other packages (``opentelemetry-proto``, ``googleapis-common-protos``). What is not described
is skipped by protobuf's parser. The descriptors lie in a pool of their own, so that both may be loaded in one process.

Invariant: numbers and types are those of Envoy 1.40's ``external_processor.proto`` and ``base.proto``.
"""

from __future__ import annotations

from typing import Any, cast

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

__all__ = ["METHOD", "SERVICE", "DecodeError", "ProcessingRequest"]

SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor"
METHOD = "Process"

_PACKAGE = "shadowlane.ext_proc"
_BOOL, _STRING, _MESSAGE, _BYTES = 8, 9, 11, 12
_ONE, _MANY = 1, 3

_MESSAGES: dict[str, tuple[tuple[str, int, int, str], ...]] = {
    "HeaderValue": (("key", 1, _STRING, ""), ("value", 2, _STRING, ""), ("raw_value", 3, _BYTES, "")),
    "HeaderMap": (("headers", 1, _MESSAGE, "*HeaderValue"),),
    "HttpHeaders": (("headers", 1, _MESSAGE, "HeaderMap"), ("end_of_stream", 3, _BOOL, "")),
    "HttpBody": (("body", 1, _BYTES, ""), ("end_of_stream", 2, _BOOL, "")),
    "HttpTrailers": (("trailers", 1, _MESSAGE, "HeaderMap"),),
    "ProcessingRequest": (
        ("request_headers", 2, _MESSAGE, "HttpHeaders"),
        ("response_headers", 3, _MESSAGE, "HttpHeaders"),
        ("request_body", 4, _MESSAGE, "HttpBody"),
        ("response_body", 5, _MESSAGE, "HttpBody"),
        ("request_trailers", 6, _MESSAGE, "HttpTrailers"),
        ("response_trailers", 7, _MESSAGE, "HttpTrailers"),
        ("observability_mode", 10, _BOOL, ""),
    ),
}
"""By message: name, number, type and, for messages, which one; with ``*`` it is repeated."""
_ONE_OF = "request"


def _described() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="shadowlane/ext_proc.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, of in fields:
            more: dict[str, Any] = {"type_name": f".{_PACKAGE}.{of.removeprefix('*')}"} if of else {}
            if name == "ProcessingRequest" and of:
                more["oneof_index"] = 0
            label: Any = _MANY if of.startswith("*") else _ONE
            message.field.add(name=field, number=number, type=cast(Any, kind), label=label, **more)
        if name == "ProcessingRequest":
            message.oneof_decl.add(name=_ONE_OF)
    return file


def _made() -> Any:
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(_described().SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.ProcessingRequest"))


ProcessingRequest: Any = _made()
"""The message class: ``ProcessingRequest.FromString(data)``, ``.WhichOneof("request")``."""
