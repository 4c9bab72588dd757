"""The rules on how ΔS is spread and moves: its median and P95 above the control's or the earlier window's, its slope
over windows, and how it varies within one question.

Invariant: each is judged by bounds that hold at any time, and only a P95 that is surely beyond its hard stop above the
control's rejects: what differs from an earlier window may be the traffic.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..bands import STABLE
from ..config import GateConfig
from .dependence import Design, design_of
from .drift import Batch
from .lines import bounds, plain, signed_plain
from .paired import quantile_ratio
from .reviewed import reviewed
from .rules import ALPHA, REJECT_ALPHA, Evidence, Rule
from .sample import PairedSample
from .selection import DELTA_S_MAX
from .sequences import Interval, Spread

__all__ = ["DRIFT_RULES", "quantile_bounds"]

_MEDIAN, _P95 = 0.5, 0.95
_LEAST_BATCHES = 5
"""WFGY Problem Map, variance_and_drift: a slope over five windows or more."""
_SCARCE = 0.25


def delta_s_median(evidence: Evidence, gate: GateConfig) -> Rule:
    """The median of ΔS at most ``gate.delta_s_median_rise`` above the control's, by the discordant pairs; without one,
    above that of the window before. Default: WFGY Problem Map, staged_rollout_canary."""
    return _quantile("delta_s_median", "ΔS median", _MEDIAN, gate.delta_s_median_rise, math.inf, evidence, gate)


def delta_s_p95(evidence: Evidence, gate: GateConfig) -> Rule:
    """The P95 of ΔS at most ``gate.delta_s_p95_rise`` above the control's, and surely more than
    ``gate.delta_s_p95_stop`` rejects; without a control, above that of the window before, which rejects nothing.
    Defaults: WFGY Problem Map, staged_rollout_canary."""
    return _quantile("delta_s_p95", "ΔS P95", _P95, gate.delta_s_p95_rise, gate.delta_s_p95_stop, evidence, gate)


def _quantile(key: str, name: str, p: float, target: float, stop: float, evidence: Evidence, gate: GateConfig) -> Rule:
    series, deltas, earlier = evidence.series["mean_delta_s"], evidence.drift.deltas, evidence.drift.earlier
    what = "median" if p == _MEDIAN else f"P{100 * p:g}"
    if series.floor is not None:
        both = evidence.tails
        if series.excess is None or len(both) < gate.min_pairs:
            return Rule(key, name, None, "the control has answered too few of the shadow's requests yet")
        seen = _above_control(both, p, ALPHA, evidence.window.elapsed)
        line = f"{what} of ΔS above the control's, {both.counted}: {bounds(seen, signed_plain, target)}"
        surely = seen.lower > target
        final = surely and _above_control(both, p, REJECT_ALPHA, evidence.window.elapsed).lower > stop
        return reviewed(key, name, line, seen, target, evidence, beyond=final)
    if len(earlier) < gate.min_pairs:
        why = (
            "no [control] answers the same requests, and no window before this one is stored; with one, ΔS of prod "
            "against itself, or of before, shows what is usual"
        )
        return Rule(key, name, None, why, not_judged=why)
    if len(deltas) < gate.min_pairs:
        return Rule(key, name, None, "no data yet")
    now = quantile_bounds(deltas.column(0), p, series.values.design.total, alpha=ALPHA / 2)
    before = quantile_bounds(earlier.column(0), p, series.values.design.questions, alpha=ALPHA / 2)
    seen = Interval(now.estimate - before.estimate, now.lower - before.upper, now.upper - before.lower, now.n)
    line = (
        f"{what} of ΔS {plain(now.estimate)}, above that of the window before ({plain(before.estimate)}, {before.n} "
        f"pairs): {bounds(seen, signed_plain, target)}"
    )
    return reviewed(key, name, line, seen, target, evidence)


def _above_control(both: PairedSample, p: float, alpha: float, elapsed: float) -> Interval:
    """The rise of a quantile over the control's at the same requests: ratios of exponentials are differences."""
    above, below = np.exp(both.above), np.exp(both.below)
    seen = quantile_ratio(above, below, p, questions=both.questions, alpha=alpha, elapsed=elapsed)
    return Interval(_log(seen.estimate), _log(seen.lower), _log(seen.upper), seen.n)


