"""``python -m benches.gate.clusters``: questions that decide their times: could another method decide the P95? Prints
Markdown.

Days in which each question takes the same time at every answer, a shared part (σ 0.6) and each side's own (σ 0.2), of a
shadow that is equal and of one that is exactly 3 % slower. Compared are the gate's own bounds, and the bootstrap of
whole questions (Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8; percentile bounds),
each one-sided at 5 %, at one look when the window is over. Beside them stands what no estimate from so many independent
pairs can do better: a normal bound with the standard error of docs/parts/gate.md.
"""

from __future__ import annotations

import argparse
import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from shadowlane.gate.paired import quantile_ratio

_Floats = NDArray[np.float64]
P, TARGET, ALPHA = 0.95, 1.03, 0.05
_OF_ONE_PAIR = 0.00562 * math.sqrt(43_200)
"""The least standard error of the ratio's logarithm, times the root of the pairs (docs/parts/gate.md)."""


def times(random: np.random.Generator, asked: int, slower: float) -> tuple[_Floats, _Floats]:
    """The shadow's and prod's time of each question."""
    shared = random.normal(0, 0.6, asked)
    above, below = (shared + random.normal(0, 0.2, asked) for _ in range(2))
    return slower * np.exp(above), np.exp(below)


def _quantiles(values: _Floats, weights: _Floats) -> _Floats:
    """The P-quantile of values (q,) under each row of weights (b, q)."""
    order = np.argsort(values)
    sums = np.cumsum(weights[:, order], axis=1)
    at = (sums < P * sums[:, -1:]).sum(axis=1)
    found: _Floats = values[order][np.minimum(at, len(values) - 1)]
    return found


def bootstrap_upper(
    random: np.random.Generator, above: _Floats, below: _Floats, counts: _Floats, draws: int
) -> tuple[float, float]:
    """The lower and the upper bound of the ratio, by resampling questions with all their answers."""
    weights = counts * random.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), draws)
    low, high = np.quantile(_quantiles(above, weights) / _quantiles(below, weights), [ALPHA, 1 - ALPHA])
    return float(low), float(high)


def decided(asked: int, answers: int, slower: float, days: int, draws: int) -> dict[str, tuple[float, float]]:
    """By method, the share of days in which it says "at most 3 % slower", and "more than 3 % slower"."""
    said = {"gate": [0, 0], "bootstrap of questions": [0, 0]}
    for seed in range(days):
        random = np.random.default_rng([41, asked, answers, seed])
        above, below = times(random, asked, slower)
        question = random.integers(0, asked, answers)
        counts = np.bincount(question, minlength=asked).astype(np.float64)
        ours = quantile_ratio(above[question], below[question], P, questions=question, alpha=2 * ALPHA)
        for method, (low, high) in (
            ("gate", (ours.lower, ours.upper)),
            ("bootstrap of questions", bootstrap_upper(random, above, below, counts, draws)),
        ):
            said[method][0] += high <= TARGET
            said[method][1] += low > TARGET
    return {method: (met / days, missed / days) for method, (met, missed) in said.items()}


def at_best(asked: int) -> float:
    """The share of days in which a normal bound of the least standard error says "at most 3 % slower" of an equal
    shadow, from one independent pair a question."""
    error = _OF_ONE_PAIR / math.sqrt(asked)
    return NormalDist().cdf(math.log(TARGET) / error - NormalDist().inv_cdf(1 - ALPHA))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.gate.clusters", description="Questions that decide times.")
    parser.add_argument("--days", type=int, default=1000, help="days of each row (default: 1,000)")
    parser.add_argument("--draws", type=int, default=400, help="resamples of a bootstrap (default: 400)")
    parser.add_argument("--asked", default="400,1000,4000", help="questions")
    parser.add_argument("--answers", default="43200,302400", help="pairs: of a day and of a week at ten a second")
    options = parser.parse_args()
    print(f"{options.days} days each: says at most +3 %, says more (one-sided, 5 % each)\n")
    print("| questions | answers | shadow | the gate's | bootstrap of questions | at best |")
    print("|---|---|---|---|---|---|")
    for asked in map(int, options.asked.split(",")):
        for answers in map(int, options.answers.split(",")):
            for name, slower in (("equal", 1.0), ("exactly +3 %", TARGET)):
                found = decided(asked, answers, slower, options.days, options.draws)
                cells = [f"{100 * met:.1f} %, {100 * missed:.1f} %" for met, missed in found.values()]
                best = f"{100 * at_best(asked):.0f} % met" if slower == 1.0 else ""
                print(f"| {asked:,} | {answers:,} | {name} | {' | '.join(cells)} | {best} |", flush=True)


if __name__ == "__main__":
    main()
