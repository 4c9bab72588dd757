"""Both answers of a pair, read: what can be compared of them, or why they cannot be.

Invariants: an error page is never compared as if it were an answer; a note quotes nothing of an answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import numpy as np

from ..config import ScoreConfig
from ..errors import DetectorError
from ..providers import extract_vectors
from ..providers.cleaning import read_answer
from ..types import UNREADABLE_DETECTOR, Answer, Citation, Collapse, Headers, Pair, Scores, Unread, header
from .citations import cited, compare_citations
from .collapse import collapse_kind, compared_text
from .delta import delta_s
from .incomplete import common_length, left_out_by_status, why_incomplete
from .lambda_ import State, pair_states
from .retrieval import question_for

__all__ = ["Read", "Reader", "not_looked_at", "noted"]

_FINISH_CHARS = 60
"""A finish reason is a word, or a few; what is longer is none."""


@dataclass(slots=True)
class Read:
    """A pair whose two answers were read and can be compared."""

    index: int
    pair: Pair
    prod: Answer
    shadow: Answer
    citation_match: tuple[float | None, float | None]
    """Of prod's citations and of the shadow's."""
    index_agrees: bool | None
    note: str
    question: str = ""
    """What was asked, where an answer carries passages to hold against it; empty when that is not known."""
    failed: bool = False
    """The shadow answered with an error: a run that collapsed, and no answer to compare."""
    partial: bool = False
    """Prod's answer is not whole: both texts are cut at one length."""
    prod_cites: tuple[Citation, ...] = field(init=False)
    shadow_cites: tuple[Citation, ...] = field(init=False)
    prod_collapse: Collapse = field(init=False)
    shadow_collapse: Collapse = field(init=False)

    def __post_init__(self) -> None:
        self.prod_cites, self.shadow_cites = cited(self.prod), cited(self.shadow)
        self.prod_collapse = collapse_kind(self.prod, self.pair.prod_text)
        self.shadow_collapse = collapse_kind(self.shadow, self.pair.shadow_text)

    @property
    def shadow_text(self) -> str:
        """What is embedded of the shadow's answer: nothing of an error page."""
        return "" if self.failed else self.pair.shadow_text


class Reader:
    """Reads pairs by the pointers of ``[score]``."""

    def __init__(self, config: ScoreConfig) -> None:
        self._config = config

    def read(self, index: int, pair: Pair) -> Read | Pair:
        """The answers of pair ``index`` of a batch, or the pair with a note of why they are not compared.

        Raises :class:`~shadowlane.errors.DetectorError` where the user's detector failed on one of them.
        """
        copy, outcome = pair.copy, pair.outcome
        prod = self._answer(copy.response_headers, copy.response_body)
        if outcome.reason:  # prod's part of the traffic is known all the same
            return noted(msgspec.structs.replace(pair, prod_model=prod.model), outcome.reason)
        if UNREADABLE_DETECTOR in copy.findings:
            raise DetectorError("sanitize.detector failed on an answer; mend the detector, or remove the field")
        shadow = self._answer(outcome.headers, outcome.body)
        index_hash = shadow.index_hash or pair.index_hash
        prod_index_hash = prod.index_hash or pair.prod_index_hash
        pair = msgspec.structs.replace(
            pair,
            prod_text=compared_text(prod),
            shadow_text=compared_text(shadow),
            model_rev=shadow.model_rev or pair.model_rev,
            index_hash=index_hash,
            prod_index_hash=prod_index_hash,
            prod_model=prod.model,
            model=shadow.model,
            finish=shadow.finish_reason[:_FINISH_CHARS],
            prod_finish=prod.finish_reason[:_FINISH_CHARS],
        )
        if copy.status >= 400:
            return noted(pair, f"prod answered with HTTP {copy.status}")
        if outcome.status >= 400:
            pair = noted(pair, f"the shadow answered with HTTP {outcome.status}", "divergent", "error")
            return Read(index, pair, prod, shadow, (None, None), None, "", failed=True)
        left_out, fault = left_out_by_status(copy, outcome)
        if fault:
            pair = noted(pair, left_out, "divergent", "error")
            return Read(index, pair, prod, shadow, (None, None), None, "", failed=True)
        if left_out:
            return noted(pair, left_out)
        if prod.kind.endswith(".embeddings") and shadow.kind.endswith(".embeddings"):
            return _vectors(pair)
        if not pair.prod_text and prod.note:
            return noted(pair, f"prod's answer: {prod.note}")
        why = why_incomplete(copy, prod)
        if why:
            return _part(index, pair, prod, shadow, why)
        notes = [f"prod's answer: {prod.note}"] if prod.note else []
        if copy.status != outcome.status:
            notes.append(f"prod answered with HTTP {copy.status}, the shadow with HTTP {outcome.status}")
        if shadow.note:
            notes.append(f"the shadow's answer: {shadow.note}")
        read = Read(
            index=index,
            pair=pair,
            prod=prod,
            shadow=shadow,
            citation_match=(None, None),
            index_agrees=prod_index_hash == index_hash if prod_index_hash and index_hash else None,
            note="; ".join(notes),
            question=question_for(copy, prod, shadow),
        )
        if read.prod_cites or read.shadow_cites:
            report = compare_citations(read.prod_cites, read.shadow_cites)
            read.citation_match = (report.match, report.match_b)
            if report.index_agrees is not None:
                read.index_agrees = report.index_agrees
        return read

    def _answer(self, headers: Headers, body: bytes) -> Answer:
        answer = read_answer(
            headers,
            body,
            text_pointer=self._config.text_pointer,
            citations_pointer=self._config.citations_pointer,
        )
        model_rev, index_hash = header(headers, b"x-model-rev"), header(headers, b"x-index-hash")
        if not (model_rev or index_hash):
            return answer
        return msgspec.structs.replace(
            answer, model_rev=model_rev or answer.model_rev, index_hash=index_hash or answer.index_hash
        )


