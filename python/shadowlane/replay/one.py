"""``shadowlane replay --one``: does it still do that? One stored exchange, sent again, and both answers compared.

Invariants: it goes the way of every copy, through admission, redaction and policy; nothing is stored; the store that it
is read from is only read.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..compare.explain import citation_names
from ..compare.show import explained_lines
from ..config import Config
from ..embedders import Embedder
from ..errors import ConfigError, DataError, ShadowlaneError
from ..limits import ShadowLimits
from ..providers.question import shown_question
from ..render.text import Line, print_json, print_lines, printable
from ..score import Scorer
from ..score.answers import comparison_of
from ..sources import Recorded, Unusable, open_stored, stored_record
from ..store import StoredPair, open_store
from ..types import Outcome, Pair, Transport, drained_copies
from ..worker.arms import open_arm
from ..worker.embedder import open_embedder
from .lane import ReplayLane
from .settings import settings

__all__ = ["replay_one"]

_CONFIG = "shadowlane.toml"


def replay_one(options: argparse.Namespace) -> int:
    """Send it and print what came: 0 when the shadow answered, 1 when it did not.

    The exchange is one of SOURCE, by default of the configuration's store; the configuration is by default the lane's,
    as for every command on a lane. Raises :class:`~shadowlane.errors.ConfigError` for options that do not fit,
    :class:`~shadowlane.errors.DataError` when there is no such exchange or its bodies are gone, and
    :class:`~shadowlane.errors.ShadowlaneError` when it may not be sent.
    """
    shadow_id, path = options.one, options.config or _lanes_own()
    if without := [name for name, given in _NOT_FOR_ONE.items() if given(options)]:
        raise ConfigError(f"--one: sends one exchange and keeps nothing; leave {', '.join(without)} out")
    if path is None and options.source is None:
        raise ConfigError(
            f"--one = {shadow_id!r}: whose exchange is it? Name the lane's configuration with --config, or its "
            "database as SOURCE"
        )
    config, shadow = settings(path, options.shadow, sends=True)
    config.shadows[shadow].credential(where=f"{shadow}: ")
    row = _found(config, options.source, shadow_id, shadow)
    record = stored_record(row)
    if isinstance(record, Unusable):
        raise DataError(f"--one = {shadow_id!r}: {record.why}; choose another exchange")
    embedder = open_embedder(config.score)
    try:
        pair = asyncio.run(_sent(config, shadow, record, embedder, configured=path is not None))
    finally:
        embedder.close()
    data = _data(config, pair, row)
    if options.json:
        print_json(data)
    else:
        print_lines(_lines(data))
    return 0 if not pair.outcome.reason else 1


_NOT_FOR_ONE: dict[str, Callable[[argparse.Namespace], bool]] = {
    "--fresh": lambda options: options.fresh,
    "--gate": lambda options: options.gate,
    "--html": lambda options: options.html is not None,
    "--store": lambda options: options.store is not None,
    "--speed": lambda options: options.speed != "1",
    "--format": lambda options: options.format not in (None, "store"),
}


def _lanes_own() -> str | None:
    """The configuration that the other commands on a lane take where none is named; ``None``: there is none."""
    if named := os.environ.get("SHADOWLANE_CONFIG"):
        return named
    return _CONFIG if Path(_CONFIG).exists() else None


def _found(config: Config, source: str | None, shadow_id: str, shadow: str) -> StoredPair:
    path = source or config.store.shown
    with open_stored(source) if source else open_store(config.store, read_only=True) as store:
        rows = [row for row in store.exchange(shadow_id) if row.pair.outcome.shadow != "control"]
    if not rows:
        raise DataError(
            f"--one = {shadow_id!r}: no exchange of {path} has this shadow_id; `report` and the live page "
            "show those of the pairs furthest apart, `export` all of them"
        )
    return next((row for row in rows if row.pair.outcome.shadow == shadow), rows[0])


async def _sent(config: Config, shadow: str, record: Recorded, embedder: Embedder, *, configured: bool) -> Pair:
    with ReplayLane.open(config) as lane:
        if reason := lane.put(record, record.id, record.started_ns):
            remedy = "see [routes] and [policy]"
            if not configured:
                remedy = f"name the configuration whose [routes] take {record.method} {record.target} with --config"
            raise ShadowlaneError(f"--one = {record.id!r}: not sent: {reason}; {remedy}")
        rows = await asyncio.to_thread(lane.drain, 1, config.lane.ring_bytes)
        if not rows:
            raise ShadowlaneError(f"--one = {record.id!r}: not sent: it could not be read back")
        copy = drained_copies(rows[:1])[0]
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
        "prod_text": before.prod_text,
        "prod_latency_ms": _milliseconds(before.copy.duration_ns),
        "before": {
            "shadow": before.outcome.shadow,
            "reason": before.outcome.reason,
            "detail": before.outcome.detail,
            "status": before.outcome.status,
            "latency_ms": _milliseconds(before.outcome.duration_ns),
            "delta_s": before.scores.delta_s,
            "fact_flip": before.scores.fact_flip,
            "text": before.shadow_text,
        },
        "same_words": None if outcome.reason or before.outcome.reason else _words(pair) == _words(before),
    }


def _milliseconds(took_ns: int) -> float | None:
    """``None``: not known."""
    return took_ns / 1e6 if took_ns else None


def _words(pair: Pair) -> list[str]:
    return pair.shadow_text.split()


def _lines(data: Mapping[str, Any]) -> list[Line]:
    """What came now, what was said of it then, and whether that is the same."""
    arm, before = data["arms"][0], data["before"]
    if arm["reason"]:
        # Nothing was compared: what is known is what was asked, what prod said, and why there is no answer.
        lines = explained_lines({**data, "arms": ()})
        lines += [("", ""), *_wrapped("prod", data["prod_text"] or "(no text)")]
        lines += [(printable(f"  no answer  {arm['name']}: {arm['reason']}: {arm['detail']}"), "bad")]
    else:
        lines = explained_lines(data)
    took = {"prod then": data["prod_latency_ms"], f"{before['shadow']} then": before["latency_ms"]}
    took |= {f"{arm['name']} now": arm["latency_ms"] or None}
    parts = [f"{who} {'not known' if ms is None else f'{ms:.0f} ms'}" for who, ms in took.items()]
    lines.append((printable(f"  took       {', '.join(parts)}"), ""))
    said = f"{before['reason']}: {before['detail']}" if before["reason"] else f"HTTP {before['status']}"
    delta = "none" if before["delta_s"] is None else f"{before['delta_s']:.3f}"
    contradicted = ", facts CONTRADICT" if before["fact_flip"] else ""
    lines.append((printable(f"  then       {before['shadow']}: {said}, ΔS {delta}{contradicted}"), ""))
    if data["same_words"]:
        lines.append(("  still      the same answer as then, word for word", ""))
    elif before["text"]:
        lines += _wrapped("it said", before["text"])
    return lines


def _wrapped(label: str, text: str) -> list[Line]:
    return [(f"  {label:<9}  {printable(' '.join(text.split()))}", "")]
