"""The rules on what is no mean of the scores: how many pairs, the latencies, and what only a lane's counters can tell.

Invariant: a lane's own faults (sampling, overhead, accounting) and prod's never reject a shadow.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ..config import GateConfig
from .account_rules import ACCOUNT_RULES
from .change_rule import change
from .drift_rules import DRIFT_RULES
from .few_questions import few_questions, radius_at_end
from .lines import bounds, hours_for, percent, signed, signed_fine
from .paired import PairedQuantiles
from .rules import ALPHA, OVERHEAD, REJECT_ALPHA, Evidence, HostSample, Needs, Rule, Sampling
from .sequences import Interval, quantile_cs, rate_cs
from .trial import increase_cs

__all__ = ["LANE_RULES", "NO_LANE"]

_SAMPLER_SLACK = 2
"""The ratio sampler is within two of its ratio at any time; over few requests that alone is more than the tolerance."""
_P95 = 0.95
_HOSTS_SHOWN = 3


def pairs(evidence: Evidence, gate: GateConfig) -> Rule:
    """At least ``gate.min_pairs`` scored pairs."""
    n = evidence.scored
    line = f"{n} pairs scored; at least {gate.min_pairs} needed"
    if evidence.window.warmup:
        line += f"; the first {evidence.window.warmup} answers of the cold shadow do not count (gate.warmup_pairs)"
    if n >= gate.min_pairs:
        return Rule("pairs", "pairs", True, line).held(n, gate.min_pairs)
    more = gate.min_pairs - n
    needs = Needs(more, hours_for(more, n, evidence.window.hours))
    return Rule("pairs", "pairs", None, line, needs=needs).held(n, gate.min_pairs)


def p95_latency(evidence: Evidence, gate: GateConfig) -> Rule:
    """The shadow's P95 latency at most ``1 + gate.p95_increase`` times prod's, by the discordant pairs."""
    key, name, target = "p95_latency", "P95 latency", gate.p95_increase
    n = evidence.times.n
    if not n:
        why = "no pair has the times of both answers in one round: nobody told prod's, or tools were stubbed"
        judged = "" if evidence.scored < gate.min_pairs else why
        return Rule(key, name, None, judged or "no data yet", not_judged=judged)
    times, elapsed = evidence.times, evidence.window.elapsed
    both = PairedQuantiles.of(times.above, times.below, _P95, times.questions)
    # A verdict rests on one bound, never on both: each holds with what both may go wrong with.
    seen = _increase(both.interval(2 * ALPHA, elapsed))
    line = f"shadow P95 against prod P95, {evidence.times.counted}: {bounds(seen, signed, target, each=True)}"
    if seen.upper <= target:
        return Rule(key, name, True, line).held(seen.estimate, target)
    if seen.estimate > target:
        surest = _increase(both.interval(2 * REJECT_ALPHA, elapsed))
        surely = surest.lower > target
        # What the rest of the window brings moves a quantile as it moves a share: all of it may be fast.
        final = surely and (elapsed >= 1.0 or surest.lower > gate.hard_stop * target)
        line += "" if surely else f"; missed, not surely yet{few_questions(key, both, elapsed, target, 2 * ALPHA)}"
        late = Rule(key, name, False, line, beyond=final, leaning=surely and not final)
        return late.held(seen.estimate, target)
    line += "; within it, not surely yet"
    if few := few_questions(key, both, elapsed, target, 2 * ALPHA):
        return Rule(key, name, None, line + few).held(seen.estimate, target)
    needs = _latency_needs(evidence, seen, target)
    if needs is not None and elapsed >= 1.0 and not evidence.no_lane and needs.pairs is not None:
        hours = math.ceil(gate.window_hours * (1 + needs.pairs / n))
        line += f"; this window has no more pairs: gate.window_hours = {hours}, or a larger sampling.ratio, would do"
    return Rule(key, name, None, line, needs=needs).held(seen.estimate, target)


def _latency_needs(evidence: Evidence, seen: Interval, target: float) -> Needs | None:
    if not math.isfinite(seen.upper) or not math.isfinite(seen.estimate):
        return None
    n, elapsed = len(evidence.times), evidence.window.elapsed
    room = target - seen.estimate
    if room <= 0:
        return None
    total = n / elapsed * max(1.0, (radius_at_end(seen.upper - seen.estimate, elapsed, 2 * ALPHA) / room) ** 2)
    more = max(1, math.ceil(total) - n)
    return Needs(more, hours_for(more, n, evidence.window.hours))


def prod_errors(evidence: Evidence, gate: GateConfig) -> Rule:
    """Prod fails at most the shadow's error budget of the admitted requests: a failing prod is nothing to compare
    with. Where prod is the candidate (:mod:`.reverse`) it is the candidate's fault, and rejects."""
    key, name, target = "prod_errors", "prod errors", gate.shadow_error_rate
    failed, admitted = evidence.prod_failed, evidence.admitted
    if failed is None or admitted is None or admitted == 0:
        return Rule(key, name, None, "no request of this lane's life is counted yet")
    seen = rate_cs(failed, admitted, alpha=ALPHA)
    line = f"prod failed {failed} of {admitted} requests: {bounds(seen, percent, target)}"
    line += evidence.counted + evidence.failed_at
    if seen.upper <= target:
        return Rule(key, name, True, line).held(seen.estimate, target)
    if seen.estimate > target:
        surest = rate_cs(failed, admitted, alpha=REJECT_ALPHA).lower if evidence.reverse else 0.0
        final = surest > target and (evidence.window.elapsed >= 1.0 or surest > gate.hard_stop * target)
        late = Rule(key, name, False, line, beyond=final, leaning=surest > target and not final)
        return late.held(seen.estimate, target)
    more = _rate_needs(failed, admitted, target)
    needs = Needs(more, hours_for(more, admitted, evidence.window.hours))
    return Rule(key, name, None, f"{line}; within it, not surely yet", needs=needs).held(seen.estimate, target)


