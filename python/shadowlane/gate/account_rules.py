"""The rules on what accounts for the pairs: time to the first byte, waiting, tokens, cost, error budget, versions.

Invariant: none of them rejects; what is not the shadow's (waiting for a slot of ours) and what a person decides (what
an answer may cost) holds at most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..config import GateConfig
from ..types import MOST_PIN_VALUES, PinSeen
from .accounts import Accounts, Burn
from .few_questions import few_questions
from .lines import bounds, percent, signed
from .paired import PairedQuantiles
from .ratios import sum_increase
from .reviewed import not_judged, reviewed
from .rules import ALPHA, Evidence, Rule
from .segments import found_bad
from .sequences import Interval, rate_cs
from .window import MOST_VERSIONS

__all__ = ["ACCOUNT_RULES"]

_P95 = 0.95
_MS = 1e6
_VALUES_SHOWN = 4
_SEGMENTS_SHOWN = 5


def ttfb(evidence: Evidence, gate: GateConfig) -> Rule:
    """The P95 of the shadow's time to the first byte at most ``1 + gate.ttfb_increase`` times prod's, by the discordant
    pairs (:mod:`.paired`). Default: WFGY Problem Map, staged_rollout_canary, P95 + 15 %."""
    key, name, accounts, target = "ttfb", "first byte", evidence.accounts, gate.ttfb_increase
    times = accounts.first_bytes
    if accounts.whole_answers:
        return not_judged(key, name, "no first byte's time is known apart from the last one's; a lane measures both")
    if not len(times):
        why = "no pair has the time of both first bytes; a lane measures them where prod answers"
        return _nothing(key, name, evidence, gate, why)
    both, elapsed = PairedQuantiles.of(times.above, times.below, _P95, times.questions), evidence.window.elapsed
    ratio = both.interval(ALPHA, elapsed)
    seen = Interval(ratio.estimate - 1, ratio.lower - 1, ratio.upper - 1, ratio.n)
    line = f"shadow P95 of the time to the first byte against prod's, {times.counted}: {bounds(seen, signed, target)}"
    rule = reviewed(key, name, line, seen, target, evidence)
    few = "" if rule.ok or rule.needs_person else few_questions(key, both, elapsed, target, ALPHA)
    return replace(rule, evidence=rule.evidence + few, needs=None) if few else rule


def slot_wait(evidence: Evidence, gate: GateConfig) -> Rule:
    """The P95 of the wait for a slot at most ``gate.slot_wait_ms``: at most 5 % of the copies waited longer. Default:
    WFGY Problem Map, rate_limit_backpressure. What waits there is the lane's own queue, so it is no fault of the
    shadow's."""
    key, name, accounts = "slot_wait", "slot wait", evidence.accounts
    if not len(accounts.late):
        return _nothing(
            key, name, evidence, gate, "no copy's wait for a slot is known; a lane of this release stores it"
        )
    together = max(evidence.timeline.copies_a_minute, 1.0) if accounts.late.total else 1.0
    seen, target = accounts.late.spread(together).interval(ALPHA), 1 - _P95
    line = (
        f"P95 of the wait for a slot {np.quantile(accounts.waits.column(0), _P95) / _MS:.0f} ms (target at most "
        f"{gate.slot_wait_ms:g} ms); copies that waited longer: {bounds(seen, percent, target)}"
    )
    if seen.estimate > target:
        line += "; raise shadows.NAME.concurrency, or lower its ratio"
    return reviewed(key, name, line, seen, target, evidence, ours=True)


def tokens(evidence: Evidence, gate: GateConfig) -> Rule:
    """The shadow's tokens for the same requests at most ``1 + gate.token_increase`` times prod's, in and out, by the
    ratio of the sums (:mod:`.ratios`); turns that a cache served are left out of both. Default: as the cost."""
    key, name, accounts, target = "tokens", "tokens", evidence.accounts, gate.token_increase
    used = accounts.tokens
    if not len(used):
        why = "no pair's answers both say what they used; send usage with answers"
        return _nothing(key, name, evidence, gate, _all_cached(accounts) or why)
    seen = sum_increase(used.above, used.below, used.questions, alpha=ALPHA)
    line = (
        f"tokens an answered request: {used.above.mean():.0f} against prod's {used.below.mean():.0f}, {used.counted}: "
        f"{bounds(seen, signed, target)}{_left_out(accounts)}"
    )
    return reviewed(key, name, line, seen, target, evidence)


def _all_cached(accounts: Accounts) -> str:
    if not accounts.cached:
        return ""
    return f"all {accounts.cached} turns that say what they used were served from a cache; let the shadow get others"


