"""Pairs to store, from plain fields or from Hypothesis."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from hypothesis import strategies as st

from shadowlane.types import (
    REASONS,
    STRANGE_CALLS,
    Copy,
    GroupReading,
    JudgeVerdict,
    Outcome,
    Pair,
    Scores,
    StructureDifference,
    StubbedCall,
)

HOUR_NS = 3_600 * 10**9
DAY_NS = 24 * HOUR_NS


NOT_STORED = {"ring", "seq", "traceparent"}
"""What is needed until a copy is a row: for its acknowledgement, and for its span."""


def make_pair(number: int = 0, *, shadow: str = "candidate", reason: str = "", **fields: Any) -> Pair:
    """Pair ``number``; ``fields`` go to the Copy, except ``scores`` and ``outcome_body``."""
    scores = fields.pop("scores", Scores())
    outcome_body = fields.pop("outcome_body", b'{"text": "shadow"}')
    values: dict[str, Any] = {
        "shadow_id": f"0190a8f0-0000-7000-8000-{number:012x}",
        "req_hash": f"{number:032x}",
        "started_ns": 1_000 + number,
        "method": "POST",
        "target": "/v1/chat/completions",
        "headers": ((b"content-type", b"application/json"),),
        "body": b"{}",
        "status": 200,
        "response_headers": (),
        "response_body": b'{"text": "prod"}',
        "ttfb_ns": 10,
        "duration_ns": 20,
    }
    return Pair(
        copy=Copy(**{**values, **fields}),
        outcome=Outcome(shadow=shadow, reason=reason, status=0 if reason else 200, body=outcome_body, duration_ns=30),
        scores=scores,
    )


_ns = st.integers(0, (1 << 63) - 1)
_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
_name = st.binary(min_size=1, max_size=12)
_headers = st.lists(st.tuples(_name, st.binary(max_size=20)), max_size=4).map(tuple)
_body = st.binary(max_size=300)
_texts = st.lists(_text, max_size=2).map(tuple)
_counts = st.dictionaries(_text, st.integers(0, 1 << 40), max_size=3)
_call = st.builds(
    StubbedCall,
    name=_text,
    arguments=_text,
    round=st.integers(1, 17),
    answered=st.sampled_from(("recorded", "unavailable", "left")),
    by_prod=st.booleans(),
)
_tokens = st.none() | st.integers(0, 1 << 40)
_money = st.none() | st.floats(0, 1e9)
_share = st.none() | st.floats(0, 2, allow_nan=False)
_state = st.sampled_from(("convergent", "divergent", "recursive", "chaotic"))
_group = st.builds(
    GroupReading,
    number=st.integers(0, 1 << 40),
    seen=st.integers(1, 1 << 40),
    prod=_state,
    shadow=_state,
    prod_flip=st.booleans(),
    flip=st.booleans(),
    trend=_state | st.just(""),
)
_collapse = st.sampled_from(("", "empty", "refused", "cut", "error"))
_places = st.lists(
    st.builds(StructureDifference, _text, _text, st.sampled_from(("type", "value", "missing", "extra")), _text, _text),
    max_size=3,
).map(tuple)
_verdict = st.builds(
    JudgeVerdict, verdict=st.sampled_from(("same", "prod_better", "inconsistent")), why=_text, model=_text
)


_Record = TypeVar("_Record", bound=msgspec.Struct)


def _whole(record: type[_Record], **fields: Any) -> _Record:
    """A record of which every field is drawn: one that is new to it must be drawn here too."""
    assert set(fields) == {field.name for field in msgspec.structs.fields(record)} - NOT_STORED
    return record(**fields)


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """Any pair that the types allow, with ``ring`` and ``seq`` at 0."""
    return _whole(
        Pair,
        copy=_whole(
            Copy,
            shadow_id=draw(_text),
            req_hash=draw(_text),
            started_ns=draw(_ns),
            method=draw(_text),
            target=draw(_text),
            headers=draw(_headers),
            body=draw(_body),
            status=draw(st.integers(0, 999)),
            response_headers=draw(_headers),
            response_body=draw(_body),
            ttfb_ns=draw(_ns),
            duration_ns=draw(_ns),
            flags=draw(st.integers(0, 7)),
            blocked=draw(st.sampled_from(("", *REASONS))),
            findings=draw(_counts),
            why=draw(_text),
            preset=draw(_text),
            normalised=draw(_texts),
            tenant=draw(_text),
        ),
        outcome=_whole(
            Outcome,
            shadow=draw(_text),
            reason=draw(st.sampled_from(("", *REASONS))),
            detail=draw(_text),
            status=draw(st.integers(0, 999)),
            headers=draw(_headers),
            body=draw(_body),
            started_ns=draw(_ns),
            ttfb_ns=draw(_ns),
            duration_ns=draw(_ns),
            waited_ns=draw(_ns),
            tries=draw(st.integers(0, 10)),
            tokens=draw(st.integers(0, 1 << 40)),
            money=draw(st.floats(0, 1e9)),
            rounds=draw(st.integers(1, 17)),
            round_ns=draw(st.lists(_ns, max_size=3).map(tuple)),
            usage=draw(_counts),
            calls=draw(st.lists(_call, max_size=2).map(tuple)),
            findings=draw(st.just({}) | st.just({STRANGE_CALLS: 2})),
            normalised=draw(_texts),
        ),
        scores=_whole(
            Scores,
            delta_s=draw(_share),
            anchored=draw(_share),
            fact_flip=draw(st.booleans()),
            embedder=draw(_text),
            citation_match=draw(_share),
            index_agrees=draw(st.none() | st.booleans()),
            state=draw(st.sampled_from(("", "convergent", "divergent", "recursive", "chaotic"))),
            note=draw(_text),
            collapse=draw(_collapse),
            prod_collapse=draw(_collapse),
            missing=draw(_share),
            extra=draw(_share),
            unread=draw(st.sampled_from(("", "language", "cut", "too long"))),
            group=draw(st.none() | _group),
            differences=draw(st.none() | _places),
            judge=draw(st.none() | _verdict),
            tokens=draw(_tokens),
            prod_tokens=draw(_tokens),
            cost=draw(_money),
            prod_cost=draw(_money),
            cache_served=draw(st.booleans()),
            coverage=draw(_share),
            prod_coverage=draw(_share),
            prod_citation_match=draw(_share),
            prod_strange_calls=draw(st.none() | st.integers(0, 9)),
            retrieved=draw(_share),
            prod_retrieved=draw(_share),
            tools=draw(st.sampled_from(("", "same", "arguments", "others", "missing", "extra"))),
        ),
        prod_text=draw(_text),
        shadow_text=draw(_text),
        model_rev=draw(_text),
        index_hash=draw(_text),
        prod_index_hash=draw(_text),
        prod_model=draw(_text),
        model=draw(_text),
        finish=draw(_text),
        prod_finish=draw(_text),
        pins=draw(st.dictionaries(_text, _text, max_size=3)),
        rate_limit=draw(st.dictionaries(_text, _text, max_size=3)),
        mark=draw(st.sampled_from(("", "fine", "wrong"))),
    )