def _rate_needs(failed: int, n: int, target: float) -> int | None:
    total = n
    while total < 1000 * n:
        total = math.ceil(1.2 * total) + 1
        if rate_cs(round(failed * total / n), total, alpha=ALPHA).upper <= target:
            return total - n
    return None


def sampling(evidence: Evidence, gate: GateConfig) -> Rule:
    """What was mirrored within ``gate.sampling_tolerance`` of what the ratio asks for, relatively: neither the sampler
    nor a want of room may choose other requests than the coin would."""
    key, name, sample = "sampling", "sampling", evidence.sampling
    if sample is None or not (sample.eligible or sample.earlier):
        return Rule(key, name, None, "no eligible request of this lane's life is counted yet")
    ok, line = _sampled(sample, gate.sampling_tolerance)
    judged = [ok]
    # Each setting is held against its own ratio and cap: counts of several, put together, say nothing about any.
    for before in reversed(sample.earlier):
        ok, said = _sampled(before, gate.sampling_tolerance)
        judged.append(ok)
        when = f"now on {before.where}" if before.where else "before"
        line += f"; {when}, at {percent(before.ratio)} and {before.qps:g} a second: {said}"
        if ok is False and not before.where:
            line += " (shadowlane gate --restart begins a window without it)"
    line += evidence.counted
    known = [ok for ok in judged if ok is not None]
    rule = Rule(key, name, all(known) if known else None, line)
    return rule.held(_farthest_off(sample), gate.sampling_tolerance)


def _farthest_off(sample: Sampling) -> float:
    """How far the mirrored share is from the wanted one by the sampler, or the share that found no room, if larger;
    of all settings the farthest."""
    off = 0.0
    for one in (sample, *sample.earlier):
        if one.eligible:
            lost = sum(one.lost.values()) / max(one.taken, 1)
            off = max(off, abs(one.taken / (one.ratio * one.eligible) - 1), lost)
            off = max([off, *(abs(host_off) for _, host_off in _hosts_off(one))])
    return off


def _hosts_off(sample: Sampling) -> list[tuple[HostSample, float]]:
    """Each host's part that is further from the ratio than a sampler can be, relatively; the farthest first."""
    found = [
        (part, part.taken / (sample.ratio * part.eligible) - 1)
        for part in sample.hosts
        if part.eligible and abs(part.taken - sample.ratio * part.eligible) > _SAMPLER_SLACK
    ]
    return sorted(found, key=lambda one: -abs(one[1]))


def _sampled(sample: Sampling, tolerance: float) -> tuple[bool | None, str]:
    """Whether what was mirrored by one setting is what it asks for, and the line."""
    if not sample.eligible:
        return None, "no eligible request yet"
    wanted = sample.ratio * sample.eligible
    off, lost = sample.taken / wanted - 1, sum(sample.lost.values())
    line = (
        f"{sample.taken} of {sample.eligible} eligible requests taken: {percent(sample.taken / sample.eligible)}, "
        f"{signed(off)} from the configured {percent(sample.ratio)} (target within ±{percent(tolerance)})"
    )
    if lost:
        reasons = ", ".join(f"{reason} {n}" for reason, n in sample.lost.items())
        kept = max(sample.taken - lost, 0)
        line += f"; {kept} of the {wanted:.0f} wanted had room ({percent(kept / wanted)}; {reasons})"
        if lost > tolerance * sample.taken:
            ratio = sample.ratio * kept / max(sample.taken, 1)
            more = f"; busy minutes are missing: raise limits.qps, or set sampling.ratio to about {ratio:.2g}"
            return False, line + more
    # Of many hosts one that samples wrongly hardly moves the sum, and its users are in the sample or not all the same.
    wrong = [one for one in _hosts_off(sample) if abs(one[1]) > tolerance]
    if wrong:
        named = (
            f"{part.taken} of {part.eligible} on {part.host} ({signed(off)})" for part, off in wrong[:_HOSTS_SHOWN]
        )
        more = f" and on {len(wrong) - _HOSTS_SHOWN} more" if len(wrong) > _HOSTS_SHOWN else ""
        return False, f"{line}; not by the ratio: {', '.join(named)}{more}"
    if abs(off) <= tolerance:
        return True, line
    few = abs(sample.taken - wanted) <= _SAMPLER_SLACK * max(len(sample.hosts), 1)
    return None if few else False, line + ("; too few to tell" if few else "")


