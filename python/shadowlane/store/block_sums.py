"""Sums over a shadow's rows out of the parts of blocks (:mod:`.blocks`): the same that :mod:`.tallies`,
:mod:`.segments` and :mod:`.history` ask the database for, where there are no blocks.

Invariant: integers are those of the database, and sums of floats differ by their rounding alone; what is held does not
grow with the rows, but with the routes, tenants, models and versions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..types import FLAG_NO_PROD, FLAG_TOLD, NOT_SENT
from .blocks import Part
from .column_codec import Texts

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
    "versions",
]

_Bools = NDArray[np.bool_]
_Floats = NDArray[np.float64]
_BUCKETS = 1 << 22
"""Questions with the same number but for its high bits are counted together first."""
_KINDS = {"route": "route", "tenant": "tenant", "model": "prod_model"}

Totals = tuple[str, str, int, int, int, float, float, int, int]
Versions = tuple[str, str, str, str, int, int, int]
"""Model, index, prod's index, pins (JSON), first and last time, rows."""


def _sent(part: Part, without: Sequence[str]) -> _Bools:
    waited = part.where("reason", "deadline") & (part["shadow_ns"] == 0)
    sent: _Bools = ~part.where("reason", *NOT_SENT) & ~waited
    return sent & ~part.where("route", *without) if without else sent


def _failed(part: Part, *, reverse: bool) -> _Bools:
    prod, status, answered = part["prod_status"], part["status"], part.where("reason", "")
    if reverse:
        failed: _Bools = (prod >= 500) | ((prod >= 400) & answered & (status < 400))
    else:
        failed = ~answered | (status >= 500) | ((status >= 400) & (prod < 400))
    return failed


def _scored(part: Part, embedder: str) -> _Bools:
    scored: _Bools = ~np.isnan(part["delta_s"]) & part.where("embedder", embedder)
    return scored


def failures(
    parts: Iterable[Part], since_ns: Sequence[int], without: Sequence[str], *, reverse: bool
) -> list[tuple[int, int]]:
    """See :meth:`.History.failure_counts`."""
    counts = np.zeros((len(since_ns), 2), dtype=np.int64)
    for part in parts:
        sent = _sent(part, without)
        both = np.stack([sent, sent & _failed(part, reverse=reverse)])
        for at, first in enumerate(np.searchsorted(part["started_ns"], since_ns).tolist()):
            counts[at] += both[:, first:].sum(axis=1)
    return [(int(n), int(failed)) for n, failed in counts.tolist()]


def refused(parts: Iterable[Part]) -> tuple[Counter[str], Counter[str]]:
    """See :func:`.tallies.refused_routes`: copies by route, and those that were refused."""
    copies: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    for part in parts:
        status = part["status"]
        tried = _sent(part, ()) & (status != 408) & (status != 429)
        no = part.where("reason", "") & (status >= 400) & (status < 500) & (part["prod_status"] < 400)
        routes = part.texts("route")
        _count_texts(copies, routes, tried)
        _count_texts(bad, routes, tried & no)
    return copies, bad


def deltas(parts: Iterable[Part], embedder: str) -> Iterator[_Floats]:
    """See :meth:`.History.delta_values`."""
    for part in parts:
        values: _Floats = part["delta_s"][_scored(part, embedder)]
        if len(values):
            yield values


def delta_bins(parts: Iterable[Part], since_ns: int, bin_ns: int, embedder: str) -> list[tuple[int, int, float, float]]:
    """See :meth:`.History.delta_sums`."""
    sums: dict[int, _Floats] = {}
    for part in parts:
        scored = _scored(part, embedder)
        values, bins = part["delta_s"][scored], (part["started_ns"][scored] - since_ns) // bin_ns
        for number in np.unique(bins).tolist():
            mine = values[bins == number]
            new = np.array([len(mine), mine.sum(), (mine * mine).sum()])
            sums[number] = sums.get(number, 0.0) + new
    return [(number, int(some[0]), float(some[1]), float(some[2])) for number, some in sorted(sums.items())]


def versions(parts: Iterable[Part]) -> Iterator[Versions]:
    """What said which version answered, some rows at a time; see :meth:`.History.pins`."""
    for part in parts:
        texts = [part.texts(name) for name in ("model_rev", "index_hash", "prod_index_hash", "pins")]
        started = part["started_ns"]
        if not len(started):
            continue
        which = _which([some.codes for some in texts])
        _, first, which, counts = np.unique(which, return_index=True, return_inverse=True, return_counts=True)
        last = np.zeros(len(first), dtype=np.int64)
        last[which] = started  # in the order of time: the last one stays
        for at, n in zip(first.tolist(), zip(last.tolist(), counts.tolist(), strict=True), strict=True):
            model, index, prod_index, pins = (some.words[some.codes[at]] for some in texts)
            yield model, index, prod_index, pins, int(started[at]), *n


