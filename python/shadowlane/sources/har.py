"""HAR 1.2, the recording of a browser or a proxy (http://www.softwareishard.com/blog/har-12-spec/).

Invariants: bodies are given decoded, so that no field names their coding; an answer whose body was not recorded is
none; a document that is cut gives the entries before the cut.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from ..errors import DataError
from ..types import Headers
from .files import json_items, records_of
from .http1 import kept_headers, target_of
from .records import Answered, Record, Recorded, Unusable, clipped, time_ns

__all__ = ["read_har"]

_BEFORE_HEAD = ("blocked", "dns", "connect", "send", "wait")


def read_har(path: str) -> Iterator[Record]:
    """The entries in the order of the file."""
    items = json_items(path, r'"entries"\s*:\s*\[', r'\{\s*"(?:startedDateTime|_[a-zA-Z]+|pageref|cache|request)"\s*:')
    return records_of(items, _entry)


def _entry(where: str, entry: dict[str, Any]) -> Record:
    request = _object(entry, "request")
    method, url = request.get("method"), request.get("url")
    if not isinstance(method, str) or not method or not isinstance(url, str):
        raise DataError(f"request: method = {clipped(method)}, url = {clipped(url)}: texts are expected")
    if not url.startswith(("http:", "https:", "/")):
        return Unusable(where=where, why=f"not HTTP: {clipped(url)}", reason="not_http")
    return Recorded(
        where=where,
        started_ns=time_ns(entry.get("startedDateTime"), "startedDateTime"),
        method=method.upper(),
        target=target_of(url),
        headers=_headers(request),
        body=_posted(request),
        prod=_answer(entry),
    )


def _posted(request: dict[str, Any]) -> bytes:
    posted = request.get("postData")
    if not isinstance(posted, dict):
        return b""
    text = posted.get("text")
    if isinstance(text, str) and text:
        return _decoded(text, posted.get("encoding"), "postData")
    pairs = [one for one in posted.get("params") or () if isinstance(one, dict) and isinstance(one.get("name"), str)]
    return urlencode([(one["name"], str(one.get("value") or "")) for one in pairs]).encode()


def _answer(entry: dict[str, Any]) -> Answered | None:
    response = entry.get("response")
    if not isinstance(response, dict):
        return None
    status, content = response.get("status"), response.get("content")
    if not isinstance(status, int) or not 100 <= status <= 599 or not isinstance(content, dict):
        return None  # 0: the browser got no answer
    text = content.get("text")
    if not isinstance(text, str):
        if content.get("size"):
            return None  # there was a body, and it was not recorded
        text = ""
    headers = _headers(response)
    kind = content.get("mimeType")
    if isinstance(kind, str) and kind and all(name != b"content-type" for name, _ in headers):
        headers = (*headers, (b"content-type", kind.encode("latin-1", "replace")))
    return Answered(
        status=status,
        headers=headers,
        body=_decoded(text, content.get("encoding"), "content"),
        ttfb_ns=_until_head(entry),
        duration_ns=_ms(entry.get("time")),
    )


def _until_head(entry: dict[str, Any]) -> int:
    timings = entry.get("timings")
    return sum(_ms(timings.get(name)) for name in _BEFORE_HEAD) if isinstance(timings, dict) else 0


def _ms(value: Any) -> int:
    """-1 says that it does not apply."""
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e12
    return round(value * 1e6) if good else 0


def _decoded(text: str, encoding: Any, field: str) -> bytes:
    if encoding == "base64":
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise DataError(f"{field}.text: not base64, as its encoding says") from None
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate, which JSON can escape and UTF-8 cannot hold
        return text.encode("utf-8", "replace")


def _headers(message: dict[str, Any]) -> Headers:
    found = []
    for one in message.get("headers") or ():
        if isinstance(one, dict) and isinstance(one.get("name"), str) and isinstance(one.get("value"), str):
            found.append((one["name"].lower().encode("latin-1", "replace"), one["value"].encode("utf-8", "replace")))
    return kept_headers(tuple(found), decoded=True)


def _object(entry: dict[str, Any], name: str) -> dict[str, Any]:
    value = entry.get(name)
    if not isinstance(value, dict):
        raise DataError(f"{name} = {clipped(value)}: an object is expected")
    return value
