"""The pairs furthest apart, side by side: one of each question, contradicted facts first.

Invariant: no question is shown twice, however often it was asked, and whether in one wording or several: what repeats
is a number, not a second card.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..providers.question import listed_question
from ..render.text import cut
from ..store import StoredPair
from ..types import FLAG_NO_PROD, FLAG_TOLD
from .source import PairSource

__all__ = ["furthest_apart", "side_by_side"]

_SHOWN = 8
_READ = 64
"""Questions may be equal though their requests are not: more are read than shown."""
_TEXT_CHARS = 1500


def furthest_apart(store: PairSource, name: str, since: int | None) -> list[dict[str, Any]]:
    """Those whose answers are kept; when none are, those furthest apart."""
    for only_kept in (True, False):
        shown: dict[str, dict[str, Any]] = {}
        for row, times in store.furthest_apart(name, since, _READ, only_kept=only_kept):
            asked = " ".join(listed_question(row.pair.copy).casefold().split())
            before = shown.get(asked or row.pair.copy.req_hash)
            if before is not None:
                before["asked_times"] += times
            elif len(shown) < _SHOWN:
                shown[asked or row.pair.copy.req_hash] = side_by_side(row, times)
        if shown:
            return list(shown.values())
    return []


def side_by_side(row: StoredPair, times: int = 1, chars: int = _TEXT_CHARS) -> dict[str, Any]:
    """One pair, JSON-ready, its texts cut to ``chars``."""
    pair = row.pair
    return {
        "shadow_id": pair.copy.shadow_id,
        "req_hash": pair.copy.req_hash,
        "method": pair.copy.method,
        "target": pair.copy.target,
        "started_ns": pair.copy.started_ns,
        "asked_times": times,
        "asked": cut(listed_question(pair.copy), 300),
        "delta_s": pair.scores.delta_s,
        "embedder": pair.scores.embedder,
        "anchored": pair.scores.anchored,
        "fact_flip": pair.scores.fact_flip,
        "missing": pair.scores.missing,
        "extra": pair.scores.extra,
        "unread": pair.scores.unread,
        "state": pair.scores.state,
        "citation_match": pair.scores.citation_match,
        "judge": None if pair.scores.judge is None else msgspec.to_builtins(pair.scores.judge),
        "note": pair.scores.note,
        "policy": {"why": pair.copy.why, "preset": pair.copy.preset},
        "normalised": [*pair.copy.normalised, *pair.outcome.normalised],
        "tool_calls": [msgspec.to_builtins(call) for call in pair.outcome.calls],
        "rounds": pair.outcome.rounds,
        "round_seconds": [ns / 1e9 for ns in pair.outcome.round_ns],
        "usage": dict(pair.outcome.usage),
        "tools": pair.scores.tools,
        "cache_served": pair.scores.cache_served,
        "prod": {
            "status": pair.copy.status,
            "seconds": _seconds(pair.copy.duration_ns),
            "first_byte_seconds": _seconds(pair.copy.ttfb_ns),
            "text": cut(pair.prod_text, chars),
            "model": pair.prod_model,
            "finish": pair.prod_finish,
            "tokens": pair.scores.prod_tokens,
            "cost": pair.scores.prod_cost,
        },
        "shadow": {
            "status": pair.outcome.status,
            "seconds": _seconds(pair.outcome.duration_ns),
            "first_byte_seconds": _seconds(pair.outcome.ttfb_ns),
            "text": cut(pair.shadow_text, chars),
            "model": pair.model,
            "finish": pair.finish,
            "tokens": pair.scores.tokens,
            "cost": pair.scores.cost,
            "model_rev": pair.model_rev,
            "index_hash": pair.index_hash,
        },
        "stood_in": bool(pair.copy.flags & FLAG_NO_PROD),
        "told": bool(pair.copy.flags & FLAG_TOLD),
        "bodies": row.bodies,
    }


def _seconds(took_ns: int) -> float | None:
    """``None``: nobody measured it."""
    return took_ns / 1e9 if took_ns else None