def overhead(evidence: Evidence, gate: GateConfig) -> Rule:
    """Mirroring adds at most ``gate.overhead_p99`` to the gateway's own P99: the lane's own calls by a bound that holds
    for all but a few of the requests, all else by the lane's randomized trial, which must not contradict it.

    Its cost is no fault of the shadow, so it never rejects.
    """
    key, name, target = "overhead", "overhead", gate.overhead_p99
    direct, said = _direct(evidence)
    trial = evidence.trial
    sizes = trial.n if trial is not None else (0, 0)
    seen = None
    if trial is not None and min(sizes):
        seen = increase_cs(trial, OVERHEAD, alpha=ALPHA)
        said += f"trial: P99 in the gateway, {sizes[0]} mirrored requests against {sizes[1]} of the others: "
        said += bounds(seen, signed, target) + (f"; {trial.note}" if trial.note else "") + evidence.timed
        if seen.lower > target:
            return Rule(key, name, False, said).held(seen.estimate, target)
        if seen.upper <= target:
            return Rule(key, name, True, said).held(seen.estimate, target)
    else:
        said += evidence.no_trial or "no request of both groups is timed yet"
    if direct is not None:
        return Rule(key, name, direct <= target, said).held(direct, target)
    if seen is not None and seen.estimate > target:
        return Rule(key, name, False, f"{said}; beyond it, not surely yet").held(seen.estimate, target)
    if seen is None and evidence.no_trial:
        return Rule(key, name, None, said, not_judged=evidence.no_trial)
    return Rule(key, name, None, said)


def _direct(evidence: Evidence) -> tuple[float | None, str]:
    """The bound of the lane's own calls over prod's P99, and its words; no bound without enough requests."""
    if evidence.direct is None:
        return None, ""
    bound = evidence.direct.bound(ALPHA / 2)
    prod = evidence.times.above if evidence.reverse else evidence.times.below
    p99 = quantile_cs(prod, OVERHEAD, alpha=ALPHA / 2)
    if bound is None or not (math.isfinite(p99.lower) and p99.lower > 0):
        return None, f"the lane's own calls: {evidence.direct.n} requests timed, not enough for a bound yet; "
    ns, beyond = bound
    share = ns / p99.lower
    return share, (
        f"the lane's own calls: at most {1e-3 * ns:.3g} µs in all but {100 * beyond:.2g} % of {evidence.direct.n} "
        f"requests, {signed_fine(share)} of prod's P99; "
    )


def every_hour(evidence: Evidence, gate: GateConfig) -> Rule:
    """Pairs over the whole window, with every hour of the day covered (UTC)."""
    needed = min(24, max(1, math.ceil(gate.window_hours)))
    hours, span = evidence.timeline.hours, evidence.timeline.span_hours
    # A copy late in the first hour and one early in the last are a full set that spans nearly two hours less.
    enough = hours >= needed and span >= 0.9 * gate.window_hours
    line = f"{hours} of {needed} hours of the day covered, over {span:.1f} of {gate.window_hours:g} h"
    more = max(float(needed - hours), 0.9 * gate.window_hours - span, 0.1)
    needs = None if enough else Needs(None, more)
    return Rule("every_hour", "hours", True if enough else None, line, needs=needs).held(hours, needed)


def accounting(evidence: Evidence, gate: GateConfig) -> Rule:
    """Every request and every copy is accounted for."""
    line = evidence.accounting or "the lane's counters cannot be read: start the gateway, or see shadowlane doctor"
    line += evidence.counted if evidence.accounting else ""
    return Rule("accounting", "accounting", evidence.accounting_holds, line)


LANE_RULES: dict[str, Callable[[Evidence, GateConfig], Rule]] = {
    **DRIFT_RULES,
    "change": change,
    "p95_latency": p95_latency,
    **ACCOUNT_RULES,
    "prod_errors": prod_errors,
    "sampling": sampling,
    "overhead": overhead,
    "every_hour": every_hour,
    "pairs": pairs,
    "accounting": accounting,
}
"""By key, in the order in which the verdict shows them."""

NO_LANE = ("sampling", "overhead", "every_hour", "accounting", "slot_wait")
"""What only a lane can tell."""


def _increase(ratio: Interval) -> Interval:
    return Interval(ratio.estimate - 1, ratio.lower - 1, ratio.upper - 1, ratio.n)