def _left_out(accounts: Accounts) -> str:
    return f"; {accounts.cached} turns served from a cache are left out" if accounts.cached else ""


def cost(evidence: Evidence, gate: GateConfig) -> Rule:
    """The shadow's cost of an answered request at most ``1 + gate.cost_increase`` times prod's, by ``[prices]``; turns
    that a cache served are left out of both. Default: WFGY Problem Map, staged_rollout_canary, + 10 %."""
    key, name, accounts, target = "cost", "cost", evidence.accounts, gate.cost_increase
    if not accounts.prices:
        return not_judged(key, name, "there are no prices; add [prices.MODEL] for prod's model and the shadow's")
    used = accounts.cost
    if len(used) and not used.below.sum() > 0:
        why = "prod's model costs nothing by [prices], so no rise can be told; correct its price, or leave the rule out"
        return not_judged(key, name, f'{why}: gate.disable = ["cost"]')
    if not len(used):
        why = "no pair's answers both say what they used by a model with a price; add [prices.MODEL]"
        why = why if len(accounts.tokens) else _all_cached(accounts) or why
        return _nothing(key, name, evidence, gate, why)
    seen = sum_increase(used.above, used.below, used.questions, alpha=ALPHA)
    less = float(used.below.mean() - used.above.mean())
    line = (
        f"cost an answered request: {used.above.mean():.6g} against prod's {used.below.mean():.6g}, {used.counted}: "
        f"{bounds(seen, signed, target)}; for these {used.n} requests the shadow would have "
        + (f"saved {less * used.n:.4g}" if less >= 0 else f"cost {-less * used.n:.4g} more")
    )
    return reviewed(key, name, line + _left_out(accounts), seen, target, evidence)


def error_budget(evidence: Evidence, gate: GateConfig) -> Rule:
    """The error budget, which is ``gate.shadow_error_rate``, does not burn many times too fast in a long and a short
    window up to now: 14.4 times in 1 h and 5 min, 6 times in 6 h and 30 min, 1 time in 3 d and 6 h. Source: Google,
    "The Site Reliability Workbook" (2018), chapter 5. The bounds are those of each window by itself."""
    key, name, budget = "error_budget", "error budget", gate.shadow_error_rate
    burns = [burn for burn in evidence.accounts.burns if burn.in_long[0]]
    if not burns:
        return Rule(key, name, None, "no data yet")
    lines, known, burning, surely = [], [], False, False
    for burn in burns:
        line, state, sure = _burn(burn, budget)
        lines.append(line)
        known.append(state is False)
        burning, surely = burning or state is True, surely or sure
    worst = max(burn.share(budget) for burn in burns)
    line = "failed copies as a multiple of the error budget, in two windows up to now: " + "; ".join(lines)
    if burning:
        ends = "a person has to look at it" if surely else "missed, not surely yet"
        return Rule(key, name, False, f"{line}; {ends}", needs_person=surely).held(worst, 1.0)
    if any(known):
        return Rule(key, name, True, line).held(worst, 1.0)
    if evidence.scored < gate.min_pairs:
        return Rule(key, name, None, line)
    return not_judged(key, name, f"{line}: too few copies in these windows to tell; more traffic would")


def _burn(burn: Burn, budget: float) -> tuple[str, bool | None, bool]:
    """In words; whether it burns (``None``: too few copies to tell); whether it surely does."""
    most = burn.factor * budget
    (n, failed), (few, late) = burn.in_long, burn.in_short
    long, short = rate_cs(failed, n, alpha=ALPHA), rate_cs(late, few, alpha=ALPHA)
    shown = [f"{failed / n / budget:.1f} in {burn.long}", f"{late / few / budget:.1f} in {burn.short}" if few else ""]
    line = f"{' and '.join(filter(None, shown))} (at most {burn.factor:g} in both; {failed} of {n} copies)"
    if most >= 1 or long.upper <= most or (few and short.upper <= most):
        return line, False, False
    if few and long.estimate > most and short.estimate > most:
        return line, True, long.lower > most and short.lower > most
    return line, None, False


