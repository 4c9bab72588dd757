"""Sums over a shadow's rows out of the totals of blocks (:mod:`.block_totals`), or of their parts (:mod:`.blocks`): the
same that :mod:`.tallies`, :mod:`.segments` and :mod:`.history` ask the database for, where there are no blocks.

Invariant: integers are those of the database, and sums of floats differ by their rounding alone; what is held does not
grow with the rows, but with the routes, tenants, models and versions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .block_totals import KINDS, SAID, PartTotals, QuestionSums, SegmentSums, Versions, failed, named, scored, sent
from .blocks import Part

__all__ = [
    "Versions",
    "any_refused",
    "by_route",
    "delta_bins",
    "deltas",
    "failures",
    "flips",
    "newest_flips",
    "policy",
    "prod_seen",
    "refused",
    "said",
    "segment_totals",
    "totals_of_segments",
    "versions",
]

_Bools = NDArray[np.bool_]
_Floats = NDArray[np.float64]
_BUCKETS = 1 << 22
"""Questions with the same number but for its high bits are counted together first."""
_QUESTION = "question"
_MOST_WAITING = 1 << 16

Segment = tuple[str, str, int, int, int, float, float, int, int]


def failures(totals: Iterable[PartTotals], without: Sequence[str], *, reverse: bool) -> tuple[int, int]:
    """How many copies were sent, but for some routes, and how many of them were failed."""
    n = bad = 0
    for some in totals:
        for route, outcome in some.routes.items():
            if route not in without:
                n += outcome.sent
                bad += outcome.prod_failed if reverse else outcome.sent_failed
    return n, bad


def refused(totals: Iterable[PartTotals]) -> tuple[Counter[str], Counter[str]]:
    """See :func:`.tallies.refused_routes`: copies by route, and those that were refused."""
    copies: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    for some in totals:
        copies.update({route: outcome.tried for route, outcome in some.routes.items() if outcome.tried})
        bad.update({route: outcome.refused for route, outcome in some.routes.items() if outcome.refused})
    return copies, bad


def deltas(parts: Iterable[Part], embedder: str) -> Iterator[_Floats]:
    """See :meth:`.History.delta_values`."""
    for part in parts:
        values: _Floats = part["delta_s"][scored(part, embedder)]
        if len(values):
            yield values


def delta_bins(totals: Iterable[PartTotals], embedder: str) -> tuple[int, float, float]:
    """ΔS of one embedder: pairs, Σ ΔS, Σ ΔS²."""
    found = np.zeros(3)
    for some in totals:
        found += some.deltas.get(embedder, 0.0)
    return int(found[0]), float(found[1]), float(found[2])


def versions(totals: Iterable[PartTotals]) -> Iterator[Versions]:
    """What said which version answered, some rows at a time; see :meth:`.History.pins`."""
    for some in totals:
        yield from some.versions


class _Sums:
    """Seven sums for each of some parts of the traffic."""

    def __init__(self) -> None:
        self.by_name: dict[str, _Floats] = {}

    def add(self, names: Sequence[str], codes: NDArray[np.int64], values: Sequence[NDArray[np.generic]]) -> None:
        """Of rows (m,) the name's number, and their values (m,)."""
        table = np.stack([np.bincount(codes, some, minlength=len(names)) for some in values], axis=1)
        for at in np.flatnonzero(table[:, 0]).tolist():
            before = self.by_name.get(names[at])
            self.by_name[names[at]] = table[at] if before is None else before + table[at]


def totals_of_segments(
    totals: Iterable[PartTotals],
    embedder: str,
    least: int,
    only: Collection[tuple[str, str]] | None,
    *,
    reverse: bool,
    most: int,
) -> list[Segment] | None:
    """See :func:`.segments.segment_rows`, of all routes; ``None`` where there are too many questions for it."""
    sums: dict[str, dict[str, list[float]]] = {kind: {} for kind in KINDS}
    questions = _Questions(embedder, reverse=reverse)
    for some in totals:
        if some.questions is None:
            return None
        questions.add(some.questions)
        for kind, found in some.segments.items():
            _add(sums[kind], found, embedder, reverse=reverse)
    sums[_QUESTION] = {f"group {number}": line for number, line in questions.often(least)}
    return [
        segment
        for kind, by_name in sums.items()
        for segment in _chosen(kind, by_name, least, most if only is None else None)
        if only is None or segment[:2] in only
    ]


