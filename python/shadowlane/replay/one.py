"""``shadowlane replay --one``: does it still do that? One stored exchange, sent again, and both answers compared.

Invariants: it goes the way of every copy, through admission, redaction and policy; nothing is stored; the store that it
is read from is only read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from ..compare.explain import citation_names
from ..compare.show import explained_lines
from ..config import Config
from ..embedders import Embedder
from ..errors import DataError, ShadowlaneError
from ..limits import ShadowLimits
from ..providers.question import shown_question
from ..render.text import print_json, print_lines
from ..score import Scorer
from ..score.answers import comparison_of
from ..sources import Recorded, Unusable, open_stored, stored_record
from ..store import StoredPair, open_store
from ..types import Copy, Outcome, Pair, Transport
from ..worker.arms import open_arm
from ..worker.embedder import open_embedder
from .lane import ReplayLane

__all__ = ["replay_one"]

_FIELDS = tuple(one.name for one in msgspec.structs.fields(Copy))


def replay_one(config: Config, shadow: str, source: str | None, shadow_id: str, *, as_json: bool) -> int:
    """Send it and print what came: 0 when the shadow answered, 1 when it did not.

    ``source`` is the store, by default the configuration's. Raises :class:`~shadowlane.errors.DataError` when there is
    no such exchange or its bodies are gone, and :class:`~shadowlane.errors.ShadowlaneError` when it may not be sent.
    """
    row = _found(config, source, shadow_id, shadow)
    record = stored_record(row)
    if isinstance(record, Unusable):
        raise DataError(f"--one = {shadow_id!r}: {record.why}; choose another exchange")
    embedder = open_embedder(config.score)
    try:
        pair = asyncio.run(_sent(config, shadow, record, embedder))
    finally:
        embedder.close()
    data = _data(config, pair, row)
    if as_json:
        print_json(data)
    else:
        print_lines(explained_lines(data) + _before(data))
    return 0 if not pair.outcome.reason else 1


def _found(config: Config, source: str | None, shadow_id: str, shadow: str) -> StoredPair:
    path = source or config.store.shown
    with open_stored(source) if source else open_store(config.store, read_only=True) as store:
        rows = [row for row in store.exchange(shadow_id) if row.pair.outcome.shadow != "control"]
    if not rows:
        raise DataError(f"--one = {shadow_id!r}: no exchange of {path} has this shadow_id; the report names them")
    return next((row for row in rows if row.pair.outcome.shadow == shadow), rows[0])


async def _sent(config: Config, shadow: str, record: Recorded, embedder: Embedder) -> Pair:
    with ReplayLane.open(config) as lane:
        if reason := lane.put(record, record.id, record.started_ns):
            raise ShadowlaneError(f"--one = {record.id!r}: not sent: {reason}; see [routes] and [policy]")
        rows = await asyncio.to_thread(lane.drain, 1, config.lane.ring_bytes)
        if not rows:
            raise ShadowlaneError(f"--one = {record.id!r}: not sent: it could not be read back")
        copy = Copy(**dict(zip(_FIELDS, rows[0], strict=True)))
        if copy.blocked:
            raise ShadowlaneError(f"--one = {record.id!r}: not sent: {copy.blocked}: {copy.why}")
        limits = ShadowLimits(qps=config.limits.qps)
        transport: Transport = open_arm(config, shadow, config.shadows[shadow], limits, lane.core).transport
        try:
            outcome: Outcome = await transport.send(copy)
        finally:
            await transport.close()
        headers, body, _, note = lane.redaction.cleaner.response(
            outcome.headers, outcome.body, outcome.reason == "response_too_large"
        )
    outcome = msgspec.structs.replace(
        outcome, headers=tuple(headers), body=body, detail=outcome.detail or note, calls=()
    )
    alone = msgspec.structs.replace(config.score, groups=False)
    return Scorer(alone, embedder=embedder).score([Pair(copy=copy, outcome=outcome)])[0]


def _data(config: Config, pair: Pair, row: StoredPair) -> dict[str, Any]:
    copy, outcome, before = pair.copy, pair.outcome, row.pair
    arm = {
        "name": outcome.shadow,
        "reason": outcome.reason,
        "detail": outcome.detail,
        "latency_ms": outcome.duration_ns / 1e6,
        "status": {"prod": copy.status, "shadow": outcome.status},
        "citations": {
            "prod": citation_names(copy.response_headers, copy.response_body, config),
            "shadow": citation_names(outcome.headers, outcome.body, config),
        },
        **msgspec.to_builtins(comparison_of(pair)),
    }
    return {
        "id": copy.shadow_id,
        "started_ns": copy.started_ns,
        "method": copy.method,
        "target": copy.target,
        "question": shown_question(copy),
        "arms": [arm],
        "before": {
            "shadow": before.outcome.shadow,
            "reason": before.outcome.reason,
            "status": before.outcome.status,
            "delta_s": before.scores.delta_s,
            "fact_flip": before.scores.fact_flip,
            "text": before.shadow_text,
        },
    }


def _before(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    arm, before = data["arms"][0], data["before"]
    lines = []
    if arm["reason"]:
        lines.append((f"  no answer  {arm['reason']}: {arm['detail']}", "bad"))
    said = before["reason"] or f"HTTP {before['status']}"
    delta = "none" if before["delta_s"] is None else f"{before['delta_s']:.3f}"
    contradicted = ", facts CONTRADICT" if before["fact_flip"] else ""
    lines.append((f"  then       {before['shadow']}: {said}, ΔS {delta}{contradicted}", ""))
    return lines
