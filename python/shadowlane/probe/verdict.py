"""What the answers of a probe say: ΔS on each paraphrase, λ over paraphrases and seeds, citations, coverage, a verdict.

Invariants: an item is accepted only when every criterion that applies is met; what prod itself does not do is not asked
of the shadow (where prod's own answers do not converge, or miss the section, the shadow must be no worse than prod).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..bands import ACCEPTED, CRITICAL
from ..embedders import Embedder
from ..score.anchored import anchor
from ..score.citations import compare_citations
from ..score.delta import text_delta_s
from ..score.lambda_ import ARROWS, accepted, convergence_rate, lambda_groups
from ..score.live import citation_keys
from .gold import GoldItem
from .runner import Runs
from .spread import own_spreads, spread_line
from .state import Arm, Run

__all__ = ["Criterion", "ItemVerdict", "PairScore", "ProbeVerdict", "Targets", "evaluate_runs"]


@dataclass(frozen=True, slots=True)
class Targets:
    """What an item must reach."""

    delta_s: float = ACCEPTED
    citation_match: float = 0.5
    coverage: float = 0.8
    contradicting: float = 0.5
    """Share of an item's pairs whose facts may contradict each other; one such pair may be a wording's fault."""
    spread: float | None = None
    """σ/μ of ΔS over an item's wordings and seeds, beyond what prod's own seeds differ by; ``None``: shown alone, since
    services that retrieve differ by the wording for reasons of their own."""
    accepted: float = 1.0
    """Share of the items that must be accepted."""


class Criterion(msgspec.Struct, frozen=True):
    """One criterion of one item, or of the whole. ``ok`` is ``None`` where it does not apply."""

    name: str
    ok: bool | None
    evidence: str


class PairScore(msgspec.Struct, frozen=True, kw_only=True):
    """Prod against the shadow, in one wording with one seed."""

    wording: int
    seed: int
    delta_s: float | None
    """``None`` when a side has no answer."""
    anchored: float | None
    fact_flip: bool
    evidence: str
    citation_match: float | None
    prod: str
    shadow: str
    shadow_why: str
    """Why the shadow's run collapsed; empty when it did not."""


class ItemVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One item: its criteria, its pairs and both services' λ, wording by wording with the seeds in order."""

    id: str
    question: str
    ok: bool | None
    """``None``: prod gave no answer to compare with."""
    criteria: tuple[Criterion, ...]
    wordings: tuple[str, ...]
    pairs: tuple[PairScore, ...]
    states: dict[str, tuple[tuple[str, ...], ...]]
    flips: dict[str, int]
    """Wordings in which λ differs between the seeds."""
    delta_s: tuple[float | None, ...]
    """Mean ΔS of each wording."""
    coverage: dict[str, float | None]
    citation_match: float | None
    seconds: float


class ProbeVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The whole probe."""

    ok: bool
    criteria: tuple[Criterion, ...]
    items: tuple[ItemVerdict, ...]
    accepted: int
    embedder: str
    seeds: tuple[int, ...]
    mean_delta_s: float | None
    convergence: dict[str, float]
    citation_match: float | None
    coverage: dict[str, float | None]
    index_hash: dict[str, str]
    model_rev: dict[str, str]


def evaluate_runs(
    items: Sequence[GoldItem],
    wordings: Mapping[str, tuple[str, ...]],
    runs: Runs,
    seeds: tuple[int, ...],
    embedder: Embedder,
    targets: Targets | None = None,
) -> ProbeVerdict:
    """The verdict over complete runs: each item in each of its wordings with each seed, at both services.

    Raises :class:`~shadowlane.errors.ScoreError` when the embedder fails, and KeyError when a run is missing.
    """
    aims = targets or Targets()
    sides = {arm: [_of(item, wordings, runs, seeds, arm) for item in items] for arm in ("prod", "shadow")}
    states = {arm: _states(groups, embedder) for arm, groups in sides.items()}
    every = [(prod, shadow) for pair in zip(*sides.values(), strict=True) for prod, shadow in zip(*pair, strict=True)]
    deltas = text_delta_s(embedder, [prod.text for prod, _ in every], [shadow.text for _, shadow in every])
    size = len(every) // max(len(items), 1)
    spreads = own_spreads(embedder, sides["prod"], len(seeds))
    evaluated = []
    for index, item in enumerate(items):
        pairs = [
            _pair(prod, shadow, float(delta))
            for (prod, shadow), delta in zip(
                every[index * size : (index + 1) * size], deltas[index * size : (index + 1) * size], strict=True
            )
        ]
        own = {arm: (sides[arm][index], states[arm][index]) for arm in sides}
        evaluated.append(_item(item, wordings[item.id], pairs, own, len(seeds), aims, spreads[index]))
    return _whole(evaluated, sides, states, seeds, embedder.name, aims)


def _of(
    item: GoldItem, wordings: Mapping[str, tuple[str, ...]], runs: Runs, seeds: tuple[int, ...], arm: str
) -> list[Run]:
    return [
        runs[item.id, wording, seed, cast("Arm", arm)] for wording in range(len(wordings[item.id])) for seed in seeds
    ]


def _states(groups: list[list[Run]], embedder: Embedder) -> NDArray[np.str_]:
    """(items, runs) states of one service, all items at once."""
    runs = len(groups[0])
    rows = embedder.embed([run.text for group in groups for run in group])
    return lambda_groups(
        rows.reshape(len(groups), runs, -1),
        [[citation_keys(run.citations) for run in group] for group in groups],
        np.array([[run.collapsed for run in group] for group in groups], dtype=bool),
    )


def _pair(prod: Run, shadow: Run, delta: float) -> PairScore:
    scored = bool(prod.text and shadow.text) and not (prod.status >= 400 or shadow.status >= 400)
    compared = anchor(prod.text, shadow.text, delta) if scored else None
    evidence = (
        "" if compared is None else "; ".join(f"{e.kind}: {e.text_a!r} / {e.text_b!r}" for e in compared.evidence)
    )
    both = not (prod.collapsed or shadow.collapsed)
    return PairScore(
        wording=prod.wording,
        seed=prod.seed,
        delta_s=delta if scored else None,
        anchored=None if compared is None else compared.anchored,
        fact_flip=compared is not None and compared.fact_flip,
        evidence=evidence,
        citation_match=compare_citations(prod.citations, shadow.citations).match if both else None,
        prod=prod.text,
        shadow=shadow.text,
        shadow_why=shadow.why,
    )


def _item(
    item: GoldItem,
    wordings: tuple[str, ...],
    pairs: list[PairScore],
    own: Mapping[str, tuple[list[Run], NDArray[np.str_]]],
    seeds: int,
    aims: Targets,
    own_spread: float,
) -> ItemVerdict:
    prod, shadow = own["prod"][0], own["shadow"][0]
    by_wording = [_mean([p.delta_s for p in pairs if p.wording == index]) for index in range(len(wordings))]
    match = _mean([pair.citation_match for pair in pairs])
    coverage = {arm: _coverage(item, own[arm][0]) for arm in own}
    states = {arm: own[arm][1] for arm in own}
    criteria = (
        _answers(prod, shadow),
        _delta(by_wording, aims),
        Criterion("spread", *spread_line([pair.delta_s for pair in pairs], own_spread, aims.spread)),
        _facts(pairs, aims),
        _lambda(states["prod"], states["shadow"]),
        _citations(match, aims),
        _covered(item, coverage, aims),
    )
    nothing = all(run.collapsed for run in prod)
    return ItemVerdict(
        id=item.id,
        question=item.question,
        ok=None if nothing else all(criterion.ok is not False for criterion in criteria),
        criteria=criteria,
        wordings=wordings,
        pairs=tuple(pairs),
        states={arm: tuple(map(tuple, found.reshape(-1, seeds).tolist())) for arm, found in states.items()},
        flips={
            arm: int((found.reshape(-1, seeds) != found.reshape(-1, seeds)[:, :1]).any(axis=1).sum())
            for arm, found in states.items()
        },
        delta_s=tuple(by_wording),
        coverage=coverage,
        citation_match=match,
        seconds=sum(run.seconds for runs, _ in own.values() for run in runs),
    )


def _answers(prod: list[Run], shadow: list[Run]) -> Criterion:
    if all(run.collapsed for run in prod):
        return Criterion("answers", None, f"prod gave no answer to compare with: {_reasons(prod)}")
    fell = [theirs for ours, theirs in zip(prod, shadow, strict=True) if theirs.collapsed and not ours.collapsed]
    if fell:
        return Criterion("answers", False, f"{len(fell)} of {len(shadow)} runs collapsed: {_reasons(fell)}")
    return Criterion("answers", True, f"all {len(shadow)} runs answered where prod's did")


def _reasons(runs: Sequence[Run]) -> str:
    return ", ".join(f"{why} ×{n}" for why, n in Counter(run.why for run in runs if run.collapsed).most_common(3))


def _delta(by_wording: Sequence[float | None], aims: Targets) -> Criterion:
    scored = [value for value in by_wording if value is not None]
    if not scored:
        return Criterion("ΔS", None, "no pair of answers")
    mean, shown = sum(scored) / len(scored), ", ".join("-" if v is None else f"{v:.2f}" for v in by_wording)
    ok = mean <= aims.delta_s and max(scored) < CRITICAL
    return Criterion(
        "ΔS", ok, f"{mean:.3f} on average (at most {aims.delta_s:g}), by paraphrase {shown} (each below {CRITICAL:g})"
    )


def _facts(pairs: Sequence[PairScore], aims: Targets) -> Criterion:
    scored = [pair for pair in pairs if pair.delta_s is not None]
    if not scored:
        return Criterion("facts", None, "no pair of answers")
    flips = [pair for pair in scored if pair.fact_flip]
    text = f"{len(flips)} of {len(scored)} pairs contradict each other"
    if flips:
        text += f", for example {flips[0].evidence}"
    return Criterion("facts", len(flips) <= aims.contradicting * len(scored), text)


def _lambda(prod: NDArray[np.str_], shadow: NDArray[np.str_]) -> Criterion:
    mine, theirs = _state_line(shadow), _state_line(prod)
    if accepted(shadow):
        return Criterion("λ", True, f"shadow {mine}")
    chaos = [int((found == "chaotic").sum()) for found in (prod, shadow)]
    if not accepted(prod) and convergence_rate(shadow) >= convergence_rate(prod) and chaos[1] <= chaos[0]:
        return Criterion("λ", True, f"shadow {mine}; no worse than prod, whose own runs do not converge: {theirs}")
    return Criterion("λ", False, f"shadow {mine}; prod {theirs} (accepted: → at least 80 %, no ×, <> at most 10 %)")


def _state_line(states: NDArray[np.str_]) -> str:
    return " ".join(f"{ARROWS[state]}{n}" for state, n in Counter(states.tolist()).most_common())


def _citations(match: float | None, aims: Targets) -> Criterion:
    if match is None:
        return Criterion("citations", None, "neither side cites")
    text = f"{100 * match:.0f} % of prod's citations found again (at least {100 * aims.citation_match:.0f} %)"
    return Criterion("citations", match >= aims.citation_match, text)


def _covered(item: GoldItem, coverage: Mapping[str, float | None], aims: Targets) -> Criterion:
    prod, shadow = coverage["prod"], coverage["shadow"]
    if prod is None or shadow is None:
        return Criterion("coverage", None, "the item names no section")
    aim = min(aims.coverage, prod)
    text = (
        f"{', '.join(item.sections)} cited by the shadow in {100 * shadow:.0f} %, by prod in {100 * prod:.0f} % of the "
        f"runs (at least {100 * aim:.0f} %)"
    )
    return Criterion("coverage", shadow >= aim - 1e-9, text)


def _coverage(item: GoldItem, runs: Sequence[Run]) -> float | None:
    """Mean share of the expected sections that a run cites."""
    if not item.sections:
        return None
    wanted = set(item.sections)
    return sum(
        len(wanted & {name for one in run.citations for name in (one.section_id, one.source_url)}) / len(wanted)
        for run in runs
    ) / len(runs)


def _whole(
    evaluated: list[ItemVerdict],
    sides: Mapping[str, list[list[Run]]],
    states: Mapping[str, NDArray[np.str_]],
    seeds: tuple[int, ...],
    embedder: str,
    aims: Targets,
) -> ProbeVerdict:
    good = sum(item.ok is True for item in evaluated)
    share, mean = good / len(evaluated), _mean([value for item in evaluated for value in item.delta_s])
    criteria = (
        Criterion(
            "items",
            share >= aims.accepted,
            f"{good} of {len(evaluated)} accepted (at least {100 * aims.accepted:.0f} %)",
        ),
        Criterion(
            "mean ΔS",
            None if mean is None else mean <= aims.delta_s,
            "no pair of answers" if mean is None else f"{mean:.3f} (at most {aims.delta_s:g})",
        ),
    )
    return ProbeVerdict(
        ok=all(criterion.ok is True for criterion in criteria),
        criteria=criteria,
        items=tuple(evaluated),
        accepted=good,
        embedder=embedder,
        seeds=seeds,
        mean_delta_s=mean,
        convergence={arm: convergence_rate(found) for arm, found in states.items()},
        citation_match=_mean([item.citation_match for item in evaluated]),
        coverage={arm: _mean([item.coverage[arm] for item in evaluated]) for arm in sides},
        index_hash={arm: _first(groups, "index_hash") for arm, groups in sides.items()},
        model_rev={arm: _first(groups, "model_rev") for arm, groups in sides.items()},
    )


def _first(groups: list[list[Run]], name: Literal["index_hash", "model_rev"]) -> str:
    found: list[Any] = [value for runs in groups for run in runs if (value := getattr(run, name))]
    return str(found[0]) if found else ""


def _mean(values: Sequence[float | None]) -> float | None:
    scored = [value for value in values if value is not None]
    return sum(scored) / len(scored) if scored else None
