"""The gate's rules: each reads its part of the evidence and says met, not met or not known, with one line of evidence.

Invariant: a rule is met only when a bound that holds at any time is inside the target, and surely missed only when such
a bound is beyond it; what is not known is never met. Only faults of the shadow itself can be ``beyond``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..config import GateConfig
from .sequences import Interval, mean_interval, rate_interval, ratio_interval
from .trial import Trial, increase_interval

__all__ = ["ALPHA", "LANE_RULES", "OVERHEAD", "RULES", "Evidence", "Rule", "Sampling", "minus"]

ALPHA = 0.05
"""What may go wrong: a verdict GRADUATE or REJECT is false with at most this probability, however often one looks."""
_REJECTING_RULES = 5
OVERHEAD = 0.99
"""The quantile at which mirroring's own cost is judged."""
_HOUR_NS = 3600 * 10**9
_DELTA_S_MAX = 2.0
_SAMPLER_SLACK = 2
"""The ratio sampler is within two of its ratio at any time; over few requests that alone is more than the tolerance."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """What the lane's sampler was asked for and what it did."""

    ratio: float
    eligible: int
    taken: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known about one shadow in the window. Arrays are in the order of time; ``None`` is "not known"."""

    shadow: str
    started_ns: NDArray[np.int64]
    """When each copy that was sent began (n,)."""
    errors: NDArray[np.bool_]
    """Whether the shadow failed it (n,)."""
    delta_s: NDArray[np.float64]
    """ΔS of the pairs that are scored, of one embedder."""
    chaotic: NDArray[np.bool_]
    """Whether a pair with a λ state is chaotic."""
    prod_ns: NDArray[np.float64]
    """Prod's and the shadow's time to the end of the answer, pair by pair."""
    shadow_ns: NDArray[np.float64]
    floor_delta_s: NDArray[np.float64] | None = None
    """ΔS of prod against control, same embedder; ``None`` when no control runs."""
    floor_chaotic: NDArray[np.bool_] | None = None
    flips: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    """For each answer to a question that was asked before: whether the shadow's λ flipped."""
    prod_flips: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    """Whether prod's did, at the same exchange."""
    floor_flips: NDArray[np.bool_] | None = None
    """Whether the control's flipped where prod's did not."""
    sampling: Sampling | None = None
    prod_failed: int | None = None
    """Of the ``admitted`` requests, how many prod itself failed."""
    admitted: int | None = None
    trial: Trial | None = None
    """How long requests took in the gateway, those that were mirrored and a random group of the others."""
    no_trial: str = ""
    """Why there is none, and what to do; empty: it only has to go on."""
    accounting_holds: bool | None = None
    accounting: str = ""
    no_lane: str = ""
    """Why there is no lane behind the pairs: rules about its counters are left out then. Empty: there is one."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule's outcome. ``ok``: ``True`` met, ``False`` not met, ``None`` not known (yet)."""

    name: str
    ok: bool | None
    evidence: str
    beyond: bool = False
    """The target is missed for sure, and it is the shadow's fault: the verdict is REJECT."""


def enough_pairs(evidence: Evidence, gate: GateConfig) -> Rule:
    """At least ``gate.min_pairs`` scored pairs."""
    n = len(evidence.delta_s)
    return Rule("pairs", True if n >= gate.min_pairs else None, f"{n} pairs scored; at least {gate.min_pairs} needed")


def mean_delta_s(evidence: Evidence, gate: GateConfig) -> Rule:
    """Mean ΔS at most ``gate.mean_delta_s``; above the prod-against-control noise floor where a control runs."""
    floor = evidence.floor_delta_s
    if floor is not None and len(floor) == 0:
        return Rule("mean ΔS", None, "a control is configured and has no scored pairs yet: no noise floor")
    if floor is None:
        return _bounded("mean ΔS", lambda a: _delta(evidence.delta_s, a), gate.mean_delta_s, _plain, what="mean ΔS")
    return _bounded(
        "mean ΔS",
        lambda a: minus(_delta(evidence.delta_s, a / 2), _delta(floor, a / 2)),
        gate.mean_delta_s,
        _plain,
        what=f"mean ΔS above the noise floor of {float(np.mean(floor)):.3f}",
    )


