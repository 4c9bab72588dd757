"""How ΔS varies over the wordings and seeds of one item, beside how prod's own answers vary from seed to seed.

Source: WFGY Problem Map, variance_and_drift (PSBigBig, MIT): σ/μ of ΔS at most 0.15 over 3 seeds and 3 paraphrases.
Invariant: what prod's own seeds differ by is not asked of the shadow.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import mean, pstdev

from ..bands import STABLE
from ..embedders import Embedder
from ..score.delta import text_delta_s
from .state import Run

__all__ = ["own_spreads", "spread_line"]

_LEAST = 4
"""Fewer pairs have no spread to speak of."""


def own_spreads(embedder: Embedder, items: Sequence[Sequence[Run]], seeds: int) -> list[float]:
    """For each item's runs of prod (wording by wording, the seeds in order) how far two seeds of one wording differ,
    the root of the mean square of ΔS; 0.0 with one seed. Raises what the embedder raises."""
    pairs = [
        (item, one.text, other.text)
        for item, runs in enumerate(items)
        for start in range(0, len(runs), seeds)
        for one, other in combinations(runs[start : start + seeds], 2)
        if one.text and other.text
    ]
    deltas: list[list[float]] = [[] for _ in items]
    if pairs:
        _, first, second = zip(*pairs, strict=True)
        for (item, *_), delta in zip(pairs, text_delta_s(embedder, first, second).tolist(), strict=True):
            deltas[item].append(delta)
    # The distance of two equal answers is 0, so these vary around it.
    return [mean(value**2 for value in found) ** 0.5 if found else 0.0 for found in deltas]


def spread_line(deltas: Sequence[float | None], own: float, most: float | None) -> tuple[bool | None, str]:
    """Whether σ/μ of an item's ΔS is at most ``most`` beyond prod's ``own`` spread (``None``: nobody asks), and the
    evidence. A mean below 0.40, where answers are stable, is taken as 0.40, since σ/μ of a mean near 0 says nothing."""
    scored = [value for value in deltas if value is not None]
    if len(scored) < _LEAST:
        return None, f"{len(scored)} pairs of answers; give more seeds or paraphrases to know it"
    level, sigma = max(mean(scored), STABLE), pstdev(scored)
    text = f"σ/μ {sigma / level:.2f} over {len(scored)} pairs"
    text += f", prod's own {own / level:.2f} from seed to seed" if own >= 0.005 * level else ""
    if most is None:
        return None, f"{text} (not judged; --max-spread does)"
    return sigma <= most * level + own, f"{text} (at most {most:g} beyond prod's own)"
