"""The rule on a sudden change: through the real store, and the steps that it is made of."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest

from shadowlane.gate.change import MOST_STEPS, STEP_NS, Steps
from shadowlane.store import open_store
from shadowlane.types import Pair
from tests.support.lanes import HOUR_NS, NOW_NS, config_at, failed, save
from tests.support.verdicts import PLAIN, altered, good, judged, rule, verdict_of

N = 2400
HALF = N // 2


def noisy(pairs: list[Pair], mean: float, by: float, since: int = HALF, seed: int = 1) -> list[Pair]:
    """ΔS around ``mean``, and from pair ``since`` on around ``mean + by``."""
    rng = random.Random(seed)
    return altered(pairs, delta_s=lambda i: min(max(rng.gauss(mean + (by if i >= since else 0.0), 0.05), 0.0), 1.0))


def in_folder(parent: Path, name: str) -> Path:
    (parent / name).mkdir()
    return parent / name


@pytest.mark.parametrize("mean", [0.1, 0.2])
@pytest.mark.parametrize(("by", "status"), [(0.0, "met"), (0.03, "met"), (0.2, "not met")])
def test_delta_s_that_rises_at_once_needs_a_person(mean: float, by: float, status: str, tmp_path: Path) -> None:
    verdict = judged(tmp_path, noisy(good(N), mean, by))
    some = rule(verdict, "change")
    assert (some.status, some.beyond, some.needs_person) == (status, False, status == "not met"), some.evidence
    assert some.figure is not None
    assert some.limit == 100.0
    assert (some.figure > some.limit) == (status == "not met")
    assert ("change" in verdict.waits_for["person"]) == (status == "not met")


def test_the_evidence_says_when_and_by_how_much(tmp_path: Path) -> None:
    some = rule(judged(tmp_path, noisy(good(N), 0.1, 0.2)), "change")
    began = re.search(r"ΔS got worse at about (\S+ \S+) UTC: (\S+), from (\S+) to (\S+), sure after", some.evidence)
    assert began, some.evidence
    at = datetime.strptime(began[1], "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    assert abs(at.timestamp() - (NOW_NS - 12 * HOUR_NS) / 1e9) <= 1800
    assert [float(some) for some in began.groups()[1:]] == pytest.approx([0.2, 0.1, 0.3], abs=0.03)


@pytest.mark.parametrize(("both", "status"), [(True, "met"), (False, "not met")])
def test_what_rises_with_the_control_is_no_change_of_the_shadow(both: bool, status: str, tmp_path: Path) -> None:
    control = noisy(good(N, shadow="control"), 0.15, 0.15 if both else 0.0, seed=2)
    some = rule(judged(tmp_path, noisy(good(N), 0.15, 0.15), control), "change")
    assert (some.status, "ΔS above the control's" in some.evidence) == (status, True), some.evidence


def contradicted(pairs: list[Pair]) -> list[Pair]:
    return [*pairs[:HALF], *altered(pairs[HALF:], fact_flip=lambda i: i % 3 == 0)]


def failing(pairs: list[Pair]) -> list[Pair]:
    return [failed(pair, "transport_error") if i > HALF and i % 3 else pair for i, pair in enumerate(pairs)]


def hanging_for_four_hours(pairs: list[Pair]) -> list[Pair]:
    return [failed(p, "deadline", took_s=1.0) if HALF < i < HALF + 400 else p for i, p in enumerate(pairs)]


@pytest.mark.parametrize(
    ("worse", "what"),
    [(contradicted, "contradicted facts"), (failing, "failures"), (hanging_for_four_hours, "failures")],
)
def test_facts_and_failures(worse: Callable[[list[Pair]], list[Pair]], what: str, tmp_path: Path) -> None:
    pairs = good(N)
    assert rule(judged(in_folder(tmp_path, "before"), pairs), "change").status == "met"
    some = rule(judged(in_folder(tmp_path, "after"), worse(pairs)), "change")
    assert (some.status, some.beyond, some.evidence.startswith(f"{what} got worse")) == ("not met", False, True)


def test_a_new_version_begins_anew(tmp_path: Path) -> None:
    """What a pin or a restart explains is no change within the window."""
    pairs = noisy(good(N), 0.1, 0.2)
    versions = [p if i < HALF else msgspec.structs.replace(p, model_rev="2026-01-01") for i, p in enumerate(pairs)]
    assert rule(judged(in_folder(tmp_path, "pin"), versions), "change").status == "met"
    config = config_at(in_folder(tmp_path, "restart"), gate=PLAIN)
    save(config, pairs)
    assert rule(verdict_of(config, N), "change").status == "not met"
    with open_store(config.store) as store:
        store.restart_window("candidate", NOW_NS - 11 * HOUR_NS)
    assert rule(verdict_of(config, N), "change").status == "met"


def test_looking_again_later_tells_the_same_change(tmp_path: Path) -> None:
    config = config_at(tmp_path, gate=PLAIN)
    save(config, noisy(good(N), 0.1, 0.2))
    looks = [rule(verdict_of(config, N, now_ns=NOW_NS + h * HOUR_NS), "change") for h in (0, 1, 5)]
    began = {re.search(r"at about (\S+ \S+) UTC", some.evidence)[1] for some in looks}  # type: ignore[index]
    assert (len(began), {some.status for some in looks}) == (1, {"not met"})
    later = rule(verdict_of(config, N, now_ns=NOW_NS + 13 * HOUR_NS), "change")
    assert later.status != "not met"  # it lies before the window


@pytest.mark.parametrize("n", [60, 300])
def test_few_pairs_tell_no_change(n: int, tmp_path: Path) -> None:
    some = rule(judged(tmp_path, good(n)), "change")
    assert some.not_judged.startswith("a sudden change is told after")


def test_the_number_of_days_is_configured(tmp_path: Path) -> None:
    pairs = noisy(good(N), 0.1, 0.2)
    seen = rule(judged(in_folder(tmp_path, "a"), pairs), "change")
    assert seen.figure is not None
    for days, status in ((0.1, "not met"), (1e4, "not met")):
        some = rule(judged(in_folder(tmp_path, f"{days}"), pairs, gate={**PLAIN, "change_days": days}), "change")
        assert (some.status, some.limit) == (status, days)
    calm = rule(
        judged(in_folder(tmp_path, "b"), noisy(good(N), 0.1, 0.0), gate={**PLAIN, "change_days": 1e-9}), "change"
    )
    assert calm.status == "not met"  # an alarm at every step was asked for
    off = judged(in_folder(tmp_path, "c"), pairs, gate={**PLAIN, "disable": ["overhead", "change"]})
    assert "change" not in [some.key for some in off.rules]


# ---- the steps


def test_steps_are_the_same_in_whatever_pieces_and_order_they_come() -> None:
    rng = np.random.default_rng(1)
    at, values = rng.integers(10**9, 40 * HOUR_NS, 5000), rng.random(5000)
    whole, pieces = Steps(), Steps()
    whole.add(at, values)
    for part in np.array_split(rng.permutation(5000), 7):
        pieces.add(at[part], values[part])
    assert (whole.first, whole.step_ns, whole.n) == (pieces.first, pieces.step_ns, pieces.n)
    np.testing.assert_allclose(pieces.sums, whole.sums)
    np.testing.assert_array_equal(pieces.counts, whole.counts)


@pytest.mark.parametrize("hours", [1, 100, 24 * 3650])
def test_steps_are_bounded_and_lose_nothing(hours: int) -> None:
    rng = np.random.default_rng(2)
    steps = Steps()
    for start in np.sort(rng.integers(0, hours * HOUR_NS, 40)):
        steps.add(start + rng.integers(0, HOUR_NS, 50), np.ones(50))
    assert len(steps.counts) <= MOST_STEPS
    assert (steps.counts.sum(), steps.sums.sum(), steps.n) == (2000, 2000, 2000)
    longer = steps.long_enough()
    assert longer.counts.sum() == 2000
    assert longer.step_ns % steps.step_ns == 0
    assert steps.step_ns % STEP_NS == 0


def test_steps_begin_at_multiples_of_their_length() -> None:
    """So that a window which begins an hour later has the same ones."""
    rng = np.random.default_rng(3)
    at = np.sort(rng.integers(7 * HOUR_NS, 31 * HOUR_NS, 3000))
    early, late = Steps(), Steps()
    early.add(at, np.ones(3000))
    later = at[at >= 8 * HOUR_NS]
    late.add(later, np.ones(len(later)))
    both = [some.of_length(4) for some in (early, late)]
    cut = both[1].first - both[0].first
    np.testing.assert_array_equal(both[0].counts[cut + 1 :], both[1].counts[1:])