class _Questions:
    """Seven sums for each paraphrase group."""

    def __init__(self, embedder: str, *, reverse: bool) -> None:
        self._embedder, self._bad = embedder, 2 if reverse else 1
        self._numbers: list[NDArray[np.int64]] = []
        self._tables: list[_Floats] = []
        self._waiting = 0

    def add(self, sums: QuestionSums) -> None:
        """Those of the next rows."""
        sent_n, bad, flips_n = (sums.counts[:, at] for at in (0, self._bad, 3))
        n, delta, squares, looked = sums.scored.get(self._embedder, np.zeros((len(sent_n), 4))).T
        self._numbers.append(sums.numbers)
        self._tables.append(np.stack([sent_n, bad, n, delta, squares, flips_n, flips_n + looked], axis=1))
        self._waiting += len(sent_n)
        if self._waiting > _MOST_WAITING:
            self._join()

    def _join(self) -> None:
        numbers, which = np.unique(np.concatenate(self._numbers), return_inverse=True)
        table = np.concatenate(self._tables)
        sums = [np.bincount(which, table[:, at], minlength=len(numbers)) for at in range(table.shape[1])]
        self._numbers, self._tables, self._waiting = [numbers], [np.stack(sums, axis=1)], 0

    def often(self, least: int) -> Iterator[tuple[int, list[float]]]:
        """The groups with so many copies."""
        if not self._numbers:
            return
        self._join()
        rows = np.flatnonzero(self._tables[0][:, 0] >= least)
        yield from zip(self._numbers[0][rows].tolist(), self._tables[0][rows].tolist(), strict=True)


def _add(sums: dict[str, list[float]], found: Mapping[str, SegmentSums], embedder: str, *, reverse: bool) -> None:
    for name, one in found.items():
        n, delta, squares, looked = one.scored.get(embedder, (0.0, 0.0, 0.0, 0.0))
        bad = one.prod_failed if reverse else one.failed
        line = sums.get(name)
        new = (one.sent, bad, n, delta, squares, one.flips, one.flips + looked)
        sums[name] = list(new) if line is None else [before + more for before, more in zip(line, new, strict=True)]


def _chosen(kind: str, by_name: Mapping[str, Sequence[float]], least: int, most: int | None) -> Iterator[Segment]:
    kept = [(name, some) for name, some in by_name.items() if some[0] >= least]
    for name, some in sorted(kept, key=lambda one: (-one[1][0], one[0].encode()))[:most]:
        sent_n, failed_n, scored_n, total, squares, flips_n, read_n = some
        yield (
            kind, name, int(sent_n), int(failed_n), int(scored_n), float(total), float(squares), int(flips_n),
            int(read_n),
        )  # fmt: skip


def segment_totals(
    parts: Callable[[], Iterable[Part]],
    embedder: str,
    least: int,
    without: Sequence[str],
    only: Collection[tuple[str, str]] | None,
    *,
    reverse: bool,
    most: int,
) -> Iterator[Segment]:
    """See :func:`.segments.segment_rows`. ``parts`` is called twice; ``most`` segments of a kind at most."""
    often = _asked_often(parts(), without, least) if only is None else None
    wanted = np.array([int(name.split()[1]) for kind, name in only or () if kind == _QUESTION], dtype=np.int64)
    sums = {kind: _Sums() for kind in (*KINDS, _QUESTION)}
    for part in parts():
        rows_sent = sent(part, without)
        mine, delta, flips = scored(part, embedder), part["delta_s"], part["fact_flip"]
        known = np.where(mine, delta, 0.0)
        read = flips | (mine & (part.where("unread", "") | (delta == 0.0)))
        values = (rows_sent, failed(part, reverse=reverse), mine, known, known * known, flips, read)
        for kind, column in KINDS.items():
            texts = part.texts(column)
            rows = rows_sent & named(kind, texts)
            sums[kind].add(texts.words, texts.codes[rows], [some[rows] for some in values])
        group = part["group"]
        rows = rows_sent & (group >= 0)
        rows[rows] = np.isin(group[rows], wanted) if often is None else often[group[rows] % _BUCKETS]
        numbers, codes = np.unique(group[rows], return_inverse=True)
        names = [f"group {number}" for number in numbers.tolist()]
        sums[_QUESTION].add(names, codes, [some[rows] for some in values])
    for kind, found in sums.items():
        by_name = {name: line.tolist() for name, line in found.by_name.items()}
        for segment in _chosen(kind, by_name, least, most if only is None else None):
            if only is None or segment[:2] in only:
                yield segment


