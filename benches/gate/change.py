"""``python -m benches.gate.change``: how soon a sudden change is told, and how often one that is none. Prints Markdown.

Windows of 24 h in steps, as the gate makes them of the pairs, through :func:`shadowlane.gate.detector.scan`, all runs
at once; 5 % of the requests are mirrored. Where a step has about thirty values of ΔS or more, its sum is drawn as a
Gaussian one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shadowlane.config import GateConfig
from shadowlane.gate.change import SERIES
from shadowlane.gate.detector import Limits, scan

_Floats = NDArray[np.float64]
_Draw = Callable[[np.random.Generator, _Floats, _Floats], _Floats]
"""The sums of so many values each (runs, T) at these means (T,)."""

GATE = GateConfig()
RATIO = 0.05
DAY_MIN = 1440
_LEAST = 8
_BETA = 14.0
_CHUNK = 500
ONCE_IN = (GATE.change_days, 1.0)
"""Days in which one false alarm is allowed: as configured, and so often that there are some to count."""


@dataclass(frozen=True)
class Kind:
    """What varies, and how: the key of its rule, whether a control is compared, and the means before a change."""

    name: str
    key: str
    before: float
    draw: _Draw
    paired: bool = False


def _delta(random: np.random.Generator, counts: _Floats, means: _Floats) -> _Floats:
    """Sums of beta values."""
    level = np.broadcast_to(means, counts.shape)
    if counts.mean() > 25:
        return counts * level + np.sqrt(counts * level * (1 - level) / (_BETA + 1)) * random.normal(size=counts.shape)
    sums = np.zeros(counts.shape)
    for i in range(int(counts.max())):
        sums += np.where(counts > i, random.beta(level * _BETA, (1 - level) * _BETA), 0.0)
    return sums


def _above(random: np.random.Generator, counts: _Floats, means: _Floats) -> _Floats:
    """Sums of differences of a language model with temperature from itself: a noise of wording of 0.05 on each side."""
    return counts * means + np.sqrt(2 * counts) * 0.05 * random.normal(size=counts.shape)


def _events(random: np.random.Generator, counts: _Floats, means: _Floats) -> _Floats:
    return random.binomial(counts.astype(np.int64), np.broadcast_to(means, counts.shape)).astype(np.float64)


def _events_above(random: np.random.Generator, counts: _Floats, means: _Floats) -> _Floats:
    """The shadow's events less the control's, which has 1 %."""
    return _events(random, counts, means + 0.01) - _events(random, counts, np.full(len(means), 0.01))


DELTA = Kind("ΔS 0.14", "mean_delta_s", 0.14, _delta)
DELTA_ABOVE = Kind("ΔS above the control's", "mean_delta_s", 0.0, _above, paired=True)
FACTS = Kind("contradicted facts 1 %", "contradicted_facts", 0.01, _events)
FACTS_ABOVE = Kind("facts above the control's 1 %", "contradicted_facts", 0.0, _events_above, paired=True)
FAILURES = Kind("failures 0.1 %", "shadow_errors", 0.001, _events)
RISES: dict[Kind, tuple[float, ...]] = {
    DELTA: (0.08, 0.1, 0.15, 0.2, 0.4),
    DELTA_ABOVE: (0.08, 0.1, 0.15, 0.2, 0.4),
    FACTS: (0.05, 0.1, 0.2),
    FACTS_ABOVE: (0.05, 0.1, 0.2),
    FAILURES: (0.02, 0.05, 0.2, 0.999),
}


def step_minutes(rate: float) -> int:
    """How long a step is at so many requests a second."""
    minutes = 1
    while minutes * 60 * rate * RATIO < _LEAST:
        minutes *= 2
    return minutes


def limits_of(kind: Kind, minutes: int, tolerance: float | None = None) -> Limits:
    """As the rule has them."""
    may = getattr(GATE, SERIES[kind.key][1]) if tolerance is None else tolerance
    return Limits(may, kind.key != "mean_delta_s", None if kind.paired else DAY_MIN // 8 // minutes)


def alarm(minutes: int, days: float = GATE.change_days) -> float:
    """The threshold of each series."""
    return days * len(SERIES) * DAY_MIN / minutes


def chunks(runs: int) -> Iterator[int]:
    for start in range(0, runs, _CHUNK):
        yield min(_CHUNK, runs - start)


def delay(kind: Kind, rise: float, rate: float, runs: int) -> dict[str, float]:
    """The change comes after 12 h: how many are told of within the other twelve, and when."""
    minutes = step_minutes(rate)
    steps = DAY_MIN // minutes
    means = kind.before + np.where(np.arange(steps) < steps // 2, 0.0, rise)
    random = np.random.default_rng([11, int(rate), int(1000 * rise)])
    told, late, pairs = 0, [], []
    for size in chunks(runs):
        counts = random.poisson(60 * rate * RATIO * minutes, (size, steps)).astype(np.float64)
        first = scan(counts, kind.draw(random, counts, means), limits_of(kind, minutes)).first(alarm(minutes))
        hit = (first < steps) & (first >= steps // 2)
        told += int(hit.sum())
        late.append((first[hit] + 1 - steps // 2) * minutes)
        sums = np.cumsum(counts[hit], axis=-1)
        pairs.append(sums[np.arange(len(sums)), first[hit]] - sums[:, steps // 2 - 1])
    all_late, all_pairs = np.concatenate(late), np.concatenate(pairs)
    some = len(all_late) > 0
    return {
        "told": told / runs,
        "median": float(np.median(all_late)) if some else np.nan,
        "p90": float(np.quantile(all_late, 0.9)) if some else np.nan,
        "pairs": float(np.median(all_pairs)) if some else np.nan,
    }


def _equal(kind: Kind, random: np.random.Generator, counts: _Floats) -> _Floats:
    return kind.draw(random, counts, np.full(counts.shape[-1], kind.before))


def _as_far_as_it_may(kind: Kind, random: np.random.Generator, counts: _Floats) -> _Floats:
    """The mean rises at noon by exactly the tolerance."""
    late = np.arange(counts.shape[-1]) >= counts.shape[-1] // 2
    return kind.draw(random, counts, kind.before + getattr(GATE, SERIES[kind.key][1]) * late)


def _diurnal(kind: Kind, random: np.random.Generator, counts: _Floats) -> _Floats:
    """The mean swings over the day by 0.1 (ΔS), or from nearly none to twice as much (events)."""
    swing = 0.05 if kind.key == "mean_delta_s" else kind.before
    wave = np.cos(2 * np.pi * np.arange(counts.shape[-1]) / counts.shape[-1])
    return kind.draw(random, counts, kind.before - 0.99 * swing * wave)


def _bursts(kind: Kind, random: np.random.Generator, counts: _Floats) -> _Floats:
    """Twenty in a row are one: bursts lie across the borders of steps."""
    ends = np.cumsum(counts, axis=-1).astype(np.int64)
    most = int(ends[:, -1].max()) // 20 + 2
    single = kind.draw(random, np.ones((len(counts), most)), np.full(most, kind.before))
    whole = np.concatenate([np.zeros((len(counts), 1)), 20 * np.cumsum(single, axis=-1)], axis=-1)
    burst, rest = ends // 20, ends % 20
    so_far = np.take_along_axis(whole, burst, 1) + rest * np.take_along_axis(single, burst, 1)
    return np.diff(so_far, axis=-1, prepend=0.0)


def _outages(kind: Kind, random: np.random.Generator, counts: _Floats) -> _Floats:
    """As many events as there would be, by outages: all copies of a step fail, and nothing else does."""
    return counts * (random.random(counts.shape) < kind.before)


CALM: tuple[tuple[str, Kind, Callable[..., _Floats], float | None], ...] = (
    ("nothing", DELTA, _equal, None),
    ("nothing, and no tolerance (`mean_rise = 0`)", DELTA, _equal, 0.0),
    ("a rise of exactly the tolerance", DELTA, _as_far_as_it_may, None),
    ("a swing over the day of twice the tolerance", DELTA, _diurnal, None),
    ("bursts of 20 that are one", DELTA, _bursts, None),
    ("nothing (a language model with temperature)", DELTA_ABOVE, _equal, None),
    ("nothing, and no tolerance (`mean_rise = 0`)", DELTA_ABOVE, _equal, 0.0),
    ("a rise of exactly the tolerance", DELTA_ABOVE, _as_far_as_it_may, None),
    ("nothing", FACTS, _equal, None),
    ("a rise of exactly the tolerance", FACTS, _as_far_as_it_may, None),
    ("bursts of 20 that are one", FACTS, _bursts, None),
    ("nothing", FACTS_ABOVE, _equal, None),
    ("nothing", FAILURES, _equal, None),
    ("a rise of exactly the tolerance", FAILURES, _as_far_as_it_may, None),
    ("a swing over the day, to twice as much", FAILURES, _diurnal, None),
    ("bursts of 20 that are one", FAILURES, _bursts, None),
    ("outages of a step", FAILURES, _outages, None),
)
"""What happens, to what, how, and the tolerance if it is not the default."""


def false_alarms(
    kind: Kind, make: Callable[..., _Floats], tolerance: float | None, rate: float, runs: int
) -> list[int]:
    """In how many windows an alarm is given, at each of :data:`ONCE_IN`."""
    minutes = step_minutes(rate)
    random = np.random.default_rng([12, int(rate)])
    alarms = np.zeros(len(ONCE_IN), dtype=np.int64)
    for size in chunks(runs):
        counts = random.poisson(60 * rate * RATIO * minutes, (size, DAY_MIN // minutes)).astype(np.float64)
        seen = scan(counts, make(kind, random, counts), limits_of(kind, minutes, tolerance))
        alarms += [int((seen.first(alarm(minutes, days)) < counts.shape[-1]).sum()) for days in ONCE_IN]
    found: list[int] = alarms.tolist()
    return found


def sliding(runs: int, days: int = 7) -> int:
    """Weeks at one request a second, the window moved every hour as the gate does, no tolerance: how many weeks have an
    alarm in any of the windows. ΔS above the control's, where all that came before is what is usual."""
    minutes = step_minutes(1.0)
    steps, hour = DAY_MIN // minutes, 60 // minutes
    random = np.random.default_rng(13)
    alarms = 0
    for size in chunks(runs):
        counts = random.poisson(60 * RATIO * minutes, (size, days * steps)).astype(np.float64)
        sums = _equal(DELTA_ABOVE, random, counts)
        hit = np.zeros(size, dtype=bool)
        for start in range(0, (days - 1) * steps + 1, hour):
            part = slice(start, start + steps)
            seen = scan(counts[:, part], sums[:, part], limits_of(DELTA_ABOVE, minutes, 0.0))
            hit |= seen.first(alarm(minutes)) < steps
        alarms += int(hit.sum())
    return alarms


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.gate.change", description="Sudden changes.")
    parser.add_argument("--runs", type=int, default=10_000, help="windows of each kind (default: 10,000)")
    parser.add_argument("--delay-runs", type=int, default=2000, help="windows of each change (default: 2,000)")
    parser.add_argument("--weeks", type=int, default=1000, help="weeks with a moving window (default: 1,000)")
    parser.add_argument("--rates", default="1,10,50", help="requests a second, of which 5 %% are mirrored")
    options = parser.parse_args()
    rates = [float(rate) for rate in options.rates.split(",")]
    began = time.monotonic()
    if options.delay_runs:
        show_delays(rates, options.delay_runs)
    if options.runs:
        show_false_alarms(rates, options.runs)
    if options.weeks:
        due = 7 * options.weeks / GATE.change_days / len(SERIES)
        print(f"\nA window that moves: {sliding(options.weeks)} of {options.weeks} weeks; at most {due:.0f} are due")
    print(f"\n{time.monotonic() - began:.0f} s")


