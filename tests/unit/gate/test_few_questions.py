"""Questions that decide their times: what no number of answers tells is said, with what would."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import numpy as np
import pytest

from shadowlane.gate.paired import PairedQuantiles
from shadowlane.types import Pair
from tests.support.verdicts import good, judged, rule

N = 6000


def times(asked: int, own: float, n: int = N, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times of an equal shadow that the question decides but for ``own`` (σ), with the question."""
    random = np.random.default_rng(seed)
    shared = random.normal(0, 0.6, asked)
    sides = shared + random.normal(0, 0.2, (2, asked))
    question = random.integers(0, asked, n)
    above, below = np.exp(sides[:, question] + random.normal(0, own, (2, n)))
    return above, below, question


def timed(pairs: list[Pair], above: np.ndarray, below: np.ndarray, question: np.ndarray) -> list[Pair]:
    return [
        msgspec.structs.replace(
            pair,
            copy=msgspec.structs.replace(
                pair.copy, duration_ns=int(1e8 * below[i]), ttfb_ns=int(1e7 * below[i]), req_hash=f"{question[i]:032x}"
            ),
            scores=msgspec.structs.replace(pair.scores, group=None),
            outcome=msgspec.structs.replace(pair.outcome, duration_ns=int(1e8 * above[i]), ttfb_ns=int(1e7 * above[i])),
        )
        for i, pair in enumerate(pairs)
    ]


@pytest.mark.parametrize(("asked", "own"), [(150, 0.0), (400, 0.0), (400, 0.05)])
def test_no_number_of_answers_to_few_questions_is_worth_more_than_they_are(asked: int, own: float) -> None:
    few, many = (
        PairedQuantiles.of(above, below, 0.95, question)
        for above, below, question in (times(asked, own, n) for n in (N, 10 * N))
    )
    assert few.asked == many.asked == asked
    assert few.alike == pytest.approx(1.0, abs=0.3)
    assert many.independent < 2 * asked
    assert few.questions_needed(10.0) == 0
    assert 0.7 * 4000 <= few.questions_needed(4000.0) <= 4001


def test_questions_that_do_not_decide_the_times_cost_nothing() -> None:
    random = np.random.default_rng(5)
    shared = random.normal(0, 0.6, N)
    above, below = np.exp(shared + random.normal(0, 0.2, (2, N)))
    both = PairedQuantiles.of(above, below, 0.95, random.integers(0, 400, N))
    assert both.alike == 0.0
    assert both.questions_needed(1e9) == 0


def test_new_questions_are_waited_for() -> None:
    """Half of the answers are to questions of their own: more pairs bring more of these."""
    above, below, question = times(400, 0.0)
    random = np.random.default_rng(6)
    fresh = random.random(N) < 0.5
    own = np.exp(random.normal(0, 0.6, N) + random.normal(0, 0.2, (2, N)))
    above, below = np.where(fresh, own[0], above), np.where(fresh, own[1], below)
    both = PairedQuantiles.of(above, below, 0.95, np.where(fresh, 400 + np.arange(N), question))
    assert both.once > N // 3
    assert both.questions_needed(5000.0) == 0


@pytest.mark.parametrize(("seed", "within"), [(3, False), (6, True)])
def test_the_verdict_says_so_and_names_no_hour(tmp_path: Path, seed: int, within: bool) -> None:
    verdict = judged(tmp_path, timed(good(N), *times(400, 0.0, seed=seed)))
    some = rule(verdict, "p95_latency")
    assert some.ok is not True
    assert not some.beyond
    found = re.search(
        r"6000 answers to 400 questions count as (\d+) independent pairs, and no number of answers to these tells; it "
        r"needs answers to about ([\d,]+) questions",
        some.evidence,
    )
    assert found, some.evidence
    assert 200 <= int(found[1]) <= 600
    assert int(found[2].replace(",", "")) > 400
    assert some.needs is None
    assert ("within it, not surely yet" in some.evidence) is within
    assert verdict.decision == "HOLD"


def test_traffic_of_questions_of_its_own_is_told_how_long_it_takes(tmp_path: Path) -> None:
    random = np.random.default_rng(9)
    shared = random.normal(0, 0.6, 1500)
    above, below = np.exp(shared + random.normal(0, 0.2, (2, 1500)))
    some = rule(judged(tmp_path, timed(good(1500), above, below, np.arange(1500))), "p95_latency")
    assert "the times depend on the question" not in some.evidence


def test_the_first_bytes_too(tmp_path: Path) -> None:
    verdict = judged(tmp_path, timed(good(3000), *times(150, 0.0, 3000)))
    for key in ("p95_latency", "ttfb"):
        some = rule(verdict, key)
        assert "3000 answers to 150 questions count as" in some.evidence
        assert some.evidence.endswith(f'or leave this rule out: gate.disable = ["{key}"]')
        assert some.needs is None
