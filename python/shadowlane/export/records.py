"""A stored pair as one flat record: the fields of a line of JSON, and the columns of a Parquet file.

Invariant: every record has every field, in the order of :data:`FIELDS`, under the name that the store's column has
where it is one (docs: the store's schema); what is not known is ``None``.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, Literal, NamedTuple

from ..providers.question import listed_question
from ..providers.turns import parse_object
from ..store import StoredPair
from ..types import STRANGE_CALLS, Pair

__all__ = ["BODY_FIELDS", "FIELDS", "Field", "record", "request_value", "time_text"]

Kind = Literal["text", "int", "real", "bool", "time", "texts", "counts"]


class Field(NamedTuple):
    """One field; ``kind`` is what its values are where they are not ``None``: ``texts`` and ``counts`` are objects with
    texts, or whole numbers, as members."""

    name: str
    kind: Kind
    of: Callable[[StoredPair], Any]


def time_text(time_ns: int) -> str:
    """RFC 3339 in UTC, with microseconds."""
    at = datetime.fromtimestamp(time_ns // 10**9, timezone.utc).replace(microsecond=time_ns % 10**9 // 1000)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _copy(name: str, kind: Kind, field: str = "") -> Field:
    return Field(name, kind, lambda row: getattr(row.pair.copy, field or name))


def _outcome(name: str, kind: Kind, field: str = "") -> Field:
    return Field(name, kind, lambda row: getattr(row.pair.outcome, field or name))


def _score(name: str, kind: Kind, field: str = "") -> Field:
    return Field(name, kind, lambda row: getattr(row.pair.scores, field or name))


def _own(name: str, kind: Kind) -> Field:
    return Field(name, kind, lambda row: getattr(row.pair, name))


def _group(name: str, kind: Kind, field: str) -> Field:
    def of(row: StoredPair) -> Any:
        group = row.pair.scores.group
        return None if group is None else getattr(group, field)

    return Field(name, kind, of)


def _judged(name: str, field: str) -> Field:
    def of(row: StoredPair) -> Any:
        judge = row.pair.scores.judge
        return None if judge is None else getattr(judge, field)

    return Field(name, "text", of)


def _took(name: str, ns: Callable[[Pair], int]) -> Field:
    """A time; ``None`` where nobody measured or told it."""
    return Field(name, "int", lambda row: ns(row.pair) or None)


def _kept(name: str, value: Callable[[Pair], Any]) -> Field:
    """Of what a row may have lost: ``None`` where its bodies were not kept."""
    return Field(name, "text", lambda row: value(row.pair) if row.bodies else None)


FIELDS: tuple[Field, ...] = (
    Field("id", "int", lambda row: row.id),
    _copy("shadow_id", "text"),
    _outcome("shadow", "text"),
    _copy("req_hash", "text"),
    Field("started_at", "time", lambda row: row.pair.copy.started_ns),
    Field("stored_at", "time", lambda row: row.stored_ns),
    _copy("method", "text"),
    _copy("target", "text"),
    _copy("route", "text"),
    _copy("tenant", "text"),
    _kept("question", lambda pair: listed_question(pair.copy)),
    _copy("prod_status", "int", "status"),
    _outcome("status", "int"),
    _outcome("reason", "text"),
    _outcome("detail", "text"),
    _took("prod_ttfb_ns", lambda pair: pair.copy.ttfb_ns),
    _took("prod_ns", lambda pair: pair.copy.duration_ns),
    _took("shadow_ttfb_ns", lambda pair: pair.outcome.ttfb_ns),
    _took("shadow_ns", lambda pair: pair.outcome.duration_ns),
    _outcome("waited_ns", "int"),
    _outcome("tries", "int"),
    _outcome("rounds", "int"),
    _own("prod_model", "text"),
    _own("model", "text"),
    _own("model_rev", "text"),
    _own("prod_index_hash", "text"),
    _own("index_hash", "text"),
    _own("pins", "texts"),
    _own("prod_finish", "text"),
    _own("finish", "text"),
    _score("delta_s", "real"),
    _score("anchored", "real"),
    _score("band", "text"),
    _score("fact_flip", "bool"),
    _score("embedder", "text"),
    _score("state", "text"),
    _score("missing", "real"),
    _score("extra", "real"),
    _score("unread", "text"),
    _score("citation_match", "real"),
    _score("prod_citation_match", "real"),
    _score("index_agrees", "bool"),
    _score("coverage", "real"),
    _score("prod_coverage", "real"),
    _score("retrieved", "real"),
    _score("prod_retrieved", "real"),
    _score("tools", "text"),
    Field("strange_calls", "int", lambda row: row.pair.outcome.findings.get(STRANGE_CALLS, 0)),
    _score("prod_strange_calls", "int"),
    _score("collapse", "text"),
    _score("prod_collapse", "text"),
    _group("group_id", "int", "number"),
    _group("group_seen", "int", "seen"),
    _group("prod_lambda", "text", "prod"),
    _group("shadow_lambda", "text", "shadow"),
    _group("prod_flip", "bool", "prod_flip"),
    _group("lambda_flip", "bool", "flip"),
    _judged("judge", "verdict"),
    _judged("judge_why", "why"),
    _judged("judge_model", "model"),
    _score("prod_tokens", "int"),
    _score("tokens", "int"),
    _score("prod_cost", "real"),
    _score("cost", "real"),
    _score("cache_served", "bool"),
    _copy("findings", "counts"),
    _score("note", "text"),
    _own("mark", "text"),
    _kept("request_body", lambda pair: _text(pair.copy.body)),
    _kept("prod_text", lambda pair: pair.prod_text),
    _kept("shadow_text", lambda pair: pair.shadow_text),
)
BODY_FIELDS: tuple[Field, ...] = (
    _kept("request_headers", lambda pair: _headers(pair.copy.headers)),
    _kept("prod_headers", lambda pair: _headers(pair.copy.response_headers)),
    _kept("prod_body", lambda pair: _text(pair.copy.response_body)),
    _kept("shadow_headers", lambda pair: _headers(pair.outcome.headers)),
    _kept("shadow_body", lambda pair: _text(pair.outcome.body)),
)
"""With ``--bodies``."""


def record(row: StoredPair, fields: tuple[Field, ...] = FIELDS) -> dict[str, Any]:
    """The record, JSON-ready: times as RFC 3339."""
    return {field.name: time_text(field.of(row)) if field.kind == "time" else field.of(row) for field in fields}


def request_value(row: StoredPair) -> dict[str, Any] | None:
    """What was asked, as an object: the request's own JSON, else its question or text, with method and target where
    there is no body. ``None`` where it was not kept."""
    if not row.bodies:
        return None
    copy = row.pair.copy
    body = parse_object(copy.body)
    if body is not None:
        return body
    asked = listed_question(copy)
    value: dict[str, Any] = {"question": asked} if asked else {}
    if copy.body and not asked:
        value["text"] = _text(copy.body)
    return value | ({} if copy.body else {"method": copy.method, "target": copy.target})


def _text(body: bytes) -> str:
    """A body as text; what is no UTF-8 as a data URL (RFC 2397)."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return "data:application/octet-stream;base64," + base64.b64encode(body).decode()


def _headers(headers: tuple[tuple[bytes, bytes], ...]) -> str:
    """One field a line, as HTTP writes them."""
    return "\n".join(f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in headers)
