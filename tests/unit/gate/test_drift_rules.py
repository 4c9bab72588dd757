"""The rules on how ΔS is spread and moves, through the real store: above the control, above the window before, window
by window, and within one question."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from shadowlane.gate.drift_rules import quantile_bounds
from shadowlane.store import open_store
from shadowlane.store.history import History
from shadowlane.types import GroupReading, Pair
from tests.support.lanes import HOUR_NS, NOW_NS, config_at, save
from tests.support.verdicts import PLAIN, altered, good, judged, rule, verdict_of

DAY_NS = 24 * HOUR_NS


def shifted(pairs: list[Pair], by: float, *, tail: float = 0.0) -> list[Pair]:
    """ΔS further up by ``by``, and what is above 0.3 by ``tail`` more."""

    def moved(i: int) -> float:
        value = pairs[i].scores.delta_s or 0.0
        return min(value + by + (tail if value > 0.3 else 0.0), 2.0)

    return altered(pairs, delta_s=moved)


def earlier(pairs: list[Pair], days: float) -> list[Pair]:
    """The same pairs so many days before."""
    return [
        msgspec.structs.replace(
            pair,
            copy=msgspec.structs.replace(
                pair.copy,
                shadow_id=f"{pair.copy.shadow_id}-{days}",
                started_ns=pair.copy.started_ns - int(days * DAY_NS),
            ),
        )
        for pair in pairs
    ]


@pytest.mark.parametrize(
    ("by", "tail", "median", "p95", "beyond"),
    [
        (0.0, 0.0, "met", "met", False),
        (0.02, 0.0, "met", "met", False),
        (0.06, 0.0, "not met", "met", False),
        (0.0, 0.13, "met", "not met", False),
        (0.0, 0.5, "met", "not met", True),
    ],
    ids=["equal", "a little", "all", "the tail", "the tail, beyond the stop"],
)
def test_median_and_tail_are_held_against_the_controls(
    by: float, tail: float, median: str, p95: str, beyond: bool, tmp_path: Path
) -> None:
    control = good(shadow="control", mean=0.2)
    verdict = judged(tmp_path, shifted(good(mean=0.2), by, tail=tail), control)
    some = rule(verdict, "delta_s_p95")
    assert (rule(verdict, "delta_s_median").status, some.status) == (median, p95), some.evidence
    assert some.beyond == beyond
    assert (verdict.decision == "REJECT") == beyond


@pytest.mark.parametrize(
    ("by", "median", "p95"), [(0.0, "met", "met"), (0.045, "not met", "met"), (0.25, "not met", "not met")]
)
def test_without_a_control_the_window_before_is_what_is_usual(by: float, median: str, p95: str, tmp_path: Path) -> None:
    config = config_at(tmp_path, gate=PLAIN)
    save(config, earlier(good(3000, seed=1), 1.0))
    save(config, shifted(good(3000, seed=2), by))
    verdict = verdict_of(config, 3000)
    found = rule(verdict, "delta_s_median"), rule(verdict, "delta_s_p95")
    assert tuple(some.status for some in found) == (median, p95), [some.evidence for some in found]
    assert not any(some.beyond for some in found)
    assert "above that of the window before" in found[0].evidence


def test_without_a_control_and_a_window_before_nothing_is_judged(tmp_path: Path) -> None:
    verdict = judged(tmp_path, good())
    assert {rule(verdict, key).status for key in ("delta_s_median", "delta_s_p95", "slope")} == {"not judged"}
    assert verdict.decision == "GRADUATE"


@pytest.mark.parametrize(
    ("rise", "days", "status"),
    [(0.0, 5, "met"), (0.005, 6, "met"), (0.04, 5, "not met"), (-0.03, 5, "met"), (0.04, 4, "not judged")],
)
def test_the_slope_over_windows(rise: float, days: int, status: str, tmp_path: Path) -> None:
    config = config_at(tmp_path, gate=PLAIN)
    for day in range(days):
        level = 0.3 + rise * (days - 1 - day)
        pairs = good(1500, seed=day)
        rng = random.Random(day)
        save(config, earlier(altered(pairs, delta_s=lambda _, m=level, r=rng: r.gauss(m, 0.05)), day))
    some = rule(verdict_of(config, 1500), "slope")
    assert (some.status, some.beyond) == (status, False), some.evidence


@pytest.mark.parametrize("hours", [24.0, 3.0, 2.5])
def test_the_windows_of_a_slope_do_not_move_with_each_look(hours: float, tmp_path: Path) -> None:
    config = config_at(tmp_path, gate={**PLAIN, "window_hours": hours})
    base = NOW_NS // HOUR_NS * HOUR_NS
    for window in range(7):
        pairs = earlier(good(600, seed=window, hours=hours), (NOW_NS - base) / DAY_NS + window * hours / 24)
        rng = random.Random(window)
        save(config, altered(pairs, delta_s=lambda _, w=window, r=rng: r.gauss(0.2 + 0.005 * w, 0.05)))
    looks = [rule(verdict_of(config, 600, now_ns=base + m * 60 * 10**9), "slope") for m in (31, 40, 52, 59)]
    assert looks[0].status == "met", looks[0]
    assert {some.evidence for some in looks} == {looks[0].evidence}


def test_with_a_control_the_window_before_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def delta_values(_: Any, shadow: str, *_past: Any) -> Any:
        read.append(shadow)
        return iter(())

    monkeypatch.setattr(History, "delta_values", delta_values)
    verdict = judged(tmp_path, good(mean=0.2), good(shadow="control", mean=0.2))
    assert (rule(verdict, "delta_s_p95").status, read) == ("met", [])


def test_windows_of_another_version_are_in_no_slope(tmp_path: Path) -> None:
    config = config_at(tmp_path, gate=PLAIN)
    for day in range(6):
        pairs = earlier(good(300, seed=day), day)
        save(config, [msgspec.structs.replace(pair, model_rev="old" if day > 2 else "new") for pair in pairs])
    some = rule(verdict_of(config, 300), "slope")
    assert "3 of the 5 windows" in some.not_judged
    with open_store(config.store) as store:
        store.restart_window("candidate", NOW_NS - 30 * HOUR_NS)
    assert "1 of the 5 windows" in rule(verdict_of(config, 300), "slope").not_judged


# ---- within one question


def asked_again(pairs: list[Pair], deltas: np.ndarray, groups: int) -> list[Pair]:
    """Each question several times, in turn."""

    def group(i: int) -> GroupReading:
        return GroupReading(number=i % groups, seen=1 + i // groups, prod="convergent", shadow="convergent")

    return altered(pairs, delta_s=lambda i: float(deltas[i]), group=group)


@pytest.mark.parametrize(
    ("own", "noise", "status"), [(0.05, 0.05, "met"), (0.15, 0.15, "met"), (0.15, 0.05, "not met"), (0.02, 0.2, "met")]
)
def test_the_spread_within_questions_is_held_against_the_controls(
    own: float, noise: float, status: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(4)
    n, groups = 3000, 300
    question = rng.uniform(0.25, 0.35, groups)[np.arange(n) % groups]
    shadow, control = (np.clip(question + rng.normal(0, sigma, n), 0, 1) for sigma in (own, noise))
    gate = {**PLAIN, "transitional_rate": 0.5}
    verdict = judged(
        tmp_path,
        asked_again(good(n), shadow, groups),
        asked_again(good(n, shadow="control"), control, groups),
        gate=gate,
    )
    some = rule(verdict, "spread")
    assert (some.status, some.beyond) == (status, False), some.evidence
    assert "μ 0.3" in some.evidence
    assert "taken as 0.4" in some.evidence


def test_without_a_control_a_spread_is_shown_and_not_judged(tmp_path: Path) -> None:
    deltas = 0.3 + 0.05 * np.where(np.arange(2400) // 240 % 2, 1.0, -1.0)
    some = rule(judged(tmp_path, asked_again(good(), deltas, 240)), "spread")
    assert some.status == "not judged"
    # Answers to one question are at 0.25 and 0.35 in turn: half the square of 0.1 is the variance of 0.0707². Of
    # ten answers to each the nine behind the first have a step, five of them at 0.35: 0.25 + 0.1 * 5 / 9 is 0.306.
    assert "σ/μ of ΔS within repeated questions: 0.18 (σ 0.071, μ 0.306 taken as 0.4; 2160 answers)" in some.evidence


def test_a_question_that_nobody_repeats_has_no_spread(tmp_path: Path) -> None:
    some = rule(judged(tmp_path, altered(good(), group=None)), "spread")
    assert some.not_judged.startswith("no question was asked twice")


@pytest.mark.statistics
@pytest.mark.parametrize("runs", [1, 10])
def test_bounds_of_a_quantile_cover_the_truth_at_every_look(runs: int) -> None:
    """The P95 of uniform values, ten looks at each of 200 series: at most 5 % of them are ever missed."""
    missed = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        values = np.repeat(rng.uniform(0, 1, 6000 // runs), runs)
        looks = [quantile_bounds(values[:n], 0.95, 1.0, alpha=0.05) for n in range(600, 6001, 600)]
        missed += any(not look.lower <= 0.95 <= look.upper for look in looks)
    assert missed <= 10
