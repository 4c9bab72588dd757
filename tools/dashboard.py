"""The Grafana dashboard, from a table of panels.

``python -m tools.dashboard`` writes ``examples/grafana/shadowlane.json``, which Grafana imports; it asks for a
Prometheus data source only. Invariant: every panel's expressions go through the variables ``lane`` and ``shadow``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["FILE", "PANELS", "Panel", "dashboard"]

FILE = Path(__file__).parents[1] / "examples" / "grafana" / "shadowlane.json"

_L = '{lane=~"$lane"}'
_S = '{lane=~"$lane",shadow=~"$shadow"}'
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_VERDICTS = {"1": ("GRADUATE", "green"), "2": ("HOLD", "orange"), "3": ("REJECT", "red")}


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: expressions with their legends."""

    title: str
    kind: Literal["stat", "timeseries", "table", "heatmap"]
    asks: tuple[tuple[str, str], ...]
    unit: str = "short"
    width: int = 8
    height: int = 8
    text: str = ""


def _with(labels: str, name: str, value: str) -> str:
    return f'{labels[:-1]},{name}="{value}"}}'


def _quantile(q: float, metric: str, legend: str) -> tuple[str, str]:
    expr = f"histogram_quantile({q}, sum by (lane, shadow, le) (rate({metric}_bucket{_S}[5m])))"
    return expr, f"{{{{shadow}}}} {legend} P{100 * q:g}"


def _rate(metric: str, by: str, labels: str) -> str:
    return f"sum by ({by}) (rate({metric}{labels}[5m]))"


