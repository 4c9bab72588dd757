"""The lines of ``shadowlane compare``: ``{"id", "time", "route", "question" or "request", "prod", "shadow"?}``.

Invariant: a line means here what it means there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from ..compare.reader import parse_line
from ..score.answers import Response
from ..types import Headers
from .files import json_lines, records_of
from .records import Answered, Record, Recorded

__all__ = ["read_exchanges"]

_JSON: Headers = ((b"content-type", b"application/json"),)


def read_exchanges(path: str) -> Iterator[Record]:
    """The exchanges in the order of the file; a line may leave the shadow's answer out."""
    return records_of(json_lines(path), _exchange)


def _exchange(where: str, line: dict[str, Any]) -> Record:
    both = line.get("shadow") is not None
    whole = line if both else {**line, "shadow": line.get("prod")}
    read = parse_line(msgspec.json.encode(whole), 0)
    return Recorded(
        where=where,
        id=read.id,
        started_ns=read.started_ns,
        method=read.method,
        target=read.target,
        headers=_JSON if read.request else (),
        body=read.request,
        prod=_answered(read.prod),
        shadow=_answered(read.shadow) if both else None,
    )


def _answered(response: Response) -> Answered:
    return Answered(
        status=response.status,
        headers=response.headers,
        body=response.body,
        ttfb_ns=response.latency_ns,
        duration_ns=response.latency_ns,
    )