def show_delays(rates: list[float], runs: int) -> None:
    print(f"{runs} windows each; told within 12 h, median delay (P90) and pairs\n")
    print(f"| what rises | by | {' | '.join(f'{rate:g} requests/s' for rate in rates)} |")
    print(f"|---|---|{'---|' * len(rates)}")
    for kind, rises in RISES.items():
        for rise in rises:
            cells = [_shown(delay(kind, rise, rate, runs)) for rate in rates]
            by = f"+{rise:g}" if kind.key == "mean_delta_s" else f"+{100 * rise:g} points"
            print(f"| {kind.name} | {by} | {' | '.join(cells)} |", flush=True)


def show_false_alarms(rates: list[float], runs: int) -> None:
    due = ", ".join(f"one in {days:g} days: at most {runs / days / len(SERIES):.0f}" for days in ONCE_IN)
    print(f"\nFalse alarms in {runs} windows; {due}\n")
    print(f"| what happens | to | {' | '.join(f'{rate:g} requests/s' for rate in rates)} |")
    print(f"|---|---|{'---|' * len(rates)}")
    for what, kind, make, tolerance in CALM:
        found = [false_alarms(kind, make, tolerance, rate, runs) for rate in rates]
        print(f"| {what} | {kind.name} | {' | '.join(', '.join(map(str, some)) for some in found)} |", flush=True)


def _shown(found: dict[str, float]) -> str:
    if not found["told"] > 0:
        return "0 %"
    late = f"{found['median']:.0f} min ({found['p90']:.0f}), {found['pairs']:,.0f} pairs"
    share = f"{100 * found['told']:.1f} %"
    return late if share == "100.0 %" else f"{share}: {late}"


if __name__ == "__main__":
    main()