PANELS: tuple[Panel, ...] = (
    Panel(
        "Verdict", "stat",
        ((f"max by (lane, shadow) (shadowlane_gate_verdict{_with(_S, 'verdict', 'GRADUATE')} * 1 or "
          f"shadowlane_gate_verdict{_with(_S, 'verdict', 'HOLD')} * 2 or "
          f"shadowlane_gate_verdict{_with(_S, 'verdict', 'REJECT')} * 3)", "{{shadow}}"),),
        width=6, height=6, text="GRADUATE, HOLD or REJECT, as it was evaluated last.",
    ),
    Panel(
        "Time until the last rule is known", "stat",
        ((f"max by (lane, shadow) (shadowlane_gate_needed_seconds{_S})", "{{shadow}}"),), "s", 6, 6,
        "At the rate so far; empty when no rule waits for data.",
    ),
    Panel(
        "Rules that are not met", "table",
        ((f"shadowlane_gate_rule_met{_S} == 0", "{{shadow}} {{rule}}"),), width=6, height=6,
        text="Each is evaluated over the gate's window; shadowlane gate shows the evidence.",
    ),
    Panel(
        "Rules that are not known yet", "table",
        ((f"shadowlane_gate_rule_state{_with(_S, 'state', 'not_known')} == 1", "{{shadow}} {{rule}}"),),
        width=6, height=6,
    ),
    Panel(
        "Figure of each rule, as a share of its limit", "timeseries",
        ((f"shadowlane_gate_rule_figure{_S} / (shadowlane_gate_rule_limit{_S} > 0)", "{{shadow}} {{rule}}"),),
        "percentunit", 12, text="Above 100 % a rule is missed, but for pairs and hours, which have to reach it.",
    ),
    Panel(
        "From seen to stored", "timeseries",
        (
            (_rate("shadowlane_requests_seen_total", "lane", _L), "seen"),
            (_rate("shadowlane_requests_sampled_total", "lane", _L), "chosen"),
            (_rate("shadowlane_requests_mirrored_total", "lane", _L), "mirrored"),
            (_rate("shadowlane_sends_total", "lane, shadow", _S), "sent to {{shadow}}"),
            (_rate("shadowlane_copies_stored_total", "lane, shadow", _S), "stored of {{shadow}}"),
        ),
        "reqps", 12,
    ),
    Panel(
        "Dropped by reason", "timeseries",
        ((f"{_rate('shadowlane_requests_dropped_total', 'lane, reason', _L)} > 0", "{{reason}}"),), "reqps",
        text="sampled_out, route and method are as configured; ring_full and faults are not.",
    ),
    Panel(
        "Failed copies by reason", "timeseries",
        ((_rate("shadowlane_copies_stored_total", "lane, shadow, reason", _with(_S, 'result', 'failed')),
          "{{shadow}} {{reason}}"),), "reqps",
    ),
    Panel(
        "Responses of the shadow by status", "timeseries",
        ((_rate("shadowlane_responses_total", "lane, shadow, code", _S), "{{shadow}} {{code}}"),), "reqps",
    ),
    Panel(
        "Latency, prod and shadow", "timeseries",
        tuple(
            _quantile(q, f"shadowlane_{side}_latency_seconds", side) for side in ("prod", "shadow") for q in (0.5, 0.95)
        ), "s",
    ),
    Panel(
        "First byte, prod and shadow", "timeseries",
        tuple(_quantile(0.95, f"shadowlane_{side}_first_byte_seconds", side) for side in ("prod", "shadow")), "s",
    ),
    Panel(
        "Gateway, mirrored requests against the others", "timeseries",
        ((f"histogram_quantile(0.99, sum by (lane, group, le) ("
          f"rate(shadowlane_gateway_latency_seconds_bucket{_L}[5m])))", "{{group}} P99"),), "s",
        text="The lane's randomized trial: what mirroring adds to the gateway.",
    ),
    Panel(
        "ΔS", "timeseries",
        (
            _quantile(0.5, "shadowlane_semantic_delta", "ΔS"),
            _quantile(0.95, "shadowlane_semantic_delta", "ΔS"),
            _quantile(0.95, "shadowlane_anchored_semantic_delta", "anchored ΔS"),
        ),
        text="Stable below 0.40, critical from 0.60 on.",
    ),
    Panel(
        "ΔS by buckets", "heatmap",
        ((f"sum by (le) (increase(shadowlane_semantic_delta_bucket{_S}[5m]))", "{{le}}"),),
    ),
    Panel(
        "Bands", "timeseries",
        ((_rate("shadowlane_pairs_total", "lane, shadow, band", _S), "{{shadow}} {{band}}"),), "reqps",
    ),
    Panel(
        "Facts that contradict prod's", "timeseries",
        ((f"{_rate('shadowlane_fact_flips_total', 'lane, shadow', _S)} / "
          f"{_rate('shadowlane_pairs_total', 'lane, shadow', _S)}", "{{shadow}}"),), "percentunit",
    ),
    Panel(
        "λ", "timeseries",
        (
            (_rate("shadowlane_lambda_states_total", "lane, shadow, state", _S), "{{shadow}} {{state}}"),
            (_rate("shadowlane_lambda_flips_total", "lane, shadow, side", _S), "{{shadow}} flips of {{side}}"),
        ), "reqps",
    ),
    Panel(
        "Citations found again", "timeseries",
        ((f"{_rate('shadowlane_citation_match_ratio_sum', 'lane, shadow', _S)} / "
          f"{_rate('shadowlane_citation_match_ratio_count', 'lane, shadow', _S)}", "{{shadow}}"),), "percentunit",
    ),
    Panel(
        "Rate limits", "timeseries",
        (
            (f"shadowlane_shadow_rate{_S}", "{{shadow}} may get"),
            (_rate("shadowlane_responses_total", "lane, shadow", _with(_S, 'code', '429')), "{{shadow}} 429"),
            (f"shadowlane_shadow_paused_seconds{_S}", "{{shadow}} pauses for s"),
        ), "reqps",
    ),
    Panel(
        "Cap", "timeseries",
        (
            (f"shadowlane_cap_rate{_L}", "configured"),
            (f"shadowlane_cap_rate_in_force{_L}", "in force"),
            (_rate("shadowlane_requests_dropped_total", "lane", _with(_L, 'reason', 'cap')), "refused by it"),
        ), "reqps",
    ),
    Panel(
        "Rings and backlog", "timeseries",
        ((f"shadowlane_ring_fill_ratio{_L}", "fullest ring"), (f"shadowlane_backlog_frames{_L}", "waiting frames")),
    ),
    Panel(
        "Waiting for a slot", "timeseries",
        (
            _quantile(0.95, "shadowlane_slot_wait_seconds", "wait"),
            (f"shadowlane_copies_waiting{_S}", "{{shadow}} copies that wait"),
        ),
        "s",
    ),
    Panel(
        "Breaker and budget", "timeseries",
        (
            (f"shadowlane_breaker_state{_with(_S, 'state', 'open')}", "{{shadow}} breaker open"),
            (f"shadowlane_budget_spent{_S} / shadowlane_budget_limit{_S}", "{{shadow}} {{budget}} spent"),
        ), "percentunit",
    ),
    Panel(
        "Tokens", "timeseries",
        ((_rate("shadowlane_tokens_total", "lane, shadow, side", _S), "{{shadow}} {{side}}"),),
        text="Of the same requests, those that a cache served left out.",
    ),
    Panel(
        "Cost", "timeseries",
        ((f"3600 * {_rate('shadowlane_cost_total', 'lane, shadow, side', _S)}", "{{shadow}} {{side}} an hour"),),
        text="By [prices], of the same requests.",
    ),
    Panel(
        "Fleet: the cap and its shares", "timeseries",
        (
            (f"max by (lane) (shadowlane_cap_rate{_L}) and on (lane) shadowlane_fleet_hosts{_L}", "{{lane}} cap"),
            (f"sum by (lane) (shadowlane_fleet_share_rate{_L})", "{{lane}} shares of all hosts"),
            (_rate("shadowlane_fleet_wanted_total", "lane", _L), "{{lane}} wanted"),
        ), "reqps", text="What the hosts may send together, and what they would send.",
    ),
    Panel(
        "Fleet: hosts", "timeseries",
        (
            (f"max by (lane) (shadowlane_fleet_hosts{_L})", "{{lane}} hosts"),
            (f"count by (lane) (shadowlane_fleet_share_rate{_L} > 0)", "{{lane}} with a share"),
            (f"count by (lane) (shadowlane_fleet_engine_up{_L} == 0)", "{{lane}} without the engine"),
            (f"max by (lane) (shadowlane_fleet_off{_L})", "{{lane}} switched off"),
        ), text="A host without a share mirrors nothing.",
    ),
    Panel(
        "Fleet: slices of budgets", "timeseries",
        (
            (f"sum by (lane, shadow, unit) (shadowlane_budget_slice{_S})", "{{shadow}} {{unit}} of all hosts"),
            (f"max by (lane) (shadowlane_fleet_budget_workers{_L})", "{{lane}} workers with slices"),
        ), text="What hosts may spend yet of a budget that the fleet shares.",
    ),
    Panel(
        "Fleet: who leads", "timeseries",
        (
            (f"max by (lane, task) (shadowlane_leader_token{_L})", "{{lane}} {{task}}: token"),
            (f"max by (lane, task) (shadowlane_leader_seconds{_L})", "{{lane}} {{task}}: seconds of the lease"),
        ), text="One worker deletes and tells for all that write to a store; the token rises when another one does.",
    ),
    Panel(
        "Offload: the stream", "timeseries",
        (
            (f"max by (lane) (shadowlane_offload_length{_L})", "{{lane}} copies"),
            (f"max by (lane) (shadowlane_offload_with_judges{_L})", "{{lane}} with judges"),
            (f"max by (lane) (shadowlane_offload_set_aside_kept{_L})", "{{lane}} set aside, kept"),
        ), text="Between forwarding hosts and judges.",
    ),
    Panel(
        "Offload: forwarded and judged", "timeseries",
        tuple(
            (f"max by (lane) (rate(shadowlane_offload_{metric}_total{_L}[5m]))", f"{{{{lane}}}} {legend}")
            for metric, legend in (("forwarded", "forwarded"), ("judged", "judged"), ("set_aside", "set aside"),
                                   ("lost", "lost"))
        ), "reqps",
    ),
    Panel(
        "Offload: judges", "timeseries",
        (
            (f"max by (lane) (shadowlane_offload_judges{_L})", "{{lane}} judges"),
            (f"sum by (lane) (shadowlane_offload_held{_L})", "{{lane}} held"),
            (f"max by (lane) (shadowlane_offload_missing{_L})", "{{lane}} missing"),
        ), text="Judges that gave a sign of life within offload.claim_s.",
    ),
    Panel(
        "Offload: age of the oldest copy", "timeseries",
        ((f"max by (lane) (shadowlane_offload_oldest_seconds{_L})", "{{lane}}"),), "s",
    ),
    Panel(
        "Receivers", "timeseries",
        (
            (_rate("shadowlane_receiver_received_total", "lane, receiver", _L), "{{receiver}} received"),
            (_rate("shadowlane_receiver_offered_total", "lane, receiver", _L), "{{receiver}} offered"),
            (_rate("shadowlane_receiver_skipped_total", "lane, receiver, reason", _L), "{{receiver}} {{reason}}"),
            (_rate("shadowlane_receiver_rejected_total", "lane, receiver, reason", _L),
             "{{receiver}} rejected {{reason}}"),
            (_rate("shadowlane_receiver_answers_total", "lane, receiver, code", f'{_L[:-1]},code!="200"}}'),
             "{{receiver}} answered {{code}}"),
        ), "reqps", text="shadowlane otlp and shadowlane sink.",
    ),
    Panel(
        "Health", "table",
        (
            (f"shadowlane_worker_up{_L}", "worker"),
            (f"shadowlane_receiver_up{_L}", "receiver {{receiver}}"),
            (f"shadowlane_offload_works{_L}", "stream"),
            (f"shadowlane_accounting_holds{_L}", "accounting"),
            (f"shadowlane_readable{_L}", "{{part}} readable"),
            (f"shadowlane_faults_total{_L}", "faults"),
            (f"shadowlane_frames_corrupt_total{_L}", "damaged frames"),
        ),
    ),
)  # fmt: skip


