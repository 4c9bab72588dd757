"""What one block, or some rows, add to the sums over a shadow's rows (:mod:`.block_sums`): made in one pass over the
columns of a part, so that a look of several sums reads each block once.

Invariant: everything is made of the part's rows alone; what is held grows with the routes, tenants, models and
versions, and with no more than :data:`MOST_QUESTIONS` questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..columns import Texts
from ..types import FLAG_NO_PROD, FLAG_TOLD, NOT_SENT
from .blocks import Part

__all__ = [
    "KINDS",
    "OutcomeSums",
    "PartTotals",
    "SegmentSums",
    "Versions",
    "failed",
    "named",
    "scored",
    "sent",
    "totals_of",
]

_Bools = NDArray[np.bool_]
_Ints = NDArray[np.int64]
KINDS = {"route": "route", "tenant": "tenant", "model": "prod_model"}
"""The kinds of segments that texts tell, and the column of each."""
MOST_QUESTIONS = 1 << 10
_WIDEST = 1 << 22
SAID = {"models": ("prod_model", "model"), "finish": ("prod_finish", "finish"), "tools": ("", "tools")}
"""What both sides say, by the columns that hold it."""

Versions = tuple[str, str, str, str, int, int, int]
"""Model, index, prod's index, pins (JSON), first and last time, rows."""


class OutcomeSums(NamedTuple):
    """Of one route."""

    copies: int
    failed: int
    sent: int
    sent_failed: int
    prod_failed: int
    """Of those sent, where the shadow is the baseline."""
    tried: int
    """Sent, and not refused for the moment (408, 429)."""
    refused: int


class SegmentSums(NamedTuple):
    """Of the copies of one part of the traffic that were sent."""

    sent: float
    failed: float
    prod_failed: float
    flips: float
    scored: dict[str, list[float]]
    """By embedder: pairs, Σ ΔS, Σ ΔS², pairs without a flip whose facts were looked at."""


class QuestionSums(NamedTuple):
    """The same by paraphrase group, as arrays: there are many."""

    numbers: _Ints
    """(k,) which group."""
    counts: NDArray[np.float64]
    """(k, 4) as the fields of :class:`SegmentSums`."""
    scored: dict[str, NDArray[np.float64]]
    """(k, 4) by embedder."""


class PartTotals(NamedTuple):
    """Of some rows."""

    n: int
    first_ns: int
    last_ns: int
    versions: list[Versions]
    routes: dict[str, OutcomeSums]
    deltas: dict[str, list[float]]
    """By embedder: pairs, Σ ΔS, Σ ΔS²."""
    segments: dict[str, dict[str, SegmentSums]]
    """By kind and name."""
    questions: QuestionSums | None
    """By paraphrase group; ``None``: there are too many."""
    said: dict[str, list[tuple[str, str, int]]]
    flips: tuple[int, int, int]
    """λ flips, those of them that prod shares, and when the last was (0: never)."""
    why: dict[str, int]
    """Why copies were blocked."""
    strange: tuple[int, int, int, int]
    """The shadow's strange calls and the pairs with some; prod's."""
    prod_seen: tuple[int, int, int]
    refused: bool
    """Whether there is a row of which :func:`.tallies.refusals` tells."""


def sent(part: Part, without: Sequence[str]) -> _Bools:
    """Which rows are copies that were sent, but for those of some routes."""
    waited = part.where("reason", "deadline") & (part["shadow_ns"] == 0)
    found: _Bools = ~part.where("reason", *NOT_SENT) & ~waited
    return found & ~part.where("route", *without) if without else found


def failed(part: Part, *, reverse: bool) -> _Bools:
    """Which rows the shadow failed; ``reverse``: prod."""
    prod, status, answered = part["prod_status"], part["status"], part.where("reason", "")
    if reverse:
        found: _Bools = (prod >= 500) | ((prod >= 400) & answered & (status < 400))
    else:
        found = ~answered | (status >= 500) | ((status >= 400) & (prod < 400))
    return found


