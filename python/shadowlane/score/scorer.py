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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..config import PinConfig, ScoreConfig
from ..embedders import Embedder, load_embedder
from ..errors import DetectorError, ScoreError, describe
from ..limits import Prices
from ..providers.cleaning import cleaned
from ..types import GroupReading, Pair, Scores, StateName
from .anchored import Verdict, anchor_all
from .collapse import refuses
from .delta import rows_delta_s
from .incomplete import is_cut
from .lambda_ import pair_states
from .live import Answered, LiveGroups, citation_keys
from .pins import read_pins
from .pointers import structure_differences
from .reading import Read, Reader, not_looked_at, noted
from .retrieval import coverage, question_deltas
from .tools import calls_never_made, tool_agreement
from .usage import usage_scores

__all__ = ["Scorer"]

log = logging.getLogger("shadowlane.score")


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
        self._reader = Reader(config)
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
        reads: list[Read] = []
        for index, pair in enumerate(pairs):
            try:
                if self._pins:
                    pair = msgspec.structs.replace(pair, pins=read_pins(self._pins, pair.copy, pair.outcome))
                read = self._reader.read(index, pair)
            except DetectorError as error:
                log.error("%s is not scored: %s", pair.copy.shadow_id, error)
                read = not_looked_at(pair)
            except Exception as error:
                said = {"event": "unread", "shadow": pair.outcome.shadow, "shadow_id": pair.copy.shadow_id}
                log.error("cannot read the answers of %s: %s", pair.copy.shadow_id, describe(error), extra=said)
                read = noted(pair, f"the answers cannot be read: {type(error).__name__}")
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
        beside = self._beside([read for read in reads if not (read.failed or read.partial)])
        groups = self._grouped(reads, plain, rows)
        for (read, delta, state), verdict in zip(answered, verdicts, strict=True):
            known = beside.get(read.index, {})
            scores = self._scores(read, delta, state, verdict, groups.get(read.index), known)
            out[read.index] = msgspec.structs.replace(read.pair, scores=scores)
        for read in reads:
            if read.failed and (group := groups.get(read.index)) is not None:
                scores = msgspec.structs.replace(read.pair.scores, group=group)
                out[read.index] = msgspec.structs.replace(read.pair, scores=scores)
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

    def _scores(
        self,
        read: Read,
        delta: float | None,
        state: StateName,
        compared: Verdict,
        group: GroupReading | None,
        beside: Mapping[str, Any],
    ) -> Scores:
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
            group=group,
            collapse=read.shadow_collapse,
            prod_collapse=read.prod_collapse,
            differences=differences,
            tools=tool_agreement(read.prod, read.shadow, read.pair.outcome.calls),
            note="; ".join(filter(None, notes)),
            **beside,
        )

    def _beside(self, reads: list[Read]) -> dict[int, dict[str, Any]]:
        """What is known of both answers beside their texts, by the pair's place: what they used and call, the passages
        that they carry."""
        try:
            asked = [(read.question, read.prod, read.shadow) for read in reads]
            deltas = [(None, None)] * len(reads) if self._trouble else question_deltas(self._embedder, asked)
        except Exception as error:
            log.error("pairs are stored without ΔS of question and passages: %s", describe(error))
            deltas = [(None, None)] * len(reads)
        found = {}
        for read, (prod, shadow) in zip(reads, deltas, strict=True):
            known: dict[str, Any] = {"prod_retrieved": prod, "retrieved": shadow}
            try:
                known |= {
                    **usage_scores(read.pair, read.prod, read.shadow, self._prices),
                    "coverage": coverage(read.prod, read.shadow),
                    "prod_coverage": coverage(read.shadow, read.prod),
                    "prod_strange_calls": calls_never_made(read.pair, read.prod, read.shadow),
                }
            except Exception as error:
                # What an answer used is worth less than the scores that are there already.
                id_ = read.pair.copy.shadow_id
                log.error("%s is stored without usage, coverage and calls: %s", id_, describe(error))
            found[read.index] = known
        return found

    def _grouped(
        self,
        reads: list[Read],
        plain: Sequence[float | None],
        rows: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
    ) -> dict[int, GroupReading | None]:
        """The readings within paraphrase groups, by the pair's place."""
        if rows is None or self._groups is None:
            return {}
        # What a client did not wait for says nothing of how prod answers this question.
        whole = [
            (
                read.index,
                Answered(
                    copy=read.pair.copy,
                    shadow=read.pair.outcome.shadow,
                    prod_row=prod,
                    shadow_row=shadow,
                    prod_cites=citation_keys(read.prod_cites),
                    shadow_cites=citation_keys(read.shadow_cites),
                    prod_down=bool(read.prod_collapse),
                    shadow_down=read.failed or bool(read.shadow_collapse),
                    delta=None if read.failed else delta,
                ),
            )
            for read, delta, prod, shadow in zip(reads, plain, *rows, strict=True)
            if not read.partial
        ]
        try:
            readings = self._groups.read([answered for _, answered in whole])
        except Exception as error:
            # A reading is worth less than the scores that are there already.
            log.error("paraphrase groups failed, the pairs are stored without a reading: %s", describe(error))
            return {}
        return {index: reading for (index, _), reading in zip(whole, readings, strict=True)}


def _states(reads: list[Read], deltas: NDArray[np.float32] | None) -> list[StateName]:
    """λ of each pair; without ΔS only a collapse is known, and the others are empty."""
    down = [_fell(read) for read in reads]
    if deltas is None:
        return ["divergent" if fell else "" for fell in down]
    agreement = np.array([np.nan if read.citation_match[0] is None else read.citation_match[0] for read in reads])
    states: list[StateName] = pair_states(deltas, agreement, np.array(down, dtype=bool)).tolist()
    return states


def _cut_off(read: Read) -> bool:
    """Whether either answer is known to go on where it was read no further."""
    return read.partial or is_cut(read.prod) or is_cut(read.shadow)


def _fell(read: Read) -> bool:
    """Whether the shadow collapsed where prod did not; a collapse counts only where prod's answer is none: two refusals
    agree."""
    prod, shadow = read.pair.prod_text, read.pair.shadow_text
    if read.partial:  # being cut is then no fault of the shadow
        return (
            not shadow or refuses(read.shadow, shadow) > refuses(read.prod, prod) or read.shadow.incomplete == "error"
        )
    return not read.prod_collapse and bool(read.shadow_collapse)
