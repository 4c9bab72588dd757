"""Scores batches of pairs: both answers read, embedded in one call, compared; what cannot be scored says why.

Invariants: every pair comes back, in order, with a score or a note; one pair that cannot be read never costs another
its score; an error page is never compared as if it were an answer. The scorer reads sanitized bodies only, since that
is all that a :class:`~shadowlane.types.Pair` holds.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..config import ScoreConfig
from ..types import FLAG_CLIENT_DISCONNECTED, FLAG_RESPONSE_CUT, Answer, Headers, Pair, Scores
from .anchored import anchor
from .answers import extract_answer, extract_vectors
from .citations import compare_citations
from .delta import delta_s
from .embed import Embedder, load_embedder, text_delta_s
from .lambda_ import State, pair_states

__all__ = ["Scorer"]

log = logging.getLogger("shadowlane.score")

_CUT = frozenset({"length", "max_tokens", "MAX_TOKENS", "model_length", "max_output_tokens"})


@dataclass(slots=True)
class _Read:
    """A pair whose two answers were read and can be compared."""

    index: int
    pair: Pair
    collapsed: bool
    citation_match: float | None
    index_agrees: bool | None
    note: str


class Scorer:
    """Compares prod's and the shadow's answers. Loads the embedder at once, so that a wrong name fails at start.

    Raises :class:`~shadowlane.errors.ConfigError` for an unknown embedder and
    :class:`~shadowlane.errors.MissingExtraError` when its package is not installed.
    """

    def __init__(self, config: ScoreConfig, *, embedder: Embedder | None = None) -> None:
        self._config = config
        self._embedder = load_embedder(config.embedder) if embedder is None else embedder

    @property
    def embedder(self) -> str:
        """Name and revision of the embedder, as in every score."""
        return self._embedder.name

    def score(self, pairs: list[Pair]) -> list[Pair]:
        """The pairs, in order, with texts, revisions and scores filled in.

        A pair is not scored, and its note says so, when the copy failed (``outcome.reason``), when either side answered
        with HTTP 400 or above, or when prod's answer cannot be read. A shadow that erred, refused, or came back empty
        or cut off where prod did not is ``divergent`` (the run collapsed). Raises
        :class:`~shadowlane.errors.ScoreError` when the embedder fails.
        """
        out = list(pairs)
        ready: list[_Read] = []
        for index, pair in enumerate(pairs):
            try:
                read = self._read(index, pair)
            except Exception as error:
                log.exception("cannot read the answers of %s", pair.copy.shadow_id)
                read = _noted(pair, f"the answers cannot be read: {type(error).__name__}")
            if isinstance(read, Pair):
                out[index] = read
            else:
                ready.append(read)
        if not ready:
            return out
        prod = [read.pair.prod_text for read in ready]
        shadow = [read.pair.shadow_text for read in ready]
        delta = text_delta_s(self._embedder, prod, shadow)
        for read, value, state in zip(ready, delta, _states(ready, delta), strict=True):
            compared = anchor(read.pair.prod_text, read.pair.shadow_text, float(value))
            scores = Scores(
                delta_s=float(value),
                anchored=compared.anchored,
                fact_flip=compared.fact_flip,
                embedder=self._embedder.name,
                citation_match=read.citation_match,
                index_agrees=read.index_agrees,
                state=state,
                note="; ".join(filter(None, (read.note, compared.note))),
            )
            out[read.index] = msgspec.structs.replace(read.pair, scores=scores)
        return out

    def _read(self, index: int, pair: Pair) -> _Read | Pair:
        copy, outcome = pair.copy, pair.outcome
        if outcome.reason:
            return _noted(pair, outcome.reason)
        prod = self._answer(copy.response_headers, copy.response_body)
        shadow = self._answer(outcome.headers, outcome.body)
        index_hash = shadow.index_hash or pair.index_hash
        prod_index_hash = prod.index_hash or pair.prod_index_hash
        pair = msgspec.structs.replace(
            pair,
            prod_text=_text(prod),
            shadow_text=_text(shadow),
            model_rev=shadow.model_rev or pair.model_rev,
            index_hash=index_hash,
            prod_index_hash=prod_index_hash,
        )
        if copy.status >= 400:
            return _noted(pair, f"prod answered with HTTP {copy.status}")
        if outcome.status >= 400:
            return _noted(pair, f"the shadow answered with HTTP {outcome.status}", "divergent")
        if prod.kind.endswith(".embeddings") and shadow.kind.endswith(".embeddings"):
            return _vectors(pair)
        if not pair.prod_text and prod.note:
            return _noted(pair, f"prod's answer: {prod.note}")
        notes = [f"prod's answer: {prod.note}"] if prod.note else []
        if copy.flags & FLAG_RESPONSE_CUT:
            notes.append("prod's answer was kept cut at max_body_bytes")
        if copy.flags & FLAG_CLIENT_DISCONNECTED:
            notes.append("the client left before prod's answer was complete")
        if shadow.note:
            notes.append(f"the shadow's answer: {shadow.note}")
        report = compare_citations(prod.citations, shadow.citations)
        agrees = report.index_agrees
        if agrees is None and prod_index_hash and index_hash:
            agrees = prod_index_hash == index_hash
        return _Read(
            index=index,
            pair=pair,
            collapsed=_fell(prod, pair.prod_text) < _fell(shadow, pair.shadow_text),
            citation_match=report.match,
            index_agrees=agrees,
            note="; ".join(notes),
        )

    def _answer(self, headers: Headers, body: bytes) -> Answer:
        answer = extract_answer(
            _header(headers, b"content-type"),
            body,
            text_pointer=self._config.text_pointer,
            citations_pointer=self._config.citations_pointer,
        )
        return msgspec.structs.replace(
            answer,
            model_rev=_header(headers, b"x-model-rev") or answer.model_rev,
            index_hash=_header(headers, b"x-index-hash") or answer.index_hash,
        )


def _vectors(pair: Pair) -> Pair:
    """Two embeddings responses: the mean ΔS of their rows, under a name of its own, so that no text's ΔS is mixed
    in.
    """
    prod, shadow = extract_vectors(pair.copy.response_body), extract_vectors(pair.outcome.body)
    if prod is None or shadow is None:
        return _noted(pair, "an embeddings response holds no vectors of one length")
    if prod.shape != shadow.shape:
        return _noted(pair, f"embeddings of shape {prod.shape} against {shadow.shape} cannot be compared")
    norms = [np.linalg.norm(rows, axis=1, keepdims=True) for rows in (prod, shadow)]
    if not all(np.isfinite(norm).all() and norm.all() for norm in norms):
        return _noted(pair, "an embeddings response holds a vector without direction")
    value = float(delta_s(prod / norms[0], shadow / norms[1]).mean())
    state = pair_states(np.array([value]), np.array([np.nan]), np.array([False])).tolist()[0]
    return msgspec.structs.replace(pair, scores=Scores(delta_s=value, embedder="response-vectors@1", state=state))


def _states(ready: list[_Read], delta: NDArray[np.float32]) -> list[State]:
    agreement = np.array([np.nan if read.citation_match is None else read.citation_match for read in ready])
    collapsed = np.array([read.collapsed for read in ready], dtype=bool)
    return cast("list[State]", pair_states(delta, agreement, collapsed).tolist())


def _fell(answer: Answer, text: str) -> bool:
    """Whether an answer by itself is a collapse. It counts only where prod's is none: two refusals agree."""
    return not text or answer.refusal or answer.finish_reason in _CUT or bool(answer.note)


def _text(answer: Answer) -> str:
    """What is compared: the text, and what the answer asks tools to do, since that is an answer too."""
    calls = [f"{call.name}({call.arguments})" for call in answer.tool_calls]
    return "\n".join([answer.text, *calls]).strip() if calls else answer.text.strip()


def _noted(pair: Pair, note: str, state: State | None = None) -> Pair:
    return msgspec.structs.replace(pair, scores=Scores(note=note, state=state or ""))


def _header(headers: Headers, name: bytes) -> str:
    """The last value of a header by lower-case name; empty when absent."""
    for key, value in reversed(headers):
        if key.lower() == name:
            return value.decode("latin-1").strip()
    return ""