def scored(part: Part, embedder: str) -> _Bools:
    """Which rows this embedder scored."""
    found: _Bools = ~np.isnan(part["delta_s"]) & part.where("embedder", embedder)
    return found


def named(kind: str, texts: Texts) -> _Bools:
    """Which rows say it: a route without a path is that of a record that has none."""
    return ~texts.isin([word for word in texts.words if not (word.partition(" ")[2] if kind == "route" else word)])


def totals_of(part: Part) -> PartTotals:
    """Of all rows of a part, of which there is one at least."""
    started, rows = part["started_ns"], sent(part, ())
    bad, prod_bad = failed(part, reverse=False), failed(part, reverse=True)
    by_embedder = {}
    for name in part.texts("embedder").words:
        if (mine := scored(part, name)).any():
            by_embedder[name] = mine
    sums = _Summed(part, rows, bad, prod_bad, by_embedder)
    flip, strange, prod_strange = part["flip"], part["strange_calls"], part["prod_strange_calls"]
    flags, untimed = part["flags"], (part["prod_status"] != 0) & (part["prod_ns"] == 0)
    refused = (part["status"] >= 400) & (part["prod_status"] < 400)
    return PartTotals(
        n=len(started),
        first_ns=int(started[0]),
        last_ns=int(started[-1]),
        versions=_versions(part),
        routes=_routes(part, rows, bad, prod_bad),
        deltas={name: _squared(part["delta_s"][mine]) for name, mine in by_embedder.items()},
        segments={kind: sums.of_texts(kind, part.texts(column)) for kind, column in KINDS.items()},
        questions=sums.of_questions(part["group"]),
        said=_said(part),
        flips=(
            int(flip.sum()),
            int((flip & part["prod_flip"]).sum()),
            int(started[flip].max()) if flip.any() else 0,
        ),
        why=part.texts("why")[~part.where("blocked", "")].counts(),
        strange=(
            int(strange[strange > 0].sum()),
            int((strange > 0).sum()),
            int(prod_strange[prod_strange > 0].sum()),
            int((prod_strange > 0).sum()),
        ),
        prod_seen=(int((flags & FLAG_NO_PROD != 0).sum()), int((flags & FLAG_TOLD != 0).sum()), int(untimed.sum())),
        refused=bool((refused | part.where("reason", "connect_error", "transport_error")).any()),
    )


def _squared(values: NDArray[np.float64]) -> list[float]:
    return [float(len(values)), float(values.sum()), float((values * values).sum())]


def _routes(part: Part, rows: _Bools, bad: _Bools, prod_bad: _Bools) -> dict[str, OutcomeSums]:
    status = part["status"]
    tried = rows & (status != 408) & (status != 429)
    no = part.where("reason", "") & (status >= 400) & (status < 500) & (part["prod_status"] < 400)
    texts = part.texts("route")
    kinds = (np.ones(len(texts), dtype=bool), bad, rows, rows & bad, rows & prod_bad, tried, tried & no)
    table = np.stack([_counted(texts, some) for some in kinds], axis=1).tolist()
    return {word: OutcomeSums(*counts) for word, counts in zip(texts.words, table, strict=True) if counts[0]}


def _counted(texts: Texts, rows: _Bools) -> _Ints:
    if len(texts.words) == 1:
        return np.array([np.count_nonzero(rows)])
    return np.bincount(texts.codes[rows], minlength=len(texts.words))