def _asked_often(parts: Iterable[Part], without: Sequence[str], least: int) -> _Bools:
    """Which buckets of questions have so many copies: a question in another has fewer for sure."""
    if least <= 1:
        return np.ones(_BUCKETS, dtype=bool)
    counts = np.zeros(_BUCKETS, dtype=np.int32)
    for part in parts:
        group = part["group"]
        numbers, n = np.unique(group[sent(part, without) & (group >= 0)] % _BUCKETS, return_counts=True)
        counts[numbers] += n.astype(np.int32)
    often: _Bools = counts >= least
    return often


def by_route(totals: Iterable[PartTotals]) -> tuple[Counter[str], Counter[str]]:
    """See :func:`.tallies.by_route`: copies by route, and those that the shadow failed."""
    copies: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    for some in totals:
        copies.update({route: outcome.copies for route, outcome in some.routes.items()})
        bad.update({route: outcome.failed for route, outcome in some.routes.items() if outcome.failed})
    return copies, bad


def said(totals: Iterable[PartTotals]) -> dict[str, Counter[tuple[str, str]]]:
    """See :func:`.tallies.said_counts`: by name of :data:`.block_totals.SAID`, how often both say what."""
    found: dict[str, Counter[tuple[str, str]]] = {name: Counter() for name in SAID}
    for some in totals:
        for name, lines in some.said.items():
            found[name].update({(one, other): n for one, other, n in lines})
    return found


def flips(totals: Iterable[PartTotals]) -> tuple[int, int, int]:
    """See :func:`.tallies.flips`."""
    n = shared = last = 0
    for some in totals:
        n, shared, last = n + some.flips[0], shared + some.flips[1], max(last, some.flips[2])
    return n, shared, last


def newest_flips(parts: Iterable[Part], most: int) -> list[int]:
    """When the newest ``most`` flips were, those of the shadow alone first."""
    found: list[tuple[bool, int]] = []
    for part in parts:
        rows = np.flatnonzero(part["flip"])
        for prods in (False, True):
            times = part["started_ns"][rows[part["prod_flip"][rows] == prods][-most:]]
            found += [(prods, -at) for at in times.tolist()]
        found = sorted(found)[:most]
    return [-at for _, at in found]


def policy(totals: Iterable[PartTotals], *, reverse: bool) -> tuple[Counter[str], int, int]:
    """See :func:`.tallies.policy_counts`."""
    why: Counter[str] = Counter()
    calls = pairs = 0
    for some in totals:
        why.update(some.why)
        new = some.strange[2:] if reverse else some.strange[:2]
        calls, pairs = calls + new[0], pairs + new[1]
    return why, calls, pairs


def prod_seen(totals: Iterable[PartTotals]) -> tuple[int, int, int]:
    """See :func:`.tallies.prod_seen`."""
    found = [0, 0, 0]
    for some in totals:
        found = [before + more for before, more in zip(found, some.prod_seen, strict=True)]
    stood_in, told, untold = found
    return stood_in, told, untold


def any_refused(totals: Iterable[PartTotals]) -> bool:
    """Whether there is a row of which :func:`.tallies.refusals` tells."""
    return any(some.refused for some in totals)
