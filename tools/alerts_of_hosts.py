"""Rules on what several hosts share: a fleet's cap, its leaders, the stream between hosts and judges, receivers.

Every host that looks at a stream shows the same figures, so that they are put together by lane.
"""

from __future__ import annotations

from .rule import Alert, Record

__all__ = ["HOST_ALERTS", "HOST_RECORDS"]

_LANE = 'lane="default"'
_OTLP = 'lane="default",receiver="otlp"'
_TASK = 'lane="default",task="retention"'
_AT = "on (job, instance, lane)"


def _stream(metric: str) -> str:
    return f"max by (lane) (shadowlane_offload_{metric})"


def _risen(metric: str) -> str:
    return f"max by (lane) (increase(shadowlane_offload_{metric}[1h])) > 0"


HOST_RECORDS: tuple[Record, ...] = (
    Record("lane:shadowlane_fleet_share_rate:sum", "sum by (lane) (shadowlane_fleet_share_rate)"),
    Record("lane:shadowlane_fleet_wanted:rate5m", "sum by (lane) (rate(shadowlane_fleet_wanted_total[5m]))"),
    Record("lane:shadowlane_offload_length:max", _stream("length")),
    Record("lane:shadowlane_offload_forwarded:rate5m", "max by (lane) (rate(shadowlane_offload_forwarded_total[5m]))"),
    Record("lane:shadowlane_offload_judged:rate5m", "max by (lane) (rate(shadowlane_offload_judged_total[5m]))"),
    Record(
        "lane_receiver:shadowlane_receiver_received:rate5m",
        "sum by (lane, receiver) (rate(shadowlane_receiver_received_total[5m]))",
    ),
)

