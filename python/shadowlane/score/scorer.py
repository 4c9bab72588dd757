"""Scores batches of pairs: both answers read, embedded in one call, compared; what cannot be scored says why.

Two JSON answers are compared by structure too, and each exchange is read within its paraphrase group (:mod:`.live`).
Which differences are noise is not decided here: that needs many pairs, and the report has them (:mod:`.noise`).

Invariants: every pair comes back, in order, with a score or a note; one pair that cannot be read never costs another
its score; an embedder that fails costs ΔS and the reading within a group, and nothing else; an error page is never
compared as if it were an answer. The scorer reads sanitized bodies only, since that is all that a
:class:`~shadowlane.types.Pair` holds, and quotes none of them in a note or in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..config import PinConfig, ScoreConfig
from ..embedders import Embedder, load_embedder
from ..errors import DetectorError, ScoreError, describe
from ..limits import Prices
from ..providers import extract_vectors
from ..providers.cleaning import cleaned, read_answer
from ..types import (
    UNREADABLE_DETECTOR,
    Answer,
    Citation,
    Collapse,
    GroupReading,
    Headers,
    Pair,
    Scores,
    StateName,
    Unread,
    header,
)
from .anchored import Verdict, anchor_all
from .citations import cited, compare_citations
from .collapse import collapse_kind, compared_text, refuses
from .delta import delta_s, rows_delta_s
from .incomplete import common_length, is_cut, left_out_by_status, why_incomplete
from .lambda_ import State, pair_states
from .live import Answered, LiveGroups, citation_keys
from .pins import read_pins
from .pointers import structure_differences
from .retrieval import coverage, question_deltas, question_for
from .tools import calls_never_made, tool_agreement
from .usage import with_usage

__all__ = ["Scorer"]

log = logging.getLogger("shadowlane.score")

_FINISH_CHARS = 60
"""A finish reason is a word, or a few; what is longer is none."""


@dataclass(slots=True)
class _Read:
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


class Scorer:
    """Compares prod's and the shadow's answers. Loads the embedder at once, so that a wrong name fails at start.

    ``groups_folder`` is where paraphrase groups are kept between workers; without it they live in memory only.
    ``prices`` and ``pins`` are those of the configuration.
    Raises :class:`~shadowlane.errors.ConfigError` for an unknown embedder and
    :class:`~shadowlane.errors.MissingExtraError` when its package is not installed.
    """

    def __init__(
        self,
        config: ScoreConfig,
        *,
        embedder: Embedder | None = None,
        groups_folder: Path | None = None,
        prices: Prices | None = None,
        pins: Mapping[str, PinConfig] | None = None,
    ) -> None:
        self._config = config
        self._embedder = load_embedder(config.embedder) if embedder is None else embedder
        self._groups = LiveGroups(self._embedder, config, groups_folder) if config.groups else None
        self._prices = prices or Prices()
        self._pins = pins or {}
        self._trouble = ""
        """Why nothing can be embedded now; empty when all is well."""

    @property
    def embedder(self) -> str:
        """Name and revision of the embedder, as in every score."""
        return self._embedder.name

    def save(self) -> None:
        """Keep what the next worker goes on with. Raises :class:`~shadowlane.errors.ScoreError`."""
        if self._groups is not None:
            self._groups.save()

    def score(self, pairs: list[Pair]) -> list[Pair]:
        """The pairs, in order, with texts, revisions and scores filled in.

        A pair is not scored, and its note says so, when the copy failed (``outcome.reason``), when either side answered
        with HTTP 400 or above or a status that has no text, and when prod's answer cannot be read, or is not whole and
        its part too short to compare (:mod:`.incomplete`). One that the user's detector fails on has no answer
        (``unreadable``) and no score. A shadow that erred, refused, or came back empty
        or cut off where prod did not is ``divergent`` (the run collapsed). When the embedder fails, the pair has no ΔS,
        anchored ΔS, group, or state but ``divergent``; contradicted facts, citations and structure are there, and the
        note says what failed.
        """
        out = list(pairs)
        reads: list[_Read] = []
        for index, pair in enumerate(pairs):
            try:
                if self._pins:
                    pair = msgspec.structs.replace(pair, pins=read_pins(self._pins, pair.copy, pair.outcome))
                read = self._read(index, pair)
            except DetectorError as error:
                log.error("%s is not scored: %s", pair.copy.shadow_id, error)
                read = _not_looked_at(pair)
            except Exception as error:
                said = {"event": "unread", "shadow": pair.outcome.shadow, "shadow_id": pair.copy.shadow_id}
                log.error("cannot read the answers of %s: %s", pair.copy.shadow_id, describe(error), extra=said)
                read = _noted(pair, f"the answers cannot be read: {type(error).__name__}")
            if isinstance(read, Pair):
                out[index] = read
            else:
                reads.append(read)
                out[index] = read.pair
        if not reads:
            return out
        prod, shadow = [read.pair.prod_text for read in reads], [read.shadow_text for read in reads]
        rows = self._rows(prod, shadow)
        deltas = None if rows is None else rows_delta_s(*rows, prod, shadow)
        plain: list[float | None] = [None] * len(reads) if deltas is None else deltas.astype(float).tolist()
        answered = [one for one in zip(reads, plain, _states(reads, deltas), strict=True) if not one[0].failed]
        # What contradicts does not depend on ΔS; how much of it is left does.
        verdicts = anchor_all(
            [read.pair.prod_text for read, _, _ in answered],
            [read.pair.shadow_text for read, _, _ in answered],
            [delta or 0.0 for _, delta, _ in answered],
        )
        for (read, delta, state), verdict in zip(answered, verdicts, strict=True):
            scores = self._scores(read, delta, state, verdict)
            out[read.index] = msgspec.structs.replace(read.pair, scores=scores)
        self._retrieved([read for read in reads if not (read.failed or read.partial)], out)
        if rows is not None and self._groups is not None:
            # What a client did not wait for says nothing of how prod answers this question.
            whole = [position for position, read in enumerate(reads) if not read.partial]
            reads = [reads[position] for position in whole]
            sides = (side[whole] for side in rows)
            for read, group in zip(reads, self._readings(self._groups, reads, out, *sides), strict=True):
                scores = msgspec.structs.replace(out[read.index].scores, group=group)
                out[read.index] = msgspec.structs.replace(out[read.index], scores=scores)
        return out

    def _rows(self, prod: list[str], shadow: list[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """The rows of both sides, (n, dim) each; ``None`` when the embedder fails, with the reason kept."""
        try:
            rows = self._embedder.embed([*prod, *shadow])
        except Exception as error:
            trouble = describe(error)
            if not isinstance(error, ScoreError):
                trouble = f"{self._embedder.name} failed: {trouble}; check the model, or set another score.embedder"
            if trouble != self._trouble:
                log.error("pairs are stored without ΔS: %s", trouble)
            self._trouble = trouble
            return None
        if self._trouble:
            log.warning("pairs have a ΔS again")
        self._trouble = ""
        return rows[: len(prod)], rows[len(prod) :]

    def _scores(self, read: _Read, delta: float | None, state: StateName, compared: Verdict) -> Scores:
        notes = [read.note]
        if delta is None:
            notes.append(f"no ΔS: {self._trouble}")
        differences = None
        try:
            bodies = (read.pair.copy.response_body, read.pair.outcome.body)
            if not read.partial:
                differences = cleaned(structure_differences(read.prod, read.shadow, bodies, self._config.structure))
        except Exception as error:
            # A value that cannot be compared must cost neither this pair its ΔS nor the batch its scores.
            copy, shadow = read.pair.copy, read.pair.outcome.shadow
            said = {"event": "structure_failed", "shadow": shadow, "shadow_id": copy.shadow_id}
            log.error("cannot compare the structure of %s: %s", copy.shadow_id, describe(error), extra=said)
            notes.append(f"the structure cannot be compared: {type(error).__name__}")
        notes.append(compared.note)
        return Scores(
            delta_s=delta,
            anchored=None if delta is None else compared.anchored,
            fact_flip=compared.fact_flip,
            missing=None if read.partial else compared.missing,
            extra=None if read.partial else compared.extra,
            unread=compared.unread or ("cut" if _cut_off(read) else ""),
            embedder="" if delta is None else self._embedder.name,
            citation_match=read.citation_match[0],
            prod_citation_match=read.citation_match[1],
            index_agrees=read.index_agrees,
            state=state,
            collapse=read.shadow_collapse,
            prod_collapse=read.prod_collapse,
            differences=differences,
            tools=tool_agreement(read.prod, read.shadow, read.pair.outcome.calls),
            note="; ".join(filter(None, notes)),
        )

    def _retrieved(self, reads: list[_Read], scored: list[Pair]) -> None:
        """What is known of both answers beside their texts: what they used and call, the passages that they carry."""
        try:
            asked = [(read.question, read.prod, read.shadow) for read in reads]
            deltas = [(None, None)] * len(reads) if self._trouble else question_deltas(self._embedder, asked)
        except Exception as error:
            log.error("pairs are stored without ΔS of question and passages: %s", describe(error))
            deltas = [(None, None)] * len(reads)
        for read, (prod, shadow) in zip(reads, deltas, strict=True):
            pair = scored[read.index]
            try:
                scores = with_usage(pair, read.prod, read.shadow, self._prices)
                ours, theirs = coverage(read.prod, read.shadow), coverage(read.shadow, read.prod)
                strange = calls_never_made(pair, read.prod, read.shadow)
                scores = msgspec.structs.replace(
                    scores, coverage=ours, prod_coverage=theirs, prod_strange_calls=strange
                )
            except Exception as error:
                # What an answer used is worth less than the scores that are there already.
                log.error("%s is stored without usage, coverage and calls: %s", pair.copy.shadow_id, describe(error))
                scores = pair.scores
            scores = msgspec.structs.replace(scores, prod_retrieved=prod, retrieved=shadow)
            scored[read.index] = msgspec.structs.replace(pair, scores=scores)

    def _readings(
        self,
        groups: LiveGroups,
        reads: list[_Read],
        scored: list[Pair],
        prod: NDArray[np.float32],
        shadow: NDArray[np.float32],
    ) -> list[GroupReading | None]:
        try:
            return groups.read(
                [
                    Answered(
                        copy=read.pair.copy,
                        shadow=read.pair.outcome.shadow,
                        prod_row=prod[position],
                        shadow_row=shadow[position],
                        prod_cites=citation_keys(read.prod_cites),
                        shadow_cites=citation_keys(read.shadow_cites),
                        prod_down=bool(read.prod_collapse),
                        shadow_down=read.failed or bool(read.shadow_collapse),
                        delta=scored[read.index].scores.delta_s,
                    )
                    for position, read in enumerate(reads)
                ]
            )
        except Exception as error:
            # A reading is worth less than the scores that are there already.
            log.error("paraphrase groups failed, the pairs are stored without a reading: %s", describe(error))
            return [None] * len(reads)

    def _read(self, index: int, pair: Pair) -> _Read | Pair:
        copy, outcome = pair.copy, pair.outcome
        prod = self._answer(copy.response_headers, copy.response_body)
        if outcome.reason:  # prod's part of the traffic is known all the same
            return _noted(msgspec.structs.replace(pair, prod_model=prod.model), outcome.reason)
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
            return _noted(pair, f"prod answered with HTTP {copy.status}")
        if outcome.status >= 400:
            pair = _noted(pair, f"the shadow answered with HTTP {outcome.status}", "divergent", "error")
            return _Read(index, pair, prod, shadow, (None, None), None, "", failed=True)
        left_out, fault = left_out_by_status(copy, outcome)
        if fault:
            pair = _noted(pair, left_out, "divergent", "error")
            return _Read(index, pair, prod, shadow, (None, None), None, "", failed=True)
        if left_out:
            return _noted(pair, left_out)
        if prod.kind.endswith(".embeddings") and shadow.kind.endswith(".embeddings"):
            return _vectors(pair)
        if not pair.prod_text and prod.note:
            return _noted(pair, f"prod's answer: {prod.note}")
        why = why_incomplete(copy, prod)
        if why:
            return self._part(index, pair, prod, shadow, why)
        notes = [f"prod's answer: {prod.note}"] if prod.note else []
        if copy.status != outcome.status:
            notes.append(f"prod answered with HTTP {copy.status}, the shadow with HTTP {outcome.status}")
        if shadow.note:
            notes.append(f"the shadow's answer: {shadow.note}")
        read = _Read(
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

    def _part(self, index: int, pair: Pair, prod: Answer, shadow: Answer, why: str) -> _Read | Pair:
        """A pair whose prod answer is not whole: as much of both as prod's has, or left out."""
        if prod.incomplete == "error" or prod.tool_calls:
            return _noted(pair, f"left out: prod's answer is not whole: {why}", unread="cut")
        texts = common_length(pair.prod_text, pair.shadow_text)
        if texts is None:
            note = f"left out: prod's answer is not whole: {why}; its part is too short to compare"
            return _noted(pair, note, unread="cut")
        note = f"prod's answer is not whole: {why}; both are compared up to {len(texts[0])} characters"
        pair = msgspec.structs.replace(pair, prod_text=texts[0], shadow_text=texts[1])
        return _Read(index, pair, prod, shadow, (None, None), None, note, partial=True)

    def _answer(self, headers: Headers, body: bytes) -> Answer:
        answer = read_answer(
            headers,
            body,
            text_pointer=self._config.text_pointer,
            citations_pointer=self._config.citations_pointer,
        )
        return msgspec.structs.replace(
            answer,
            model_rev=header(headers, b"x-model-rev") or answer.model_rev,
            index_hash=header(headers, b"x-index-hash") or answer.index_hash,
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


def _states(reads: list[_Read], deltas: NDArray[np.float32] | None) -> list[StateName]:
    """λ of each pair; without ΔS only a collapse is known, and the others are empty."""
    down = [_fell(read) for read in reads]
    if deltas is None:
        return ["divergent" if fell else "" for fell in down]
    agreement = np.array([np.nan if read.citation_match[0] is None else read.citation_match[0] for read in reads])
    states: list[StateName] = pair_states(deltas, agreement, np.array(down, dtype=bool)).tolist()
    return states


def _cut_off(read: _Read) -> bool:
    """Whether either answer is known to go on where it was read no further."""
    return read.partial or is_cut(read.prod) or is_cut(read.shadow)


def _fell(read: _Read) -> bool:
    """Whether the shadow collapsed where prod did not; a collapse counts only where prod's answer is none: two refusals
    agree."""
    prod, shadow = read.pair.prod_text, read.pair.shadow_text
    if read.partial:  # being cut is then no fault of the shadow
        return (
            not shadow or refuses(read.shadow, shadow) > refuses(read.prod, prod) or read.shadow.incomplete == "error"
        )
    return not read.prod_collapse and bool(read.shadow_collapse)


def _not_looked_at(pair: Pair) -> Pair:
    """A pair of which nothing is read, since the user's detector could not look at it: counted as no answer."""
    findings = {**pair.copy.findings, UNREADABLE_DETECTOR: 1}
    copy = msgspec.structs.replace(pair.copy, findings=findings)
    why = "sanitize.detector could not look at the exchange"
    outcome = pair.outcome
    if not outcome.reason:
        outcome = msgspec.structs.replace(outcome, reason="unreadable", detail=why)
    return _noted(msgspec.structs.replace(pair, copy=copy, outcome=outcome), f"not scored: {why}")


def _noted(pair: Pair, note: str, state: State | None = None, collapse: Collapse = "", unread: Unread = "") -> Pair:
    scores = Scores(note=note, state=state or "", collapse=collapse, unread=unread)
    return msgspec.structs.replace(pair, scores=scores)
