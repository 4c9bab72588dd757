"""The verdict: every rule on good, bad and missing evidence, and what follows from them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from shadowlane.config import Config, GateConfig
from shadowlane.config.gate import GATE_RULES
from shadowlane.errors import ConfigError
from shadowlane.gate import Evidence, PairedSample, Sampling, Window, evaluate, verdict_data, verdicts_data, worst_of
from shadowlane.gate.lane_rules import LANE_RULES
from shadowlane.gate.rules import evaluate_target
from shadowlane.gate.targets import SCORE_RULES
from tests.support.evidence import (
    HOUR_NS,
    N,
    Values,
    direct,
    good,
    rule,
    share,
    trial,
    with_series,
    with_starts,
    with_times,
)

GATE = GateConfig()
NONE = np.zeros(0)
WITHOUT_DATA = {"ttfb", "slot_wait", "tokens", "cost", "pins", "segments", "spread", "slope", "change"} | {
    "delta_s_median",
    "delta_s_p95",
}
"""What good evidence says nothing of."""
REJECTING = [target.key for target in SCORE_RULES if target.rejects]
REVIEWED = [target.key for target in SCORE_RULES if not target.rejects]


def delta(mean: float, n: int = N) -> np.ndarray:
    return np.clip(np.random.default_rng(1).normal(mean, 0.05, n), 0, 2)


def test_good_evidence_graduates() -> None:
    verdict = evaluate(GATE, good())
    assert verdict.decision == "GRADUATE"
    assert {some.key for some in verdict.rules if some.ok is not True} == WITHOUT_DATA
    assert rule(good(), "delta_s_p95").not_judged.startswith("no [control]")
    assert verdict.summary == "every rule is met"
    assert all(some.evidence for some in verdict.rules)


def test_every_rule_can_be_named_and_only_rules_can() -> None:
    keys = [target.key for target in SCORE_RULES] + list(LANE_RULES)
    assert sorted(keys) == sorted([*GATE_RULES, "pairs", "accounting"])
    for field in ("disable", "require"):
        with pytest.raises(ConfigError, match=rf"gate\.{field} = 'nothing'"):
            Config.from_dict({"shadows": {"s": {"url": "http://127.0.0.1:9"}}, "gate": {field: ["nothing"]}})
    with pytest.raises(ConfigError, match=r"gate\.require = 'index': gate\.disable leaves it out"):
        Config.from_dict(
            {"shadows": {"s": {"url": "http://127.0.0.1:9"}}, "gate": {"disable": ["index"], "require": ["index"]}}
        )


@pytest.mark.parametrize("target", [some for some in SCORE_RULES if some.missing], ids=lambda target: target.key)
@pytest.mark.parametrize("least", [0.7, 0.8, 0.9])
def test_exactly_what_may_be_missing_is_not_missed(target: Any, least: float) -> None:
    """1 - 0.8 and 1 - 0.9 are less than 0.2 and 0.1 in binary."""
    values = np.zeros(1000)
    values[: round(1000 * (1 - least))] = 1.0
    gate = GateConfig(**{target.field: least})
    assert rule(with_series(good(), **{target.key: values}), target.key, gate).ok is not False


@pytest.mark.parametrize(
    ("key", "evidence"),
    [
        ("mean_delta_s", with_series(good(), mean_delta_s=NONE)),
        ("mean_delta_s", with_series(good(), mean_delta_s=np.full(40, 0.40))),
        ("mean_delta_s", with_series(good(), mean_delta_s=Values(delta(0.1), floor=NONE))),
        ("no_chaos", with_series(good(), no_chaos=share(0.02, 300))),
        ("contradicted_facts", with_series(good(), contradicted_facts=share(0.018, 9000))),
        ("collapsed", with_series(good(), collapsed=np.zeros(200))),
        ("shadow_errors", with_series(good(), shadow_errors=np.zeros(200))),
        ("throttled", with_series(good(), throttled=np.zeros(300))),
        ("p95_latency", with_times(good(), first=300)),
        ("prod_errors", replace(good(), prod_failed=None, admitted=None)),
        ("prod_errors", replace(good(), prod_failed=0, admitted=0)),
        ("prod_errors", replace(good(), prod_failed=0, admitted=90)),
        ("sampling", replace(good(), sampling=None)),
        ("sampling", replace(good(), sampling=Sampling(0.05, 0, 0))),
        ("sampling", replace(good(), sampling=Sampling(0.05, 30, 3))),
        ("overhead", replace(good(), trial=None, direct=None)),
        ("overhead", replace(good(), trial=trial(N, 0.0, others=0), direct=None)),
        ("overhead", replace(good(), trial=trial(300, 0.0), direct=direct(300, 5))),
        ("every_hour", with_starts(good(), NONE)),
        ("every_hour", with_starts(good(), np.linspace(0, 20 * HOUR_NS, N))),
        ("every_hour", with_starts(good(), np.arange(24) // 12 * 2 * HOUR_NS)),
        ("pairs", with_series(good(), mean_delta_s=np.zeros(99))),
        ("accounting", replace(good(), accounting_holds=None)),
    ],
)
def test_what_is_not_known_holds(key: str, evidence: Evidence) -> None:
    some = rule(evidence, key)
    assert (some.ok, some.status) == (None, "not known")
    verdict = evaluate(GATE, evidence)
    assert verdict.decision == "HOLD"
    assert "needs more data for: " in verdict.summary
    assert some.name in verdict.summary


@pytest.mark.parametrize("key", REJECTING)
def test_what_the_shadow_surely_fails_is_rejected(key: str) -> None:
    bad = delta(0.6) if key.endswith("delta_s") else share(0.2)
    failed = rule(with_series(good(), **{key: bad}), key)
    assert (failed.ok, failed.beyond) == (False, True)
    verdict = evaluate(GATE, with_series(good(), **{key: bad}))
    assert verdict.decision == "REJECT"
    assert verdict.summary == f"beyond the target for sure: {failed.name}"


@pytest.mark.parametrize("key", REVIEWED)
def test_what_a_person_has_to_look_at_holds(key: str) -> None:
    floored = key in ("missing", "extra")
    bad = Values(share(0.6), np.zeros(N) if floored else None)
    failed = rule(with_series(good(), **{key: bad}), key)
    assert (failed.ok, failed.beyond, failed.needs_person) == (False, False, True)
    assert failed.evidence.endswith("a person has to look at it")
    verdict = evaluate(GATE, with_series(good(), **{key: bad}))
    assert (verdict.decision, key in verdict.waits_for["person"]) == ("HOLD", True)
    assert f"needs a person to look at: {failed.name}" in verdict.summary


def test_a_shadow_that_is_surely_slower_is_rejected() -> None:
    slow = with_times(good(), 1.2)
    assert rule(slow, "p95_latency").beyond
    assert evaluate(GATE, slow).summary == "beyond the target for sure: P95 latency"


@pytest.mark.parametrize(
    ("key", "evidence"),
    [
        ("mean_delta_s", with_series(good(), mean_delta_s=np.tile([0.0, 1.1], 20))),
        ("no_chaos", with_series(good(), no_chaos=share(0.031))),
        ("no_flip", with_series(good(), no_flip=share(0.15, 200))),
        ("shadow_errors", with_series(good(), shadow_errors=(np.arange(120) % 60 == 7).astype(float))),
        ("p95_latency", with_times(good(), 1.05, first=900)),
        ("prod_errors", replace(good(), prod_failed=N // 10)),
        ("sampling", replace(good(), sampling=Sampling(0.05, 20 * N, N + N // 20))),
        ("overhead", replace(good(), trial=trial(N, 0.2))),
        ("overhead", replace(good(), direct=direct(N, 50_000), trial=None)),
        ("accounting", replace(good(), accounting_holds=False)),
    ],
)
def test_what_is_missed_but_not_surely_or_not_by_the_shadow_holds(key: str, evidence: Evidence) -> None:
    failed = rule(evidence, key)
    assert (failed.ok, failed.beyond) == (False, False)
    assert evaluate(GATE, evidence).decision == "HOLD"


# ---- absolute and above the noise floor


def noisy(mean: float, floor: float, *, paired: bool = True) -> Values:
    """ΔS of a shadow and a control that answered the same requests, each with noise of its own."""
    random = np.random.default_rng(2)
    question = random.normal(0, 0.1, 3000)
    shadow = np.clip(mean + question + random.normal(0, 0.03, 3000), 0, 2)
    control = np.clip(floor + question + random.normal(0, 0.03, 3000), 0, 2)
    if not paired:
        return Values(shadow, floor=control)
    return Values(shadow, control)


@pytest.mark.parametrize("paired", [True, False])
def test_drift_is_judged_absolute_and_above_the_floor(paired: bool) -> None:
    met = rule(with_series(good(), mean_delta_s=noisy(0.22, 0.20, paired=paired)), "mean_delta_s")
    assert met.ok is True
    assert "above the noise floor of 0.199: +0.020" in met.evidence
    drifted = rule(with_series(good(), mean_delta_s=noisy(0.40, 0.20, paired=paired)), "mean_delta_s")
    assert (drifted.ok, drifted.beyond) == (False, True)
    far = rule(with_series(good(), mean_delta_s=noisy(0.575, 0.20, paired=paired)), "mean_delta_s")
    assert (far.ok, far.beyond) == (False, True)


def test_pairs_bound_the_drift_more_tightly_than_two_sequences() -> None:
    paired = rule(with_series(good(), mean_delta_s=noisy(0.24, 0.20)), "mean_delta_s")
    apart = rule(with_series(good(), mean_delta_s=noisy(0.24, 0.20, paired=False)), "mean_delta_s")
    assert (paired.ok, apart.ok) == (True, None)


def test_where_prod_misses_a_target_against_itself_the_shadow_need_only_be_as_good() -> None:
    assert rule(with_series(good(), mean_delta_s=noisy(0.51, 0.50)), "mean_delta_s").ok is True
    assert rule(with_series(good(), mean_delta_s=noisy(0.60, 0.50)), "mean_delta_s").ok is False


def both(rate: float, floor: float, n: int = N) -> Values:
    return Values(share(rate, n, 21), share(floor, n, 22))


@pytest.mark.parametrize("key", ["no_chaos", "critical", "contradicted_facts", "tool_calls"])
@pytest.mark.parametrize("rate", [0.001, 0.013])
def test_a_rare_fault_that_prod_has_too_is_met(key: str, rate: float) -> None:
    assert rule(with_series(good(), **{key: both(rate, rate)}), key).ok is True
    assert rule(with_series(good(), no_chaos=share(0.001)), "no_chaos").ok is True
    worse = rule(with_series(good(), **{key: both(0.1, rate)}), key)
    assert worse.ok is False


def test_the_tail_of_the_drift_is_compared_with_the_controls() -> None:
    series = noisy(0.21, 0.20)
    assert rule(with_series(good(), mean_delta_s=series), "delta_s_p95").ok is True
    wide = np.where(np.arange(3000) % 10 == 0, 0.9, series.values)
    tail = replace(series, values=wide)
    stopped = rule(with_series(good(), mean_delta_s=tail), "delta_s_p95")
    assert (stopped.ok, stopped.beyond) == (False, True)
    gate = GateConfig(delta_s_p95_stop=1.0)
    missed = rule(with_series(good(), mean_delta_s=tail), "delta_s_p95", gate)
    assert (missed.ok, missed.beyond, missed.needs_person) == (False, False, True)


def test_a_target_of_0_is_met_by_none_and_missed_by_one() -> None:
    strict = GateConfig(flip_rate=0.0, chaotic_rate=0.0)
    assert rule(good(), "no_chaos", strict).ok is True
    one = rule(with_series(good(), no_chaos=(np.arange(N) == 7).astype(float)), "no_chaos", strict)
    assert (one.ok, one.beyond) == (False, False)
    assert rule(with_series(good(), no_chaos=share(0.01)), "no_chaos", strict).beyond


# ---- the rest of the window


def half(first: float, second: float, n: int = N) -> np.ndarray:
    return np.concatenate([delta(first, n // 2), delta(second, n // 2)])


def test_a_bad_half_of_the_day_first_is_on_the_way_and_a_good_second_half_saves_it() -> None:
    day = half(0.55, 0.25)
    for looks, n in ((0.1, N // 10), (0.3, 3 * N // 10), (0.5, N // 2)):
        early = with_series(good(), mean_delta_s=day[:n])
        verdict = evaluate(GATE, replace(early, window=Window(looks, 24 * looks)))
        assert verdict.decision == "HOLD"
        assert verdict.summary.startswith("on the way to REJECT, unless the rest of the window saves it: mean ΔS")
        assert verdict_data(verdict)["on_the_way_to_reject"]
    assert evaluate(GATE, with_series(good(), mean_delta_s=day)).decision == "GRADUATE"


def test_what_the_rest_of_the_window_cannot_save_is_rejected_before_its_end() -> None:
    bad = with_series(good(), mean_delta_s=delta(0.60))
    assert evaluate(GATE, replace(bad, window=Window(0.5, 12))).decision == "HOLD"
    assert evaluate(GATE, replace(bad, window=Window(0.8, 19.2))).decision == "REJECT"


def test_beyond_the_hard_stop_nobody_waits() -> None:
    early = Window(0.02, 0.5)
    twice = replace(with_series(good(), shadow_errors=share(0.1, 3000)), window=early)
    assert evaluate(GATE, twice).decision == "REJECT"
    assert evaluate(GateConfig(hard_stop=100), twice).decision == "HOLD"
    slow = replace(with_times(good(), 1.5), window=early)
    assert evaluate(GATE, slow).decision == "REJECT"


# ---- what cannot be judged


@pytest.mark.parametrize(
    "key", ["no_flip", "citations", "index", "contradicted_facts", "convergence", "no_chaos", "anchored_delta_s"]
)
def test_what_cannot_be_judged_says_why_and_blocks_only_when_it_is_required(key: str) -> None:
    without = with_series(good(), **{key: Values(NONE, none="nothing of the kind; send some")})
    verdict = evaluate(GATE, without)
    assert verdict.decision == "GRADUATE"
    some = next(one for one in verdict.rules if one.key == key)
    assert (some.status, some.not_judged) == ("not judged", "nothing of the kind; send some")
    held = evaluate(GateConfig(require=(key,)), without)
    assert held.decision == "HOLD"
    assert some.name in held.summary


def test_a_rule_that_too_few_pairs_have_is_not_judged_and_one_that_they_miss_is() -> None:
    few = with_series(good(), no_flip=Values(np.zeros(40), none="ask again"))
    assert rule(few, "no_flip").status == "not judged"
    assert "only 40 of 30000 pairs have it" in rule(few, "no_flip").not_judged
    assert rule(with_series(good(), no_flip=np.ones(40)), "no_flip").ok is False


def test_facts_of_another_language_are_not_judged_and_of_some_pairs_missed() -> None:
    foreign = with_series(good(), facts_read=np.ones(N), contradicted_facts=Values(NONE, none="a [judge] reads them"))
    verdict = evaluate(GATE, foreign)
    assert verdict.decision == "GRADUATE"
    assert {one.key for one in verdict.rules if one.not_judged} == {"facts_read", "contradicted_facts", *WITHOUT_DATA}
    assert rule(with_series(good(), facts_read=share(0.5)), "facts_read").ok is False


def test_without_a_lane_its_rules_are_not_judged() -> None:
    nothing: dict[str, Any] = {"sampling": None, "trial": None, "direct": None, "accounting_holds": None}
    verdict = evaluate(GATE, replace(good(), **nothing, no_lane="a file has no lane"))
    assert verdict.decision == "GRADUATE"
    lanes = {"sampling", "overhead", "every_hour", "accounting", *WITHOUT_DATA}
    assert {one.key for one in verdict.rules if one.not_judged} == lanes


def test_rules_can_be_left_out_by_name() -> None:
    gate = GateConfig(disable=("overhead", "no_chaos"))
    verdict = evaluate(gate, replace(with_series(good(), no_chaos=np.ones(N)), trial=None, direct=None))
    assert verdict.decision == "GRADUATE"
    assert not {"overhead", "no_chaos"} & {some.key for some in verdict.rules}
    assert verdict.left_out == ("overhead (gate.disable)", "no_chaos (gate.disable)")


# ---- how far


def test_what_is_not_known_says_how_many_more_pairs_and_hours_it_takes() -> None:
    early = replace(with_series(good(), shadow_errors=np.zeros(500)), window=Window(0.25, 6))
    needs = rule(early, "shadow_errors").needs
    assert needs is not None
    assert needs.pairs is not None
    assert needs.hours == pytest.approx(needs.pairs / (500 / 6))
    enough = with_series(good(), shadow_errors=np.zeros(500 + needs.pairs))
    assert rule(enough, "shadow_errors").ok is True
    nearly = with_series(good(), shadow_errors=np.zeros(500 + needs.pairs // 2))
    assert rule(nearly, "shadow_errors").ok is None


def test_the_last_rule_is_named() -> None:
    half_a_day = with_starts(good(), np.linspace(0, 12 * HOUR_NS, N // 2, endpoint=False))
    verdict = evaluate(GATE, replace(half_a_day, window=Window(0.5, 12)))
    assert verdict.last is not None
    assert verdict.last.key == "every_hour"
    assert "last: hours, needs about 12.0 h more" in verdict.summary
    assert verdict_data(verdict)["last"] == "every_hour"


def test_latency_says_how_many_pairs_it_takes() -> None:
    random = np.random.default_rng(3)
    prod = random.lognormal(18, 0.6, 4000)
    few = replace(good(), times=PairedSample.of(prod * random.lognormal(0, 0.28, 4000), prod))
    some = rule(few, "p95_latency", GateConfig(p95_increase=0.15))
    assert some.ok is None
    assert some.needs is not None
    assert some.needs.pairs is not None
    assert some.needs.pairs > 0


def test_a_window_without_pairs_enough_says_how_long_one_would_have_to_be() -> None:
    random = np.random.default_rng(4)
    prod = random.lognormal(18, 0.6, 4000)
    few = replace(good(), times=PairedSample.of(prod * random.lognormal(0, 0.28, 4000), prod))
    gate = GateConfig(p95_increase=0.14)
    some = rule(few, "p95_latency", gate)
    assert some.ok is None
    assert some.needs is not None
    assert some.needs.pairs is not None
    hours = 24 * (1 + some.needs.pairs / 4000)
    assert f"gate.window_hours = {int(np.ceil(hours))}, or a larger sampling.ratio, would do" in some.evidence
    assert "each bound 95 % at any time" in some.evidence
    early = rule(replace(few, window=Window(0.5, 12)), "p95_latency", gate)
    assert (early.ok, "would do" in early.evidence) == (None, False)


# ---- sampling and overhead


def test_sampling_says_what_was_mirrored_of_what_was_wanted() -> None:
    capped = replace(good(), sampling=Sampling(0.05, 20 * N, N, {"cap": N * 95 // 100}))
    some = rule(capped, "sampling")
    assert some.ok is False
    assert "1500 of the 30000 wanted had room (5.00 %; cap 28500)" in some.evidence
    assert "set sampling.ratio to about 0.0025" in some.evidence
    assert rule(replace(good(), sampling=Sampling(0.05, 20 * N, N, {"cap": N // 100})), "sampling").ok is True


def test_each_setting_of_the_sampling_is_held_against_its_own_ratio() -> None:
    slow = Sampling(0.05, 20 * N, N, {}, 20.0)
    ramped = Sampling(0.5, 2000, 1000, {}, 200.0, (slow,))
    some = rule(replace(good(), sampling=ramped), "sampling")
    assert some.ok is True
    assert "1000 of 2000 eligible requests taken: 50.00 %" in some.evidence
    assert "before, at 5.00 % and 20 a second: 30000 of 600000 eligible requests taken: 5.00 %" in some.evidence
    just = replace(ramped, eligible=0, taken=0)
    assert rule(replace(good(), sampling=just), "sampling").ok is True
    # What was wrong while it was in force stays wrong in this window.
    capped = replace(slow, lost={"cap": N // 2})
    some = rule(replace(good(), sampling=replace(ramped, earlier=(capped, slow))), "sampling")
    assert some.ok is False
    assert "gate --restart" in some.evidence
    off = replace(ramped, taken=100)
    assert rule(replace(good(), sampling=off), "sampling").ok is False
    assert rule(replace(good(), sampling=Sampling(0.5, 0, 0)), "sampling").ok is None


def test_the_lanes_own_calls_bound_the_overhead_after_few_requests() -> None:
    day = replace(with_times(good(), first=4320), trial=trial(4320, 0.0), direct=direct(4320, 20))
    some = rule(day, "overhead")
    assert some.ok is True
    assert "the lane's own calls: at most" in some.evidence
    assert "P99 in the gateway, 4320 mirrored requests against 4320 of the others" in some.evidence
    assert rule(replace(day, direct=None), "overhead").ok is not True
    contradicted = rule(replace(day, trial=trial(60_000, 0.2)), "overhead")
    assert contradicted.ok is False


def test_the_overhead_is_a_share_of_prods_own_time_where_prod_is_the_candidate() -> None:
    """Then prod's times stand where the candidate's stand."""
    day = replace(with_times(good(), first=4320), trial=None, direct=direct(4320, 20))
    quick = PairedSample.of(day.times.above / 10, day.times.below)
    forward, reverse = (rule(replace(day, times=quick, reverse=turned), "overhead") for turned in (False, True))
    assert forward.figure is not None
    assert reverse.figure == pytest.approx(10 * forward.figure, rel=0.2)


def test_why_there_is_no_trial_is_the_evidence_and_does_not_block() -> None:
    why = "cannot be judged: set sampling.ratio below 1"
    without = replace(good(), trial=None, direct=None, no_trial=why)
    assert rule(without, "overhead").not_judged == why
    assert evaluate(GATE, without).decision == "GRADUATE"
    assert rule(replace(without, direct=direct(N, 5)), "overhead").ok is True
    # What was measured before the ratio became 1 still counts.
    assert rule(replace(good(), no_trial=why), "overhead").ok is True


# ---- all together


def test_one_fault_is_enough_to_reject_whatever_else_is_unknown() -> None:
    evidence = with_series(replace(good(), accounting_holds=None, sampling=None), shadow_errors=share(0.2))
    assert evaluate(GATE, evidence).decision == "REJECT"


def test_no_evidence_at_all_holds() -> None:
    nothing = Evidence(
        shadow="candidate",
        series={target.key: Values(NONE, none="nothing").series(target.key) for target in SCORE_RULES},
    )
    verdict = evaluate(GATE, nothing)
    assert verdict.decision == "HOLD"
    assert [some.ok for some in verdict.rules] == [None] * len(verdict.rules)
    assert verdict.rules[0].status == "not known"


@pytest.mark.parametrize("hours", [0.5, 1, 6, 24, 48])
def test_the_window_says_how_many_hours_are_needed(hours: float) -> None:
    gate = GateConfig(window_hours=hours)
    starts = np.linspace(0, hours * HOUR_NS, 2000)
    assert rule(with_starts(good(), starts), "every_hour", gate).ok is True
    assert rule(with_starts(good(), starts[:1000]), "every_hour", gate).ok is None


def test_several_shadows_have_the_worst_verdict() -> None:
    bad = with_series(replace(good(), shadow="bad"), shadow_errors=share(0.2))
    verdicts = [evaluate(GATE, good()), evaluate(GATE, bad)]
    assert worst_of(verdicts) == "REJECT"
    data = verdicts_data(verdicts)
    assert (data["verdict"], [one["verdict"] for one in data["shadows"]]) == ("REJECT", ["GRADUATE", "REJECT"])
    assert {one["shadow"] for one in data["rules"]} == {"candidate", "bad"}


@pytest.mark.statistics
def test_false_alarms_stay_rare_when_judged_again_and_again() -> None:
    """A shadow that is exactly at its error budget is almost never rejected, however often one looks."""
    rejected = 0
    target = next(target for target in SCORE_RULES if target.key == "shadow_errors")
    for seed in range(100):
        errors = share(GATE.shadow_error_rate, 2000, seed)
        looks = [with_series(good(), shadow_errors=errors[:n]) for n in range(100, 2001, 190)]
        rejected += any(evaluate_target(target, look, GATE).beyond for look in looks)
    assert rejected <= 5


@pytest.mark.parametrize("key", ["shadow_errors", "collapsed", "no_chaos"])
def test_a_shadow_that_was_never_asked_rightly_is_held(key: str) -> None:
    bad = with_series(good(), **{key: share(0.9, 9000) if key == "no_chaos" else np.ones(9000)})
    assert evaluate(GATE, bad).decision == "REJECT"
    verdict = evaluate(GATE, replace(bad, never_asked="9000 copies: 404 The model does not exist"))
    assert verdict.decision == "HOLD"
    assert "asked rightly" in verdict.summary
    assert "The model does not exist" in verdict.rules[0].evidence


@pytest.mark.parametrize("key", ["sampling", "prod_errors"])
def test_a_line_says_whose_counters_it_goes_by(key: str) -> None:
    alone, shared = rule(good(), key), rule(replace(good(), counted="; over 3 hosts"), key)
    assert shared == replace(alone, evidence=f"{alone.evidence}; over 3 hosts")
