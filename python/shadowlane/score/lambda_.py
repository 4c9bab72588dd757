"""λ: how answers behave over repeated runs of a question, and how ΔS behaves over time.

Four states, under the names ``convergent`` (→), ``divergent`` (←), ``recursive`` (<>) and ``chaotic`` (×). Invariants:
every run gets exactly one state; → and × come only from their own definition, and what the definition leaves open is <>
or ←. Source: λ_observe of the WFGY Problem Map (PSBigBig, MIT), with the thresholds of shadowlane's design.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from ..bands import CRITICAL, STABLE
from ..errors import ScoreError

__all__ = [
    "ARROWS",
    "JUMP",
    "STATES",
    "STEP",
    "TIE",
    "WINDOW",
    "State",
    "accepted",
    "convergence_rate",
    "flip_rate",
    "lambda_group",
    "lambda_groups",
    "lambda_trend",
    "lambda_trends",
    "pair_states",
]

State = Literal["convergent", "divergent", "recursive", "chaotic"]

STATES: tuple[State, ...] = ("convergent", "divergent", "recursive", "chaotic")
ARROWS: dict[str, str] = {"convergent": "→", "divergent": "←", "recursive": "<>", "chaotic": "×"}

_CONVERGENT, _DIVERGENT, _RECURSIVE, _CHAOTIC = range(4)
_NAMES: NDArray[np.str_] = np.array(STATES)

TIE = 1e-6
"""Sums of ΔS of one group that differ by less than this a run are equal."""
STEP = 0.02
"""The dead band of one step, and of what enters the rolling mean."""
JUMP = 0.04
WINDOW = 5


def pair_states(
    delta: NDArray[np.floating], agreement: NDArray[np.floating], collapsed: NDArray[np.bool_]
) -> NDArray[np.str_]:
    """The state of each answer against the one that it is measured by.

    ``delta`` is its ΔS, ``agreement`` the share of citations on which both agree in [0, 1], NaN where neither cites,
    ``collapsed`` whether it is empty, refused, an error or cut off. All of one shape, which is the result's.

    ========================  =====================  =================  ====================
    .                         all agree, or none     agree in part      no citation agrees
                              is cited
    ========================  =====================  =================  ====================
    ΔS < 0.40                 →                      <>                 <> (left open)
    0.40 ≤ ΔS < 0.60          <>                     <>                 <>
    0.60 ≤ ΔS                 <> (left open);        <>                 ×
                              × when none is cited
    ========================  =====================  =================  ====================

    A collapsed answer is ← whatever its ΔS. NaN as ΔS of an answer that has not collapsed raises
    :class:`~shadowlane.errors.ScoreError`.
    """
    delta, agreement, collapsed = np.asarray(delta), np.asarray(agreement), np.asarray(collapsed, dtype=bool)
    if not delta.shape == agreement.shape == collapsed.shape:
        raise ScoreError(
            f"pair_states: delta {delta.shape}, agreement {agreement.shape} and collapsed {collapsed.shape} "
            "must have the same shape"
        )
    if (np.isnan(delta) & ~collapsed).any():
        raise ScoreError("pair_states: ΔS is NaN for an answer that has not collapsed; score it, or leave it out")
    kind = delta.dtype.type
    silent = np.isnan(agreement)
    stable, critical = delta < kind(STABLE), delta >= kind(CRITICAL)
    states = np.full(delta.shape, _RECURSIVE)
    states[stable & (silent | (agreement >= 1))] = _CONVERGENT
    states[critical & (silent | (agreement <= 0))] = _CHAOTIC
    states[collapsed] = _DIVERGENT
    return np.asarray(_NAMES[states])


def lambda_group(
    embeddings: NDArray[np.float32] | None = None,
    citations: Sequence[Iterable[Hashable]] | None = None,
    collapsed: Sequence[bool] | NDArray[np.bool_] | None = None,
    *,
    delta: NDArray[np.floating] | None = None,
) -> list[State]:
    """The states of one question's runs, for example 3 paraphrases × 2 seeds, against the group's medoid answer.

    ``embeddings`` is (r, d) float32 with unit rows, one a run; or give ``delta``, (r, r) ΔS between the runs.
    ``citations`` holds for each run what it cites (snippet ids or anything hashable; order and repeats do not matter),
    ``collapsed`` whether the run came back empty, refused, as an error or cut off. The medoid is the run with the least
    sum of ΔS to the others that have not collapsed; the first of equals (to 1e-6 a run). Returns r states:

    * ``convergent`` (→): ΔS to the medoid < 0.40 and the citations agree (or neither cites);
    * ``divergent`` (←): the run collapsed;
    * ``recursive`` (<>): 0.40 ≤ ΔS < 0.60, or the citations agree in part, or one of the two agrees and the other not;
    * ``chaotic`` (×): ΔS ≥ 0.60 and no citation agrees.

    Raises :class:`~shadowlane.errors.ScoreError` when the lengths do not fit. Many groups: :func:`lambda_groups`.
    Source: λ_observe of the WFGY Problem Map (PSBigBig, MIT): its four states over paraphrases and seeds, with the
    ΔS bands 0.40 and 0.60.
    """
    if (embeddings is None) == (delta is None):
        raise ScoreError("lambda_group: give either embeddings (r, d) or delta (r, r)")
    given = np.asarray(embeddings if delta is None else delta)
    if given.ndim != 2:
        raise ScoreError(f"lambda_group: shape {given.shape}; give (r, d) embeddings or an (r, r) delta matrix")
    if len(given) == 0:
        return []
    states = lambda_groups(
        given[None] if delta is None else None,
        None if citations is None else [citations],
        None if collapsed is None else np.asarray(collapsed, dtype=bool)[None],
        delta=None if delta is None else given[None],
    )
    return cast("list[State]", states[0].tolist())


def lambda_groups(
    embeddings: NDArray[np.float32] | None = None,
    citations: Sequence[Sequence[Iterable[Hashable]]] | None = None,
    collapsed: NDArray[np.bool_] | None = None,
    *,
    delta: NDArray[np.floating] | None = None,
) -> NDArray[np.str_]:
    """:func:`lambda_group` over g groups of r runs: (g, r, d) embeddings or (g, r, r) delta, to (g, r) states."""
    if (embeddings is None) == (delta is None):
        raise ScoreError("lambda_groups: give either embeddings (g, r, d) or delta (g, r, r)")
    if delta is None:
        rows = np.asarray(embeddings)
        if rows.ndim != 3:
            raise ScoreError(f"lambda_groups: embeddings have shape {rows.shape}; give (g, r, d)")
        distance = np.clip(1 - rows @ rows.transpose(0, 2, 1), 0, 2)
    else:
        distance = np.asarray(delta)
        if distance.ndim != 3 or distance.shape[1] != distance.shape[2]:
            raise ScoreError(f"lambda_groups: delta has shape {distance.shape}; give (g, r, r)")
    groups, runs = distance.shape[:2]
    down = np.zeros((groups, runs), dtype=bool) if collapsed is None else np.asarray(collapsed, dtype=bool)
    if down.shape != (groups, runs):
        raise ScoreError(f"lambda_groups: collapsed has shape {down.shape}; give {(groups, runs)}")
    if groups == 0 or runs == 0:
        return np.empty((groups, runs), dtype=_NAMES.dtype)
    # A collapsed run may carry any embedding, NaN included: it neither counts towards the medoid nor can be it.
    distance = np.where(down[:, None, :] | down[:, :, None], 0, distance)
    total = np.where(down, np.inf, distance.sum(axis=2))
    # Sums of float32 in another order differ in their last bits: what is equal but for these is a tie: the first wins.
    medoid = (total <= total.min(axis=1, keepdims=True) + TIE * runs).argmax(axis=1)
    to_medoid = distance[np.arange(groups), medoid]
    if citations is None:
        agreement = np.full((groups, runs), np.nan)
    else:
        if len(citations) != groups or any(len(group) != runs for group in citations):
            raise ScoreError(f"lambda_groups: citations must hold {groups} groups of {runs} runs")
        agreement = np.array([_agreement(group, int(center)) for group, center in zip(citations, medoid, strict=True)])
    return pair_states(to_medoid, agreement, down)


def _agreement(group: Sequence[Iterable[Hashable]], center: int) -> list[float]:
    """Jaccard index of each run's citations with the medoid's; NaN where neither cites."""
    if any(isinstance(run, (str, bytes)) for run in group):
        raise ScoreError("lambda_group: a run's citations are a single text; give a list or set of ids for each run")
    sets = [frozenset(run) for run in group]
    middle = sets[center]
    return [len(own & middle) / len(own | middle) if own or middle else float("nan") for own in sets]


def lambda_trend(series: Sequence[float] | NDArray[np.floating]) -> list[State]:
    """The states of one series of ΔS in time order: t values to t − 1 states, one for each step.

    With Δ = ΔS_t − ΔS_{t−1} and E = the rolling mean of the last 5 values (fewer at the start), the first that holds:

    * ``convergent`` (→): Δ ≤ −0.02 and E not rising;
    * ``recursive`` (<>): |Δ| < 0.02 and E flat;
    * ``divergent`` (←): −0.02 < Δ ≤ 0.04 and it oscillates: the window holds steps in both directions;
    * ``chaotic`` (×): Δ > 0.04.

    E is flat when it moved by less than 0.02 / w, w being the window's length: with a full window that says that the
    value which entered is within 0.02 of the one that left. It is rising above that. What the definition leaves open
    is ← when Δ ≥ 0.02, or when E rises and Δ > −0.02; else <>.

    Raises :class:`~shadowlane.errors.ScoreError` when the series is not one-dimensional or holds NaN. Many series at
    once: :func:`lambda_trends`. Source: λ_observe of the WFGY Problem Map (PSBigBig, MIT): Δ and the resonance E over
    five steps, with the thresholds 0.02 and 0.04.
    """
    values = np.asarray(series, dtype=np.float64)
    if values.ndim != 1:
        raise ScoreError(f"lambda_trend: series has shape {values.shape}; give one dimension (many: lambda_trends)")
    return cast("list[State]", lambda_trends(values[None])[0].tolist())


def lambda_trends(series: NDArray[np.floating]) -> NDArray[np.str_]:
    """:func:`lambda_trend` over g series of one length at once: (g, t) ΔS to (g, max(t − 1, 0)) states."""
    values = np.asarray(series, dtype=np.float64)
    if values.ndim != 2:
        raise ScoreError(f"lambda_trends: series has shape {values.shape}; give (g, t)")
    if np.isnan(values).any():
        raise ScoreError("lambda_trends: the series holds NaN; leave out what has no ΔS")
    groups, length = values.shape
    if length < 2:
        return np.empty((groups, 0), dtype=_NAMES.dtype)
    # 0.30 − 0.28 is 0.0199… in binary: rounding to 1e-9 puts the thresholds where the decimal definition has them.
    step = np.round(np.diff(values, axis=1), 9)
    sums = np.concatenate([np.zeros((groups, 1)), np.cumsum(values, axis=1)], axis=1)
    ends = np.arange(1, length + 1)
    window = np.minimum(ends, WINDOW)
    mean = (sums[:, ends] - sums[:, ends - window]) / window
    drift = np.round(np.diff(mean, axis=1), 9)
    dead = np.round(STEP / window[1:], 9)
    rising, flat = drift >= dead, np.abs(drift) < dead
    oscillates = _turned(step)
    small = np.abs(step) < STEP
    states = np.select(
        [
            (step <= -STEP) & ~rising,
            small & flat,
            (step > -STEP) & (step <= JUMP) & oscillates,
            step > JUMP,
            (step >= STEP) | (rising & (step > -STEP)),
        ],
        [_CONVERGENT, _RECURSIVE, _DIVERGENT, _CHAOTIC, _DIVERGENT],
        default=_RECURSIVE,
    )
    return np.asarray(_NAMES[states])


def _turned(step: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether, among the steps inside the window that ends at each step, one goes up and one goes down."""
    up, down = np.zeros_like(step, dtype=bool), np.zeros_like(step, dtype=bool)
    for back in range(min(WINDOW - 1, step.shape[1])):
        stop = step.shape[1] - back
        up[:, back:] |= step[:, :stop] > 0
        down[:, back:] |= step[:, :stop] < 0
    both: NDArray[np.bool_] = up & down
    return both


def convergence_rate(states: Sequence[str] | NDArray[np.str_]) -> float:
    """⟨λ⟩ of convergence: the share of ``convergent`` among all states, (t,) or (g, t), in [0, 1]; NaN without any."""
    found = np.asarray(states)
    return float((found == "convergent").mean()) if found.size else float("nan")


def flip_rate(states: Sequence[str] | NDArray[np.str_]) -> float:
    """⟨λ⟩ of flips: the share of steps, in time order along the last axis of (t,) or (g, t) states, at which the state
    changed, in [0, 1]; NaN without a step.
    """
    found = np.asarray(states)
    changed = found[..., 1:] != found[..., :-1]
    return float(changed.mean()) if changed.size else float("nan")


def accepted(states: Sequence[str] | NDArray[np.str_]) -> bool:
    """Whether a group passes: → on at least 80 % of its runs, no ×, <> on at most 10 %. No run, no pass."""
    found = np.asarray(states)
    if found.size == 0:
        return False
    return bool(
        (found == "convergent").mean() >= 0.80
        and not (found == "chaotic").any()
        and (found == "recursive").mean() <= 0.10
    )
