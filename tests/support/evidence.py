"""Evidence for the gate's rules that meets all of them, and ways to change one part of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from shadowlane.config import GateConfig
from shadowlane.gate import Direct, Evidence, Piece, Rule, Sampling, Series, Trial, evaluate
from shadowlane.gate.accounts import BURNS, Accounts, Burn

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
    "missing",
    "extra",
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


def good() -> Evidence:
    """Evidence that meets every rule that needs no control."""
    random = np.random.default_rng(5)
    prod = random.lognormal(18, 0.2, N)
    series = {key: Series(np.zeros(N)) for key in SHARES}
    for key in ("missing", "extra"):
        series[key] = Series(np.zeros(N), excess=np.zeros(N), excess_floor=np.zeros(N), floor=np.zeros(N))
    series["mean_delta_s"] = series["anchored_delta_s"] = Series(random.beta(2, 12, N))
    return Evidence(
        shadow="candidate",
        started_ns=np.linspace(0, 24 * HOUR_NS, N).astype(np.int64),
        series=series,
        prod_ns=prod,
        shadow_ns=prod * random.lognormal(-0.01, 0.01, N),
        sampling=Sampling(0.05, 20 * N, N),
        prod_failed=10,
        admitted=N + 10,
        trial=trial(N, 0.005),
        direct=direct(N, 5),
        accounts=Accounts(burns=burns(0)),
        accounting_holds=True,
        accounting="seen = mirrored",
    )


def with_series(evidence: Evidence, **changes: Any) -> Evidence:
    """The evidence with series replaced: a :class:`Series`, or the values of one."""
    given = {key: some if isinstance(some, Series) else Series(some) for key, some in changes.items()}
    return replace(evidence, series={**evidence.series, **given})


def rule(evidence: Evidence, key: str, gate: GateConfig | None = None) -> Rule:
    return next(some for some in evaluate(gate or GateConfig(), evidence).rules if some.key == key)