class _Summed:
    """Sums over the rows that were sent, by any numbers."""

    def __init__(
        self, part: Part, rows: _Bools, bad: _Bools, prod_bad: _Bools, by_embedder: Mapping[str, _Bools]
    ) -> None:
        self._rows = rows
        delta, flips = part["delta_s"], part["fact_flip"]
        self._values: list[NDArray[np.generic]] = [rows, bad, prod_bad, flips]
        self._embedders = list(by_embedder)
        looked = ~flips & (part.where("unread", "") | (delta == 0.0))
        for mine in by_embedder.values():
            known = np.where(mine, delta, 0.0)
            self._values += [mine, known, known * known, mine & looked]

    def of_texts(self, kind: str, texts: Texts) -> dict[str, SegmentSums]:
        rows = self._rows & named(kind, texts)
        if len(texts.words) == 1:
            every = rows.all()
            table = np.array([[float((some if every else some[rows]).sum()) for some in self._values]])
        else:
            table = self._table(texts.codes[rows], len(texts.words), rows)
        return {texts.words[at]: self._sums(line) for at, line in enumerate(table.tolist()) if line[0]}

    def of_questions(self, group: _Ints) -> QuestionSums | None:
        rows = self._rows & (group >= 0)
        numbers, codes = np.unique(group[rows], return_inverse=True)
        if len(numbers) > MOST_QUESTIONS:
            return None
        table = self._table(codes, len(numbers), rows)
        by_embedder = {name: table[:, 4 * at : 4 * at + 4] for at, name in enumerate(self._embedders, 1)}
        return QuestionSums(numbers, table[:, :4], by_embedder)

    def _table(self, codes: NDArray[np.integer], names: int, rows: _Bools) -> NDArray[np.float64]:
        every = bool(rows.all())
        kinds = [np.bincount(codes, some if every else some[rows], minlength=names) for some in self._values]
        table: NDArray[np.float64] = np.stack(kinds, axis=1)
        return table

    def _sums(self, line: list[float]) -> SegmentSums:
        by_embedder = {name: line[4 * at : 4 * at + 4] for at, name in enumerate(self._embedders, 1)}
        sent_n, bad, prod_bad, flips = line[:4]
        return SegmentSums(sent_n, bad, prod_bad, flips, {name: some for name, some in by_embedder.items() if some[0]})


def _said(part: Part) -> dict[str, list[tuple[str, str, int]]]:
    answered = part.where("reason", "")
    found: dict[str, list[tuple[str, str, int]]] = {}
    for name, (one, other) in SAID.items():
        theirs = part.texts(other)
        mine = part.texts(one) if one else Texts(("",), np.zeros(len(theirs), dtype=np.int64))
        both = (mine.codes.astype(np.int64) * len(theirs.words) + theirs.codes)[answered]
        found[name] = []
        for code, n in zip(*(some.tolist() for some in np.unique(both, return_counts=True)), strict=True):
            words = mine.words[code // len(theirs.words)], theirs.words[code % len(theirs.words)]
            if words != ("", ""):
                found[name].append((*words, n))
    return found


def _versions(part: Part) -> list[Versions]:
    """What said which version answered."""
    texts = [part.texts(name) for name in ("model_rev", "index_hash", "prod_index_hash", "pins")]
    started = part["started_ns"]
    if all(len(some.words) == 1 for some in texts):
        model, index, prod_index, pins = (some.words[0] for some in texts)
        return [(model, index, prod_index, pins, int(started[0]), int(started[-1]), len(started))]
    _, first, which, counts = np.unique(
        _which([some.codes for some in texts]), return_index=True, return_inverse=True, return_counts=True
    )
    last = np.zeros(len(first), dtype=np.int64)
    last[which] = started  # in the order of time: the last one stays
    found: list[Versions] = []
    for at, until, n in zip(first.tolist(), last.tolist(), counts.tolist(), strict=True):
        model, index, prod_index, pins = (some.words[int(some.codes[at])] for some in texts)
        found.append((model, index, prod_index, pins, int(started[at]), until, n))
    return found


def _which(codes: Sequence[NDArray[np.integer]]) -> _Ints:
    """A number for each combination of codes (n,), of which few in a row are different."""
    found = np.zeros(len(codes[0]), dtype=np.int64)
    for some in codes:
        most = int(some.max()) + 1
        if most > 1:
            found = found * most + some.astype(np.int64)
            if int(found.max()) > _WIDEST:
                found = np.unique(found, return_inverse=True)[1]
    return found
