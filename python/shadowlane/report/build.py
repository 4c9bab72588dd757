"""The report as data: what is stored, compared, judged and accounted for. Terminal, page and ``--json`` show this.

Invariant: everything in it comes from the sanitized store and the lane's counters; nothing is fetched.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..config import Config
from ..gate import Evidence, Sampling, Trial, Verdict, evaluate
from ..providers.question import asked
from ..score.delta import CRITICAL, STABLE
from ..store import Order, ScoreColumns, StoredPair, Timed
from . import readings, stats
from .trial import overhead_block, trial_of, why_no_trial

__all__ = ["PairSource", "build_report", "judge", "verdict_data"]

_HOUR_NS = 3600 * 10**9
_WORST = 8
_TEXT_CHARS = 1500
_RECENT = 200


class PairSource(Protocol):
    """What a report needs of the store."""

    def scores(self, shadow: str | None = None, since_ns: int | None = None) -> ScoreColumns: ...
    def iter_pairs(
        self,
        since_ns: int | None = None,
        shadow: str | None = None,
        limit: int | None = None,
        with_bodies: bool = False,
        order: Order = "time",
        only_kept: bool = False,
    ) -> Iterator[StoredPair]: ...
    def policy_counts(self, shadow: str, since_ns: int | None = None) -> tuple[dict[str, int], int, int]: ...
    def differing_places(self, shadow: str, since_ns: int | None = None) -> list[tuple[str, str, int, str]]: ...
    def judge_state(self) -> str: ...
    def times(self, since_ns: int) -> list[Timed]: ...


def build_report(
    config: Config,
    status: Mapping[str, Any],
    store: PairSource,
    *,
    hours: float | None = None,
    now_ns: int | None = None,
) -> dict[str, Any]:
    """Everything that the report shows, JSON-ready. Times in seconds, shares in [0, 1], ``None`` for "no data".

    ``hours`` keeps only pairs that began in the last so many hours; the verdicts always judge ``gate.window_hours``.
    """
    now = time.time_ns() if now_ns is None else now_ns
    since = None if hours is None else now - int(hours * _HOUR_NS)
    columns = {name: store.scores(name, since) for name in config.arms()}
    verdicts = {verdict.shadow: verdict for verdict in judge(config, status, store, now_ns=now)}
    sampler = status["sampler"]
    trial = trial_of(store.times(_window(config, now)))
    return {
        "lane": status["lane"],
        "generated_ns": now,
        "hours": hours,
        "pairs": sum(len(some) for some in columns.values()),
        "first_ns": min((int(some.started_ns[0]) for some in columns.values() if len(some)), default=None),
        "last_ns": max((int(some.started_ns[-1]) for some in columns.values() if len(some)), default=None),
        "enabled": status["enabled"],
        "accounting": dict(status["accounting"]),
        "sampling": {
            "configured": sampler["ratio"],
            "achieved": sampler["taken"] / sampler["eligible"] if sampler["eligible"] else None,
            "eligible": sampler["eligible"],
            "taken": sampler["taken"],
        },
        "overhead": overhead_block(config, trial, why_no_trial(sampler)),
        "targets": {**_targets(config), "stable": STABLE, "critical": CRITICAL},
        "noise_floor": _floors(columns.get("control")),
        "judge": readings.judge_counts(store.judge_state()),
        "shadows": [
            _shadow(config, name, columns[name], store, since, columns.get("control"), verdicts.get(name))
            for name in config.arms()
        ],
    }


def _targets(config: Config) -> dict[str, Any]:
    """The numbers of ``[gate]``; ``None`` where there is no target."""
    gate: dict[str, Any] = msgspec.to_builtins(config.gate)
    targets = {name: value for name, value in gate.items() if isinstance(value, int | float)}
    return {**targets, "overhead_p99": None} if "overhead" in config.gate.disable else targets


def _window(config: Config, now_ns: int) -> int:
    """Where the gate's window begins.

    It moves once an hour, not with every look: between two moves, looking again is free, since the intervals hold at
    any time from their start on.
    """
    return (now_ns - int(config.gate.window_hours * _HOUR_NS)) // _HOUR_NS * _HOUR_NS


def _shadow(
    config: Config,
    name: str,
    columns: ScoreColumns,
    store: PairSource,
    since: int | None,
    control: ScoreColumns | None,
    verdict: Verdict | None,
) -> dict[str, Any]:
    answered = columns.reason == ""
    why, strange_calls, strange_pairs = store.policy_counts(name, since)
    return {
        "name": name,
        "url": config.arms()[name].url,
        "control": name == "control",
        "pairs": len(columns),
        "answered": int(answered.sum()),
        "failed": _count(columns.reason[~answered].tolist()),
        "blocked": why,
        "strange_calls": {"calls": strange_calls, "pairs": strange_pairs},
        "http": _count(columns.status[answered].tolist()),
        "prod_http": _count(columns.prod_status.tolist()),
        "delta_s": stats.delta_blocks(columns, None if name == "control" else control),
        "states": stats.states(columns),
        "groups": readings.groups(columns, store, name, since),
        "structure": readings.structure(columns, control, store, name, since),
        "judged": readings.judged(columns),
        **stats.citations(columns),
        "latency": stats.latency(columns),
        "rate_limit": _rate_limit(store, name, since),
        "worst": _worst(store, name, since),
        "verdict": None if verdict is None else verdict_data(verdict),
    }


def _floors(control: ScoreColumns | None) -> dict[str, float] | None:
    """Mean ΔS of prod against control, by embedder; ``None`` without a control that has scores."""
    if control is None:
        return None
    return {block["embedder"]: block["mean"] for block in stats.delta_blocks(control)} or None


def _count(values: list[Any]) -> dict[str, int]:
    return {str(value): n for value, n in Counter(values).most_common()}


def _rate_limit(store: PairSource, name: str, since: int | None) -> dict[str, Any] | None:
    """The rate-limit headers of the newest answer that had some, among the last ones."""
    with closing(store.iter_pairs(since, name, _RECENT, order="newest")) as rows:  # type: ignore[type-var]
        for row in rows:
            if row.pair.rate_limit:
                return {"seen_ns": row.pair.outcome.started_ns, "headers": dict(row.pair.rate_limit)}
    return None


def _worst(store: PairSource, name: str, since: int | None) -> list[dict[str, Any]]:
    """The pairs furthest apart among those whose answers are kept; when none are, those furthest apart."""
    for only_kept in (True, False):
        rows = store.iter_pairs(since, name, _WORST, with_bodies=True, order="worst", only_kept=only_kept)
        pairs = [_side_by_side(row) for row in rows if row.pair.scores.delta_s is not None or row.pair.scores.fact_flip]
        if pairs:
            return pairs
    return []


def _side_by_side(row: StoredPair) -> dict[str, Any]:
    pair = row.pair
    return {
        "shadow_id": pair.copy.shadow_id,
        "req_hash": pair.copy.req_hash,
        "method": pair.copy.method,
        "target": pair.copy.target,
        "started_ns": pair.copy.started_ns,
        "asked": _cut(asked(pair.copy), 300),
        "delta_s": pair.scores.delta_s,
        "embedder": pair.scores.embedder,
        "anchored": pair.scores.anchored,
        "fact_flip": pair.scores.fact_flip,
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
        "prod": {"status": pair.copy.status, "seconds": pair.copy.duration_ns / 1e9, "text": _cut(pair.prod_text)},
        "shadow": {
            "status": pair.outcome.status,
            "seconds": pair.outcome.duration_ns / 1e9,
            "text": _cut(pair.shadow_text),
            "model_rev": pair.model_rev,
            "index_hash": pair.index_hash,
        },
        "bodies": row.bodies,
    }


def _cut(text: str, chars: int = _TEXT_CHARS) -> str:
    return text if len(text) <= chars else text[: chars - 1].rstrip() + "…"


def judge(
    config: Config,
    status: Mapping[str, Any],
    store: PairSource,
    *,
    shadow: str | None = None,
    now_ns: int | None = None,
) -> list[Verdict]:
    """The verdict on each shadow (or on one) over the last ``gate.window_hours``."""
    since = _window(config, time.time_ns() if now_ns is None else now_ns)
    trial = trial_of(store.times(since))
    control = store.scores("control", since) if "control" in config.arms() else None
    names = list(config.shadows) if shadow is None else [shadow]
    return [evaluate(config.gate, _evidence(name, status, store.scores(name, since), control, trial)) for name in names]


def _evidence(
    name: str,
    status: Mapping[str, Any],
    columns: ScoreColumns,
    control: ScoreColumns | None,
    trial: Trial | None,
) -> Evidence:
    scored = ~np.isnan(columns.delta_s)
    embedder = str(columns.embedder[scored][-1]) if scored.any() else ""
    again = readings.repeated(columns)
    went, timed = stats.sent(columns), stats.comparable(columns)
    accounting, sampler = status["accounting"], status["sampler"]
    prod_failed = status["dropped"].get("prod_failed", 0)
    return Evidence(
        shadow=name,
        started_ns=columns.started_ns[went],
        errors=stats.failed_copies(columns)[went],
        delta_s=stats.delta_values(columns, embedder),
        chaotic=columns.state[columns.state != ""] == "chaotic",
        prod_ns=columns.prod_ns[timed].astype(np.float64),
        shadow_ns=columns.shadow_ns[timed].astype(np.float64),
        floor_delta_s=None if control is None else stats.delta_values(control, embedder),
        floor_chaotic=None if control is None else control.state[control.state != ""] == "chaotic",
        flips=columns.flip[again],
        prod_flips=columns.prod_flip[again],
        floor_flips=None if control is None else _own_flips(control),
        sampling=Sampling(sampler["ratio"], sampler["eligible"], sampler["taken"]) if status["started"] else None,
        prod_failed=prod_failed if status["started"] else None,
        admitted=prod_failed + status["mirrored"] if status["started"] else None,
        trial=trial,
        no_trial=why_no_trial(sampler),
        accounting_holds=accounting["holds"] if accounting["known"] else None,
        accounting="; ".join(_own_lines(accounting["lines"], name)) if accounting["known"] else "",
    )


def _own_flips(control: ScoreColumns) -> NDArray[np.bool_]:
    again = readings.repeated(control)
    own: NDArray[np.bool_] = control.flip[again] & ~control.prod_flip[again]
    return own


def _own_lines(lines: list[str], name: str) -> list[str]:
    """The lane's line and this shadow's."""
    return [line for place, line in enumerate(lines) if place == 0 or line.startswith(f"{name}:")]


def verdict_data(verdict: Verdict) -> dict[str, Any]:
    """A verdict, JSON-ready."""
    return {
        "shadow": verdict.shadow,
        "decision": verdict.decision,
        "summary": verdict.summary,
        "rules": [
            {"name": rule.name, "ok": rule.ok, "beyond": rule.beyond, "evidence": rule.evidence}
            for rule in verdict.rules
        ],
        "not_judged": list(verdict.not_judged),
    }
