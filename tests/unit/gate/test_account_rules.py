"""The rules on what accounts for the pairs, through the real store: met, missed, not known, not judged."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shadowlane.gate.ratios import sum_increase
from shadowlane.types import Pair
from tests.support.lanes import HOUR_NS, NOW_NS, failed
from tests.support.verdicts import altered, good, judged, rule

PRICES = {"prices": {"*": {"input": 1.0, "output": 1.0}}}
MS = 10**6


def used(pairs: list[Pair], more: float, *, noise: float = 0.1, **fields: Any) -> list[Pair]:
    """Tokens and costs of both sides, the shadow's ``more`` than prod's."""
    rng = random.Random(1)
    prod = [rng.lognormvariate(6, 0.8) for _ in pairs]
    ours = [one * (1 + more) * rng.lognormvariate(0, noise) for one in prod]
    return altered(
        pairs,
        tokens=lambda i: int(ours[i]),
        prod_tokens=lambda i: int(prod[i]),
        cost=lambda i: ours[i] / 1e6,
        prod_cost=lambda i: prod[i] / 1e6,
        **fields,
    )


@pytest.mark.parametrize("key", ["tokens", "cost"])
@pytest.mark.parametrize(
    ("more", "status", "person"),
    [(-0.3, "met", False), (0.0, "met", False), (0.05, "met", False), (0.2, "not met", True), (1.0, "not met", True)],
)
def test_what_an_answer_uses_is_held_against_prods(
    key: str, more: float, status: str, person: bool, tmp_path: Path
) -> None:
    verdict = judged(tmp_path, used(good(), more), **PRICES)
    some = rule(verdict, key)
    assert (some.status, some.needs_person, some.beyond) == (status, person, False), some.evidence
    assert verdict.decision == ("GRADUATE" if status == "met" else "HOLD"), verdict.summary


def test_few_answers_do_not_tell_what_the_shadow_costs(tmp_path: Path) -> None:
    some = rule(judged(tmp_path, used(good(150), 0.0, noise=0.3), **PRICES), "cost")
    assert some.ok is None
    assert some.needs is not None
    assert some.needs.pairs


def test_the_saving_is_said_and_turns_from_a_cache_are_left_out(tmp_path: Path) -> None:
    pairs = used(good(), -0.5, noise=0.0, cache_served=lambda i: i % 2 == 0)
    # What a cache served costs next to nothing at prod: like for like, the shadow still is cheaper by half.
    pairs = altered(pairs, prod_cost=lambda i: 1e-9 if i % 2 == 0 else pairs[i].scores.prod_cost)
    some = rule(judged(tmp_path, pairs, **PRICES), "cost")
    assert some.ok is True
    assert "-50.0 %" in some.evidence
    assert "for these 1200 requests the shadow would have saved" in some.evidence
    assert "1200 turns served from a cache are left out" in some.evidence


@pytest.mark.parametrize(
    ("pairs", "config", "why"),
    [
        (good(300), PRICES, "no pair's answers both say what they used by a model with a price"),
        (used(good(300), 0.0), {}, "there are no prices; add [prices.MODEL]"),
        (altered(used(good(300), 0.0), prod_cost=0.0), PRICES, "prod's model costs nothing by [prices]"),
        (
            used(good(300), 0.0, cache_served=True),
            PRICES,
            "all 300 turns that say what they used were served from a cache",
        ),
    ],
    ids=["no usage", "no prices", "prod is free", "all from a cache"],
)
def test_a_cost_that_cannot_be_judged_says_why(pairs: list[Pair], config: Any, why: str, tmp_path: Path) -> None:
    some = rule(judged(tmp_path, pairs, **config), "cost")
    assert (some.status, why in some.not_judged) == ("not judged", True)


@pytest.mark.statistics
def test_the_ratio_of_sums_covers_the_truth_at_every_look() -> None:
    """Lognormal use of 2,000 requests in runs of five, ten looks each: the interval misses +25 % in at most 5 %."""
    missed = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        below = np.repeat(rng.lognormal(0, 1, 400), 5)
        above = 1.25 * below * np.repeat(rng.lognormal(-0.02, 0.2, 400), 5)
        looks = [sum_increase(above[:n], below[:n], np.full(n, -1)) for n in range(200, 2001, 200)]
        missed += any(not look.lower <= 0.25 <= look.upper for look in looks)
    assert missed <= 10


# ---- the first byte, waiting, retries


@pytest.mark.parametrize(("slower", "status"), [(1.0, "met"), (1.5, "not met")])
def test_the_first_bytes_p95_is_held_against_prods(slower: float, status: str, tmp_path: Path) -> None:
    pairs = good()
    pairs = altered(pairs, "outcome", ttfb_ns=lambda i: int(slower * pairs[i].copy.ttfb_ns))
    some = rule(judged(tmp_path, pairs), "ttfb")
    assert (some.status, some.beyond) == (status, False), some.evidence


@pytest.mark.parametrize("hung", [0.06, 0.2, 0.9])
def test_copies_that_hang_before_a_first_byte_take_the_time_they_took(hung: float, tmp_path: Path) -> None:
    pairs = good()
    late = altered(pairs, "outcome", reason="deadline", status=0, ttfb_ns=0, duration_ns=30 * 10**9)
    mixed = [slow if i % 100 < 100 * hung else pair for i, (slow, pair) in enumerate(zip(late, pairs, strict=True))]
    some = rule(judged(tmp_path, mixed), "ttfb")
    assert (some.status, "2400 pairs" in some.evidence) == ("not met", True), some.evidence


def test_first_bytes_that_nobody_measured_are_not_judged(tmp_path: Path) -> None:
    pairs = good()
    pairs = altered(pairs, "outcome", ttfb_ns=lambda i: pairs[i].outcome.duration_ns)
    pairs = altered(pairs, "copy", ttfb_ns=lambda i: pairs[i].copy.duration_ns)
    some = rule(judged(tmp_path, pairs), "ttfb")
    assert "no first byte's time is known apart from the last one's" in some.not_judged


@pytest.mark.parametrize(
    ("waited_ms", "status", "p95"),
    [
        (lambda i: 3, "met", "3 ms"),
        (lambda i: 900 if i % 50 == 0 else 3, "met", "3 ms"),
        (lambda i: 900 if i % 5 == 0 else 3, "not met", "900 ms"),
        (lambda i: 201, "not met", "201 ms"),
    ],
    ids=["none", "few", "many", "all"],
)
def test_the_p95_of_the_wait_for_a_slot(waited_ms: Callable[[int], int], status: str, p95: str, tmp_path: Path) -> None:
    pairs = altered(good(), "outcome", waited_ns=lambda i: waited_ms(i) * MS, tries=1)
    some = rule(judged(tmp_path, pairs), "slot_wait")
    assert some.status == status, some.evidence
    assert f"P95 of the wait for a slot {p95} (target at most 200 ms)" in some.evidence
    assert ("raise shadows.NAME.concurrency" in some.evidence) == (status == "not met")


@pytest.mark.parametrize("share", [0.06, 0.3, 1.0])
def test_a_long_wait_for_a_slot_is_the_lanes_and_asks_nobody_to_look(share: float, tmp_path: Path) -> None:
    pairs = altered(good(), "outcome", waited_ns=lambda i: (900 if i % 100 < 100 * share else 3) * MS, tries=1)
    verdict = judged(tmp_path, pairs)
    assert (verdict.decision, verdict.waits_for["lane"], verdict.waits_for["person"]) == ("HOLD", ["slot_wait"], [])
    assert "not met: slot wait" in verdict.summary


def test_rows_without_a_wait_are_not_judged_and_the_target_is_configured(tmp_path: Path) -> None:
    assert rule(judged(tmp_path, good(300)), "slot_wait").status == "not judged"
    (tmp_path / "long").mkdir()
    gate = {"disable": ["overhead"], "slot_wait_ms": 1000}
    pairs = altered(good(), "outcome", waited_ns=900 * MS, tries=1)
    assert rule(judged(tmp_path / "long", pairs, gate=gate), "slot_wait").ok is True


@pytest.mark.parametrize(
    ("tries", "fails", "status"),
    [
        (lambda i: 1, lambda i: False, "not judged"),
        (lambda i: 2 if i % 2 else 1, lambda i: i % 100 == 1, "met"),
        (lambda i: 2 if i % 2 else 1, lambda i: i % 4 == 1, "not met"),
        (lambda i: 2 if i % 200 == 7 else 1, lambda i: i % 400 == 7, "not judged"),
    ],
    ids=["none", "most succeed", "half fail", "too few to tell"],
)
def test_copies_that_were_tried_again_are_answered_at_last(
    tries: Callable[[int], int], fails: Callable[[int], bool], status: str, tmp_path: Path
) -> None:
    pairs = altered(good(), "outcome", tries=tries, status=lambda i: 503 if fails(i) else 200)
    some = rule(judged(tmp_path, pairs), "retried")
    assert (some.status, some.beyond) == (status, False), some.evidence


# ---- the error budget


def failing(hours_ago: tuple[float, float], share: float, n: int = 24_000) -> list[Pair]:
    """A good day in which a share of the copies failed between two times ago."""
    rng = random.Random(3)
    pairs = good(n)
    for i, pair in enumerate(pairs):
        ago = (NOW_NS - pair.copy.started_ns) / HOUR_NS
        if hours_ago[1] <= ago < hours_ago[0] and rng.random() < share:
            pairs[i] = failed(pair, "transport_error")
    return pairs


@pytest.mark.parametrize(
    ("hours_ago", "share", "status", "says"),
    [
        ((24, 0), 0.002, "met", ""),
        ((1, 0), 0.5, "not met", "in 1 h and"),
        ((6, 0), 0.15, "not met", "a person has to look at it"),
        ((24, 0), 0.03, "not met", "a person has to look at it"),
        ((20, 19), 0.15, "met", ""),
        ((2, 1), 0.12, "met", ""),
    ],
    ids=["usual", "one hour", "six hours", "all day", "long over", "over for an hour"],
)
def test_the_error_budget_burns_in_a_long_and_a_short_window(
    hours_ago: tuple[float, float], share: float, status: str, says: str, tmp_path: Path
) -> None:
    some = rule(judged(tmp_path, failing(hours_ago, share, 6000)), "error_budget")
    assert (some.status, some.beyond) == (status, False), some.evidence
    assert says in some.evidence


def test_too_few_copies_to_see_a_budget_burn_are_not_judged(tmp_path: Path) -> None:
    some = rule(judged(tmp_path, good(120)), "error_budget")
    assert "too few copies in these windows to tell" in some.not_judged


# ---- refusals and empty answers, retrieval, left out and added


@pytest.mark.parametrize(("key", "kind"), [("refused", "refused"), ("empty", "empty")])
@pytest.mark.parametrize(
    ("shadow", "prod", "status"),
    [(0.0, 0.0, "met"), (0.004, 0.004, "met"), (0.2, 0.2, "met"), (0.1, 0.01, "not met"), (0.01, 0.1, "met")],
)
def test_answers_that_are_none_are_counted_above_prods(
    key: str, kind: str, shadow: float, prod: float, status: str, tmp_path: Path
) -> None:
    rng = random.Random(5)
    n = 6000
    ours, theirs = ([rng.random() < rate for _ in range(n)] for rate in (shadow, prod))
    pairs = altered(
        good(n),
        collapse=lambda i: kind if ours[i] else "",
        prod_collapse=lambda i: kind if theirs[i] else "",
    )
    gate = {"disable": ["overhead"], "refusal_rate": 0.04, "empty_rate": 0.04}
    some = rule(judged(tmp_path, pairs, gate=gate), key)
    assert (some.status, some.beyond) == (status, False), some.evidence


@pytest.mark.parametrize(
    ("shadow", "prod", "status"),
    [(0.3, 0.3, "met"), (0.55, 0.55, "met"), (0.9, 0.55, "not met"), (0.50, 0.30, "not met")],
    ids=["near", "far as prod's", "farther than prod's", "near, and farther than prod's"],
)
def test_what_was_retrieved_is_as_near_to_the_question_as_prods(
    shadow: float, prod: float, status: str, tmp_path: Path
) -> None:
    rng = random.Random(6)
    question = [rng.gauss(0, 0.08) for _ in range(2400)]
    pairs = altered(
        good(),
        retrieved=lambda i: shadow + question[i] + rng.gauss(0, 0.03),
        prod_retrieved=lambda i: prod + question[i] + rng.gauss(0, 0.03),
        coverage=0.9,
    )
    verdict = judged(tmp_path, pairs)
    assert rule(verdict, "retrieved").status == status, rule(verdict, "retrieved").evidence
    assert rule(verdict, "coverage").ok is True


def test_sections_that_the_shadow_does_not_retrieve_are_not_met(tmp_path: Path) -> None:
    some = rule(judged(tmp_path, altered(good(), coverage=lambda i: 0.5 if i % 2 else 0.6)), "coverage")
    assert (some.status, some.needs_person) == ("not met", True)
    assert "what prod retrieved and the shadow did not: 45.00 %" in some.evidence


@pytest.mark.parametrize(
    ("missing", "extra", "statuses"),
    [
        (0.0, 0.0, ("met", "met")),
        (0.4, 0.4, ("met", "met")),
        (0.4, 0.2, ("not met", "met")),
        (0.1, 0.3, ("met", "not met")),
    ],
    ids=["same words", "other words", "a step is left out", "more is said"],
)
@pytest.mark.parametrize("with_control", [False, True])
def test_what_only_one_answer_says_is_held_against_the_noise(
    missing: float, extra: float, statuses: tuple[str, str], with_control: bool, tmp_path: Path
) -> None:
    rng = random.Random(7)

    def noisy(pairs: list[Pair], one: float, other: float) -> list[Pair]:
        def share(mean: float) -> Callable[[int], float]:
            return lambda _: min(max(rng.gauss(mean, 0.1), 0.0), 1.0) if mean else 0.0

        return altered(pairs, missing=share(one), extra=share(other))

    least = min(missing, extra)
    control = noisy(good(shadow="control"), least, least) if with_control else None
    verdict = judged(tmp_path, noisy(good(), missing, extra), control)
    assert (rule(verdict, "missing").status, rule(verdict, "extra").status) == statuses
    assert verdict.decision == ("GRADUATE" if statuses == ("met", "met") else "HOLD"), verdict.summary


def test_with_a_control_other_content_of_the_same_length_shows(tmp_path: Path) -> None:
    control = altered(good(shadow="control"), missing=0.1, extra=0.1)
    verdict = judged(tmp_path, altered(good(), missing=0.5, extra=0.5), control)
    assert (rule(verdict, "missing").status, rule(verdict, "extra").status) == ("not met", "not met")
