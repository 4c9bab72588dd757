"""The rules for Prometheus: what is recorded, and an alert for every rule of the gate and for the lane's own health.

``python -m tools.alerts`` writes ``examples/prometheus/rules.yml`` from the tables here. Invariants: each rule that the
gate has is alerted on, since the list is the gate's own; each alert has series on which it fires and series on which it
does not, which ``promtool test rules`` runs in the tests.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from shadowlane.gate.lane_rules import LANE_RULES
from shadowlane.gate.targets import SCORE_RULES

from .alerts_of_hosts import HOST_ALERTS, HOST_RECORDS
from .rule import Alert, Record

__all__ = ["ALERTS", "FILE", "RECORDS", "Alert", "Record", "gate_rules", "rules_file"]

FILE = Path(__file__).parents[1] / "examples" / "prometheus" / "rules.yml"
_HEADER = "# Made by tools/alerts.py from its tables and the gate's list of rules.\n"
_LANE = 'lane="default"'
_SHADOW = 'lane="default",shadow="candidate"'


def _rate(metric: str, by: str, minutes: int = 5) -> str:
    return f"sum by ({by}) (rate({metric}[{minutes}m]))"


def _quantile(q: float, metric: str, window: str) -> str:
    return f"histogram_quantile({q}, sum by (lane, shadow, le) (rate({metric}_bucket[{window}])))"


def _mean(metric: str, window: str) -> str:
    total, n = (f"sum by (lane, shadow) (rate({metric}_{part}[{window}]))" for part in ("sum", "count"))
    return f"{total} / {n}"


_REASONS = "deadline|connect_error|transport_error|response_too_large"
_FAILED = f'shadowlane_copies_stored_total{{result="failed",reason=~"{_REASONS}"}}'
_CAPPED = 'shadowlane_requests_dropped_total{reason="cap"}'
_LIMITED = 'shadowlane_responses_total{code="429"}'
_E2E = {"prod": "shadowlane_prod_latency_seconds", "shadow": "shadowlane_shadow_latency_seconds"}

RECORDS: tuple[Record, ...] = (
    Record("lane:shadowlane_requests_seen:rate5m", _rate("shadowlane_requests_seen_total", "lane")),
    Record("lane:shadowlane_requests_mirrored:rate5m", _rate("shadowlane_requests_mirrored_total", "lane")),
    Record(
        "lane_reason:shadowlane_requests_dropped:rate5m", _rate("shadowlane_requests_dropped_total", "lane, reason")
    ),
    Record("lane_shadow:shadowlane_sends:rate5m", _rate("shadowlane_sends_total", "lane, shadow")),
    Record("lane_shadow:shadowlane_copies_stored:rate5m", _rate("shadowlane_copies_stored_total", "lane, shadow")),
    Record(
        "lane_shadow:shadowlane_copies_failed:ratio_rate5m",
        f"{_rate(_FAILED, 'lane, shadow')} / {_rate('shadowlane_copies_stored_total', 'lane, shadow')}",
    ),
    Record("lane_shadow:shadowlane_shadow_latency_seconds:p95_5m", _quantile(0.95, _E2E["shadow"], "5m")),
    Record("lane_shadow:shadowlane_prod_latency_seconds:p95_5m", _quantile(0.95, _E2E["prod"], "5m")),
    Record("lane_shadow:shadowlane_semantic_delta:mean_1h", _mean("shadowlane_semantic_delta", "1h")),
    Record("lane_shadow:shadowlane_semantic_delta:p95_1h", _quantile(0.95, "shadowlane_semantic_delta", "1h")),
    # The names of the WFGY Problem Map (ops/live_monitoring_rag), for dashboards that have them.
    *(
        Record(f"rag_e2e_latency_seconds_{part}", f"sum by ({labels}) ({metric}_{part})", {"side": side})
        for side, metric in _E2E.items()
        for part, labels in (("bucket", "lane, shadow, le"), ("sum", "lane, shadow"), ("count", "lane, shadow"))
    ),
    Record("rag_citation_hit_rate", _mean("shadowlane_citation_match_ratio", "30m")),
    Record(
        "retriever_empty_result_count_total",
        'sum by (lane, shadow) (shadowlane_coverage_ratio_bucket{le="0.0"})',  # nothing of what prod retrieved
    ),
    Record(
        "llm_api_rate_limited_total", 'sum by (lane, shadow) (shadowlane_responses_total{code="429"})'
    ),
    Record("queue_backlog_count", "sum by (lane) (shadowlane_backlog_frames)"),
    *HOST_RECORDS,
)  # fmt: skip


def gate_rules() -> dict[str, tuple[str, bool]]:
    """Every rule of the gate: its key to its name, and whether missing it is urgent: it can reject, or says that
    nothing that is counted can be trusted."""
    found = {target.key: (target.name, target.rejects) for target in SCORE_RULES}
    urgent = {"p95_latency", "delta_s_p95", "accounting", "error_budget"}
    found |= {key: (key.replace("_", " "), key in urgent) for key in LANE_RULES}
    return {**found, "asked": ("asked rightly", False)}


def _gate_alert(key: str, name: str, *, urgent: bool) -> Alert:
    series = f'shadowlane_gate_rule_met{{{_SHADOW},rule="{key}"}}'
    other = f'shadowlane_gate_rule_met{{{_SHADOW},rule="another"}}'
    state = f'shadowlane_gate_rule_state{{{_SHADOW},rule="{key}",state="not_known"}}'
    return Alert(
        "ShadowlaneGate" + "".join(part.capitalize() for part in key.split("_")),
        f'shadowlane_gate_rule_met{{rule="{key}"}} == 0',
        "10m",
        "page" if urgent else "ticket",
        f"shadow {{{{ $labels.shadow }}}} of lane {{{{ $labels.lane }}}} misses the gate's rule {name}",
        f"shadowlane gate --shadow {{{{ $labels.shadow }}}} shows the evidence; the rule's key is {key}",
        {series: "0x40"},
        ({series: "1x40"}, {other: "0x40"}, {state: "1x40"}, {series: "1 0x4 1x35"}),
        {"lane": "default", "shadow": "candidate", "rule": key},
    )


_HEALTH: tuple[Alert, ...] = (
    Alert(
        "ShadowlaneDown", 'up{job="shadowlane"} == 0', "5m", "page",
        "{{ $labels.instance }} gives no metrics of its lane",
        "the worker's endpoint does not answer: it is down, or [serve] is off; shadowlane status says which",
        {'up{job="shadowlane",instance="a:9797"}': "0x40"},
        ({'up{job="shadowlane",instance="a:9797"}': "1x40"}, {'up{job="another",instance="a:9797"}': "0x40"}),
        {"job": "shadowlane", "instance": "a:9797"},
    ),
    Alert(
        "ShadowlaneWorkerDown",
        # Without a gateway no worker is needed: one that a gateway started leaves with it.
        'shadowlane_worker_up == 0 and on (job, instance, lane) (shadowlane_rings{state="alive"} > 0 or '
        "shadowlane_backlog_frames > 0)", "2m", "page",
        "lane {{ $labels.lane }} has no worker",
        "rings fill and then drop; shadowlane status shows why the last worker ended",
        {f"shadowlane_worker_up{{{_LANE}}}": "0x40", f"shadowlane_backlog_frames{{{_LANE}}}": "0x10 7x29",
         f'shadowlane_rings{{{_LANE},state="alive"}}': "1x10 0x29"},
        (
            {f"shadowlane_worker_up{{{_LANE}}}": "1x40", f'shadowlane_rings{{{_LANE},state="alive"}}': "1x40"},
            {f"shadowlane_worker_up{{{_LANE}}}": "0x40", f"shadowlane_backlog_frames{{{_LANE}}}": "0x40",
             f"shadowlane_lane_started{{{_LANE}}}": "1x40", f'shadowlane_rings{{{_LANE},state="alive"}}': "0x40"},
        ),
        {"lane": "default"},
    ),
    Alert(
        "ShadowlaneWorkerHangs", "shadowlane_worker_heartbeat_age_seconds > 30", "2m", "page",
        "the worker of lane {{ $labels.lane }} does not report itself",
        "a gateway ends a worker that hangs and starts another; this one stays, see worker.log",
        {f"shadowlane_worker_heartbeat_age_seconds{{{_LANE}}}": "0+60x40"},
        ({f"shadowlane_worker_heartbeat_age_seconds{{{_LANE}}}": "0.5x40"},),
        {"lane": "default"},
    ),
    Alert(
        "ShadowlaneRingDrops", 'increase(shadowlane_requests_dropped_total{reason="ring_full"}[10m]) > 0', "5m",
        "ticket", "lane {{ $labels.lane }} loses copies because a ring is full",
        "the shadows or the store do not keep up: lower sampling.ratio, or raise concurrency or lane.ring_bytes",
        {f'shadowlane_requests_dropped_total{{{_LANE},reason="ring_full"}}': "0+5x40"},
        (
            {f'shadowlane_requests_dropped_total{{{_LANE},reason="ring_full"}}': "7x40"},
            {f'shadowlane_requests_dropped_total{{{_LANE},reason="sampled_out"}}': "0+50x40"},
        ),
        {"lane": "default", "reason": "ring_full"},
    ),
    Alert(
        "ShadowlaneBacklog", "shadowlane_ring_fill_ratio > 0.5", "10m", "ticket",
        "a ring of lane {{ $labels.lane }} is more than half full",
        "the shadows or the store do not keep up; what does not fit is dropped and counted",
        {f"shadowlane_ring_fill_ratio{{{_LANE}}}": "0.8x40"},
        (
            {f"shadowlane_ring_fill_ratio{{{_LANE}}}": "0.2x40"},
            {f"shadowlane_ring_fill_ratio{{{_LANE}}}": "0.8x5 0x35"},
        ),
        {"lane": "default"},
    ),
    Alert(
        "ShadowlaneFaults", "increase(shadowlane_faults_total[10m]) > 0", "0m", "page",
        "shadowlane failed on the user path of lane {{ $labels.lane }}",
        "the failure was swallowed and cost one copy; please report it with the gateway's log",
        {f"shadowlane_faults_total{{{_LANE}}}": "0x35 3x5"},
        ({f"shadowlane_faults_total{{{_LANE}}}": "3x40"},),
        {"lane": "default"},
    ),
    Alert(
        "ShadowlaneFramesCorrupt", "increase(shadowlane_frames_corrupt_total[10m]) > 0", "0m", "page",
        "frames of lane {{ $labels.lane }} are damaged in memory",
        "something else writes to the rings, or memory fails",
        {f"shadowlane_frames_corrupt_total{{{_LANE}}}": "0x35 1x5"},
        ({f"shadowlane_frames_corrupt_total{{{_LANE}}}": "0x40"},),
        {"lane": "default"},
    ),
    Alert(
        "ShadowlaneProcessesWithoutRing", "shadowlane_processes_without_ring > 0", "5m", "ticket",
        "gateway processes of lane {{ $labels.lane }} mirror nothing",
        "shadowlane status says why the last one has no ring",
        {f"shadowlane_processes_without_ring{{{_LANE}}}": "2x40"},
        ({f"shadowlane_processes_without_ring{{{_LANE}}}": "0x40"},),
        {"lane": "default"},
    ),
    Alert(
        "ShadowlaneAccountingBroken", "shadowlane_accounting_holds == 0", "5m", "page",
        "lane {{ $labels.lane }} does not account for every request",
        "no verdict is to be trusted until it does; please report it with shadowlane status --json",
        {f"shadowlane_accounting_holds{{{_LANE}}}": "0x40"},
        ({f"shadowlane_accounting_holds{{{_LANE}}}": "1x40"},),
        {"lane": "default"},
    ),
    Alert(
        "ShadowlaneUnreadable", "shadowlane_readable == 0", "5m", "page",
        "the {{ $labels.part }} of lane {{ $labels.lane }} cannot be read",
        "shadowlane status and shadowlane doctor say why",
        {f'shadowlane_readable{{{_LANE},part="store"}}': "0x40"},
        ({f'shadowlane_readable{{{_LANE},part="store"}}': "1x40"},),
        {"lane": "default", "part": "store"},
    ),
    Alert(
        "ShadowlaneCapReached",
        f"{_rate(_CAPPED, 'lane')} > 0.05 * "
        f"{_rate('shadowlane_requests_sampled_total', 'lane')}", "15m", "ticket",
        "more than 5 % of the chosen requests of lane {{ $labels.lane }} meet the cap",
        "busy minutes are missing from the sample: raise limits.qps, or lower sampling.ratio",
        {
            f'shadowlane_requests_dropped_total{{{_LANE},reason="cap"}}': "0+30x40",
            f"shadowlane_requests_sampled_total{{{_LANE}}}": "0+100x40",
        },
        (
            {
                f'shadowlane_requests_dropped_total{{{_LANE},reason="cap"}}': "0+1x40",
                f"shadowlane_requests_sampled_total{{{_LANE}}}": "0+100x40",
            },
            {
                f'shadowlane_requests_dropped_total{{{_LANE},reason="route"}}': "0+99x40",
                f"shadowlane_requests_sampled_total{{{_LANE}}}": "0+100x40",
            },
        ),
        {"lane": "default"},
    ),
    Alert(
        "ShadowlanePaused", "shadowlane_paused_seconds > 0", "15m", "ticket",
        "mirroring of lane {{ $labels.lane }} pauses",
        "prod's quota is low, or every shadow's provider asks for it; shadowlane status says which",
        {f"shadowlane_paused_seconds{{{_LANE}}}": "20x40"},
        ({f"shadowlane_paused_seconds{{{_LANE}}}": "0x40"}, {f"shadowlane_paused_seconds{{{_LANE}}}": "20x5 0x35"}),
        {"lane": "default"},
    ),
    Alert(
        "ShadowlaneBreakerOpen", 'shadowlane_breaker_state{state="open"} == 1', "5m", "ticket",
        "the circuit breaker of {{ $labels.shadow }} in lane {{ $labels.lane }} is open",
        "the shadow fails; it gets single copies until it answers again",
        {f'shadowlane_breaker_state{{{_SHADOW},state="open"}}': "1x40"},
        (
            {f'shadowlane_breaker_state{{{_SHADOW},state="open"}}': "0x40"},
            {f'shadowlane_breaker_state{{{_SHADOW},state="closed"}}': "1x40"},
        ),
        {"lane": "default", "shadow": "candidate", "state": "open"},
    ),
    Alert(
        "ShadowlaneBudgetReached", "shadowlane_budget_reached == 1", "5m", "ticket",
        "{{ $labels.shadow }} of lane {{ $labels.lane }} has spent its budget",
        "it gets no more copies until enough of that is old; see shadows.NAME.budget",
        {f"shadowlane_budget_reached{{{_SHADOW}}}": "1x40"},
        ({f"shadowlane_budget_reached{{{_SHADOW}}}": "0x40"},),
        {"lane": "default", "shadow": "candidate"},
    ),
    Alert(
        "ShadowlaneAlertsWait", "shadowlane_alerts_waiting > 0", "30m", "ticket",
        "alerts of lane {{ $labels.lane }} do not reach {{ $labels.receiver }}",
        "shadowlane status says what the receiver answers; shadowlane alert --test tries it",
        {'shadowlane_alerts_waiting{lane="default",receiver="slack"}': "1x40"},
        (
            {'shadowlane_alerts_waiting{lane="default",receiver="slack"}': "0x40"},
            {'shadowlane_alerts_waiting{lane="default",receiver="slack"}': "1x20 0x20"},
        ),
        {"lane": "default", "receiver": "slack"},
    ),
    Alert(
        "ShadowlaneShadowFails", "lane_shadow:shadowlane_copies_failed:ratio_rate5m > 0.05", "10m", "ticket",
        "{{ $labels.shadow }} of lane {{ $labels.lane }} fails more than 5 % of its copies",
        "by deadlines, refused connections, broken answers or such that are too large; shadowlane report has examples",
        {
            f'shadowlane_copies_stored_total{{{_SHADOW},result="failed",reason="deadline"}}': "0+10x40",
            f'shadowlane_copies_stored_total{{{_SHADOW},result="answered",reason=""}}': "0+90x40",
        },
        (
            {
                f'shadowlane_copies_stored_total{{{_SHADOW},result="failed",reason="deadline"}}': "0+1x40",
                f'shadowlane_copies_stored_total{{{_SHADOW},result="answered",reason=""}}': "0+90x40",
            },
            {
                f'shadowlane_copies_stored_total{{{_SHADOW},result="failed",reason="sampled_out"}}': "0+90x40",
                f'shadowlane_copies_stored_total{{{_SHADOW},result="answered",reason=""}}': "0+90x40",
            },
        ),
        {"lane": "default", "shadow": "candidate"},
    ),
    Alert(
        "ShadowlaneRateLimited",
        f"{_rate(_LIMITED, 'lane, shadow')} > 0.02 * "
        f"{_rate('shadowlane_responses_total', 'lane, shadow')}", "10m", "ticket",
        "{{ $labels.shadow }} of lane {{ $labels.lane }} is rate limited",
        "more than 2 % of its responses are HTTP 429: lower shadows.NAME.qps, or ask its provider for more",
        {
            f'shadowlane_responses_total{{{_SHADOW},code="429"}}': "0+10x40",
            f'shadowlane_responses_total{{{_SHADOW},code="200"}}': "0+90x40",
        },
        (
            {
                f'shadowlane_responses_total{{{_SHADOW},code="429"}}': "0+1x40",
                f'shadowlane_responses_total{{{_SHADOW},code="200"}}': "0+99x40",
            },
            {f'shadowlane_responses_total{{{_SHADOW},code="500"}}': "0+99x40"},
        ),
        {"lane": "default", "shadow": "candidate"},
    ),
    Alert(
        "ShadowlaneReject", 'shadowlane_gate_verdict{verdict="REJECT"} == 1', "5m", "page",
        "the gate rejects {{ $labels.shadow }} of lane {{ $labels.lane }}",
        "shadowlane gate shows which rule is missed for sure",
        {f'shadowlane_gate_verdict{{{_SHADOW},verdict="REJECT"}}': "1x40"},
        (
            {f'shadowlane_gate_verdict{{{_SHADOW},verdict="REJECT"}}': "0x40"},
            {f'shadowlane_gate_verdict{{{_SHADOW},verdict="HOLD"}}': "1x40"},
        ),
        {"lane": "default", "shadow": "candidate", "verdict": "REJECT"},
    ),
    Alert(
        "ShadowlaneGateStale", "time() - shadowlane_gate_evaluated_timestamp_seconds > 900", "5m", "ticket",
        "the gate of lane {{ $labels.lane }} is not evaluated",
        "its last verdict is more than 15 minutes old; the worker's log says why",
        {f"shadowlane_gate_evaluated_timestamp_seconds{{{_LANE}}}": "0x40"},
        ({f"shadowlane_gate_evaluated_timestamp_seconds{{{_LANE}}}": "0+60x40"},),
        {"lane": "default"},
    ),
)  # fmt: skip

ALERTS: tuple[Alert, ...] = (
    *_HEALTH,
    *HOST_ALERTS,
    *(_gate_alert(key, name, urgent=urgent) for key, (name, urgent) in gate_rules().items()),
)


def rules_file() -> str:
    """The file for Prometheus' ``rule_files``."""
    groups = [
        {"name": "shadowlane.records", "interval": "30s", "rules": [_recorded(one) for one in RECORDS]},
        {"name": "shadowlane.health", "rules": [_alerted(one) for one in _HEALTH]},
        {"name": "shadowlane.hosts", "rules": [_alerted(one) for one in HOST_ALERTS]},
        {"name": "shadowlane.gate", "rules": [_alerted(one) for one in ALERTS[len(_HEALTH) + len(HOST_ALERTS) :]]},
    ]
    return _HEADER + yaml.safe_dump({"groups": groups}, sort_keys=False, width=120, allow_unicode=True)


def _recorded(one: Record) -> dict[str, Any]:
    rule: dict[str, Any] = {"record": one.name, "expr": one.expr}
    return {**rule, "labels": one.labels} if one.labels else rule


def _alerted(one: Alert) -> dict[str, Any]:
    return {
        "alert": one.name,
        "expr": one.expr,
        "for": one.lasts,
        "labels": {"severity": one.severity},
        "annotations": {"summary": one.summary, "description": one.text},
    }


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(rules_file(), encoding="utf-8")
