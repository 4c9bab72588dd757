"""The table of metrics: for each its name, kind, labels and text, and which numbers of ``status --json`` it gives.

Invariants: nothing is exposed that is not in the table; every number that ``shadowlane status --json`` shows is given
by one of them, or stands in :data:`NO_METRIC` with the reason (a test compares the lists); every label's values are of
a bounded set: names of the configuration, and words of fixed lists. A path's parts are names, or ``*`` for any.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["METRICS", "NO_METRIC", "Kind", "Named"]

Kind = Literal["counter", "gauge", "histogram", "info"]

_TRIAL = ("p50", "p95", "p99")


@dataclass(frozen=True, slots=True)
class Named:
    """One metric. All have the label ``lane`` beside :attr:`labels`."""

    name: str
    """As it is exposed: counters end in ``_total``, infos in ``_info``."""
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    """Paths of ``shadowlane status --json`` whose numbers it gives."""


_LANE = (
    Named("shadowlane_lane_started", "gauge", "Whether a gateway of the lane ever started.", (), ("started",)),
    Named("shadowlane_lane_enabled", "gauge", "Whether mirroring is switched on.", (), ("enabled",)),
    Named("shadowlane_requests_seen_total", "counter", "Requests that the gateways' processes settled.", (), ("seen",)),
    Named(
        "shadowlane_requests_open", "gauge", "Requests that were admitted and that prod is still answering.", (),
        ("open", "rings.*.open"),
    ),
    Named(
        "shadowlane_requests_mirrored_total", "counter", "Exchanges that were put into a ring.", (),
        ("mirrored", "rings.*.mirrored", "rings.*.started"),
    ),
    Named(
        "shadowlane_requests_dropped_total", "counter", "Requests that were not mirrored, by reason.", ("reason",),
        ("dropped.*", "sampler.revisions.*.dropped.*"),
    ),
    Named(
        "shadowlane_requests_eligible_total", "counter", "Requests that the sampler could choose.", (),
        ("sampler.eligible", "sampler.revisions.*.eligible"),
    ),
    Named(
        "shadowlane_requests_sampled_total", "counter", "Requests that the sampler chose.", (),
        ("sampler.taken", "sampler.revisions.*.taken"),
    ),
    Named(
        "shadowlane_sampling_ratio", "gauge", "The share that the sampler is asked for.", (),
        ("sampler.ratio", "sampler.revisions.*.ratio"),
    ),
    Named("shadowlane_frames_acknowledged_total", "counter", "Exchanges whose rows are all stored.", (),
          ("acked", "rings.*.acked")),
    Named("shadowlane_frames_corrupt_total", "counter", "Frames that were damaged in memory.", (), ("corrupt",)),
    Named("shadowlane_faults_total", "counter", "Failures of our own on the user path, swallowed.", (), ("faults",)),
    Named("shadowlane_backlog_frames", "gauge", "Exchanges in the rings that are not stored yet."),
    Named("shadowlane_rings", "gauge", "Rings of gateway processes, by whether those live.", ("state",),
          ("rings.*.alive",)),
    Named("shadowlane_rings_refused", "gauge", "Rings that cannot be read; all that the worker cannot open are one."),
    Named("shadowlane_ring_size_bytes", "gauge", "Size of all rings.", (), ("rings.*.bytes",)),
    Named("shadowlane_ring_used_bytes", "gauge", "What is used of them.", (), ("rings.*.used",)),
    Named("shadowlane_ring_fill_ratio", "gauge", "How full the fullest ring is."),
    Named("shadowlane_processes_without_ring", "gauge", "Gateway processes that mirror nothing.", (), ("ringless",)),
    Named(
        "shadowlane_cap_rate", "gauge", "The configured cap, in copies a second.", (),
        ("cap.qps", "sampler.revisions.*.qps"),
    ),
    Named("shadowlane_cap_rate_in_force", "gauge", "What is in force of it: less while providers ask for less.", (),
          ("cap.rate", "limits.rate")),
    Named("shadowlane_cap_burst", "gauge", "Copies that may come at once.", (),
          ("cap.burst", "sampler.revisions.*.burst")),
    Named("shadowlane_cap_available", "gauge", "Copies that would pass the cap now.", (), ("cap.available",)),
    Named("shadowlane_paused_seconds", "gauge", "How long mirroring still pauses.", (),
          ("cap.paused_s", "limits.prod_paused_until")),
    Named("shadowlane_fleet_share_rate", "gauge", "The host's share of its fleet's cap, in copies a second; 0: none.",
          (), ("lease.rate",)),
    Named("shadowlane_fleet_share_burst", "gauge", "Copies of it that may come at once.", (), ("lease.burst",)),
    Named("shadowlane_fleet_share_seconds", "gauge", "How long the share holds yet.", (), ("lease.left_s",)),
    Named("shadowlane_fleet_wanted_total", "counter", "Copies that were asked for, admitted or not.", (),
          ("lease.wanted",)),
    Named("shadowlane_fleet_off", "gauge", "Whether mirroring is switched off for the fleet.", (), ("lease.off",)),
    Named("shadowlane_fleet_hosts", "gauge", "Hosts that share the fleet's cap, as this one last read.", (),
          ("fleet.hosts",)),
    Named("shadowlane_store_hosts", "gauge",
          "Hosts that write to the store, by whether they were heard lately: heard, silent, ended; or unreadable.",
          ("state",)),
    Named("shadowlane_leader", "gauge",
          "Whether this worker does what is done once for all workers of the store: retention, alerts of the verdict.",
          ("task",), ("leaders.*.here",)),
    Named("shadowlane_leader_token", "gauge", "The fencing token of who does it: it rises with each change.",
          ("task",), ("leaders.*.token",)),
    Named("shadowlane_leader_seconds", "gauge",
          "For how long whoever does it holds the lease for it yet, as this worker last read.",
          ("task",), ("leaders.*.left_s",)),
    Named("shadowlane_fleet_budget_workers", "gauge", "Workers that hold slices of the fleet's budgets.", (),
          ("fleet_budgets.processes",)),
    Named("shadowlane_fleet_budget_engine_up", "gauge",
          "Whether the fleet's engine answered when it was last asked for slices of budgets."),
    Named("shadowlane_fleet_engine_up", "gauge", "Whether the fleet's engine answered when it was last asked."),
    Named("shadowlane_worker_up", "gauge", "Whether the lane has a worker.", (), ("worker.alive",)),
    Named(
        "shadowlane_worker_heartbeat_age_seconds", "gauge", "How long ago the worker reported itself.", (),
        ("worker.heartbeat_age_s",),
    ),
    Named(
        "shadowlane_gateway_latency_seconds", "histogram",
        "How long eligible requests took in the gateway, those that were mirrored and those that could have been, by "
        "the pattern in limits.routes; sums are right to 1.6 %.",
        ("route", "group"),
        ("overhead.all.taken", "overhead.all.not_taken", "overhead.routes.*.taken", "overhead.routes.*.not_taken",
         *(f"overhead.{which}.{share}.{figure}" for which in ("all", "routes.*") for share in _TRIAL
           for figure in ("*", "*.*"))),
    ),
    Named("shadowlane_gateway_calls_seconds", "histogram",
          "How long the lane's own calls took of a mirrored request's time; sums are right to 1.6 %."),
)  # fmt: skip

_COPIES = (
    Named("shadowlane_copies_mirrored_total", "counter", "Exchanges that were mirrored since the shadow joined.",
          ("shadow",), ("shadows.*.mirrored",)),
    Named(
        "shadowlane_copies_stored_total", "counter",
        "Copies that are stored, answered or failed and why; reason is empty where the shadow answered.",
        ("shadow", "result", "reason"),
        ("shadows.*.answered", "shadows.*.failed.*", "store.rows", "shadows.*.lately.sent",
         "shadows.*.routes.*.copies", "shadows.*.routes.*.failed", "shadows.*.routes.*.share"),
    ),
    Named("shadowlane_copies_in_flight", "gauge", "Copies that are mirrored and not stored yet.", ("shadow",),
          ("shadows.*.in_flight",)),
    Named(
        "shadowlane_accounting_holds", "gauge", "Whether every request and every copy is accounted for.", (),
        ("accounting.holds", "accounting.lane_holds", "accounting.known", "shadows.*.holds"),
    ),
    Named("shadowlane_store_used_bytes", "gauge", "Bytes of the database that hold something.", (), ("store.bytes",)),
    Named("shadowlane_readable", "gauge", "Whether a part could be read at this scrape.", ("part",),
          ("store.exists",)),
)  # fmt: skip

_ROWS = (
    Named("shadowlane_shadow_latency_seconds", "histogram", "Time to the end of the shadow's answers.", ("shadow",)),
    Named("shadowlane_prod_latency_seconds", "histogram", "Time to the end of prod's answers to the same requests.",
          ("shadow",)),
    Named("shadowlane_shadow_first_byte_seconds", "histogram", "Time to the head of the shadow's answers.",
          ("shadow",)),
    Named("shadowlane_prod_first_byte_seconds", "histogram", "Time to the head of prod's answers to the same requests.",
          ("shadow",)),
    Named("shadowlane_slot_wait_seconds", "histogram", "How long copies waited for a slot.", ("shadow",),
          ("shadows.*.lately.wait_p95_s",)),
    Named("shadowlane_semantic_delta", "histogram", "ΔS of the shadow's answers and prod's.", ("shadow",)),
    Named("shadowlane_anchored_semantic_delta", "histogram", "Anchored ΔS: ΔS where facts contradict each other "
          "counts in full.", ("shadow",)),
    Named("shadowlane_citation_match_ratio", "histogram", "Share of prod's citations that the shadow has too.",
          ("shadow",)),
    Named("shadowlane_coverage_ratio", "histogram", "Share of prod's retrieved sections that the shadow retrieved.",
          ("shadow",)),
    Named("shadowlane_responses_total", "counter", "The shadow's responses by HTTP status.", ("shadow", "code"),
          ("shadows.*.refusals.*.copies", "shadows.*.refusals.*.status")),
    Named("shadowlane_sends_total", "counter", "Requests that went out to the shadow, repeated ones included.",
          ("shadow",)),
    Named("shadowlane_retries_total", "counter", "Requests that were sent again.", ("shadow",),
          ("shadows.*.lately.again", "limits.shadows.*.retries")),
    Named("shadowlane_pairs_total", "counter", "Answered copies by the band of ΔS; fact_flip before any band.",
          ("shadow", "band")),
    Named("shadowlane_lambda_states_total", "counter", "Pairs by their λ reading.", ("shadow", "state")),
    Named("shadowlane_lambda_flips_total", "counter", "Repeated questions at which λ changed, by whose.",
          ("shadow", "side"), ("store.flips.*.flips", "store.flips.*.shared")),
    Named("shadowlane_fact_flips_total", "counter", "Answers whose facts contradict prod's.", ("shadow",)),
    Named("shadowlane_collapses_total", "counter", "Answers that are empty, refused, cut or errors, by whose.",
          ("shadow", "side", "kind")),
    Named("shadowlane_tool_agreements_total", "counter", "Answers with tool calls, by how they agree with prod's.",
          ("shadow", "agreement")),
    Named("shadowlane_strange_tool_calls_total", "counter", "Tool calls that prod never made.", ("shadow",)),
    Named("shadowlane_index_differences_total", "counter", "Answers from another index than prod's.", ("shadow",)),
    Named("shadowlane_tokens_total", "counter", "Tokens that both sides used for the same requests, those served from "
          "a cache left out.", ("shadow", "side"), ("shadows.*.lately.tokens.*",)),
    Named("shadowlane_cost_total", "counter", "What these cost by [prices], in their currency.", ("shadow", "side"),
          ("shadows.*.lately.cost.*",)),
)  # fmt: skip

_LIMITS = (
    Named("shadowlane_shadow_rate", "gauge", "Copies a second that the shadow may get now.", ("shadow",),
          ("limits.shadows.*.rate",)),
    Named("shadowlane_shadow_slowed", "gauge", "Whether its provider asked for less.", ("shadow",),
          ("limits.shadows.*.slowed",)),
    Named("shadowlane_shadow_paused_seconds", "gauge", "How long it gets nothing because its provider said so.",
          ("shadow",), ("limits.shadows.*.paused_until",)),
    Named("shadowlane_breaker_state", "gauge", "The circuit breaker: one of closed, half_open and open is 1.",
          ("shadow", "state"), ("limits.shadows.*.breaker.probe_at",)),
    Named("shadowlane_breaker_rest_seconds", "gauge", "How long an opened breaker waits before a probe.", ("shadow",),
          ("limits.shadows.*.breaker.rest_s",)),
    Named("shadowlane_budget_reached", "gauge", "Whether a limit of the shadow's budget is reached.", ("shadow",)),
    Named("shadowlane_budget_spent", "gauge", "What is spent of each limit of the budget.", ("shadow", "budget"),
          ("limits.shadows.*.budget.limits.*.spent",)),
    Named("shadowlane_budget_limit", "gauge", "Each limit of the budget.", ("shadow", "budget"),
          ("limits.shadows.*.budget.limits.*.limit",)),
    Named("shadowlane_budget_slice", "gauge", "What this host may spend of a budget that its fleet shares.",
          ("shadow", "unit"), ("limits.shadows.*.budget.slice.tokens", "limits.shadows.*.budget.slice.money")),
    Named("shadowlane_budget_slice_seconds", "gauge", "How long that slice holds yet.", ("shadow",),
          ("limits.shadows.*.budget.slice.left_s",)),
    Named("shadowlane_budget_unmetered", "gauge", "Answers that did not say what they used.", ("shadow",),
          ("limits.shadows.*.budget.unmetered",)),
    Named("shadowlane_calls_out", "gauge", "Calls that are out.", ("shadow",), ("limits.shadows.*.out",)),
    Named("shadowlane_copies_waiting", "gauge", "Copies that wait for a slot.", ("shadow",),
          ("limits.shadows.*.waiting",)),
)  # fmt: skip

_ALERTS = (
    Named("shadowlane_alerts_firing", "gauge", "What a receiver of [[alerts]] is told to be wrong now.", ("receiver",),
          ("alerting.*.firing",)),
    Named("shadowlane_alerts_waiting", "gauge", "Messages that wait to be sent to it.", ("receiver",),
          ("alerting.*.waiting",)),
    Named("shadowlane_alerts_sent_total", "counter", "Messages that it took.", ("receiver",), ("alerting.*.sent",)),
    Named("shadowlane_alerts_failed_total", "counter", "Tries to send it one that failed.", ("receiver",),
          ("alerting.*.failed",)),
    Named("shadowlane_alerts_given_up_total", "counter", "Messages that were given up.", ("receiver",),
          ("alerting.*.dropped",)),
)  # fmt: skip

_GATE = (
    Named("shadowlane_gate_verdict", "gauge", "The verdict: one of GRADUATE, HOLD and REJECT is 1.",
          ("shadow", "verdict")),
    Named("shadowlane_gate_rule_met", "gauge", "Whether a rule is met; no sample while it is not known or not judged.",
          ("shadow", "rule")),
    Named("shadowlane_gate_rule_state", "gauge", "A rule: one of met, not_met, not_known and not_judged is 1.",
          ("shadow", "rule", "state")),
    Named("shadowlane_gate_rule_figure", "gauge", "What a rule saw, in the unit of its limit.", ("shadow", "rule")),
    Named("shadowlane_gate_rule_limit", "gauge", "What a rule holds its figure against.", ("shadow", "rule")),
    Named("shadowlane_gate_rule_needed_pairs", "gauge", "How many more values a rule needs before it is known.",
          ("shadow", "rule")),
    Named("shadowlane_gate_rule_needed_seconds", "gauge", "How long it takes to get them at the rate so far.",
          ("shadow", "rule")),
    Named("shadowlane_gate_needed_seconds", "gauge", "How long the rule that is known last still needs.", ("shadow",)),
    Named("shadowlane_gate_waits_for_person", "gauge", "Rules that no more pairs will tell.", ("shadow",)),
    Named("shadowlane_gate_window_elapsed_ratio", "gauge", "How much of the window is over.", ("shadow",)),
    Named("shadowlane_gate_evaluated_timestamp_seconds", "gauge", "When the verdicts were evaluated, Unix time."),
)  # fmt: skip

_OFFLOAD = (
    Named("shadowlane_offload_length", "gauge", "Copies in the stream between forwarding hosts and judges.", (),
          ("offload.stream.length",)),
    Named("shadowlane_offload_with_judges", "gauge", "Those of them that a judge has.", (),
          ("offload.stream.pending",)),
    Named("shadowlane_offload_judges", "gauge", "Judges that lately gave a sign of life.", (),
          ("offload.stream.judges",)),
    Named("shadowlane_offload_oldest_seconds", "gauge", "How old the oldest of them is.", (),
          ("offload.stream.age_s",)),
    Named("shadowlane_offload_held", "gauge", "Copies that this judge has.", (), ("offload.held",)),
    Named("shadowlane_offload_works", "gauge", "Whether the stream could be used when it was last tried.", (),
          ("offload.known",)),
    Named("shadowlane_offload_forwarded_total", "counter", "Copies that all hosts put into the stream.", (),
          ("offload.stream.total.forwarded", "offload.stream.sources.*.forwarded", "offload.own.forwarded",
           "offload.acked")),
    Named("shadowlane_offload_judged_total", "counter", "Copies whose rows are stored.", (),
          ("offload.stream.total.judged", "offload.stream.sources.*.judged", "offload.own.judged", "offload.judged")),
    Named("shadowlane_offload_set_aside_total", "counter", "Copies that nobody could judge.", (),
          ("offload.stream.total.set_aside", "offload.stream.sources.*.set_aside", "offload.own.set_aside",
           "offload.set_aside")),
    Named("shadowlane_offload_foreign_total", "counter", "Messages set aside that no forwarding host published.", (),
          ("offload.stream.foreign",)),
    Named("shadowlane_offload_set_aside_kept", "gauge", "Messages set aside that are still kept.", (),
          ("offload.stream.kept_aside",)),
    Named("shadowlane_offload_taken_over_total", "counter", "Copies that this judge took over from others.", (),
          ("offload.taken_over",)),
    Named("shadowlane_offload_lost_total", "counter", "Copies that something else deleted from the stream.", (),
          ("offload.stream.lost",)),
    Named("shadowlane_offload_missing", "gauge", "What the accounts over all hosts do not explain.", (),
          ("offload.missing",)),
)  # fmt: skip

_RECEIVERS = (
    Named("shadowlane_receiver_up", "gauge", "Whether a receiver of this kind (otlp, sink) listens; no sample before "
          "one did.", ("receiver",), ("receivers.*.up",)),
    Named("shadowlane_receiver_received_total", "counter", "Records or requests that came to it.", ("receiver",),
          ("receivers.*.received",)),
    Named("shadowlane_receiver_offered_total", "counter", "Those of them that were put into the lane.", ("receiver",),
          ("receivers.*.offered",)),
    Named("shadowlane_receiver_skipped_total", "counter", "Those that are no exchange to be mirrored, and why.",
          ("receiver", "reason"), ("receivers.*.skipped.*",)),
    Named("shadowlane_receiver_rejected_total", "counter", "Those that could not be read, and why.",
          ("receiver", "reason"), ("receivers.*.rejected.*",)),
    Named("shadowlane_receiver_answers_total", "counter", "Batches by the HTTP status that their exporter got.",
          ("receiver", "code"), ("receivers.*.answers.*",)),
)  # fmt: skip

_SELF = (
    Named("shadowlane_build_info", "info", "The release that exposes this.", ("version",)),
    Named("shadowlane_configuration_info", "info", "Which configuration the gateways and the worker run, and which is "
          "given here.", ("given", "gateway", "worker")),
    Named("shadowlane_scrape_duration_seconds", "gauge", "How long it took to read all this."),
)  # fmt: skip

METRICS: dict[str, Named] = {
    one.name: one for one in (*_LANE, *_COPIES, *_ROWS, *_LIMITS, *_ALERTS, *_GATE, *_OFFLOAD, *_RECEIVERS, *_SELF)
}
"""By name."""

NO_METRIC: dict[str, str] = {
    "rings.*.ring": "a number that tells rings apart",
    "rings.*.pid": "names a process",
    "rings.*.same_namespace": "says how to read the pid",
    "worker.pid": "names a process",
    "worker.same_namespace": "says how to read the pid",
    "sampler.revisions.*.number": "a number that tells settings apart",
    "sampler.revisions.*.since_ns": "a moment: when a setting began",
    "store.damaged_blocks": "made anew from the rows; the worker's log tells each",
    "store.folds.*.*": "what a verdict saves; it is the same without",
    "store.flips.*.last_ns": "a moment: when λ last flipped",
    "cap.routes.*": "configuration: a route's own cap",
    "cap.weights.*": "configuration: a route's weight",
    "cap.tenant_qps": "configuration: a tenant's cap",
    **dict.fromkeys(
        ("hosts.*.seen", "hosts.*.mirrored", "hosts.*.prod_failed"),
        "another host's, whose own metrics have it; each would be counted by all",
    ),
    "hosts.*.age_s": "says how to read the state, which shadowlane_store_hosts counts",
    "fleet_pins.*.*.*": "moments: when a version first and last answered on any host",
    "fleet.rate": "configuration: shadowlane_cap_rate",
    "fleet.burst": "configuration: shadowlane_cap_burst",
    "fleet.opens_in_s": "how long shadowlane_fleet_share_rate will be 0 yet",
    "fleet.joined": "says how to read the others",
    "fleet_budgets.opens_in_s": "how long shadowlane_budget_slice will be 0 yet",
    "shadows.*.stood_in": "says how to read the newest pairs: the control answered in prod's stead",
    "shadows.*.told": "says how to read the newest pairs: telemetry told of prod's side",
    "shadows.*.untimed": "says how to read the newest pairs: nobody told how long prod took",
    **dict.fromkeys(
        ("offload.stream.total.base", "offload.stream.sources.*.base", "offload.own.base"),
        "says where the counting of forwarded copies began",
    ),
    "overhead.randomized": "says how to read the trial",
    "overhead.resolution": "says how wide the trial's buckets are",
}
"""Numbers of ``status --json`` that are no metric, and why."""