HOST_ALERTS: tuple[Alert, ...] = (
    Alert(
        "ShadowlaneFleetNoShare",
        f"shadowlane_fleet_share_rate == 0 and {_AT} shadowlane_fleet_off == 0 and {_AT} shadowlane_lane_enabled == 1",
        "5m", "ticket", "a host of lane {{ $labels.lane }} has no share of its fleet's cap and mirrors nothing",
        "its worker is down, it cannot reach the engine, or the burst is less than the hosts: shadowlane status "
        "says which",
        {f"shadowlane_fleet_share_rate{{{_LANE}}}": "0x40", f"shadowlane_fleet_off{{{_LANE}}}": "0x40",
         f"shadowlane_lane_enabled{{{_LANE}}}": "1x40"},
        (
            {f"shadowlane_fleet_share_rate{{{_LANE}}}": "0x40", f"shadowlane_fleet_off{{{_LANE}}}": "1x40",
             f"shadowlane_lane_enabled{{{_LANE}}}": "0x40"},
            {f"shadowlane_fleet_share_rate{{{_LANE}}}": "0 0 5x38", f"shadowlane_fleet_off{{{_LANE}}}": "0x40",
             f"shadowlane_lane_enabled{{{_LANE}}}": "1x40"},
        ),
        {"lane": "default"},
    ),
    Alert(
        "ShadowlaneFleetEngineDown", "shadowlane_fleet_engine_up == 0", "5m", "ticket",
        "the engine of the fleet of lane {{ $labels.lane }} does not answer",
        "the host mirrors nothing once its share has ended; shadowlane doctor tries the engine",
        {f"shadowlane_fleet_engine_up{{{_LANE}}}": "0x40"},
        ({f"shadowlane_fleet_engine_up{{{_LANE}}}": "1x40"}, {f"shadowlane_fleet_engine_up{{{_LANE}}}": "0 0 1x38"}),
        {"lane": "default"},
    ),
    Alert(
        "ShadowlaneFleetBudgetEngineDown", "shadowlane_fleet_budget_engine_up == 0", "5m", "ticket",
        "the engine of the fleet of lane {{ $labels.lane }} gives no slices of budgets",
        "shadows with a budget get nothing from this host once its slice is spent or over; shadowlane doctor tries the "
        "engine",
        {f"shadowlane_fleet_budget_engine_up{{{_LANE}}}": "0x40"},
        ({f"shadowlane_fleet_budget_engine_up{{{_LANE}}}": "1x40"},),
        {"lane": "default"},
    ),
    Alert(
        "ShadowlaneNoLeader", "max by (lane, task) (shadowlane_leader_seconds) == 0", "5m", "ticket",
        "no worker of lane {{ $labels.lane }} does what one does for all: {{ $labels.task }}",
        "old pairs are not deleted, or nobody is told of the verdict; the workers' logs say why none takes it",
        {f"shadowlane_leader_seconds{{{_TASK}}}": "0x40"},
        ({f"shadowlane_leader_seconds{{{_TASK}}}": "17x40"}, {f"shadowlane_leader_seconds{{{_TASK}}}": "0 0 16x38"}),
        {"lane": "default", "task": "retention"},
    ),
    Alert(
        "ShadowlaneLeaderChanges", "max by (lane, task) (changes(shadowlane_leader_token[1h])) > 6", "0m", "ticket",
        "what one worker of lane {{ $labels.lane }} does for all goes from one to another: {{ $labels.task }}",
        "workers end again and again, or stand still for longer than the lease: a machine without processor time, or a "
        "slow store",
        {f"shadowlane_leader_token{{{_TASK}}}": "1+1x40"},
        ({f"shadowlane_leader_token{{{_TASK}}}": "7x40"}, {f"shadowlane_leader_token{{{_TASK}}}": "7x20 8 9x19"}),
        {"lane": "default", "task": "retention"},
    ),
    Alert(
        "ShadowlaneOffloadDown", "shadowlane_offload_works == 0", "5m", "page",
        "the stream between hosts and judges of lane {{ $labels.lane }} cannot be used",
        "copies wait in the hosts' rings, and are dropped when those are full; shadowlane doctor tries the server",
        {f"shadowlane_offload_works{{{_LANE}}}": "0x40"},
        ({f"shadowlane_offload_works{{{_LANE}}}": "1x40"},),
        {"lane": "default"},
    ),
    Alert(
        "ShadowlaneOffloadNoJudge", f"{_stream('judges')} == 0 and {_stream('length')} > 0", "5m", "page",
        "no judge takes the copies of lane {{ $labels.lane }}",
        "they wait in the stream until offload.max_length or max_age_s, then hosts pause admission; start a judge",
        {f"shadowlane_offload_judges{{{_LANE}}}": "0x40", f"shadowlane_offload_length{{{_LANE}}}": "0+9x40"},
        (
            {f"shadowlane_offload_judges{{{_LANE}}}": "1x40", f"shadowlane_offload_length{{{_LANE}}}": "0+9x40"},
            {f"shadowlane_offload_judges{{{_LANE}}}": "0x40", f"shadowlane_offload_length{{{_LANE}}}": "0x40"},
        ),
        {"lane": "default"},
    ),
    Alert(
        "ShadowlaneOffloadOld", f"{_stream('oldest_seconds')} > 120", "15m", "ticket",
        "copies of lane {{ $labels.lane }} wait for judges for minutes",
        "judges take less than hosts forward: start more of them, or raise limits.qps of those that are there",
        {f"shadowlane_offload_oldest_seconds{{{_LANE}}}": "0+60x40"},
        (
            {f"shadowlane_offload_oldest_seconds{{{_LANE}}}": "4x40"},
            {f"shadowlane_offload_oldest_seconds{{{_LANE}}}": "0+60x10 0x30"},
        ),
        {"lane": "default"},
    ),
    Alert(
        "ShadowlaneOffloadBacklog", 'increase(shadowlane_requests_dropped_total{reason="backlog"}[10m]) > 0', "5m",
        "ticket", "a host of lane {{ $labels.lane }} mirrors less because the stream is full or old",
        "busy minutes are missing from the sample: judges do not keep up, or the server has no memory left",
        {f'shadowlane_requests_dropped_total{{{_LANE},reason="backlog"}}': "0+5x40"},
        (
            {f'shadowlane_requests_dropped_total{{{_LANE},reason="backlog"}}': "7x40"},
            {f'shadowlane_requests_dropped_total{{{_LANE},reason="sampled_out"}}': "0+50x40"},
        ),
        {"lane": "default", "reason": "backlog"},
    ),
    Alert(
        "ShadowlaneOffloadSetAside", f"{_risen('set_aside_total')} or {_risen('foreign_total')}", "0m", "ticket",
        "messages of lane {{ $labels.lane }} were set aside: no judge could work on them",
        "docs/operate/offload.md says how to look at them; a judge's log has the reasons",
        {f"shadowlane_offload_set_aside_total{{{_LANE}}}": "0x30 2x10"},
        (
            {f"shadowlane_offload_set_aside_total{{{_LANE}}}": "2x40"},
            {f"shadowlane_offload_foreign_total{{{_LANE}}}": "0x40"},
        ),
        {"lane": "default"},
    ),
    Alert(
        "ShadowlaneOffloadLost", _risen("lost_total"), "0m", "page",
        "copies of lane {{ $labels.lane }} were deleted from the stream before they were judged",
        "something else trims or deletes there: the server's eviction, a MAXLEN, a person",
        {f"shadowlane_offload_lost_total{{{_LANE}}}": "0x30 4x10"},
        ({f"shadowlane_offload_lost_total{{{_LANE}}}": "4x40"},),
        {"lane": "default"},
    ),
    Alert(
        "ShadowlaneOffloadMissing", "shadowlane_offload_missing != 0", "5m", "page",
        "the accounts of the stream of lane {{ $labels.lane }} do not add up",
        "its server was restarted without its data, or something else writes to the stream; see shadowlane status",
        {f"shadowlane_offload_missing{{{_LANE}}}": "0x20 3x20"},
        ({f"shadowlane_offload_missing{{{_LANE}}}": "0x40"}, {f"shadowlane_offload_missing{{{_LANE}}}": "0x10 1 0x29"}),
        {"lane": "default"},
    ),
    Alert(
        "ShadowlaneReceiverDown", "shadowlane_receiver_up == 0", "5m", "page",
        "no receiver ({{ $labels.receiver }}) of lane {{ $labels.lane }} listens any more",
        "exporters or mirrors get no answer; start shadowlane {{ $labels.receiver }} again. A lane that has none any "
        "more forgets it by shadowlane reset",
        {f"shadowlane_receiver_up{{{_OTLP}}}": "1x10 0x30"},
        ({f"shadowlane_receiver_up{{{_OTLP}}}": "1x40"}, {f"shadowlane_receiver_up{{{_OTLP}}}": "1x10 0 0 1x28"}),
        {"lane": "default", "receiver": "otlp"},
    ),
    Alert(
        "ShadowlaneReceiverRejects",
        "sum by (lane, receiver) (rate(shadowlane_receiver_rejected_total[5m])) > "
        "0.05 * sum by (lane, receiver) (rate(shadowlane_receiver_received_total[5m]))",
        "15m", "ticket", "the receiver ({{ $labels.receiver }}) of lane {{ $labels.lane }} cannot read what it is sent",
        "more than 5 % of the records are damaged or of a form that is not known; exporters are told why",
        {f'shadowlane_receiver_rejected_total{{{_OTLP},reason="damaged"}}': "0+9x40",
         f"shadowlane_receiver_received_total{{{_OTLP}}}": "0+100x40"},
        (
            {f'shadowlane_receiver_rejected_total{{{_OTLP},reason="damaged"}}': "0+1x40",
             f"shadowlane_receiver_received_total{{{_OTLP}}}": "0+100x40"},
        ),
        {"lane": "default", "receiver": "otlp"},
    ),
    Alert(
        "ShadowlaneReceiverTurnsAway",
        'sum by (lane, receiver) (rate(shadowlane_receiver_answers_total{code=~"5.."}[5m])) > 0', "10m", "ticket",
        "the receiver ({{ $labels.receiver }}) of lane {{ $labels.lane }} turns exporters away",
        "64 MiB of batches wait already, or bodies do not arrive: start a second one, or sample at the collector",
        {f'shadowlane_receiver_answers_total{{{_OTLP},code="503"}}': "0+2x40"},
        (
            {f'shadowlane_receiver_answers_total{{{_OTLP},code="503"}}': "5x40"},
            {f'shadowlane_receiver_answers_total{{{_OTLP},code="200"}}': "0+50x40"},
        ),
        {"lane": "default", "receiver": "otlp"},
    ),
)  # fmt: skip