def no_chaos(evidence: Evidence, gate: GateConfig) -> Rule:
    """No pair is chaotic (×); where a control runs, not surely more often than prod against itself."""
    n, chaotic = len(evidence.chaotic), int(evidence.chaotic.sum())
    if n == 0:
        return Rule("λ", None, "no pair has a λ state yet")
    if chaotic == 0:
        return Rule("λ", True, f"no chaotic answer among {n}")
    level = ALPHA / _REJECTING_RULES
    if evidence.floor_chaotic is None:
        lower, against = mean_interval(evidence.chaotic.astype(float), alpha=level).lower, ""
    else:
        floor = mean_interval(evidence.floor_chaotic.astype(float), alpha=level / 2)
        lower = mean_interval(evidence.chaotic.astype(float), alpha=level / 2).lower - floor.upper
        against = f"; prod against itself: {int(evidence.floor_chaotic.sum())} of {len(evidence.floor_chaotic)}"
    return Rule("λ", False, f"{chaotic} of {n} answers are chaotic ({_percent(chaotic / n)}){against}", lower > 0)


def no_flip(evidence: Evidence, gate: GateConfig) -> Rule:
    """λ does not flip between paraphrases: at most ``gate.flip_rate`` of the answers to a repeated question flip where
    prod's does not; above the control's share where one runs.

    A question on which prod flips too is unstable by itself, and no fault of the shadow. With the target 0 one flip is
    one too many, and it is surely the shadow's when it flips more often than prod in pairs (or than the control).
    """
    name, n = "λ flips", len(evidence.flips)
    if n == 0:
        return Rule(name, None, "no question was asked twice yet")
    own = evidence.flips & ~evidence.prod_flips
    flips, both = int(own.sum()), int((evidence.flips & evidence.prod_flips).sum())
    what = f"{flips} of {n} answers to repeated questions flip where prod's do not"
    if both:
        what += f" ({both} more where prod's do)"
    floor = evidence.floor_flips
    if floor is not None and len(floor) == 0:
        return Rule(name, None, f"{what}; the control has answered no question twice yet: no noise floor")
    if floor is not None:
        what += f"; the control: {int(floor.sum())} of {len(floor)}"

    def excess(alpha: float) -> Interval:
        if floor is not None:
            return minus(_share(own, alpha / 2), _share(floor, alpha / 2))
        return mean_interval(evidence.flips.astype(float) - evidence.prod_flips, low=-1.0, high=1.0, alpha=alpha)

    if gate.flip_rate > 0:
        return _bounded(name, excess, gate.flip_rate, _percent, what=f"{what}; above the floor")
    if flips == 0:
        return Rule(name, True, what)
    return Rule(name, False, what, excess(ALPHA / _REJECTING_RULES).lower > 0)


def p95_latency(evidence: Evidence, gate: GateConfig) -> Rule:
    """The shadow's P95 latency at most ``1 + gate.p95_increase`` times prod's, by quantile confidence sequences."""
    return _bounded(
        "P95 latency",
        lambda a: _increase(ratio_interval(evidence.shadow_ns, evidence.prod_ns, 0.95, alpha=a)),
        gate.p95_increase,
        _signed_percent,
        what="shadow P95 against prod P95",
    )


def shadow_errors(evidence: Evidence, gate: GateConfig) -> Rule:
    """The share of copies that the shadow failed at most ``gate.shadow_error_rate``."""
    failed = int(evidence.errors.sum())
    return _bounded(
        "shadow errors",
        lambda a: mean_interval(evidence.errors.astype(float), alpha=a),
        gate.shadow_error_rate,
        _percent,
        what=f"{failed} of {len(evidence.errors)} copies failed",
    )


def prod_errors(evidence: Evidence, gate: GateConfig) -> Rule:
    """Prod fails at most the same budget of the admitted requests: a failing prod is nothing to compare with."""
    failed, admitted = evidence.prod_failed, evidence.admitted
    if failed is None or admitted is None or admitted == 0:
        return Rule("prod errors", None, "no request of this lane's life is counted yet")
    rule = _bounded(
        "prod errors",
        lambda a: rate_interval(failed, admitted, alpha=a),
        gate.shadow_error_rate,
        _percent,
        what=f"prod failed {failed} of {admitted} requests",
    )
    return Rule(rule.name, rule.ok, rule.evidence)


def sampling(evidence: Evidence, gate: GateConfig) -> Rule:
    """The achieved ratio within ``gate.sampling_tolerance`` of the configured one, relatively."""
    sample = evidence.sampling
    if sample is None or sample.eligible == 0:
        return Rule("sampling", None, "no eligible request of this lane's life is counted yet")
    wanted = sample.ratio * sample.eligible
    off = sample.taken / wanted - 1
    line = (
        f"{sample.taken} of {sample.eligible} eligible requests taken: {_percent(sample.taken / sample.eligible)}, "
        f"{_signed_percent(off)} from the configured {_percent(sample.ratio)} (target within "
        f"±{_percent(gate.sampling_tolerance)})"
    )
    if abs(off) <= gate.sampling_tolerance:
        return Rule("sampling", True, line)
    few = abs(sample.taken - wanted) <= _SAMPLER_SLACK
    return Rule("sampling", None if few else False, line + ("; too few to tell" if few else ""))


