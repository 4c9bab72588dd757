"""``[gate]``: the targets of the verdict, and the names of its rules."""

from __future__ import annotations

from typing import Annotated

from ..bands import ACCEPTED
from .bounds import SHARE, Bound
from .limits import Section

__all__ = ["GATE_RULES", "GateConfig"]

GATE_RULES = (
    "mean_delta_s",
    "anchored_delta_s",
    "delta_s_p95",
    "critical",
    "transitional",
    "no_chaos",
    "convergence",
    "no_flip",
    "contradicted_facts",
    "facts_read",
    "collapsed",
    "citations",
    "index",
    "tool_calls",
    "throttled",
    "p95_latency",
    "shadow_errors",
    "prod_errors",
    "sampling",
    "overhead",
    "every_hour",
    "missing",
    "extra",
    "recursive",
    "refused",
    "empty",
    "coverage",
    "retrieved",
    "retried",
    "delta_s_median",
    "slope",
    "spread",
    "change",
    "ttfb",
    "tokens",
    "cost",
    "slot_wait",
    "error_budget",
    "pins",
    "segments",
)
"""The rules that ``gate.disable`` and ``gate.require`` may name; that enough pairs were scored, and all are accounted
for, is always asked."""


class GateConfig(Section, frozen=True):
    """``[gate]``: the targets of the verdict. Where each default comes from stands in ``docs/parts/gate.md``."""

    mean_delta_s: Annotated[float, Bound(0, 1, above=True, share=True)] = ACCEPTED
    """The most that the mean ΔS may be."""
    anchored_delta_s: Annotated[float, Bound(0, 1, above=True, share=True)] = ACCEPTED
    """The most that the mean anchored ΔS may be."""
    mean_rise: Annotated[float, Bound(0, 1, share=True)] = 0.05
    """How far above the noise floor means, and the shares of transitional, diverging and uncited answers, may be."""
    rate_rise: Annotated[float, Bound(0, 1, share=True)] = 0.02
    """How far above the noise floor the shares of rare faults may be."""
    delta_s_p95_rise: Annotated[float, Bound(0, 1, share=True)] = 0.10
    """How far the P95 of ΔS may be above the control's, or the earlier window's."""
    delta_s_p95_stop: Annotated[float, Bound(0, 1, above=True, share=True)] = 0.15
    """A P95 of ΔS that surely is further above the control's rejects."""
    delta_s_median_rise: Annotated[float, Bound(0, 1, share=True)] = 0.03
    """How far the median of ΔS may be above the control's, or the earlier window's."""
    slope: Annotated[float, Bound(0, 1, above=True, share=True)] = 0.02
    """What the mean ΔS may rise from one window to the next, over at least five."""
    spread: Annotated[float, Bound(0, 1, above=True, share=True)] = 0.15
    """σ/μ of ΔS within repeated questions, beyond what the control's answers show; a μ below 0.40 is taken as 0.40."""
    change_days: Annotated[float, Bound(0, 36_500, above=True, unit="days")] = 100.0
    """A shadow that does not change is said to have changed suddenly at most once in so many days, on average. Not to
    rise suddenly: ΔS by more than ``mean_rise``, contradicted facts by more than ``rate_rise``, failures by more than
    ``shadow_error_rate``."""
    missing_rise: Annotated[float, Bound(0, 1, above=True, share=True)] = 0.05
    """How far the share of prod's sentences that the shadow leaves out may be above the control's; without a control,
    above the share of its own that prod does not say."""
    extra_rise: Annotated[float, Bound(0, 1, above=True, share=True)] = 0.05
    """The same of the shadow's sentences that prod does not say."""
    critical_rate: Annotated[float, Bound(0, 1, share=True)] = 0.03
    """Share of the pairs with ΔS of 0.60 or more."""
    transitional_rate: Annotated[float, Bound(0, 1, share=True)] = 0.10
    """Share of the pairs with ΔS from 0.40 to 0.60; twice that where no control shows the noise of wording."""
    chaotic_rate: Annotated[float, Bound(0, 1, share=True)] = 0.03
    """Share of the pairs whose λ is ×."""
    convergence: Annotated[float, SHARE] = 0.80
    """Share of the pairs whose λ is →, at least."""
    recursive_rate: Annotated[float, Bound(0, 1, share=True)] = 0.10
    """Share of the pairs whose λ is <>; twice that where no control shows the noise of wording."""
    flip_rate: Annotated[float, Bound(0, 1, below=True, share=True)] = 0.10
    """Share of the answers to repeated questions at which the shadow's λ may flip, less the share at which prod's
    does. 0: not one more."""
    fact_flip_rate: Annotated[float, Bound(0, 1, share=True)] = 0.02
    """Share of the pairs whose facts contradict each other."""
    facts_unread_rate: Annotated[float, Bound(0, 1, share=True)] = 0.20
    """Share of the pairs whose facts could not be looked at."""
    collapse_rate: Annotated[float, Bound(0, 1, share=True)] = 0.01
    """Share of the answers that are empty, refused, cut or an error where prod's is not, less the reverse."""
    refusal_rate: Annotated[float, Bound(0, 1, above=True, share=True)] = 0.01
    """Share of the answers that refuse where prod's does not, less the reverse."""
    empty_rate: Annotated[float, Bound(0, 1, above=True, share=True)] = 0.01
    """Share of the answers that are empty where prod's is not, less the reverse."""
    coverage: Annotated[float, SHARE] = 0.70
    """Share of what prod retrieved that the shadow retrieves too, at least."""
    retrieved_delta_s: Annotated[float, Bound(0, 1, above=True, share=True)] = ACCEPTED
    """The most that the mean ΔS of the question and what the shadow retrieved may be."""
    citation_match: Annotated[float, SHARE] = 0.60
    """Share of prod's citations that the shadow has too, at least."""
    index_agreement: Annotated[float, SHARE] = 0.95
    """Share of the answers from the same index as prod's, at least."""
    strange_call_rate: Annotated[float, Bound(0, 1, share=True)] = 0.01
    """Share of the pairs in which the shadow asks for tool calls that prod never made."""
    throttle_rate: Annotated[float, Bound(0, 1, share=True)] = 0.005
    """Share of the copies that the shadow answers with HTTP 429."""
    retry_success: Annotated[float, SHARE] = 0.90
    """Share of the copies that were tried again and were answered at last, at least."""
    slot_wait_ms: Annotated[float, Bound(0, 86_400_000, above=True, unit="milliseconds")] = 200.0
    """What the P95 of the wait for a slot may be."""
    ttfb_increase: Annotated[float, SHARE] = 0.15
    """What the P95 of the shadow's time to the first byte may lie above prod's, as a share."""
    token_increase: Annotated[float, Bound(0, 2, above=True, share=True)] = 0.10
    """What the shadow's tokens for a request may lie above prod's, as a share."""
    cost_increase: Annotated[float, Bound(0, 2, above=True, share=True)] = 0.10
    """What the shadow's cost of an answered request may lie above prod's, as a share."""
    p95_increase: Annotated[float, SHARE] = 0.03
    """What the shadow's P95 latency may lie above prod's, as a share: 0.03 is 3 %."""
    shadow_error_rate: Annotated[float, SHARE] = 0.01
    """Share of the copies that the shadow may fail."""
    sampling_tolerance: Annotated[float, SHARE] = 0.02
    """How far the share that was taken may lie from ``sampling.ratio``, as a share of it."""
    overhead_p99: Annotated[float, SHARE] = 0.05
    """What mirroring may add to the gateway's own P99, as a share of it."""
    window_hours: Annotated[float, Bound(0, 87_600, above=True, unit="hours")] = 24.0
    """How many of the last hours the verdict looks at. Pairs must span them, and cover every hour of the day in
    them."""
    warmup_pairs: Annotated[int | None, Bound(0, 1_000_000)] = None
    """How many of the first answers of a cold shadow (new to the lane, of another version, or after ``gate --restart``)
    do not count. Unset: 20 on a lane, 0 for a file of answers."""
    segment_pairs: Annotated[int, Bound(1, 1_000_000_000)] = 50
    """Copies that a route, tenant, model or repeated question must have to be looked at by itself."""
    segment_fdr: Annotated[float, SHARE] = 0.05
    """Of the segments that are named as bad, the share that may be named wrongly, on average."""
    min_pairs: Annotated[int, Bound(1, 1_000_000_000)] = 100
    """Fewer scored pairs than this are no evidence."""
    hard_stop: Annotated[float, Bound(1, 1000)] = 2.0
    """How many times a target must surely be missed to reject before the window is over."""
    disable: tuple[str, ...] = ()
    """Rules that are not judged, by name: ``overhead`` for lanes in which nothing is left to compare with
    (``sampling.ratio = 1``, sticky sampling). Every verdict names them."""
    require: tuple[str, ...] = ()
    """Rules that must be met even where they cannot be judged on this lane, by name."""
