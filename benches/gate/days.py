"""Days of simulated traffic: what a lane would have stored of shadows that are equal, worse, noisy, down, in runs.

Invariant: everything random comes from one seed, so a day can be had again; nothing here knows how the gate decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["DAY_S", "EDGES", "RATIO", "SCENARIOS", "WHOLE", "Day", "boundary"]

DAY_S = 86_400.0
RATIO = 0.05
EDGES: NDArray[np.float64] = np.geomspace(1e3, 1e11, 1200)
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Day:
    """The pairs of a day, in the order of time: arrays (n,), and those of a control where one runs."""

    at_s: _Floats
    delta: _Floats
    prod_s: _Floats
    shadow_s: _Floats
    failed: NDArray[np.bool_]
    facts: NDArray[np.bool_]
    flips: NDArray[np.bool_]
    prod_flips: NDArray[np.bool_]
    question: NDArray[np.int64]
    control: _Floats | None = None
    control_facts: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))

    @property
    def n(self) -> int:
        return len(self.at_s)


def _arrivals(rng: np.random.Generator, rate: float, wave: float = 0.0) -> _Floats:
    """Times of the mirrored requests: a Poisson process whose rate goes up and down by ``wave`` over the day."""
    most = rate * RATIO * (1 + wave)
    times = np.sort(rng.uniform(0, DAY_S, rng.poisson(most * DAY_S)))
    keep = rng.random(len(times)) * (1 + wave) < 1 - wave * np.cos(2 * np.pi * times / DAY_S)
    return times[keep]


def _day(rng: np.random.Generator, at_s: _Floats, delta: _Floats, *, slower: float = 1.0, runs: int = 1) -> Day:
    """Latencies with a shared part (σ 0.6) and each side's own (σ 0.2), one failure in a thousand."""
    n = len(at_s)

    def each(sigma: float) -> _Floats:
        return np.repeat(rng.normal(0, sigma, n // runs + 1), runs)[:n]

    shared = each(0.6)
    return Day(
        at_s=at_s,
        delta=delta,
        prod_s=0.8 * np.exp(shared + each(0.2)),
        shadow_s=0.8 * slower * np.exp(shared + each(0.2)),
        failed=rng.random(n) < 0.001,
        facts=rng.random(n) < 0.002,
        flips=rng.random(n) < 0.03,
        prod_flips=rng.random(n) < 0.03,
        question=rng.integers(0, max(n // 3, 1), n),
    )


def _beta(rng: np.random.Generator, n: int, mean: float, weight: float = 14.0) -> _Floats:
    return rng.beta(mean * weight, (1 - mean) * weight, n)


def _equal(rng: np.random.Generator, rate: float) -> Day:
    at = _arrivals(rng, rate)
    return _day(rng, at, _beta(rng, len(at), 0.14))


def _model(rng: np.random.Generator, rate: float) -> Day:
    """A language model with temperature against itself: much noise of wording, and a control that has it too."""
    at = _arrivals(rng, rate)
    question = _beta(rng, len(at), 0.25, 6.0)
    noise = np.clip(question[None] + rng.normal(0, 0.05, (2, len(at))), 0, 2)
    day = _day(rng, at, noise[0])
    facts = rng.random((2, len(at))) < 0.01
    flips = rng.random((2, len(at))) < 0.12
    return replace(day, control=noise[1], facts=facts[0], control_facts=facts[1], flips=flips[0], prod_flips=flips[1])


def _slightly_worse(rng: np.random.Generator, rate: float) -> Day:
    day = _model(rng, rate)
    return replace(day, delta=np.clip(day.delta + 0.08, 0, 2), shadow_s=1.06 * day.shadow_s)


def _bad(rng: np.random.Generator, rate: float) -> Day:
    at = _arrivals(rng, rate)
    day = _day(rng, at, _beta(rng, len(at), 0.6), slower=1.4)
    return replace(day, failed=rng.random(day.n) < 0.04, facts=rng.random(day.n) < 0.2)


def _diurnal(rng: np.random.Generator, rate: float) -> Day:
    """Equal, but by night there is a fifth of the traffic, other questions, and quicker answers on both sides."""
    at = _arrivals(rng, rate, wave=0.67)
    wave = 1 - np.cos(2 * np.pi * at / DAY_S)
    day = _day(rng, at, np.clip(_beta(rng, len(at), 0.10) + 0.05 * wave, 0, 2))
    return replace(day, prod_s=day.prod_s * (1 + 0.5 * wave), shadow_s=day.shadow_s * (1 + 0.5 * wave))


def _bursty(rng: np.random.Generator, rate: float) -> Day:
    """Equal, but twenty requests in a row are nearly one."""
    at = _arrivals(rng, rate)
    bursts = np.repeat(_beta(rng, len(at) // 20 + 1, 0.14), 20)[: len(at)]
    return _day(rng, at, bursts, runs=20)


def _outage(rng: np.random.Generator, rate: float) -> Day:
    """Equal, but the shadow is down for forty minutes."""
    day = _equal(rng, rate)
    start = rng.uniform(0, DAY_S - 2400)
    return replace(day, failed=day.failed | ((day.at_s > start) & (day.at_s < start + 2400)))


def _repeated(rng: np.random.Generator, rate: float) -> Day:
    """Equal; four hundred questions, each answered alike every time."""
    at = _arrivals(rng, rate)
    question = rng.integers(0, 400, len(at))
    return replace(_day(rng, at, _beta(rng, 400, 0.14)[question]), question=question)


def _decided(rng: np.random.Generator, day: Day, question: NDArray[np.int64], slower: float = 1.0) -> Day:
    """The day with times that are the same at every answer to one question."""
    asked = _day(rng, np.zeros(int(question.max(initial=0)) + 1), np.zeros(0), slower=slower)
    return replace(day, question=question, prod_s=asked.prod_s[question], shadow_s=asked.shadow_s[question])


def _repeated_times(rng: np.random.Generator, rate: float) -> Day:
    """Equal; four hundred questions, each answered alike and in the same time every time."""
    day = _repeated(rng, rate)
    return _decided(rng, day, day.question)


def _worse_in_the_evening(rng: np.random.Generator, rate: float) -> Day:
    """A language model with temperature, against itself, whose ΔS rises by 0.12 at six: the day's mean hardly does."""
    day = _model(rng, rate)
    return replace(day, delta=np.clip(day.delta + 0.12 * (day.at_s > 18 * 3600), 0, 2))


def _bad_half_first(rng: np.random.Generator, rate: float) -> Day:
    """The mean of the day is inside the target, that of its first half is not."""
    at = _arrivals(rng, rate)
    level = np.where(at < DAY_S / 2, 0.52, 0.26)
    return _day(rng, at, np.clip(level + rng.normal(0, 0.02, len(at)), 0, 2))


SCENARIOS: dict[str, tuple[Callable[[np.random.Generator, float], Day], str]] = {
    "equal": (_equal, "GRADUATE"),
    "language model with temperature, against itself": (_model, "GRADUATE"),
    "equal, diurnal cycle": (_diurnal, "GRADUATE"),
    "equal, bursts of 20": (_bursty, "GRADUATE or HOLD"),
    "equal, 400 questions": (_repeated, "GRADUATE"),
    "equal, 400 questions that decide the times": (_repeated_times, "GRADUATE or HOLD"),
    "slightly worse: ΔS +0.08, +6 % latency": (_slightly_worse, "REJECT or HOLD"),
    "bad: ΔS 0.6, +40 %, 4 % errors, 20 % facts": (_bad, "REJECT"),
    "outage of 40 minutes": (_outage, "REJECT or HOLD"),
    "suddenly worse: ΔS +0.12 at six in the evening": (_worse_in_the_evening, "HOLD"),
    "bad half of the day first": (_bad_half_first, "HOLD until the end"),
}
"""The day, and what a verdict at its end should be."""


def _slower(rng: np.random.Generator, rate: float) -> Day:
    day = _equal(rng, rate)
    return replace(day, shadow_s=1.03 * day.shadow_s)


def _failing(rng: np.random.Generator, rate: float) -> Day:
    day = _equal(rng, rate)
    return replace(day, failed=rng.random(day.n) < 0.01)


WHOLE: dict[str, tuple[Callable[[np.random.Generator, float], Day], str]] = {
    "equal": (_equal, "REJECT"),
    "language model with temperature, against itself": (_model, "REJECT"),
    "P95 exactly 3 % longer, else equal": (_slower, "GRADUATE"),
    "exactly 1 % of errors, else equal": (_failing, "GRADUATE"),
}
"""The day, and the verdict that would be false at any look."""


def boundary(kind: str, rng: np.random.Generator, rate: float) -> Day:
    """A day that is exactly at a target: mean ΔS 0.45, 1 % of errors, P95 + 3 %; ``kind`` says how values depend. Of
    "N questions" each decides its ΔS and its times."""
    wave = 0.67 if kind == "diurnal" else 0.0
    at = _arrivals(rng, rate, wave)
    n = len(at)
    runs = 20 if kind == "runs of 20" else 1
    values = np.repeat(_beta(rng, n // runs + 1, 0.45, 4.0), runs)[:n]
    question = rng.integers(0, n, n)
    asked = int(kind.split()[0]) if kind.endswith(" questions") else 0
    if asked:
        question = rng.integers(0, asked, n)
        values = _beta(rng, asked, 0.45, 4.0)[question]
    day = _day(rng, at, values, slower=1.03, runs=runs)
    if asked:
        day = _decided(rng, day, question, 1.03)
    failed = np.repeat(rng.random(n // runs + 1) < 0.01, runs)[:n]
    if kind == "diurnal":
        # More errors by day, less by night; the mean over the day's requests is the target still.
        shape = 1 - 0.67 * np.cos(2 * np.pi * at / DAY_S)
        failed = rng.random(n) < 0.01 * shape / (np.mean(shape) if n else 1.0)
    return replace(day, failed=failed, question=question)
