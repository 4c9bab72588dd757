"""mitmproxy's flow files, ``mitmdump -w flows``: one tnetstring a flow (https://docs.mitmproxy.org/stable/api/mitmproxy/io.html).

``LENGTH:PAYLOAD`` and one letter for the type: ``,`` bytes, ``;`` text, ``#`` integer, ``^`` float, ``!`` truth, ``~``
null, ``]`` list, ``}`` dict. mitmproxy itself would bring forty packages along for that. Invariants: a flow that is
damaged within its length costs only itself; after a length that is none, reading goes on where the next flow begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..errors import DataError
from ..types import Headers
from .files import read_all
from .http1 import kept_headers
from .records import LONGEST, Answered, Record, Recorded, Unusable, clipped, seconds_ns

__all__ = ["parse_tnetstring", "read_mitmproxy"]

_DEEPEST = 32
_FLOW = re.compile(rb"(?<=[}\n])[0-9]{2,10}:(?=[0-9]+:)")


def read_mitmproxy(path: str) -> Iterator[Record]:
    """The HTTP flows in the order of the file; other ones are left out by reason."""
    data = read_all(path)
    at = 0
    while at < len(data):
        where = f"offset {at}"
        try:
            start, end = _extent(data, at)
        except DataError as error:
            yield Unusable(where=where, why=str(error))
            following = _FLOW.search(data, at + 1)
            while following is not None and not _is_flow(data, following.start()):
                following = _FLOW.search(data, following.start() + 1)
            if following is None:
                return
            at = following.start()
            continue
        try:
            value = _value(data, start, end, 0)
            if not isinstance(value, dict):
                raise DataError("not a flow: no dict")
            yield _flow(where, value)
        except (DataError, ValueError) as error:
            yield Unusable(where=where, why=str(error))
        at = end + 1


def parse_tnetstring(data: bytes) -> Any:
    """One whole value. Raises :class:`~shadowlane.errors.DataError`, :class:`ValueError`."""
    start, end = _extent(data, 0)
    return _value(data, start, end, 0)


def _is_flow(data: bytes, at: int) -> bool:
    try:
        _, end = _extent(data, at)
    except DataError:
        return False
    return data[end : end + 1] == b"}" and (end + 1 == len(data) or data[end + 1 : end + 2].isdigit())


def _extent(data: bytes, at: int, limit: int | None = None) -> tuple[int, int]:
    """Where the payload begins and where its type stands."""
    colon = data.find(b":", at, at + 13)
    length = data[at:colon] if colon >= 0 else b""
    if not length.isdigit():
        raise DataError(f"not a length: {clipped(data[at : at + 12])}")
    end = colon + 1 + int(length)
    if int(length) > 4 * LONGEST or end >= (len(data) if limit is None else limit):
        raise DataError(f"cut, or not a length: {int(length)} bytes from here")
    return colon + 1, end


def _value(data: bytes, start: int, end: int, depth: int) -> Any:
    kind, payload = data[end : end + 1], data[start:end]
    if kind == b",":
        return payload
    if kind == b";":
        return payload.decode("utf-8")
    if kind == b"#":
        return int(payload)
    if kind == b"^":
        return float(payload)
    if kind == b"!":
        if payload not in (b"true", b"false"):
            raise DataError(f"neither true nor false: {clipped(payload[:10])}")
        return payload == b"true"
    if kind == b"~":
        return None
    if kind not in (b"]", b"}") or depth > _DEEPEST:
        raise DataError(f"not a type: {clipped(kind)} at offset {end}")
    items, at = [], start
    while at < end:
        inner_start, inner_end = _extent(data, at, end)
        items.append(_value(data, inner_start, inner_end, depth + 1))
        at = inner_end + 1
    if kind == b"]":
        return items
    if len(items) % 2 or not all(isinstance(key, (str, bytes)) for key in items[::2]):
        raise DataError("a dict with an odd number of parts, or with a key that is no text")
    return {_text(key): item for key, item in zip(items[::2], items[1::2], strict=True)}


def _flow(where: str, flow: dict[str, Any]) -> Record:
    kind = flow.get("type")
    if kind != "http" or flow.get("websocket"):
        why = "a websocket" if flow.get("websocket") else f"a flow of type {clipped(kind)}"
        return Unusable(where=where, why=why, reason="not_http")
    request = flow.get("request")
    if not isinstance(request, dict):
        raise DataError("a flow without a request")
    if request.get("content") is None and "content" in request:
        raise DataError("the request's body was streamed, and is not in the file")
    started = request.get("timestamp_start")
    started_ns = seconds_ns(started, "request.timestamp_start") if started else 0
    return Recorded(
        where=where,
        id=_text(flow.get("id") or ""),
        started_ns=started_ns,
        method=_text(request.get("method") or "").upper(),
        target=_text(request.get("path") or "/"),
        headers=_headers(request),
        body=bytes(request.get("content") or b""),
        prod=_answer(flow.get("response"), started_ns),
    )


def _answer(response: Any, started_ns: int) -> Answered | None:
    if not isinstance(response, dict) or response.get("content") is None:
        return None  # none came, or its body was streamed past the file
    status = response.get("status_code", response.get("code"))
    if not isinstance(status, int) or not 100 <= status <= 599:
        raise DataError(f"response.status_code = {clipped(status)}: not an HTTP status")
    times = [response.get("timestamp_start"), response.get("timestamp_end")]
    head, whole = (max(seconds_ns(one, "response") - started_ns, 0) if one and started_ns else 0 for one in times)
    body = bytes(response["content"])
    return Answered(status=status, headers=_headers(response), body=body, ttfb_ns=head, duration_ns=whole)


def _headers(message: dict[str, Any]) -> Headers:
    pairs = message.get("headers") or ()
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise DataError("headers: pairs are expected")
    return kept_headers(tuple((_bytes(name).lower(), _bytes(value)) for name, value in pairs))


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("latin-1", "replace")
