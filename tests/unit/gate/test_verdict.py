"""The verdict: every rule on good, bad and missing evidence, and what follows from them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from shadowlane.config import Config, GateConfig
from shadowlane.config.sections import GATE_RULES
from shadowlane.errors import ConfigError
from shadowlane.gate import Evidence, Piece, Rule, Sampling, Trial, evaluate
from shadowlane.gate.rules import RULES, shadow_errors

HOUR_NS = 3600 * 10**9
GATE = GateConfig()
N = 30_000


def trial(n: int, added: float, others: int | None = None) -> Trial:
    """``n`` taken requests that take ``added`` longer, and as many others, in buckets of 1 %."""
    edges = np.geomspace(1e6, 1e9, 694)
    times = np.random.default_rng(3).lognormal(17, 0.3, (2, n))
    return Trial(
        edges,
        (
            Piece(
                np.histogram((1 + added) * times[0], edges)[0].astype(float),
                np.histogram(times[1][:others], edges)[0].astype(float),
            ),
        ),
    )


def good() -> Evidence:
    """Evidence that meets every rule."""
    random = np.random.default_rng(5)
    prod = random.lognormal(18, 0.2, N)
    return Evidence(
        shadow="candidate",
        started_ns=np.linspace(0, 24 * HOUR_NS, N).astype(np.int64),
        errors=np.zeros(N, dtype=bool),
        delta_s=random.beta(2, 6, N),
        chaotic=np.zeros(N, dtype=bool),
        prod_ns=prod,
        shadow_ns=prod * random.lognormal(-0.01, 0.01, N),
        sampling=Sampling(0.05, 20 * N, N),
        prod_failed=10,
        admitted=N + 10,
        trial=trial(N, 0.005),
        accounting_holds=True,
        accounting="seen = mirrored",
        flips=np.zeros(N, dtype=bool),
        prod_flips=np.zeros(N, dtype=bool),
    )


def first(n: int) -> dict[str, Any]:
    """Only the first ``n`` of everything."""
    some = good()
    names = ("errors", "delta_s", "chaotic", "prod_ns", "shadow_ns", "flips", "prod_flips")
    return {name: getattr(some, name)[:n] for name in names}


def share(rate: float, n: int = N) -> np.ndarray:
    return np.random.default_rng(9).random(n) < rate


def rule(evidence: Evidence, name: str) -> Rule:
    return next(some for some in evaluate(GATE, evidence).rules if some.name == name)


def test_good_evidence_graduates() -> None:
    verdict = evaluate(GATE, good())
    assert verdict.decision == "GRADUATE"
    assert [some.ok for some in verdict.rules] == [True] * 11
    assert verdict.summary == "every rule is met"
    assert all(some.evidence for some in verdict.rules)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("mean ΔS", {"delta_s": np.array([])}),
        ("mean ΔS", {"floor_delta_s": np.array([])}),
        ("mean ΔS", {"delta_s": np.full(40, 0.40)}),
        ("λ", {"chaotic": np.zeros(0, dtype=bool)}),
        ("λ flips", {"flips": np.zeros(0, dtype=bool), "prod_flips": np.zeros(0, dtype=bool)}),
        ("λ flips", {"floor_flips": np.zeros(0, dtype=bool)}),
        ("P95 latency", {"prod_ns": np.array([]), "shadow_ns": np.array([])}),
        ("P95 latency", {"prod_ns": good().prod_ns[:300], "shadow_ns": good().shadow_ns[:300]}),
        ("shadow errors", {"errors": np.zeros(0, dtype=bool)}),
        ("shadow errors", {"errors": np.zeros(200, dtype=bool)}),
        ("prod errors", {"prod_failed": None, "admitted": None}),
        ("prod errors", {"prod_failed": 0, "admitted": 0}),
        ("sampling", {"sampling": None}),
        ("sampling", {"sampling": Sampling(0.05, 0, 0)}),
        ("sampling", {"sampling": Sampling(0.05, 30, 3)}),
        ("overhead", {"trial": None}),
        ("overhead", {"trial": None, "no_trial": "cannot be judged: set sampling.ratio below 1"}),
        ("overhead", {"trial": trial(N, 0.0, others=0)}),
        ("overhead", {"trial": trial(300, 0.0)}),
        ("overhead", {"trial": trial(3000, 0.0)}),
        ("hours", {"started_ns": np.array([], dtype=np.int64)}),
        ("hours", {"started_ns": np.linspace(0, 20 * HOUR_NS, N).astype(np.int64)}),
        ("hours", {"started_ns": np.arange(24, dtype=np.int64) // 12 * 2 * HOUR_NS}),
        ("pairs", {"delta_s": np.zeros(99)}),
        ("accounting", {"accounting_holds": None}),
    ],
)
def test_what_is_not_known_holds(name: str, change: dict[str, Any]) -> None:
    evidence = replace(good(), **change)
    assert rule(evidence, name).ok is None
    verdict = evaluate(GATE, evidence)
    assert verdict.decision == "HOLD"
    assert "not known yet: " in verdict.summary
    assert name in verdict.summary


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("mean ΔS", {"delta_s": np.clip(np.random.default_rng(1).normal(0.6, 0.1, N), 0, 2)}),
        ("λ", {"chaotic": share(0.02)}),
        ("λ flips", {"flips": share(0.02)}),
        ("λ flips", {"flips": share(0.2), "floor_flips": share(0.02)}),
        ("P95 latency", {"shadow_ns": 1.2 * good().prod_ns}),
        ("shadow errors", {"errors": share(0.05)}),
    ],
)
def test_what_the_shadow_surely_fails_is_rejected(name: str, change: dict[str, Any]) -> None:
    evidence = replace(good(), **change)
    failed = rule(evidence, name)
    assert (failed.ok, failed.beyond) == (False, True)
    verdict = evaluate(GATE, evidence)
    assert verdict.decision == "REJECT"
    assert verdict.summary == f"beyond the target for sure: {name}"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("mean ΔS", {"delta_s": np.full(30, 0.5)}),
        ("λ", {"chaotic": np.arange(N) == 7}),
        ("λ flips", {"flips": np.arange(N) == 7}),
        ("λ flips", {"flips": share(0.02), "floor_flips": share(0.02)}),
        ("P95 latency", {"prod_ns": good().prod_ns[:200], "shadow_ns": 1.05 * good().prod_ns[:200]}),
        ("shadow errors", {"errors": np.arange(120) % 60 == 7}),
        ("prod errors", {"prod_failed": N // 10}),
        ("sampling", {"sampling": Sampling(0.05, 20 * N, N + N // 20)}),
        ("overhead", {"trial": trial(N, 0.2)}),
        ("overhead", {"trial": trial(3000, 0.1)}),
        ("accounting", {"accounting_holds": False}),
    ],
)
def test_what_is_missed_but_not_surely_or_not_by_the_shadow_holds(name: str, change: dict[str, Any]) -> None:
    evidence = replace(good(), **change)
    failed = rule(evidence, name)
    assert (failed.ok, failed.beyond) == (False, False)
    assert evaluate(GATE, evidence).decision == "HOLD"


def test_what_mirroring_costs_is_shown_with_its_interval_and_never_rejects() -> None:
    met, missed = rule(good(), "overhead"), rule(replace(good(), trial=trial(N, 0.2)), "overhead")
    for judged in (met, missed):
        assert f"P99 in the gateway, {N} mirrored requests against {N} of the others" in judged.evidence
        assert "95 % at any time" in judged.evidence
        assert judged.evidence.endswith("target at most +5.0 %)")
    verdict = evaluate(GATE, replace(good(), trial=trial(N, 0.2)))
    assert (verdict.decision, verdict.summary) == ("HOLD", "not met: overhead")


def test_why_there_is_no_trial_is_the_evidence() -> None:
    why = "cannot be judged: set sampling.ratio below 1"
    assert rule(replace(good(), trial=None, no_trial=why), "overhead").evidence == why
    # What was measured before the ratio became 1 still counts.
    assert rule(replace(good(), no_trial=why), "overhead").ok is True


def test_the_cost_can_be_left_out_by_name() -> None:
    without = replace(good(), trial=None, no_trial="cannot be judged")
    verdict = evaluate(GateConfig(disable=("overhead",)), without)
    assert verdict.decision == "GRADUATE"
    assert "overhead" not in {some.name for some in verdict.rules}
    assert verdict.not_judged == ("overhead (gate.disable)",)
    assert evaluate(GATE, good()).not_judged == ()


def test_every_rule_that_can_be_left_out_is_one_and_is_left_out_alone() -> None:
    names = [some.__name__ for some in RULES]
    assert set(GATE_RULES) == set(names) - {"enough_pairs", "accounting"}
    for name in GATE_RULES:
        assert len(evaluate(GateConfig(disable=(name,)), good()).rules) == len(RULES) - 1


@pytest.mark.parametrize("name", ["accounting", "enough_pairs", "Overhead", ""])
def test_a_rule_that_cannot_be_left_out_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"gate\.disable = .* known: mean_delta_s, "):
        Config.from_dict({"shadows": {"s": {"url": "http://127.0.0.1:9"}}, "gate": {"disable": [name]}})


def test_drift_is_judged_above_the_noise_floor() -> None:
    random = np.random.default_rng(2)
    noisy = {"delta_s": 0.3 + random.beta(2, 6, N), "floor_delta_s": 0.25 + random.beta(2, 6, N)}
    assert rule(replace(good(), delta_s=noisy["delta_s"]), "mean ΔS").beyond
    judged = rule(replace(good(), **noisy), "mean ΔS")
    assert judged.ok is True
    assert "noise floor" in judged.evidence


def test_chaos_that_prod_has_too_does_not_reject() -> None:
    both = replace(good(), chaotic=share(0.02), floor_chaotic=share(0.02))
    assert (rule(both, "λ").ok, rule(both, "λ").beyond) == (False, False)
    worse = replace(good(), chaotic=share(0.2), floor_chaotic=share(0.02))
    assert rule(worse, "λ").beyond


def test_a_question_on_which_prod_flips_too_is_no_fault_of_the_shadow() -> None:
    both = replace(good(), flips=share(0.1), prod_flips=share(0.1))
    assert rule(both, "λ flips").ok is True
    assert "more where prod's do" in rule(both, "λ flips").evidence


def test_a_tolerance_of_flips_is_met_by_a_bound_not_by_an_estimate() -> None:
    lenient = GateConfig(flip_rate=0.05)
    some = replace(good(), flips=share(0.02))
    assert next(one for one in evaluate(lenient, some).rules if one.name == "λ flips").ok is True
    few = replace(some, flips=share(0.02)[:200], prod_flips=np.zeros(200, dtype=bool))
    assert next(one for one in evaluate(lenient, few).rules if one.name == "λ flips").ok is None
    control = replace(good(), flips=share(0.3), floor_flips=share(0.28))
    assert next(one for one in evaluate(lenient, control).rules if one.name == "λ flips").ok is True


def test_one_fault_is_enough_to_reject_whatever_else_is_unknown() -> None:
    evidence = replace(good(), errors=share(0.2), accounting_holds=None, sampling=None)
    assert evaluate(GATE, evidence).decision == "REJECT"


def test_no_evidence_at_all_holds() -> None:
    nothing = replace(
        good(),
        **first(0),
        started_ns=np.array([], dtype=np.int64),
        sampling=None,
        prod_failed=None,
        admitted=None,
        trial=None,
        accounting_holds=None,
        accounting="",
    )
    verdict = evaluate(GATE, nothing)
    assert verdict.decision == "HOLD"
    assert [some.ok for some in verdict.rules] == [None] * 11


@pytest.mark.parametrize("hours", [0.5, 1, 6, 24, 48])
def test_the_window_says_how_many_hours_are_needed(hours: float) -> None:
    gate = GateConfig(window_hours=hours)
    starts = np.linspace(0, hours * HOUR_NS, 2000).astype(np.int64)
    full = next(some for some in evaluate(gate, replace(good(), started_ns=starts)).rules if some.name == "hours")
    assert full.ok is True
    half = next(
        some for some in evaluate(gate, replace(good(), started_ns=starts[:1000])).rules if some.name == "hours"
    )
    assert half.ok is None


@pytest.mark.statistics
def test_false_alarms_stay_rare_when_judged_again_and_again() -> None:
    """A shadow that is exactly at its error budget is almost never rejected, however often one looks."""
    rejected = 0
    evidence = good()
    for seed in range(100):
        errors = np.random.default_rng(seed).random(2000) < GATE.shadow_error_rate
        looks = (shadow_errors(replace(evidence, errors=errors[:n]), GATE) for n in range(100, 2001, 190))
        rejected += any(look.beyond for look in looks)
    assert rejected <= 5
