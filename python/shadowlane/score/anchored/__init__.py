"""Anchored ΔS: ΔS that sees contradictions which the cosine of two embeddings does not.

anchored ΔS = 1 − (0.5·entities + 0.3·relations + 0.2·constraints). Each component says how much the two texts agree
in it, on the scale of a cosine, and starts from the cosine of their embeddings:

* entities: less a quarter of the share of numbers, dates, names, quotes, URLs and code that only one text has;
* relations: times Kendall's τ of the words' order, as far as both texts are made of the same words;
* constraints: the cosine;
* a component that is contradicted keeps half of its cosine.

A contradiction raises ``fact_flip`` and puts the pair at 0.60 or above, whatever its wording shares. A pair without
any evidence keeps its plain ΔS, so every difference from it has a reason that :func:`explain_pair` prints.

Invariant: rules and vocabulary only (:mod:`.lexicon`, :mod:`.compare`), nothing learnt. The weights 0.5, 0.3 and 0.2
are the definition's. How much evidence takes off a component (a quarter, a half, the fourth power in ``disorder``)
was chosen among round values on the training part of SICK and the development part of STS-B; it is no theory.
English only: for other languages the result is plain ΔS, and the note says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...errors import ScoreError
from ..delta import CRITICAL
from ..embed import Embedder, load_embedder, text_delta_s
from .compare import Evidence, contradictions, disorder, entity_agreement
from .extract import extract

__all__ = ["Comparison", "Evidence", "anchor", "anchored_delta_s", "explain_pair"]

_ENTITIES, _RELATIONS, _CONSTRAINTS = 0.5, 0.3, 0.2


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two texts compare, and why."""

    delta_s: float
    anchored: float
    fact_flip: bool
    evidence: tuple[Evidence, ...]
    embedder: str = ""
    note: str = ""
    """Why there is no evidence to look for; empty when there is."""


def anchored_delta_s(
    texts_a: Sequence[str],
    texts_b: Sequence[str],
    *,
    delta: NDArray[np.floating] | None = None,
    embedder: Embedder | None = None,
) -> NDArray[np.float32]:
    """Anchored ΔS of n texts against n others: (n,) float32.

    ``delta`` is their plain ΔS where that is known already; else ``embedder`` computes it, ``wordllama`` by default
    (:class:`~shadowlane.errors.MissingExtraError` without the extra ``semantic``).
    Raises :class:`~shadowlane.errors.ScoreError` when the lengths differ.
    """
    plain = _plain(texts_a, texts_b, delta, embedder)
    out = [anchor(a, b, float(value)).anchored for a, b, value in zip(texts_a, texts_b, plain, strict=True)]
    return np.array(out, dtype=np.float32)


def explain_pair(text_a: str, text_b: str, embedder: Embedder | None = None) -> Comparison:
    """ΔS, anchored ΔS and every contradiction found between two texts, with its two spans.

    Without ``embedder``, ``wordllama`` is used. Raises :class:`~shadowlane.errors.MissingExtraError` when that is not
    installed.
    """
    chosen = embedder or _default()
    plain = float(text_delta_s(chosen, [text_a], [text_b])[0])
    return anchor(text_a, text_b, plain, embedder=chosen.name)


def anchor(text_a: str, text_b: str, plain: float, *, embedder: str = "") -> Comparison:
    """The comparison of two texts whose plain ΔS is known. Needs no model."""
    if text_a == text_b:
        return Comparison(plain, plain, False, (), embedder)
    a, b = extract(text_a), extract(text_b)
    if not a.english or not b.english:
        return Comparison(plain, plain, False, (), embedder, "not English: anchored ΔS is plain ΔS")
    evidence = contradictions(a, b, text_a, text_b)
    against = {item.component for item in evidence}
    base = 1 - plain
    doubted = min(base, base / 2)
    agreement = entity_agreement(a, b)
    entities = base if agreement is None or base < 0 else base * (0.75 + 0.25 * agreement)
    relations = base - 2 * max(base, 0.0) * disorder(a, b)
    score = 1 - (
        _ENTITIES * (doubted if "entities" in against else entities)
        + _RELATIONS * (doubted if "relations" in against else relations)
        + _CONSTRAINTS * (doubted if against & {"constraints", "relations"} else base)
    )
    if evidence:
        score = max(score, CRITICAL)
    return Comparison(plain, min(max(score, 0.0), 2.0), bool(evidence), tuple(evidence), embedder)


@lru_cache(maxsize=1)
def _default() -> Embedder:
    return load_embedder("wordllama")


def _plain(
    texts_a: Sequence[str],
    texts_b: Sequence[str],
    delta: NDArray[np.floating] | None,
    embedder: Embedder | None,
) -> NDArray[np.floating]:
    if len(texts_a) != len(texts_b):
        raise ScoreError(f"anchored_delta_s: {len(texts_a)} texts against {len(texts_b)}; give as many on both sides")
    if delta is None:
        return text_delta_s(embedder or _default(), texts_a, texts_b)
    if delta.shape != (len(texts_a),):
        raise ScoreError(f"anchored_delta_s: delta has shape {delta.shape}; give ({len(texts_a)},)")
    return delta