def _part(index: int, pair: Pair, prod: Answer, shadow: Answer, why: str) -> Read | Pair:
    """A pair whose prod answer is not whole: as much of both as prod's has, or left out."""
    if prod.incomplete == "error" or prod.tool_calls:
        return noted(pair, f"left out: prod's answer is not whole: {why}", unread="cut")
    texts = common_length(pair.prod_text, pair.shadow_text)
    if texts is None:
        note = f"left out: prod's answer is not whole: {why}; its part is too short to compare"
        return noted(pair, note, unread="cut")
    note = f"prod's answer is not whole: {why}; both are compared up to {len(texts[0])} characters"
    pair = msgspec.structs.replace(pair, prod_text=texts[0], shadow_text=texts[1])
    return Read(index, pair, prod, shadow, (None, None), None, note, partial=True)


def _vectors(pair: Pair) -> Pair:
    """Two embeddings responses: the mean ΔS of their rows, under a name of its own, so that no text's ΔS is mixed
    in.
    """
    prod, shadow = extract_vectors(pair.copy.response_body), extract_vectors(pair.outcome.body)
    if prod is None or shadow is None:
        return noted(pair, "an embeddings response holds no vectors of one length")
    if prod.shape != shadow.shape:
        return noted(pair, f"embeddings of shape {prod.shape} against {shadow.shape} cannot be compared")
    norms = [np.linalg.norm(rows, axis=1, keepdims=True) for rows in (prod, shadow)]
    if not all(np.isfinite(norm).all() and norm.all() for norm in norms):
        return noted(pair, "an embeddings response holds a vector without direction")
    value = float(delta_s(prod / norms[0], shadow / norms[1]).mean())
    state = pair_states(np.array([value]), np.array([np.nan]), np.array([False])).tolist()[0]
    return msgspec.structs.replace(pair, scores=Scores(delta_s=value, embedder="response-vectors@1", state=state))


def not_looked_at(pair: Pair) -> Pair:
    """A pair of which nothing is read, since the user's detector could not look at it: counted as no answer."""
    findings = {**pair.copy.findings, UNREADABLE_DETECTOR: 1}
    copy = msgspec.structs.replace(pair.copy, findings=findings)
    why = "sanitize.detector could not look at the exchange"
    outcome = pair.outcome
    if not outcome.reason:
        outcome = msgspec.structs.replace(outcome, reason="unreadable", detail=why)
    return noted(msgspec.structs.replace(pair, copy=copy, outcome=outcome), f"not scored: {why}")


def noted(pair: Pair, note: str, state: State | None = None, collapse: Collapse = "", unread: Unread = "") -> Pair:
    scores = Scores(note=note, state=state or "", collapse=collapse, unread=unread)
    return msgspec.structs.replace(pair, scores=scores)
