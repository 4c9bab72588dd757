"""The report as data: what is stored, compared, evaluated and accounted for. Terminal, page and ``--json`` show this.

Invariant: everything in it comes from the sanitized store and the lane's counters; nothing is fetched.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import msgspec

from ..bands import CRITICAL, STABLE
from ..config import Config
from ..config.shown import shown_url
from ..gate import Verdict, verdict_data
from ..gate.arms import arms_data, compare_arms
from ..gate.evidence import direct_of, evaluate_lane, trial_of, why_no_trial, window_start
from ..status.routes import routes_of
from . import readings
from .accounts import said
from .apart import furthest_apart
from .marks import marks_data
from .refused import with_bodies
from .source import PairSource
from .stats import RowStats, stats_of
from .surroundings import pins_data
from .trial import overhead_block

__all__ = ["build_report"]

_HOUR_NS = 3600 * 10**9
_RECENT = 200


def build_report(
    config: Config,
    status: Mapping[str, Any],
    store: PairSource,
    *,
    hours: float | None = None,
    now_ns: int | None = None,
) -> dict[str, Any]:
    """Everything that the report shows, JSON-ready. Times in seconds, shares in [0, 1], ``None`` for "no data".

    ``hours`` keeps only pairs that began in the last so many hours; the verdicts are always on ``gate.window_hours``.
    """
    now = time.time_ns() if now_ns is None else now_ns
    since = None if hours is None else now - int(hours * _HOUR_NS)
    rows = {
        name: stats_of(store.pieces(name, since), reverse=arm.direction == "reverse")
        for name, arm in config.arms().items()
    }
    verdicts = {verdict.shadow: verdict for verdict in evaluate_lane(config, status, store, now_ns=now)}
    sampler = status["sampler"]
    timed = store.latency(window_start(config, now))
    trial, direct = trial_of(timed), direct_of(timed)
    return {
        "lane": status["lane"],
        "source": status.get("source", ""),
        "generated_ns": now,
        "hours": hours,
        "pairs": sum(some.pairs for some in rows.values()),
        "first_ns": min((some.first_ns for some in rows.values() if some.first_ns is not None), default=None),
        "last_ns": max((some.last_ns for some in rows.values() if some.last_ns is not None), default=None),
        "enabled": status["enabled"],
        "accounting": dict(status["accounting"]),
        "sampling": {
            "configured": sampler["ratio"],
            "achieved": sampler["taken"] / sampler["eligible"] if sampler["eligible"] else None,
            "eligible": sampler["eligible"],
            "taken": sampler["taken"],
        },
        "overhead": overhead_block(config, trial, why_no_trial(sampler), direct),
        "targets": {**_targets(config), "stable": STABLE, "critical": CRITICAL},
        "noise_floor": _floors(rows.get("control")),
        "judge": readings.judge_counts(store.judge_state()),
        "arms": arms_data(
            None if status.get("no_lane") else compare_arms(config, store, now, status),
            {name: verdict.decision for name, verdict in verdicts.items()},
        ),
        "shadows": [
            _shadow(config, name, rows[name], store, since, rows.get("control"), verdicts.get(name))
            for name in config.arms()
        ],
    }


def _targets(config: Config) -> dict[str, Any]:
    """The numbers of ``[gate]``; ``None`` where there is no target."""
    gate: dict[str, Any] = msgspec.to_builtins(config.gate)
    targets = {name: value for name, value in gate.items() if isinstance(value, int | float)}
    return {**targets, "overhead_p99": None} if "overhead" in config.gate.disable else targets


def _shadow(
    config: Config,
    name: str,
    rows: RowStats,
    store: PairSource,
    since: int | None,
    control: RowStats | None,
    verdict: Verdict | None,
) -> dict[str, Any]:
    reverse = config.arms()[name].direction == "reverse"
    why, strange_calls, strange_pairs = store.policy_counts(name, since, reverse=reverse)
    return {
        "name": name,
        "url": shown_url(config.arms()[name].url),
        "control": name == "control",
        "direction": config.arms()[name].direction,
        "pairs": rows.pairs,
        "answered": rows.answered,
        "failed": _count(rows.failed),
        "blocked": why,
        **with_bodies(routes_of(store, name, config.arms()[name], since), store, name, since),
        "strange_calls": {"calls": strange_calls, "pairs": strange_pairs},
        "http": _count(rows.http),
        "prod_http": _count(rows.prod_http),
        "status_differs": rows.status_differences(),
        "delta_s": rows.deltas.data(None if name == "control" or control is None else control.deltas),
        "states": rows.states(),
        "groups": readings.groups(rows, store, name, since),
        "structure": readings.structure(rows, control, store, name, since),
        "judged": dict(sorted(rows.judged.items())) or None,
        "agreement": readings.judge_agreement(store.judge_state(), name),
        "marks": marks_data(store.mark_counts(name, since or 0)),
        **rows.citations(),
        "facts": rows.facts(),
        "latency": rows.latency.data(),
        "accounts": rows.accounts.data(),
        "surroundings": rows.surroundings.data(),
        "pins": pins_data(store.pins(name, 0 if since is None else since)),
        **said(store.said_counts(name, since)),
        "rate_limit": _rate_limit(store, name, since),
        "worst": furthest_apart(store, name, since),
        "verdict": None if verdict is None else verdict_data(verdict),
    }


def _floors(control: RowStats | None) -> dict[str, float] | None:
    """Mean ΔS of prod against control, by embedder; ``None`` without a control that has scores."""
    if control is None:
        return None
    return control.deltas.means() or None


def _count(values: Counter[Any]) -> dict[str, int]:
    return {str(value): n for value, n in values.most_common()}


def _rate_limit(store: PairSource, name: str, since: int | None) -> dict[str, Any] | None:
    """The rate-limit headers of the newest answer that had some, among the last ones."""
    with closing(store.iter_pairs(since, name, _RECENT, order="newest")) as rows:  # type: ignore[type-var]
        for row in rows:
            if row.pair.rate_limit:
                return {"seen_ns": row.pair.outcome.started_ns, "headers": dict(row.pair.rate_limit)}
    return None