def dashboard() -> dict[str, Any]:
    """What Grafana imports (dashboard JSON model, schema version 39)."""
    panels, x, y, row = [], 0, 0, 0
    for number, panel in enumerate(PANELS, 1):
        if x + panel.width > 24:
            x, y, row = 0, y + row, 0
        panels.append(_panel(number, panel, x, y))
        x, row = x + panel.width, max(row, panel.height)
    return {
        "title": "shadowlane",
        "uid": "shadowlane",
        "tags": ["shadowlane"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "utc",
        "templating": {"list": [_data_source(), _variable("lane", ""), _variable("shadow", 'lane=~"$lane"')]},
        "panels": panels,
    }


def _data_source() -> dict[str, Any]:
    return {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"}


def _variable(name: str, within: str) -> dict[str, Any]:
    metric = "shadowlane_lane_started" if name == "lane" else "shadowlane_copies_mirrored_total"
    query = f"label_values({metric}{{{within}}}, {name})" if within else f"label_values({metric}, {name})"
    return {
        "name": name,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }


def _panel(number: int, panel: Panel, x: int, y: int) -> dict[str, Any]:
    targets = [
        {
            "refId": chr(ord("A") + index),
            "datasource": _SOURCE,
            "expr": expr,
            "legendFormat": legend,
            "instant": panel.kind in ("stat", "table"),
            "range": panel.kind not in ("stat", "table"),
            "format": {"table": "table", "heatmap": "heatmap"}.get(panel.kind, "time_series"),
        }
        for index, (expr, legend) in enumerate(panel.asks)
    ]
    return {
        "id": number,
        "title": panel.title,
        "type": panel.kind,
        "description": panel.text,
        "datasource": _SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "fieldConfig": {"defaults": {"unit": panel.unit, "mappings": _mappings(panel)}, "overrides": []},
        "options": _options(panel),
        "targets": targets,
    }


def _mappings(panel: Panel) -> list[dict[str, Any]]:
    if panel.title != "Verdict":
        return []
    options = {value: {"text": text, "color": color} for value, (text, color) in _VERDICTS.items()}
    return [{"type": "value", "options": options}]


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "stat":
        return {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "background", "textMode": "value_and_name"}
    if panel.kind == "heatmap":
        return {"calculate": False, "yAxis": {"unit": "none"}}
    return {}


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
