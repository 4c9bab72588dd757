"""The interval of the added quantiles: it covers what it must, on independent and on drifting latencies."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowlane.core import RatioSampler
from shadowlane.status.overhead import _ranks, duration, overhead, quantile, render_overhead

BUCKETS = 1856


def edges() -> Any:
    """The core's bucket edges, by their definition."""
    index = np.arange(BUCKETS + 1, dtype=np.uint64)
    shift = np.maximum(index >> np.uint64(6), 1) - np.uint64(1)
    return ((index - (shift << np.uint64(6))) << shift) << np.uint64(6)


EDGES = edges()


def counts_of(seconds: Any) -> Any:
    return np.histogram(np.asarray(seconds) * 1e9, EDGES)[0].astype(np.uint64)


def status(choice: str = "ratio", ratio: float = 0.05, **dropped: int) -> dict[str, Any]:
    return {"sampler": {"choice": choice, "ratio": ratio}, "dropped": dropped}


def trial(taken: Any, not_taken: Any, route: str = "", **more: Any) -> dict[str, Any]:
    routes = [(route, counts_of(taken).tobytes(), counts_of(not_taken).tobytes())]
    return overhead((EDGES.tobytes(), routes), status(**more))


def binomial_cdf(n: int, share: float) -> Any:
    logs = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        + k * math.log(share) + (n - k) * math.log1p(-share)
        for k in range(n + 1)
    ]  # fmt: skip
    return np.cumsum(np.exp(logs))


@given(n=st.integers(1, 600), share=st.sampled_from([0.5, 0.95, 0.99]), alpha=st.sampled_from([0.05, 0.01]))
@settings(deadline=None)
def test_ranks_are_the_tightest_that_the_binomial_distribution_allows(n: int, share: float, alpha: float) -> None:
    cdf = np.concatenate([[0.0], binomial_cdf(n, share)])  # cdf[k] = P(B <= k - 1)
    low, high = _ranks(n, share, alpha)
    slack = 1e-9
    assert cdf[low] <= alpha / 2 + slack
    assert low == n or cdf[low + 1] > alpha / 2 - slack
    assert 1 - cdf[min(high, n + 1)] <= alpha / 2 + slack
    assert high == 0 or 1 - cdf[high - 1] > alpha / 2 - slack


def test_ranks_of_a_day_of_heavy_traffic_agree_with_the_normal_distribution() -> None:
    n, share = 10**9, 0.99
    sd = math.sqrt(n * share * (1 - share))
    low, high = _ranks(n, share, 0.05)
    assert low == pytest.approx(n * share - 1.959964 * sd, abs=0.01 * sd)
    assert high == pytest.approx(n * share + 1.959964 * sd, abs=0.01 * sd)


@given(
    seconds=st.lists(st.floats(1e-6, 900.0), min_size=1, max_size=200),
    share=st.sampled_from([0.5, 0.95, 0.99]),
)
@settings(deadline=None)
def test_a_quantile_is_within_one_bucket_of_the_exact_one(seconds: list[float], share: float) -> None:
    found = quantile(EDGES, counts_of(seconds), share)
    assert found is not None
    ordered = np.sort(seconds)
    place = max(0, math.ceil(share * len(ordered)) - 1)
    near = ordered[max(0, place - 1)], ordered[min(len(ordered) - 1, place + 1)]
    error = 65e-9
    assert near[0] * (1 - 1 / 63) - error <= found.estimate <= near[1] * (1 + 1 / 63) + error
    assert found.lower is None or found.lower <= found.estimate
    assert found.upper is None or found.estimate <= found.upper


@pytest.mark.statistics
def test_the_interval_covers_the_true_difference() -> None:
    random = np.random.default_rng(3)
    added, runs = 0.0004, 400
    # Quantiles of exp(N(ln 0.01, 0.4)).
    truth = {name: 0.01 * math.exp(0.4 * z) for name, z in (("p50", 0.0), ("p95", 1.644854), ("p99", 2.326348))}
    hits = dict.fromkeys(truth, 0)
    share_hits = dict.fromkeys(truth, 0)
    for _ in range(runs):
        taken = random.lognormal(math.log(0.01), 0.4, 3000) + added
        result = trial(taken, random.lognormal(math.log(0.01), 0.4, 3000))["all"]
        for name in truth:
            low, high = result[name]["interval_s"]
            hits[name] += low <= added <= high
            low, high = result[name]["share_interval"]
            share_hits[name] += low <= added / truth[name] <= high
    # Binomial(400, 0.95): below 362 once in ten thousand, above 394 as well.
    for count in (*hits.values(), *share_hits.values()):
        assert 362 <= count <= 396, (hits, share_hits)


