"""What the store gives to arithmetic: columns of scores and of request latencies, as arrays, and what hosts counted.

Apart from :mod:`.types`, because the user path imports that and must not pay for numpy. Invariant: all arrays of one
record have the same length, and their rows are in the order of time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DIRECT",
    "SILENT_S",
    "CopyCounts",
    "HostCounts",
    "HostSeen",
    "KeptFold",
    "ScoreColumns",
    "Setting",
    "Texts",
    "Timed",
    "codes_of",
    "host_names",
]

DIRECT = "direct"
"""The ``choice`` of times that are those of the lane's own calls, and no trial."""

SILENT_S = 30.0
"""A worker says every 5 s what its host counts: one that was not heard for so long is away, or its host is."""

_Counts = NDArray[np.int64]
_Bools = NDArray[np.bool_]
_MOST_COMPARED = 3


class Texts:
    """A column of few texts: ``words``, each once, and which of them each row has (n,), as whole numbers.

    A row is compared by its number: as fast as a column of bytes, however long the words are.
    """

    __slots__ = ("codes", "words")

    def __init__(self, words: tuple[str, ...], codes: NDArray[Any]) -> None:
        self.words, self.codes = words, codes

    @classmethod
    def of(cls, values: Iterable[str]) -> Texts:
        """A column of these texts (n,)."""
        words: dict[str, int] = {}
        codes = codes_of(list(values), words)
        return cls(tuple(words), codes)

    @classmethod
    def joined(cls, parts: Sequence[Texts]) -> Texts:
        """Columns one after the other."""
        words: dict[str, int] = {}
        numbers = [[words.setdefault(word, len(words)) for word in part.words] for part in parts]
        codes = [np.array(some, dtype=np.int64)[part.codes] for some, part in zip(numbers, parts, strict=True)]
        return cls(tuple(words), np.concatenate(codes) if codes else np.zeros(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[str]:
        """The text of each row."""
        return iter(self.tolist())

    def __getitem__(self, rows: Any) -> Texts:
        """Only some rows, as of an array: a mask, a slice, or numbers of rows (n,)."""
        return Texts(self.words, self.codes[rows])

    def __eq__(self, word: object) -> _Bools:  # type: ignore[override]
        """Which rows have this text (n,)."""
        return self.isin((word,))

    def __ne__(self, word: object) -> _Bools:  # type: ignore[override]
        """Which rows have another (n,)."""
        return ~self.isin((word,))

    __hash__ = None  # type: ignore[assignment]

    def isin(self, words: Collection[object]) -> _Bools:
        """Which rows have one of these texts (n,)."""
        hit = [number for number, word in enumerate(self.words) if word in words]
        if len(hit) in (0, len(self.words)):
            return np.full(len(self.codes), bool(hit))
        if len(hit) > _MOST_COMPARED:
            table = np.zeros(len(self.words), dtype=bool)
            table[hit] = True
            taken: _Bools = table[self.codes]
            return taken
        found: _Bools = self.codes == hit[0]
        for number in hit[1:]:
            found |= self.codes == number
        return found

    def replaced(self, rows: _Bools, word: str) -> Texts:
        """The same with another text at ``rows`` (n,)."""
        words = self.words if word in self.words else (*self.words, word)
        return Texts(words, np.where(rows, words.index(word), self.codes))

    def counts(self) -> Counter[str]:
        """How many rows have each text, of those that some row has."""
        counts = np.bincount(self.codes, minlength=len(self.words)).tolist()
        return Counter({word: n for word, n in zip(self.words, counts, strict=True) if n})

    def tolist(self) -> list[str]:
        """The text of each row."""
        return [self.words[code] for code in self.codes.tolist()]


def codes_of(values: Sequence[str], words: dict[str, int]) -> NDArray[np.int64]:
    """The number of each text (n,); new ones are added to ``words``."""
    some = dict.fromkeys(values)  # no loop over rows in Python: nearly all columns have few texts
    for word in some:
        words.setdefault(word, len(words))
    if len(some) == 1:
        return np.full(len(values), words[next(iter(some))], dtype=np.int64)
    return np.fromiter(map(words.__getitem__, values), dtype=np.int64, count=len(values))


class ScoreColumns(msgspec.Struct, frozen=True, kw_only=True):
    """What a report computes with: one array a column, all of the same length, in the order of ``started_ns``."""

    started_ns: NDArray[np.int64]
    delta_s: NDArray[np.float64]
    """NaN where there is no score."""
    anchored: NDArray[np.float64]
    """NaN where there is no score."""
    fact_flip: NDArray[np.bool_]
    citation_match: NDArray[np.float64]
    """NaN where neither side cites."""
    index_agrees: NDArray[np.float64]
    """1 or 0; NaN where it is not known."""
    state: Texts
    reason: Texts
    """Empty where the shadow answered."""
    prod_status: NDArray[np.int64]
    status: NDArray[np.int64]
    """The shadow's; 0 where it did not answer."""
    prod_ttfb_ns: NDArray[np.int64]
    prod_ns: NDArray[np.int64]
    shadow_ttfb_ns: NDArray[np.int64]
    shadow_ns: NDArray[np.int64]
    embedder: Texts
    group: NDArray[np.int64]
    """The paraphrase group; -1 where there is none."""
    group_seen: NDArray[np.int64]
    prod_lambda: Texts
    shadow_lambda: Texts
    prod_flip: NDArray[np.bool_]
    flip: NDArray[np.bool_]
    trend: Texts
    structured: NDArray[np.bool_]
    """Whether both answers are JSON and were compared by structure."""
    judge: Texts
    """The judge's verdict; empty where it gave none."""
    rounds: NDArray[np.int64]
    """Requests sent for the answer: more than one where tool calls were stubbed."""
    missing: NDArray[np.float64]
    """Share of prod's sentences that the shadow's answer does not say; NaN where they were not compared."""
    extra: NDArray[np.float64]
    unread: Texts
    """Why facts were not looked at, or in part only; empty when they were."""
    exchange: NDArray[np.int64]
    """Which exchange it is, a hash: the same for all shadows, and for the control."""
    request: NDArray[np.int64]
    """Which request it repeats, a hash of ``req_hash`` from 0 to 2^62 - 1; -1: not known."""
    strange_calls: NDArray[np.int64]
    """Tool calls that prod never made."""
    collapse: Texts
    """How the shadow's answer collapsed; empty when it did not, or when the release that stored it did not say."""
    prod_collapse: Texts
    """How prod's did."""
    waited_ns: NDArray[np.int64]
    """How long the copy waited for a slot."""
    tries: NDArray[np.int64]
    """How often it was sent; 0 where it never was, or where the release that stored it did not say."""
    tokens: NDArray[np.float64]
    """What the shadow's answer used; NaN unless both answers say."""
    prod_tokens: NDArray[np.float64]
    cost: NDArray[np.float64]
    """What that costs by ``[prices]``; NaN unless both answers' models have a price."""
    prod_cost: NDArray[np.float64]
    cache_served: NDArray[np.bool_]
    """Whether a cache served either answer, or a part of its input."""
    coverage: NDArray[np.float64]
    """Share of prod's retrieved sections that the shadow retrieved too; NaN without retrieval."""
    retrieved: NDArray[np.float64]
    """ΔS of the question and what the shadow retrieved; NaN without retrieved text."""
    prod_retrieved: NDArray[np.float64]
    prod_citation_match: NDArray[np.float64]
    """The same of the shadow's citations that prod has too; NaN where that is not known."""
    prod_coverage: NDArray[np.float64]
    """Share of the shadow's retrieved sections that prod retrieved too; NaN without retrieval, or not known."""
    prod_strange_calls: NDArray[np.int64]
    """Tool calls of prod's that the shadow never made; -1 where that is not known."""

    def __len__(self) -> int:
        return len(self.started_ns)


class KeptFold(NamedTuple):
    """What was made of many rows so far, and which rows these were. What a state is, its maker alone knows."""

    shadow: str
    name: str
    """Everything that decides what the state is, but for the rows."""
    since_ns: int
    until_ns: int
    """Of rows that began before."""
    control: str
    """Whose rows were read beside it; empty: nobody's."""
    rows: tuple[int, int]
    """How many, and the sum of their times since ``since_ns``, modulo 2^61."""
    control_rows: tuple[int, int]
    state: bytes


class Timed(msgspec.Struct, frozen=True, kw_only=True):
    """Requests that one life of a lane timed: buckets (k,) that are not empty, ascending, and their counts."""

    lane_id: str
    choice: str
    """How the lane chose: ``ratio`` for a coin, see ``sampler`` in :func:`shadowlane._core.lane_status`."""
    ratio: float
    lower: _Counts
    """Where each bucket begins and ends, in ns."""
    upper: _Counts
    taken: _Counts
    not_taken: _Counts


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What a host counted while one setting of its sampling was in force."""

    since_ns: int
    """When it began, Unix time by the host's clock."""
    choice: str
    ratio: float
    qps: float
    burst: int
    eligible: int = 0
    taken: int = 0
    dropped: dict[str, int] = {}
    """By reason; without zeros."""


class CopyCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one shadow's copies: ``mirrored = answered + Σ failed + in_flight``."""

    mirrored: int
    answered: int
    failed: dict[str, int]
    in_flight: int
    holds: bool
    """Whether the counts of the rings and of the store agree."""


class HostCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What one host counted in one life of its lane, up to a moment. Sums so far, so that the last one says all."""

    host: str
    lane: str
    lane_id: str
    """Of a forwarding host its first twelve characters."""
    release: str = ""
    alike: str = ""
    """Hash of the configuration that hosts of one store should have alike; empty: not told."""
    ended: bool = False
    """Whether its worker ended, and no gateway lived."""
    seen: int
    open: int
    mirrored: int
    dropped: dict[str, int]
    settings: tuple[Setting, ...]
    """Of the sampling, the oldest first; the last one is in force."""
    adds_up: bool | None = None
    """Whether ``seen = mirrored + Σ dropped`` was found; ``None``: others account for it (a forwarding host)."""
    shadows: dict[str, CopyCounts] = {}


class HostSeen(NamedTuple):
    """The same as it was stored, and how long ago that was, both by the database's clock."""

    counts: HostCounts
    at_ns: int
    age_s: float
    readable: bool = True
    """Whether this release can read what was stored; if not, ``counts`` are none."""


def host_names(seen: Iterable[HostSeen]) -> dict[str, str]:
    """How the host of each life of a lane is called, by the life's name: lives of one lane on one host are one."""
    found = list(seen)
    lanes = {(one.counts.host, one.counts.lane) for one in found}
    times = Counter(host for host, _ in lanes)
    return {
        one.counts.lane_id: one.counts.host if times[one.counts.host] == 1 else f"{one.counts.host}/{one.counts.lane}"
        for one in found
    }
