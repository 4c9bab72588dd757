"""The numbers of a report, fed with the store's columns piece by piece. Plain JSON-ready values out.

Invariants: what is held does not grow with the rows; a pair without a value is in no share and no mean of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import ScoreColumns
from ..gate.repeats import Questions
from ..gate.selection import repeated
from .accounts import Accounts
from .deltas import DeltaBlocks
from .latency import Latency
from .surroundings import Surroundings

__all__ = ["RowStats", "facts_line", "stats_of"]


def _counts(numbers: NDArray[np.int64]) -> dict[int, int]:
    """How often each number is there, in the order of their first places."""
    if len(numbers) and (numbers == numbers[0]).all():
        return {int(numbers[0]): len(numbers)}
    known, first, counts = np.unique(numbers, return_index=True, return_counts=True)
    order = np.argsort(first)
    return dict(zip(known[order].tolist(), counts[order].tolist(), strict=True))


class _Mean:
    """The mean of the values that are there."""

    def __init__(self) -> None:
        self.n, self._total = 0, 0.0

    def add(self, values: NDArray[np.float64]) -> None:
        there = values[~np.isnan(values)]
        self.n += len(there)
        self._total += float(there.sum())

    @property
    def value(self) -> float | None:
        return self._total / self.n if self.n else None


class RowStats:
    """One shadow's rows, or the control's. ``reverse``: rises are prod's above the shadow's, which is the baseline."""

    def __init__(self, *, reverse: bool = False) -> None:
        self._reverse = reverse
        self.pairs = self.answered = self.structured = 0
        """Rows; those with an answer; those in which both answers are JSON."""
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self.failed: Counter[str] = Counter()
        self.http: Counter[int] = Counter()
        self.prod_http: Counter[int] = Counter()
        self.judged: Counter[str] = Counter()
        """The judge's verdicts."""
        self.deltas, self.latency, self.accounts = DeltaBlocks(), Latency(reverse=reverse), Accounts(reverse=reverse)
        self.surroundings = Surroundings(reverse=reverse)
        self.groups = GroupStats()
        self._differs: Counter[tuple[int, int]] = Counter()
        self._states: Counter[str] = Counter()
        self._match, self._index, self._missing, self._extra = _Mean(), _Mean(), _Mean(), _Mean()
        self._unread: Counter[str] = Counter()
        self._fact_flips = self._looked_at = 0

    def add(self, columns: ScoreColumns) -> None:
        """The next rows."""
        if not len(columns):
            return
        self.first_ns = int(columns.started_ns[0]) if self.first_ns is None else self.first_ns
        self.last_ns = int(columns.started_ns[-1])
        self._add_outcomes(columns)
        self._add_scores(columns)
        self.deltas.add(columns)
        self.latency.add(columns)
        self.accounts.add(columns)
        self.surroundings.add(columns)
        self.groups.add(columns)

    def _add_outcomes(self, columns: ScoreColumns) -> None:
        answered = columns.reason == ""
        self.pairs += len(columns)
        self.answered += int(answered.sum())
        self.failed.update(columns.reason[~answered].counts())
        self.http.update(_counts(columns.status[answered]))
        self.prod_http.update(_counts(columns.prod_status))
        differs = answered & (columns.prod_status != columns.status)
        both = zip(columns.prod_status[differs].tolist(), columns.status[differs].tolist(), strict=True)
        self._differs.update(both)

    def _add_scores(self, columns: ScoreColumns) -> None:
        self.structured += int(columns.structured.sum())
        self._states.update(columns.state[columns.state != ""].counts())
        self.judged.update(columns.judge[columns.judge != ""].counts())
        self._match.add(columns.prod_citation_match if self._reverse else columns.citation_match)
        self._index.add(columns.index_agrees)
        self._missing.add(columns.missing)
        self._extra.add(columns.extra)
        self._fact_flips += int(columns.fact_flip.sum())
        self._unread.update(columns.unread[columns.unread != ""].counts())
        self._looked_at += int((~np.isnan(columns.missing) | (columns.unread != "")).sum())

    def states(self) -> dict[str, float]:
        """The share of each λ state among the pairs that have one; empty when none has."""
        return shares(self._states)

    def status_differences(self) -> dict[str, int]:
        """Pairs in which the shadow answered with another status than prod, most frequent first: ``"200 → 302"``."""
        return {f"{prod} → {shadow}": n for (prod, shadow), n in self._differs.most_common()}

    def citations(self) -> dict[str, Any]:
        """Mean citation match and share of agreeing indexes, each ``None`` without data."""
        return {
            "match": self._match.value,
            "match_n": self._match.n,
            "index_agreement": self._index.value,
            "index_n": self._index.n,
            "fact_flips": self._fact_flips,
        }

    def facts(self) -> dict[str, Any]:
        """In how many pairs facts were looked at, why not in the others, and what only one side says (mean shares)."""
        return {
            "pairs": self._looked_at,
            "unread": dict(sorted(self._unread.items())),
            "missing": self._missing.value,
            "extra": self._extra.value,
        }


class GroupStats:
    """λ within paraphrase groups, of the rows whose question was asked before."""

    def __init__(self) -> None:
        self.answers = self.flips = self.own_flips = self.prod_flips = 0
        self.states: dict[str, Counter[str]] = {"prod": Counter(), "shadow": Counter()}
        self.trend: Counter[str] = Counter()
        self._known = Questions()

    def add(self, columns: ScoreColumns) -> None:
        """The next rows."""
        self.trend.update(columns.trend[columns.trend != ""].counts())
        again = repeated(columns)
        if not again.any():
            return
        flips, prod_flips = columns.flip[again], columns.prod_flip[again]
        self.answers += int(again.sum())
        self.flips += int(flips.sum())
        self.own_flips += int((flips & ~prod_flips).sum())
        self.prod_flips += int(prod_flips.sum())
        self.states["prod"].update(columns.prod_lambda[again].counts())
        self.states["shadow"].update(columns.shadow_lambda[again].counts())
        self._known.slots(columns.group[again])

    @property
    def groups(self) -> int:
        """How many groups; beyond some ten thousand an estimate."""
        return round(len(self._known) / self._known.share)


def stats_of(pieces: Iterable[ScoreColumns], *, reverse: bool = False) -> RowStats:
    """The numbers of all rows of some pieces, which are in the order of time. ``reverse``: the shadow is the
    baseline."""
    rows = RowStats(reverse=reverse)
    for columns in pieces:
        rows.add(columns)
    return rows


def shares(counts: Mapping[str, int]) -> dict[str, float]:
    """Counts over their sum, by name."""
    total = sum(counts.values())
    return {name: n / total for name, n in sorted(counts.items())}


def facts_line(block: Mapping[str, Any]) -> str:
    """One sentence: in how many pairs facts were not looked at, and why."""
    pairs, unread = block["pairs"], block["unread"]
    if not pairs:
        return "facts were looked at in no pair: none has two answers to compare"
    if not unread:
        return f"facts were looked at in all {pairs} pairs with two answers"
    why = ", ".join(f"{_WHY_UNREAD[reason]} {n}" for reason, n in unread.items())
    return f"facts were not looked at, or in part only, in {sum(unread.values())} of {pairs} pairs: {why}"


_WHY_UNREAD = {"language": "another language", "cut": "an answer cut off", "too long": "too long"}