def pins(evidence: Evidence, gate: GateConfig) -> Rule:
    """Every pin says what ``[pins]`` expects of it, and one thing only within the window. Source: WFGY Problem Map,
    version_pinning_and_model_lock. A change begins a new window (:mod:`.window`), so what is counted here answered side
    by side. This is no estimate: one answer of another version is a finding."""
    key, name, accounts = "pins", "pins", evidence.accounts
    seen: dict[str, list[PinSeen]] = {}
    for pin in accounts.pins:
        seen.setdefault(pin[0], []).append(pin)
    if not seen and not accounts.expected:
        return not_judged(key, name, "no answer says its version; send x-model-rev, or name a header in [pins]")
    found = [problem for pin, want in accounts.expected.items() if (problem := _finding(pin, want, seen.get(pin, [])))]
    # What nobody sends, or what is another with each answer, does not say which version answers.
    unsaid = [f"{pin}: no answer has it" for pin, want in accounts.expected.items() if pin not in seen and not want]
    unsaid += [f"{pin}: {_count(values)} values: this is no version" for pin, values in seen.items() if _many(values)]
    held = [_values(pin, values) for pin, values in seen.items() if not _many(values)]
    line = "; ".join([*found, *held, *unsaid])
    if evidence.window.why:
        line += f"; the window began anew: {evidence.window.why}"
    if found and not evidence.timeline.n:
        return Rule(key, name, None, "no data yet")
    if found:
        return Rule(key, name, False, f"{line}; a person has to look at it", needs_person=True).held(len(found), 0)
    if not unsaid:
        return Rule(key, name, True, line).held(0, 0)
    if evidence.scored < gate.min_pairs:
        return Rule(key, name, None, line)
    return not_judged(key, name, f"{line}; send a version with answers, or correct [pins]")


def _many(values: list[PinSeen]) -> bool:
    """Whether they are no versions."""
    return len(values) > MOST_VERSIONS


def _count(values: list[PinSeen]) -> str:
    return str(len(values)) if len(values) < MOST_PIN_VALUES else f"{MOST_PIN_VALUES} or more"


def _finding(pin: str, want: str, values: list[PinSeen]) -> str:
    """What is wrong with a pin of ``[pins]``; empty: nothing."""
    if want and not values:
        return f"{pin}: expected {want!r}, and no answer says it"
    other = [one for one in values if one[1] != want]
    if want and other:
        shown = ", ".join(f"{one[1]!r} {one[4]} times" for one in other[:_VALUES_SHOWN])
        return f"{pin}: expected {want!r}, and {sum(one[4] for one in other)} answers say another: {shown}"
    several = not want and len(values) > 1 and not _many(values)
    return f"{pin}: {len(values)} versions answer side by side" if several else ""


def _values(pin: str, values: list[PinSeen]) -> str:
    shown = ", ".join(f"{one[1]!r} {one[4]} times" for one in values[:_VALUES_SHOWN])
    more = f" and {len(values) - _VALUES_SHOWN} more" if len(values) > _VALUES_SHOWN else ""
    return f"{pin} {shown}{more}"


def segments(evidence: Evidence, gate: GateConfig) -> Rule:
    """No route, tenant, model or repeated question is surely beyond the targets of mean ΔS, contradicted facts or
    failed copies, with false discoveries controlled at ``gate.segment_fdr`` (:mod:`.segments`). Met says that none was
    found, not that each is surely good: that takes as many pairs of each as of the whole."""
    key, name, accounts = "segments", "segments", evidence.accounts
    if not accounts.segments:
        why = (
            f"no two routes, tenants, models or questions have {gate.segment_pairs} copies each; more traffic has them"
        )
        return _nothing(key, name, evidence, gate, why)
    design = evidence.series["mean_delta_s"].values.design
    together = max(evidence.timeline.copies_a_minute, design.runs)
    bad, tried = found_bad(accounts.segments, accounts.control_segments, gate, design=design, together=together)
    kinds = Counter(one.kind for one in accounts.segments)
    line = ", ".join(f"{n} {kind}s" for kind, n in kinds.items())
    line = f"{line} of {gate.segment_pairs} copies or more, {tried} figures: "
    if not bad:
        line += f"none is surely beyond its target (false discoveries {gate.segment_fdr:g})"
        return Rule(key, name, True, line).held(0, 0)
    shown = "; ".join(map(str, bad[:_SEGMENTS_SHOWN]))
    more = f"; and {len(bad) - _SEGMENTS_SHOWN} more" if len(bad) > _SEGMENTS_SHOWN else ""
    line += f"{len(bad)} are surely beyond their target: {shown}{more}"
    return Rule(key, name, False, f"{line}; a person has to look at it", needs_person=True).held(len(bad), 0)


def _nothing(key: str, name: str, evidence: Evidence, gate: GateConfig, why: str) -> Rule:
    """No value: not judged once there are pairs enough to say that there will be none."""
    if evidence.scored < gate.min_pairs:
        return Rule(key, name, None, "no data yet")
    return not_judged(key, name, why)


ACCOUNT_RULES: dict[str, Callable[[Evidence, GateConfig], Rule]] = {
    "ttfb": ttfb,
    "slot_wait": slot_wait,
    "tokens": tokens,
    "cost": cost,
    "error_budget": error_budget,
    "pins": pins,
    "segments": segments,
}
"""By key, in the order in which the verdict shows them."""
