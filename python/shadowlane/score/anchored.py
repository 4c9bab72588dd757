"""Anchored ΔS: ΔS that sees contradictions which the cosine of two embeddings does not.

The rules and the formula are in Rust (``rust/anchored``); here they meet the embedder and become
:class:`Comparison`.

Invariants: a pair without any evidence keeps its plain ΔS, a contradicted one is at 0.60 or above, and every difference
from plain ΔS has a reason that :func:`explain_pair` prints. Rules and vocabulary only, nothing learnt: the weights 0.5,
0.3 and 0.2 are the definition's; how much evidence takes off a component, and how disorder is counted, was chosen among
round values and simple forms with parts of SICK, MRPC, STS and PAWS at hand (see ``docs/parts/score.md``). Values
(numbers, quantities, money, dates, times, identifiers) and clauses are read in English, German, French, Spanish,
Chinese and Japanese, names, quotes and the order of words in English; in any other language values alone are
compared, and ``unread`` and the note say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..embedders import Embedder, load_embedder
from ..errors import ScoreError
from ..types import Unread
from .delta import text_delta_s

__all__ = [
    "Comparison",
    "Component",
    "Evidence",
    "Unmatched",
    "Verdict",
    "anchor",
    "anchor_all",
    "anchored_delta_s",
    "explain_pair",
]

Component: TypeAlias = Literal["entities", "relations", "constraints"]
_FOREIGN = "only values were compared: the texts are not both in one of the languages whose clauses are known here"
_CUT = "only the first 64 KiB, 512 entities and 400 sentences were read for facts"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One contradiction: its kind, and the (start, end) character span of each side."""

    kind: str
    """``number``, ``date``, ``name``, ``quote``, ``url``, ``code``, ``negation``, ``antonym``, ``modality``,
    ``quantifier``, ``direction`` (who does what, where from and where to), ``order`` (of steps), ``cause``,
    ``condition`` (in code), ``member`` (of JSON, or a table's cell) or ``answer`` (yes against no)."""
    component: Component
    a: tuple[int, int]
    b: tuple[int, int]
    text_a: str
    text_b: str


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Sentences and list items of one text of which the other says next to nothing, and values that it leaves out."""

    share: float = 0.0
    """Of all sentences that have content, and these values, in [0, 1]; 0 where the texts could not be read."""
    spans: tuple[tuple[int, int], ...] = ()
    """(start, end) characters of each."""
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two texts compare, and why."""

    delta_s: float
    anchored: float
    fact_flip: bool
    evidence: tuple[Evidence, ...]
    embedder: str = ""
    note: str = ""
    """Why there is no evidence to look for, or only in part of the texts; empty when there is."""
    missing: Unmatched = Unmatched()
    """What only the first text says: its own signal, never a flip."""
    extra: Unmatched = Unmatched()
    """What only the second text says."""
    unread: Unread = ""


class Verdict(NamedTuple):
    """What is stored of a :class:`Comparison`: no spans."""

    anchored: float
    fact_flip: bool
    missing: float | None
    """The share; ``None`` where clauses could not be compared."""
    extra: float | None
    unread: Unread
    note: str


def anchored_delta_s(
    texts_a: Sequence[str],
    texts_b: Sequence[str],
    *,
    delta: NDArray[np.floating] | None = None,
    embedder: Embedder | None = None,
) -> NDArray[np.float32]:
    """Anchored ΔS of n texts against n others: (n,) float32, computed without the GIL.

    ``delta`` is their plain ΔS where that is known already; else ``embedder`` computes it, ``wordllama`` by default
    (:class:`~shadowlane.errors.MissingExtraError` without the extra ``semantic``).
    Raises :class:`~shadowlane.errors.ScoreError` when the lengths differ.
    """
    if len(texts_a) != len(texts_b):
        raise ScoreError(f"anchored_delta_s: {len(texts_a)} texts against {len(texts_b)}; give as many on both sides")
    if delta is None:
        delta = text_delta_s(embedder or _default(), texts_a, texts_b)
    elif delta.shape != (len(texts_a),):
        raise ScoreError(f"anchored_delta_s: delta has shape {delta.shape}; give ({len(texts_a)},)")
    return np.array(_core.anchor_pairs(_whole(texts_a), _whole(texts_b), delta.tolist()), dtype=np.float32)


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
    (a,), (b,) = _whole((text_a,)), _whole((text_b,))
    anchored, foreign, cut, found, missing, extra = _core.anchor_pair(a, b, plain)
    evidence = tuple(
        Evidence(kind, component, span_a, span_b, text_a[slice(*span_a)], text_b[slice(*span_b)])
        for kind, component, span_a, span_b in found
    )
    unread, note = _unread(foreign, cut)
    return Comparison(
        delta_s=plain,
        anchored=anchored,
        fact_flip=bool(evidence),
        evidence=evidence,
        embedder=embedder,
        note=note,
        missing=Unmatched() if foreign else _unmatched(text_a, missing),
        extra=Unmatched() if foreign else _unmatched(text_b, extra),
        unread=unread,
    )


def anchor_all(texts_a: Sequence[str], texts_b: Sequence[str], plain: Sequence[float]) -> list[Verdict]:
    """What :func:`anchor` says of each of n pairs, but for the spans: in one call, without the GIL.

    Raises :class:`~shadowlane.errors.ScoreError` when the lengths differ.
    """
    if not len(texts_a) == len(texts_b) == len(plain):
        raise ScoreError(f"anchor_all: {len(texts_a)} texts, {len(texts_b)} others and {len(plain)} ΔS; give as many")
    verdicts = []
    for found in _core.anchor_verdicts(_whole(texts_a), _whole(texts_b), plain):
        anchored, contradicted, missing, extra, foreign, cut = found
        unread, note = _unread(foreign, cut)
        # What is missing cannot be said of clauses that were not compared.
        shares = (None, None) if foreign else (missing, extra)
        verdicts.append(Verdict(anchored, contradicted, shares[0], shares[1], unread, note))
    return verdicts


def _unread(foreign: bool, cut: bool) -> tuple[Unread, str]:
    """Why facts were not looked at, or not in all of the texts: the word that is stored, and the note."""
    if foreign:
        return "language", f"{_FOREIGN}; {_CUT}" if cut else _FOREIGN
    return ("too long", _CUT) if cut else ("", "")


def _unmatched(text: str, found: tuple[float, list[tuple[int, int]]]) -> Unmatched:
    share, spans = found
    return Unmatched(share, tuple(spans), tuple(text[slice(*span)] for span in spans))


def _whole(texts: Sequence[str]) -> list[str]:
    """The texts with half surrogate pairs, which JSON may escape and UTF-8 cannot hold, as one ``?`` each."""
    return [text if text.isascii() else text.encode("utf-8", "replace").decode() for text in texts]


@lru_cache(maxsize=1)
def _default() -> Embedder:
    return load_embedder("wordllama")