def overhead(evidence: Evidence, gate: GateConfig) -> Rule:
    """Mirroring adds at most ``gate.overhead_p99`` to the gateway's own P99, by the lane's randomized trial.

    Its cost is no fault of the shadow, so it never rejects. Without a group of requests that were not taken it cannot
    be known, and what is not known is never met.
    """
    name, trial = "overhead", evidence.trial
    taken, others = trial.n if trial is not None else (0, 0)
    if trial is None or not min(taken, others):
        return Rule(name, None, evidence.no_trial or "no request of both groups is timed yet")
    rule = _bounded(
        name,
        lambda a: increase_interval(trial, OVERHEAD, alpha=a),
        gate.overhead_p99,
        _signed_percent,
        what=f"P99 in the gateway, {taken} mirrored requests against {others} of the others",
    )
    return Rule(rule.name, rule.ok, rule.evidence + (f"; {trial.note}" if trial.note else ""))


def every_hour(evidence: Evidence, gate: GateConfig) -> Rule:
    """Pairs over the whole window, with every hour of the day covered (UTC)."""
    needed = min(24, max(1, math.ceil(gate.window_hours)))
    starts = evidence.started_ns
    hours = len(np.unique(starts // _HOUR_NS % 24)) if len(starts) else 0
    span = float(starts.max() - starts.min()) / _HOUR_NS if len(starts) else 0.0
    # A copy late in the first hour and one early in the last are a full set that spans nearly two hours less.
    enough = hours >= needed and span >= 0.9 * gate.window_hours
    line = f"{hours} of {needed} hours of the day covered, over {span:.1f} of {gate.window_hours:g} h"
    return Rule("hours", True if enough else None, line)


def accounting(evidence: Evidence, gate: GateConfig) -> Rule:
    """Every request and every copy is accounted for."""
    line = evidence.accounting or "the lane's counters cannot be read: start the gateway, or see shadowlane doctor"
    return Rule("accounting", evidence.accounting_holds, line)


LANE_RULES = (sampling, overhead, accounting)
"""What only a lane's counters can tell."""

RULES: tuple[Callable[[Evidence, GateConfig], Rule], ...] = (
    mean_delta_s,
    no_chaos,
    no_flip,
    p95_latency,
    shadow_errors,
    prod_errors,
    sampling,
    overhead,
    every_hour,
    enough_pairs,
    accounting,
)
"""In the order in which the verdict shows them."""


def _bounded(
    name: str, interval: Callable[[float], Interval], target: float, show: Callable[[float], str], *, what: str
) -> Rule:
    """Met when the upper bound is within ``target``; beyond when the lower one is not, the risk shared by all."""
    seen = interval(ALPHA)
    if seen.n == 0:
        return Rule(name, None, "no data yet")
    bounds = f"{show(seen.lower)} to {show(seen.upper)}" if math.isfinite(seen.upper) else "not bounded yet"
    line = f"{what}: {show(seen.estimate)} (95 % at any time: {bounds}; target at most {show(target)})"
    if seen.upper <= target:
        return Rule(name, True, line)
    if interval(ALPHA / _REJECTING_RULES).lower > target:
        return Rule(name, False, line, True)
    if seen.estimate > target:
        return Rule(name, False, line + "; beyond it, not surely yet")
    return Rule(name, None, line + "; within it, not surely yet")


def _delta(values: NDArray[np.float64], alpha: float) -> Interval:
    return mean_interval(values, low=0.0, high=_DELTA_S_MAX, alpha=alpha)


def _share(hits: NDArray[np.bool_], alpha: float) -> Interval:
    return mean_interval(hits.astype(float), alpha=alpha)


def minus(a: Interval, b: Interval) -> Interval:
    """The difference of two quantities, at the sum of their risks."""
    return Interval(a.estimate - b.estimate, a.lower - b.upper, a.upper - b.lower, min(a.n, b.n))


def _increase(ratio: Interval) -> Interval:
    return Interval(ratio.estimate - 1, ratio.lower - 1, ratio.upper - 1, ratio.n)


def _plain(value: float) -> str:
    return f"{value:.3f}"


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"


def _signed_percent(value: float) -> str:
    return f"{100 * value:+.1f} %"
