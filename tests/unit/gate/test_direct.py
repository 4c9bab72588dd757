"""The bound of what the lane's own calls take: coverage at every look, and how few requests it needs."""

from __future__ import annotations

import numpy as np
import pytest

from shadowlane.gate import Direct

EDGES = np.geomspace(100, 1e8, 1200)


def of(times: np.ndarray) -> Direct:
    return Direct(EDGES, np.histogram(times, EDGES)[0].astype(float))


@pytest.mark.statistics
def test_no_more_requests_are_beyond_it_than_it_says_at_every_look() -> None:
    missed = 0
    for seed in range(100):
        times = np.random.default_rng(seed).lognormal(9, 1, 12_000)
        was_missed = False
        for n in range(1000, 12_001, 1000):
            bound = of(times[:n]).bound(0.2)
            if bound is not None:
                ns, share = bound
                # The true share beyond: of a lognormal with these parameters, by a large sample.
                was_missed |= bool(np.mean(ns < REFERENCE) > share)
        missed += was_missed
    assert missed <= 28


REFERENCE = np.random.default_rng(99).lognormal(9, 1, 2_000_000)


def test_a_few_thousand_requests_are_enough() -> None:
    times = np.random.default_rng(1).lognormal(9, 0.3, 50_000)
    few, many = of(times[:4320]).bound(0.025), of(times).bound(0.025)
    assert few is not None
    assert many is not None
    assert few[1] < 0.005
    assert many[1] == 0.001
    assert np.mean(times > many[0]) < 0.001
    assert of(times[:500]).bound(0.025) is None
    assert Direct(EDGES, np.zeros(len(EDGES) - 1)).bound(0.025) is None


def test_a_stall_among_few_requests_is_in_the_bound() -> None:
    times = np.concatenate([np.random.default_rng(2).lognormal(9, 0.3, 4319), [5e7]])
    bound = of(times).bound(0.025)
    assert bound is not None
    assert bound[0] >= 5e7
