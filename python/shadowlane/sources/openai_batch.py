"""OpenAI's batch files (https://platform.openai.com/docs/guides/batch): requests, and beside them the file of answers.

A line of the input is ``{"custom_id", "method", "url", "body"}``, one of the output ``{"custom_id", "response":
{"status_code", "body"}, "error"}``. Invariant: an answer belongs to the request of its ``custom_id`` and to no other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from ..errors import DataError
from ..types import Headers
from .files import json_lines, lines, records_of
from .http1 import target_of
from .records import Answered, Record, Recorded, Unusable, clipped

__all__ = ["read_batch"]

_JSON: Headers = ((b"content-type", b"application/json"),)


def read_batch(path: str, answers: str) -> Iterator[Record]:
    """The requests of ``path`` in their order, each with its answer in the file ``answers`` (empty: none).

    Raises :class:`~shadowlane.errors.DataError` when the answers' file cannot be read.
    """
    places = _places(answers) if answers else {}
    return records_of(json_lines(path), lambda where, item: _request(where, item, places, answers))


def _places(path: str) -> dict[str, bytes]:
    """By custom_id the line of the answer. Held: a batch has at most 50,000 requests."""
    found = {}
    for _, line in lines(path):
        if isinstance(line, Unusable):
            continue
        try:
            name = json.loads(line).get("custom_id")
        except (ValueError, AttributeError, RecursionError):
            continue  # its request has no answer then, and is counted so
        if isinstance(name, str):
            found[name] = line
    return found


def _request(where: str, item: dict[str, Any], places: dict[str, bytes], answers: str) -> Record:
    name, url, body = item.get("custom_id"), item.get("url"), item.get("body")
    if not isinstance(url, str) or not isinstance(body, dict):
        if "response" in item:
            raise DataError("an answer, not a request: give the batch's input as SOURCE, and this file as --answers")
        raise DataError(f"url = {clipped(url)}, body = {clipped(body)}: a text and an object are expected")
    return Recorded(
        where=where,
        id=name if isinstance(name, str) else "",
        method=str(item.get("method") or "POST").upper(),
        target=target_of(url),
        headers=_JSON,
        body=msgspec.json.encode(body),
        prod=_answer(places.get(name, b"") if isinstance(name, str) else b"", answers),
    )


def _answer(line: bytes, answers: str) -> Answered | None:
    if not line:
        return None
    response = msgspec.json.decode(line).get("response")
    if not isinstance(response, dict):
        return None  # it failed or expired: there is an error in its stead
    status, body = response.get("status_code"), response.get("body")
    if not isinstance(status, int) or not 100 <= status <= 599:
        raise DataError(f"{answers}: response.status_code = {clipped(status)}: not an HTTP status")
    return Answered(status=status, headers=_JSON, body=msgspec.json.encode(body))
