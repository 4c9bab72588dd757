"""The public classes of the extension: their help, their types at run time, and what they refuse."""

from __future__ import annotations

import inspect
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest

import shadowlane.core as core

CLASSES = [name for name in core.__all__ if inspect.isclass(getattr(core, name))]


@pytest.mark.parametrize("name", core.__all__)
def test_help_reads_well(name: str) -> None:
    thing = getattr(core, name)
    text = inspect.getdoc(thing)
    assert text is not None
    first = text.splitlines()[0]
    assert len(first) > 30
    assert all(len(line) <= 120 for line in text.splitlines())
    if name in CLASSES:
        assert thing.__module__ == "shadowlane.core"
        for member in vars(thing):
            if member.startswith("_"):
                continue
            documented = inspect.getdoc(getattr(thing, member))
            assert documented, f"{name}.{member} has no help"
            assert re.match(r"[A-Z]", documented), f"{name}.{member}: {documented!r}"


@pytest.mark.parametrize(
    "name", ["RatioSampler", "StickySampler", "Reservoir", "WeightedReservoir", "RateLimiter", "request_hash"]
)
def test_help_names_the_source_and_what_is_raised(name: str) -> None:
    text = inspect.getdoc(getattr(core, name)) or ""
    assert "Raises" in text
    assert re.search(r"\b(?:19|20)\d\d\)|RFC \d{4}|TAOCP|I\.371|XXH3", text), "no source"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: core.RatioSampler(1.5), ValueError, r"ratio.*1\.5.*between 0 and 1"),
        (lambda: core.RatioSampler(-0.1), ValueError, r"ratio.*-0\.1"),
        (lambda: core.RatioSampler(float("nan")), ValueError, r"ratio.*NaN"),
        (lambda: core.RatioSampler("half"), TypeError, "ratio"),
        (lambda: core.RatioSampler(0.5, seed=-1), OverflowError, "negative|unsigned"),
        (lambda: core.RatioSampler(0.5).set_ratio(2.0), ValueError, r"ratio.*2"),
        (lambda: core.StickySampler(1.01), ValueError, r"ratio.*1\.01"),
        (lambda: core.StickySampler(0.5, salt=3), TypeError, "salt"),
        (lambda: core.StickySampler(0.5).take("text"), TypeError, "key"),
        (lambda: core.Reservoir(0), ValueError, r"k.*1"),
        (lambda: core.Reservoir(-1), OverflowError, "negative|unsigned"),
        (lambda: core.WeightedReservoir(0), ValueError, r"k.*1"),
        (lambda: core.WeightedReservoir(2).offer("x", weight=0.0), ValueError, "weight"),
        (lambda: core.WeightedReservoir(2).offer("x", weight=float("inf")), ValueError, "weight"),
        (lambda: core.RateLimiter(0.0, 1), ValueError, r"rate"),
        (lambda: core.RateLimiter(float("nan"), 1), ValueError, r"rate"),
        (lambda: core.RateLimiter(1.0, 0), ValueError, r"burst"),
        (lambda: core.RateLimiter(1.0, 1).set_rate(-1.0), ValueError, r"rate"),
        (lambda: core.request_hash("GET", 5, [], b""), TypeError, "target"),
        (lambda: core.request_hash("GET", "/", [("a", "b")], b""), TypeError, "bytes|PyBytes"),
        (lambda: core.request_hash("GET", "/", 5, b""), TypeError, "iterable"),
        (lambda: core.request_hash("GET", "/", [], "text"), TypeError, "body"),
    ],
)
def test_bad_arguments_are_refused_with_a_clear_error(
    make: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make()


def test_the_samplers_are_exact_over_threads() -> None:
    sampler = core.RatioSampler(0.3, seed=7)
    limiter = core.RateLimiter(1e-6, 500)
    reservoir = core.Reservoir(10, seed=1)
    taken: list[int] = []
    granted: list[int] = []

    def run() -> None:
        taken.append(sum(sampler.take() for _ in range(5000)))
        granted.append(sum(limiter.try_acquire() for _ in range(200)))
        for number in range(1000):
            reservoir.offer(number)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sampler.eligible == 40_000
    assert abs(sum(taken) - 12_000) <= 2
    assert sampler.taken == sum(taken)
    assert sum(granted) == 500
    assert reservoir.seen == 8000
    assert len(reservoir.items()) == 10
