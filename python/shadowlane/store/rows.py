"""Pairs to rows and back. Bodies, headers and texts are compressed; everything a report scans is a plain column.

Invariant: what comes back equals what went in, except that text which is not valid Unicode (a lone surrogate) has
``?`` in its place, and that the place in the ring is not kept, since it means nothing after the acknowledgement.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..columns import ScoreColumns
from ..types import (
    STRANGE_CALLS,
    Copy,
    GroupReading,
    Headers,
    JudgeVerdict,
    Outcome,
    Pair,
    PlaceDiffers,
    Scores,
    StubbedCall,
)

__all__ = [
    "BODY_COLUMNS",
    "PAIR_COLUMNS",
    "ScoreColumns",
    "StoredPair",
    "from_row",
    "judge_values",
    "score_columns",
    "to_rows",
]

PAIR_COLUMNS = (
    "shadow_id, shadow, req_hash, started_ns, stored_ns, method, target, prod_status, prod_ttfb_ns, prod_ns, flags, "
    "blocked, findings, reason, detail, status, shadow_started_ns, shadow_ttfb_ns, shadow_ns, delta_s, anchored, "
    "fact_flip, embedder, citation_match, index_agrees, state, note, model_rev, index_hash, prod_index_hash, "
    "rate_limit, group_id, group_seen, prod_lambda, shadow_lambda, prod_flip, lambda_flip, trend, differences, "
    "judge, judge_why, judge_model, why, preset, normalised, stubs, strange_calls, rounds"
)
BODY_COLUMNS = (
    "request_headers, request_body, prod_headers, prod_body, shadow_headers, shadow_body, prod_text, shadow_text"
)
SCORE_COLUMNS = (
    "started_ns, delta_s, anchored, fact_flip, citation_match, index_agrees, state, reason, prod_status, status, "
    "prod_ttfb_ns, prod_ns, shadow_ttfb_ns, shadow_ns, embedder, group_id, group_seen, prod_lambda, shadow_lambda, "
    "prod_flip, lambda_flip, trend, differences IS NOT NULL, judge, rounds"
)
_MAX_INT = (1 << 63) - 1
_LEVEL = 1  # most of the gain for a fraction of the time: the worker shares the machine with the gateway


class _Stubs(msgspec.Struct, frozen=True, omit_defaults=True):
    """The fields of an outcome that stubbed tool calls fill; empty for nearly all, so they share a column."""

    round_ns: tuple[int, ...] = ()
    usage: dict[str, int] = {}
    calls: tuple[StubbedCall, ...] = ()
    findings: dict[str, int] = {}


class StoredPair(msgspec.Struct, frozen=True, kw_only=True):
    """A row as read. Without bodies, headers, bodies and texts of ``pair`` are empty."""

    id: int
    """Rises with the order of storing."""
    stored_ns: int
    pair: Pair
    bodies: bool
    """Whether bodies were asked for and are still kept."""


def to_rows(pair: Pair, stored_ns: int) -> tuple[tuple[Any, ...], tuple[bytes, ...]]:
    """The values of ``PAIR_COLUMNS`` and of ``BODY_COLUMNS``."""
    copy, outcome, scores = pair.copy, pair.outcome, pair.scores
    thin = (
        _text(copy.shadow_id),
        _text(outcome.shadow),
        _text(copy.req_hash),
        _int(copy.started_ns),
        stored_ns,
        _text(copy.method),
        _text(copy.target),
        _int(copy.status),
        _int(copy.ttfb_ns),
        _int(copy.duration_ns),
        _int(copy.flags),
        _text(copy.blocked),
        _json(copy.findings),
        _text(outcome.reason),
        _text(outcome.detail),
        _int(outcome.status),
        _int(outcome.started_ns),
        _int(outcome.ttfb_ns),
        _int(outcome.duration_ns),
        _real(scores.delta_s),
        _real(scores.anchored),
        int(scores.fact_flip),
        _text(scores.embedder),
        _real(scores.citation_match),
        None if scores.index_agrees is None else int(scores.index_agrees),
        scores.state,
        _text(scores.note),
        _text(pair.model_rev),
        _text(pair.index_hash),
        _text(pair.prod_index_hash),
        _json(pair.rate_limit),
        *_group_values(scores.group),
        _differences(scores.differences),
        *judge_values(scores.judge),
        _text(copy.why),
        _text(copy.preset),
        _record({"copy": copy.normalised, "shadow": outcome.normalised}),
        _record(_stubs(outcome)),
        outcome.findings.get(STRANGE_CALLS, 0),
        outcome.rounds,
    )
    thick = (
        _pack_headers(copy.headers),
        _pack(copy.body),
        _pack_headers(copy.response_headers),
        _pack(copy.response_body),
        _pack_headers(outcome.headers),
        _pack(outcome.body),
        _pack(pair.prod_text.encode("utf-8", "replace")),
        _pack(pair.shadow_text.encode("utf-8", "replace")),
    )
    return thin, thick


def from_row(row: Sequence[Any]) -> StoredPair:
    """The inverse: a row of ``id``, ``PAIR_COLUMNS`` and then nothing, or ``BODY_COLUMNS`` (NULL when dropped)."""
    row_id, *rest = row
    (
        shadow_id, shadow, req_hash, started_ns, stored_ns, method, target, prod_status, prod_ttfb_ns, prod_ns, flags,
        blocked, findings, reason, detail, status, shadow_started_ns, shadow_ttfb_ns, shadow_ns, delta_s, anchored,
        fact_flip, embedder, citation_match, index_agrees, state, note, model_rev, index_hash, prod_index_hash,
        rate_limit, group_id, group_seen, prod_lambda, shadow_lambda, prod_flip, lambda_flip, trend, differences, judge,
        judge_why, judge_model, why, preset, normalised, stubs, _strange_calls, rounds, *thick,
    ) = rest  # fmt: skip
    bodies = bool(thick) and thick[0] is not None
    changes = msgspec.json.decode(normalised, type=dict[str, tuple[str, ...]])
    stubbed = msgspec.json.decode(stubs, type=_Stubs)
    blobs = [zlib.decompress(blob) for blob in thick] if bodies else [b""] * 8
    return StoredPair(
        id=row_id,
        stored_ns=stored_ns,
        bodies=bodies,
        pair=Pair(
            copy=Copy(
                shadow_id=shadow_id,
                req_hash=req_hash,
                started_ns=started_ns,
                method=method,
                target=target,
                headers=_headers(blobs[0]),
                body=blobs[1],
                status=prod_status,
                response_headers=_headers(blobs[2]),
                response_body=blobs[3],
                ttfb_ns=prod_ttfb_ns,
                duration_ns=prod_ns,
                flags=flags,
                blocked=blocked,
                findings=msgspec.json.decode(findings, type=dict[str, int]),
                why=why,
                preset=preset,
                normalised=changes.get("copy", ()),
            ),
            outcome=Outcome(
                shadow=shadow,
                reason=reason,
                detail=detail,
                status=status,
                headers=_headers(blobs[4]),
                body=blobs[5],
                started_ns=shadow_started_ns,
                ttfb_ns=shadow_ttfb_ns,
                duration_ns=shadow_ns,
                rounds=rounds,
                round_ns=stubbed.round_ns,
                usage=stubbed.usage,
                calls=stubbed.calls,
                findings=stubbed.findings,
                normalised=changes.get("shadow", ()),
            ),
            scores=Scores(
                delta_s=delta_s,
                anchored=anchored,
                fact_flip=bool(fact_flip),
                embedder=embedder,
                citation_match=citation_match,
                index_agrees=None if index_agrees is None else bool(index_agrees),
                state=state,
                note=note,
                group=None
                if group_id is None
                else GroupReading(
                    number=group_id,
                    seen=group_seen,
                    prod=prod_lambda,
                    shadow=shadow_lambda,
                    prod_flip=bool(prod_flip),
                    flip=bool(lambda_flip),
                    trend=trend,
                ),
                differences=None
                if differences is None
                else msgspec.json.decode(differences, type=tuple[PlaceDiffers, ...]),
                judge=JudgeVerdict(verdict=judge, why=judge_why, model=judge_model) if judge else None,
            ),
            prod_text=blobs[6].decode(),
            shadow_text=blobs[7].decode(),
            model_rev=model_rev,
            index_hash=index_hash,
            prod_index_hash=prod_index_hash,
            rate_limit=msgspec.json.decode(rate_limit, type=dict[str, str]),
        ),
    )


def score_columns(rows: Sequence[Sequence[Any]]) -> ScoreColumns:
    """Rows of ``SCORE_COLUMNS`` as arrays."""
    width = len(SCORE_COLUMNS.split(", "))
    columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True)) if rows else [() for _ in range(width)]

    def ints(place: int) -> NDArray[np.int64]:
        return np.array(columns[place], dtype=np.int64)

    def reals(place: int) -> NDArray[np.float64]:
        return np.array(columns[place], dtype=np.float64)  # None becomes NaN

    def texts(place: int) -> NDArray[np.str_]:
        return np.array(columns[place], dtype=np.str_)

    return ScoreColumns(
        started_ns=ints(0),
        delta_s=reals(1),
        anchored=reals(2),
        fact_flip=np.array(columns[3], dtype=np.bool_),
        citation_match=reals(4),
        index_agrees=reals(5),
        state=texts(6),
        reason=texts(7),
        prod_status=ints(8),
        status=ints(9),
        prod_ttfb_ns=ints(10),
        prod_ns=ints(11),
        shadow_ttfb_ns=ints(12),
        shadow_ns=ints(13),
        embedder=texts(14),
        group=np.array([-1 if number is None else number for number in columns[15]], dtype=np.int64),
        group_seen=np.array([seen or 0 for seen in columns[16]], dtype=np.int64),
        prod_lambda=texts(17),
        shadow_lambda=texts(18),
        prod_flip=np.array(columns[19], dtype=np.bool_),
        flip=np.array(columns[20], dtype=np.bool_),
        trend=texts(21),
        structured=np.array(columns[22], dtype=np.bool_),
        judge=texts(23),
        rounds=ints(24),
    )


def _group_values(group: GroupReading | None) -> tuple[Any, ...]:
    if group is None:
        return (None, None, "", "", 0, 0, "")
    return (
        _int(group.number),
        _int(group.seen),
        group.prod,
        group.shadow,
        int(group.prod_flip),
        int(group.flip),
        group.trend,
    )


def _differences(places: tuple[PlaceDiffers, ...] | None) -> str | None:
    if places is None:
        return None
    return msgspec.json.encode(
        [[_text(value) for value in msgspec.structs.astuple(place)] for place in places]
    ).decode()


def judge_values(judge: JudgeVerdict | None) -> tuple[str, str, str]:
    """The values of ``judge``, ``judge_why`` and ``judge_model``."""
    return ("", "", "") if judge is None else (judge.verdict, _text(judge.why), _text(judge.model))


def _text(value: str) -> str:
    """SQLite refuses lone surrogates; one odd byte in a path must not cost the row."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _int(value: int) -> int:
    return min(value, _MAX_INT)


def _real(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _stubs(outcome: Outcome) -> _Stubs:
    calls = tuple(
        msgspec.structs.replace(call, name=_text(call.name), arguments=_text(call.arguments)) for call in outcome.calls
    )
    return _Stubs(outcome.round_ns, outcome.usage, calls, outcome.findings)


def _record(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _json(value: dict[str, Any]) -> str:
    if not value:
        return "{}"
    return msgspec.json.encode({_text(k): _text(v) if isinstance(v, str) else v for k, v in value.items()}).decode()


def _pack(value: bytes) -> bytes:
    return zlib.compress(value, _LEVEL)


def _pack_headers(headers: Headers) -> bytes:
    return _pack(msgspec.json.encode([(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]))


def _headers(blob: bytes) -> Headers:
    if not blob:
        return ()
    pairs = msgspec.json.decode(blob, type=list[tuple[str, str]])
    return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs)