def _which(codes: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """A number for each combination of codes (n,), of which few in a row are different."""
    found = np.zeros(len(codes[0]), dtype=np.int64)
    for some in codes:
        most = int(some.max()) + 1
        if most > 1:
            found = found * most + some
            if int(found.max()) > _BUCKETS:
                found = np.unique(found, return_inverse=True)[1]
    return found


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


def segment_totals(
    parts: Callable[[], Iterable[Part]],
    embedder: str,
    least: int,
    without: Sequence[str],
    only: Collection[tuple[str, str]] | None,
    *,
    reverse: bool,
    most: int,
) -> Iterator[Totals]:
    """See :func:`.segments.segment_rows`. ``parts`` is called twice; ``most`` segments of a kind at most."""
    often = _asked_often(parts(), without, least) if only is None else None
    wanted = np.array([int(name.split()[1]) for kind, name in only or () if kind == "question"], dtype=np.int64)
    sums = {kind: _Sums() for kind in (*_KINDS, "question")}
    for part in parts():
        sent = _sent(part, without)
        scored, delta, flips = _scored(part, embedder), part["delta_s"], part["fact_flip"]
        known = np.where(scored, delta, 0.0)
        read = flips | (scored & (part.where("unread", "") | (delta == 0.0)))
        values = (sent, _failed(part, reverse=reverse), scored, known, known * known, flips, read)
        for kind, column in _KINDS.items():
            texts = part.texts(column)
            rows = sent & _named(kind, texts)
            sums[kind].add(texts.words, texts.codes[rows], [some[rows] for some in values])
        group = part["group"]
        rows = sent & (group >= 0)
        rows[rows] = np.isin(group[rows], wanted) if often is None else often[group[rows] % _BUCKETS]
        numbers, codes = np.unique(group[rows], return_inverse=True)
        names = [f"group {number}" for number in numbers.tolist()]
        sums["question"].add(names, codes, [some[rows] for some in values])
    for kind, found in sums.items():
        named = ((name, some) for name, some in found.by_name.items() if some[0] >= least)
        kept = sorted(named, key=lambda one: (-one[1][0], one[0].encode()))
        for name, some in kept[: most if only is None else None]:
            if only is None or (kind, name) in only:
                sent_n, failed, scored_n, total, squares, flips_n, read_n = some.tolist()
                yield kind, name, int(sent_n), int(failed), int(scored_n), total, squares, int(flips_n), int(read_n)


def _named(kind: str, texts: Texts) -> _Bools:
    """Which rows say it: a route without a path is that of a record that has none."""
    said = [bool(word.partition(" ")[2] if kind == "route" else word) for word in texts.words]
    named: _Bools = np.array(said, dtype=bool)[texts.codes]
    return named


def _asked_often(parts: Iterable[Part], without: Sequence[str], least: int) -> _Bools:
    """Which buckets of questions have so many copies: a question in another has fewer for sure."""
    if least <= 1:
        return np.ones(_BUCKETS, dtype=bool)
    counts = np.zeros(_BUCKETS, dtype=np.int32)
    for part in parts:
        group = part["group"]
        numbers, n = np.unique(group[_sent(part, without) & (group >= 0)] % _BUCKETS, return_counts=True)
        counts[numbers] += n.astype(np.int32)
    often: _Bools = counts >= least
    return often


def by_route(parts: Iterable[Part]) -> tuple[Counter[str], Counter[str]]:
    """See :func:`.tallies.by_route`: copies by route, and those that the shadow failed."""
    copies: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for part in parts:
        routes = part.texts("route")
        _count_texts(copies, routes, np.ones(len(routes.codes), dtype=bool))
        _count_texts(failed, routes, _failed(part, reverse=False))
    return copies, failed


def _count_texts(counter: Counter[str], texts: Texts, rows: _Bools) -> None:
    counts = np.bincount(texts.codes[rows], minlength=len(texts.words)).tolist()
    counter.update({word: n for word, n in zip(texts.words, counts, strict=True) if n})


def said(parts: Iterable[Part], columns: Mapping[str, tuple[str, str]]) -> dict[str, Counter[tuple[str, str]]]:
    """See :func:`.tallies.said_counts`: by name of two ``columns`` (one may be empty), how often they say what."""
    found: dict[str, Counter[tuple[str, str]]] = {name: Counter() for name in columns}
    for part in parts:
        answered = part.where("reason", "")
        for name, (one, other) in columns.items():
            theirs = part.texts(other)
            mine = part.texts(one) if one else Texts(("",), np.zeros_like(theirs.codes))
            both = (mine.codes * len(theirs.words) + theirs.codes)[answered]
            for code, n in zip(*(some.tolist() for some in np.unique(both, return_counts=True)), strict=True):
                words = mine.words[code // len(theirs.words)], theirs.words[code % len(theirs.words)]
                if words != ("", ""):
                    found[name][words] += n
    return found


def flips(parts: Iterable[Part]) -> tuple[int, int, int]:
    """See :func:`.tallies.flips`."""
    n = shared = last = 0
    for part in parts:
        flip = part["flip"]
        if flip.any():
            n, shared = n + int(flip.sum()), shared + int((flip & part["prod_flip"]).sum())
            last = max(last, int(part["started_ns"][flip].max()))
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


def policy(parts: Iterable[Part], *, reverse: bool) -> tuple[Counter[str], int, int]:
    """See :func:`.tallies.policy_counts`."""
    why: Counter[str] = Counter()
    calls = pairs = 0
    for part in parts:
        strange = part["prod_strange_calls" if reverse else "strange_calls"]
        calls, pairs = calls + int(strange[strange > 0].sum()), pairs + int((strange > 0).sum())
        _count_texts(why, part.texts("why"), ~part.where("blocked", ""))
    return why, calls, pairs


def prod_seen(parts: Iterable[Part]) -> tuple[int, int, int]:
    """See :func:`.tallies.prod_seen`."""
    found = np.zeros(3, dtype=np.int64)
    for part in parts:
        flags, untimed = part["flags"], (part["prod_status"] != 0) & (part["prod_ns"] == 0)
        found += [int((flags & bit != 0).sum()) for bit in (FLAG_NO_PROD, FLAG_TOLD)] + [int(untimed.sum())]
    stood_in, told, untold = found.tolist()
    return stood_in, told, untold


def any_refused(parts: Iterable[Part]) -> bool:
    """Whether there is a row of which :func:`.tallies.refusals` tells."""
    for part in parts:
        refused = (part["status"] >= 400) & (part["prod_status"] < 400)
        if bool((refused | part.where("reason", "connect_error", "transport_error")).any()):
            return True
    return False
