"""Evidence for the gate's rules that meets all of them, and ways to change one part of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from shadowlane.config import GateConfig
from shadowlane.gate import (
    Direct,
    Evidence,
    PairedSample,
    Piece,
    Rule,
    Sampling,
    Series,
    Stream,
    Timeline,
    Trial,
    evaluate,
)
from shadowlane.gate.accounts import BURNS, Accounts, Burn
from shadowlane.gate.targets import SCORE_RULES

HOUR_NS = 3600 * 10**9
N = 30_000
SHARES = (
    "critical",
    "transitional",
    "no_chaos",
    "convergence",
    "contradicted_facts",
    "facts_read",
    "collapsed",
    "citations",
    "index",
    "tool_calls",
    "throttled",
    "recursive",
    "refused",
    "empty",
    "coverage",
    "retrieved",
    "retried",
    "shadow_errors",
    "no_flip",
)


def trial(n: int, added: float, others: int | None = None) -> Trial:
    """``n`` taken requests that take ``added`` longer, and as many others, in buckets of 1 %."""
    edges = np.geomspace(1e6, 1e9, 694)
    times = np.random.default_rng(3).lognormal(17, 0.3, (2, n))
    return Trial(
        edges,
        (
            Piece(
                np.histogram((1 + added) * times[0], edges)[0].astype(float),
                np.histogram(times[1][:others], edges)[0].astype(float),
            ),
        ),
    )


def direct(n: int, microseconds: float) -> Direct:
    """``n`` requests at which the lane's own calls took about so long."""
    edges = np.geomspace(100, 1e9, 700)
    took = 1e3 * microseconds * np.random.default_rng(4).lognormal(0, 0.2, n)
    return Direct(edges, np.histogram(took, edges)[0].astype(float))


def burns(failed: int) -> tuple[Burn, ...]:
    """``failed`` copies in every window."""
    sizes = ((1250, 104), (7500, 625), (N, 7500))
    return tuple(
        Burn(name, short, factor, (n, failed), (few, failed))
        for (name, _, short, _, factor), (n, few) in zip(BURNS, sizes, strict=True)
    )


def share(rate: float, n: int = N, seed: int = 9) -> np.ndarray:
    return (np.random.default_rng(seed).random(n) < rate).astype(float)


@cache
def good() -> Evidence:
    """Evidence that meets every rule that needs no control."""
    random = np.random.default_rng(5)
    prod = random.lognormal(18, 0.2, N)
    delta = random.beta(2, 12, N)
    scores = {key: Values(np.zeros(N)).series(key) for key in SHARES}
    scores |= {key: Values(np.zeros(N), np.zeros(N)).series(key) for key in ("missing", "extra")}
    scores |= {key: Values(delta).series(key) for key in ("mean_delta_s", "anchored_delta_s")}
    return Evidence(
        shadow="candidate",
        timeline=Timeline.of(np.linspace(0, 24 * HOUR_NS, N).astype(np.int64)),
        series=scores,
        times=PairedSample.of(prod * random.lognormal(-0.01, 0.01, N), prod),
        sampling=Sampling(0.05, 20 * N, N),
        prod_failed=10,
        admitted=N + 10,
        trial=trial(N, 0.005),
        direct=direct(N, 5),
        accounts=Accounts(burns=burns(0)),
        accounting_holds=True,
        accounting="seen = mirrored",
    )


@dataclass(frozen=True)
class Values:
    """One rule's values as arrays; with a control those at the same requests, or its own."""

    values: np.ndarray
    control: np.ndarray | None = None
    """At the same requests."""
    floor: np.ndarray | None = None
    none: str = ""

    def series(self, key: str) -> Series:
        target = next(target for target in SCORE_RULES if target.key == key)
        width = target.high - target.low
        floor = self.control if self.floor is None else self.floor
        return Series(
            Stream.of(self.values, low=target.low, high=target.high),
            None if self.control is None else Stream.of(self.values - self.control, low=-width, high=width),
            None if floor is None else Stream.of(floor, low=target.low, high=target.high),
            none=self.none,
        )


def with_series(evidence: Evidence, **changes: Values | np.ndarray) -> Evidence:
    """The evidence with the values of some rules replaced."""
    given = {key: some if isinstance(some, Values) else Values(some) for key, some in changes.items()}
    series = {**evidence.series, **{key: some.series(key) for key, some in given.items()}}
    delta = given.get("mean_delta_s")
    tails = evidence.tails
    if delta is not None and delta.control is not None:
        tails = PairedSample.of(delta.values, delta.control)
    return replace(evidence, series=series, tails=tails)


def with_times(evidence: Evidence, slower: Any = 1.0, first: int = N) -> Evidence:
    """The first so many pairs of times, the shadow's ``slower`` times as long."""
    return replace(evidence, times=PairedSample.of(slower * evidence.times.above[:first], evidence.times.below[:first]))


def with_starts(evidence: Evidence, started_ns: np.ndarray) -> Evidence:
    """The evidence with copies that began then."""
    return replace(evidence, timeline=Timeline.of(started_ns.astype(np.int64)))


def rule(evidence: Evidence, key: str, gate: GateConfig | None = None) -> Rule:
    return next(some for some in evaluate(gate or GateConfig(), evidence).rules if some.key == key)