def quantile_bounds(values: NDArray[np.float64], p: float, effect: float, *, alpha: float) -> Interval:
    """Bounds of the ``p``-quantile of ``values`` (n,), in the order of time: the sample's quantiles at ``p`` less and
    more what the share below it may be off by, by the sequence of a mean at its estimate (Bahadur, Ann. Math. Stat. 37
    (1966)). ``effect``: a design effect that is known beside that of runs in these values, at least 1."""
    estimate = float(np.quantile(values, p))
    below = (values <= estimate).astype(np.float64)
    runs = design_of(below).runs
    radius = Spread.of(below, design=Design(runs, max(effect - runs + 1.0, 1.0))).radius(alpha)
    if not math.isfinite(radius):
        return Interval(estimate, 0.0, DELTA_S_MAX, len(values))
    low = float(np.quantile(values, p - radius)) if p > radius else 0.0
    high = float(np.quantile(values, p + radius)) if p + radius < 1.0 else DELTA_S_MAX
    return Interval(estimate, low, high, len(values))


def slope(evidence: Evidence, gate: GateConfig) -> Rule:
    """The mean ΔS rises by at most ``gate.slope`` from one window to the next, by least squares over the last five to
    seven windows of ``gate.window_hours``. Default: WFGY Problem Map, variance_and_drift."""
    key, name, batches = "slope", "ΔS slope", evidence.drift.batches
    if len(batches) < _LEAST_BATCHES:
        why = (
            f"{len(batches)} of the {_LEAST_BATCHES} windows of {gate.window_hours:g} h that a slope takes have "
            f"{gate.min_pairs} pairs of the version that answers now; the store keeps more"
        )
        return Rule(key, name, None, why, not_judged=why)
    seen = _slope_bounds(batches, evidence.series["mean_delta_s"].values.design)
    shown = ", ".join(f"{batch.mean:.3f}" for batch in batches)
    line = f"mean ΔS by window {shown}: {bounds(seen, signed_plain, gate.slope)} a window"
    return reviewed(key, name, line, seen, gate.slope, evidence)


def _slope_bounds(batches: tuple[Batch, ...], design: Design) -> Interval:
    """Each window's mean has its own bounds, at a share of the risk; the slope is a weighted sum of the means."""
    count = len(batches)
    places = np.arange(count) - (count - 1) / 2
    weights = places / np.sum(places**2)
    spreads = [
        Spread.of_sums(some.mean, some.n, some.variance, high=DELTA_S_MAX, design=design, together=1.0)
        for some in batches
    ]
    radii = np.array([some.radius(ALPHA / count) for some in spreads])
    estimate = float(np.sum(weights * [batch.mean for batch in batches]))
    radius = float(np.sum(np.abs(weights) * radii))
    return Interval(estimate, estimate - radius, estimate + radius, sum(batch.n for batch in batches))


def spread(evidence: Evidence, gate: GateConfig) -> Rule:
    """σ/μ of ΔS over the answers to one question (paraphrases, seeds, repeats) at most ``gate.spread`` beyond what the
    control's answers to the same show. A μ below 0.40, where answers are stable, is taken as 0.40. Default: WFGY
    Problem Map, variance_and_drift: 0.15 over 3 seeds and 3 paraphrases."""
    key, name, series = "spread", "ΔS spread", evidence.drift.spread
    if series is None:
        why = "no question was asked twice; score.groups, and traffic or a probe that repeats questions, show a spread"
        return Rule(key, name, None, why, not_judged=why if evidence.scored >= gate.min_pairs else "")
    level = max(evidence.drift.level, STABLE)
    sigma = math.sqrt(series.values.mean)
    line = f"σ/μ of ΔS within repeated questions: {sigma / level:.2f} (σ {sigma:.3f}, μ {evidence.drift.level:.3f}"
    line += f" taken as {STABLE}" if level > evidence.drift.level else ""
    line += f"; {len(series.values)} answers)"
    if series.excess is None or series.floor is None:
        why = f"{line}; no [control] shows how much of it is prod's own, and the probe asks each question several times"
        return Rule(key, name, None, why, not_judged=why)
    own = math.sqrt(series.floor.mean)
    seen, target = series.excess.spread().interval(ALPHA), (gate.spread * level) ** 2
    line += (
        f"; the control's {own / level:.2f}; variance above the control's: {seen.estimate:+.5f} (95 % at any time: "
        f"{seen.lower:+.5f} to {seen.upper:+.5f}; target at most {target:+.5f}, {gate.spread:g} of μ squared)"
    )
    if len(series.excess) < _SCARCE * evidence.scored and not seen.upper <= target and not seen.lower > target:
        return Rule(key, name, None, line, not_judged=f"{line}; too few repeated questions to tell")
    return reviewed(key, name, line, seen, target, evidence)


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf


DRIFT_RULES: dict[str, Callable[[Evidence, GateConfig], Rule]] = {
    "delta_s_median": delta_s_median,
    "delta_s_p95": delta_s_p95,
    "slope": slope,
    "spread": spread,
}
"""By key, in the order in which the verdict shows them."""