def test_requests_need_not_be_independent_when_the_coin_is() -> None:
    """Latencies that drift through slow and fast minutes, and a mirror that costs nothing: zero stays covered."""
    random = np.random.default_rng(4)
    runs, n = 200, 6000
    hits = {"p50": 0, "p95": 0, "p99": 0}
    for run in range(runs):
        drift = np.exp(0.8 * np.sin(np.arange(n) * 2 * np.pi / 1500 + run))
        latency = drift * random.lognormal(math.log(0.005), 0.2, n)
        coin, other = RatioSampler(0.25, seed=run), RatioSampler(1 / 3, seed=1000 + run)
        taken = np.array([coin.take() for _ in range(n)])
        timed = ~taken & np.array([other.take() for _ in range(n)])
        result = trial(latency[taken], latency[timed])["all"]
        for name in hits:
            low, high = result[name]["interval_s"]
            hits[name] += low <= 0 <= high
    # Binomial(200, 0.95): below 177 once in a thousand. Spreading the choices evenly only makes it safer.
    assert min(hits.values()) >= 177, hits


def test_few_requests_bound_nothing_and_none_say_so() -> None:
    random = np.random.default_rng(5)
    some = random.lognormal(-5, 0.3, 100)
    result = trial(some, some * 1.1)["all"]
    assert result["p50"]["interval_s"][0] is not None
    assert result["p99"]["interval_s"] == [None, None]
    assert result["p99"]["share_interval"] == [None, None]
    assert trial([], some)["all"]["p50"] is None
    assert json.loads(json.dumps(trial([], []))) == trial([], [])
    text = render_overhead(trial(some, some * 1.1))
    assert "100 taken requests, 100 of the others timed" in text[0]
    assert "not bounded yet" in text[3]
    assert render_overhead(trial([], [])) == ["nothing timed yet"]
    assert "not enough requests in both groups" in render_overhead(trial([], some))[1]
    assert overhead(None, status())["routes"] == []


def test_routes_are_compared_apart_and_together() -> None:
    random = np.random.default_rng(6)
    slow, fast = random.lognormal(-2, 0.2, (2, 5000)), random.lognormal(-7, 0.2, (2, 5000))
    routes = [
        ("", counts_of([]).tobytes(), counts_of([]).tobytes()),
        ("POST /slow", counts_of(slow[0] + 0.05).tobytes(), counts_of(slow[1]).tobytes()),
        ("/fast*", counts_of(fast[0]).tobytes(), counts_of(fast[1]).tobytes()),
    ]
    result = overhead((EDGES.tobytes(), routes), status())
    by_route = {block["route"]: block for block in result["routes"]}
    assert set(by_route) == {"POST /slow", "/fast*"}
    assert by_route["POST /slow"]["p50"]["interval_s"][0] > 0.04
    low, high = by_route["/fast*"]["p50"]["interval_s"]
    assert low < 0 < high
    assert (result["all"]["taken"], result["all"]["not_taken"]) == (10_000, 10_000)
    lines = render_overhead(result)
    assert [line.split(",")[0] for line in lines[1:]] == ["all routes"] * 3 + ["POST /slow"] * 3 + ["/fast*"] * 3


@pytest.mark.parametrize(
    ("given", "randomized", "word"),
    [
        ({}, True, ""),
        ({"choice": "sticky"}, False, "different users"),
        ({"choice": "sticky by body"}, False, "every eligible request is captured"),
        ({"ratio": 1.0}, False, "nothing to compare with"),
        ({"ratio": 0.7}, True, "in which the ratio did not change"),
        ({"cap": 3, "budget": 1}, True, "4 requests met a limit"),
        ({"request_too_large": 2}, True, "2 requests were too large"),
    ],
)
def test_it_says_when_it_is_not_a_randomized_trial(given: dict[str, Any], randomized: bool, word: str) -> None:
    result = overhead(None, status(**given))
    assert result["randomized"] is randomized
    assert word in " ".join(result["notes"])
    assert bool(result["notes"]) == bool(word)


@pytest.mark.parametrize(("seconds", "text"), [(4e-6, "4.0 µs"), (0.00456, "4.56 ms"), (1.2, "1.20 s")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
