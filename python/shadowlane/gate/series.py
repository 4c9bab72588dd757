"""What each rule on the scores averages: one series of values a rule, out of the store's columns, piece by piece.

Where a control runs, the same request was answered by prod, the shadow and the control, so that the shadow's value and
the control's are a pair: their differences vary much less than either. Invariant: values are in the order of time, and
a row without the value (no score, no citation, no repeated question) is in no series of it; what is held does not grow
with the rows (:mod:`.stream`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..bands import CRITICAL, STABLE
from ..columns import ScoreColumns
from .repeats import Questions
from .sample import PairedSample
from .selection import DELTA_S_MAX, failed_copies, repeated, sent
from .stream import Stream
from .targets import SCORE_RULES, Target

__all__ = ["RuleStreams", "Series", "SeriesFold", "joined", "question_of", "reading"]

_Floats = NDArray[np.float64]
_Reading = tuple[_Floats, NDArray[np.bool_]]
"""The value of each row, and which rows have one."""

_LEAST_PAIRED = 0.1
_THROTTLED = 429


@dataclass(frozen=True, slots=True)
class Series:
    """The values of one rule, fed in the order of time; the larger, the worse."""

    values: Stream
    """Of the shadow, with the question that each answers where that decides it."""
    excess: Stream | None = None
    """The shadow's less the control's at the same request; ``None`` without such pairs."""
    floor: Stream | None = None
    """The control's own; ``None`` without a control."""
    floor_name: str = "the noise floor"
    """What the floor is, in words."""
    note: str = ""
    """More for the line of evidence."""
    none: str = ""
    """Why there are no values, and what would make them; for a series without."""


def question_of(columns: ScoreColumns) -> NDArray[np.int64]:
    """Which question each row answers: its paraphrase group, else its request."""
    asked = np.where(columns.request >= 0, columns.request | np.int64(1 << 62), np.int64(-1))
    return np.where(columns.group >= 0, columns.group, asked)


class RuleStreams:
    """The streams of one rule."""

    def __init__(self, target: Target, questions: Questions) -> None:
        width = target.high - target.low
        asked = questions if target.of_questions else None
        self.target = target
        self.values = Stream(target.low, target.high, asked)
        self.excess = Stream(-width, width, questions)
        self.floor = Stream(target.low, target.high)
        self.notes: Counter[str] = Counter()

    def own(self, *, with_control: bool) -> bool:
        """Whether the pairs themselves have the floor."""
        return self.target.own == "always" or (self.target.own == "alone" and not with_control)

    def series(self, *, with_control: bool) -> Series:
        note, none = _NOTES.get(self.target.key), _NONE.get(self.target.key, "")
        text = note.text(self.notes) if note is not None else ""
        if self.own(with_control=with_control):
            return Series(self.values, self.excess, self.floor, f"{self.target.own_name}, which is", text, none)
        if not (with_control and self.target.rise):
            return Series(self.values, note=text, none=none)
        enough = len(self.excess) >= max(1.0, _LEAST_PAIRED * min(len(self.values), len(self.floor)))
        return Series(self.values, self.excess if enough else None, self.floor, note=text, none=none)


class SeriesFold:
    """The series of every rule of :data:`~shadowlane.gate.targets.SCORE_RULES`, made of pieces in the order of time.

    ``embedder``: whose ΔS counts.
    """

    def __init__(self, embedder: str, *, with_control: bool) -> None:
        self._embedder, self._with_control = embedder, with_control
        self._questions = Questions()
        self._rules = [RuleStreams(target, self._questions) for target in SCORE_RULES]
        self._tails = PairedSample()

    def add(
        self, columns: ScoreColumns, control: ScoreColumns | None = None, inside: NDArray[np.bool_] | None = None
    ) -> None:
        """The next rows, and those of the control's that answered the same requests, in any order; ``inside`` (m,) says
        which rows have part in :attr:`tails` (default: all)."""
        questions = question_of(columns)
        slots = self._questions.slots(questions)
        for rule in self._rules:
            read = _READINGS[rule.target.key]
            values, has = read(columns, self._embedder)
            rule.values.add(values[has], slots[has])
            if rule.target.key in _NOTES:
                rule.notes.update(_NOTES[rule.target.key].count(columns, has))
            if rule.own(with_control=self._with_control):
                own = _OWN[rule.target.key](columns)[has]
                rule.excess.add(values[has] - own, slots[has])
                rule.floor.add(own)
                continue
            if control is None or not rule.target.rise:
                continue
            floor, floor_has = read(control, self._embedder)
            mine, theirs = joined(columns, has, control, floor_has)
            rule.excess.add(values[mine] - floor[theirs], slots[mine])
            if rule.target.key == "mean_delta_s":
                part = np.ones(len(mine), dtype=bool) if inside is None else inside[mine]
                mine, theirs = mine[part], theirs[part]
                self._tails.add(columns.exchange[mine], values[mine], floor[theirs], questions=questions[mine])

    def add_control(self, columns: ScoreColumns) -> None:
        """The next rows of the control's own."""
        for rule in self._rules:
            if rule.target.rise and not rule.own(with_control=True):
                floor, has = _READINGS[rule.target.key](columns, self._embedder)
                rule.floor.add(floor[has])

    def take_floors(self, control: SeriesFold) -> None:
        """Those of a fold of the control's own rows, which nobody adds to any more."""
        for rule, theirs in zip(self._rules, control._rules, strict=True):
            if rule.target.rise and not rule.own(with_control=True):
                rule.floor = theirs.floor

    def series(self) -> dict[str, Series]:
        """By key."""
        return {rule.target.key: rule.series(with_control=self._with_control) for rule in self._rules}

    @property
    def tails(self) -> PairedSample:
        """ΔS of the shadow and of the control at the same requests."""
        return self._tails


def joined(
    columns: ScoreColumns, has: NDArray[np.bool_], control: ScoreColumns, floor_has: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows of the requests that both answered, in the shadow's order."""
    rows, others = np.flatnonzero(has), np.flatnonzero(floor_has)
    _, mine, theirs = np.intersect1d(
        columns.exchange[rows], control.exchange[others], assume_unique=True, return_indices=True
    )
    order = np.argsort(mine)
    return rows[mine[order]], others[theirs[order]]


def _scored(columns: ScoreColumns, embedder: str) -> NDArray[np.bool_]:
    scored: NDArray[np.bool_] = ~np.isnan(columns.delta_s) & (columns.embedder == embedder)
    return scored


def _delta(columns: ScoreColumns, embedder: str) -> _Reading:
    return np.clip(columns.delta_s, 0.0, DELTA_S_MAX), _scored(columns, embedder)


def _anchored(columns: ScoreColumns, embedder: str) -> _Reading:
    has = _scored(columns, embedder) & ~np.isnan(columns.anchored)
    return np.clip(columns.anchored, 0.0, DELTA_S_MAX), has


def _critical(columns: ScoreColumns, embedder: str) -> _Reading:
    return (columns.delta_s >= CRITICAL).astype(np.float64), _scored(columns, embedder)


def _transitional(columns: ScoreColumns, embedder: str) -> _Reading:
    between = (columns.delta_s >= STABLE) & (columns.delta_s < CRITICAL)
    return between.astype(np.float64), _scored(columns, embedder)


def _state(name: str, *, other: bool = False) -> Callable[[ScoreColumns, str], _Reading]:
    def read(columns: ScoreColumns, _: str) -> _Reading:
        hit = columns.state != name if other else columns.state == name
        return hit.astype(np.float64), columns.state != ""

    return read


def _flips(columns: ScoreColumns, _: str) -> _Reading:
    return columns.flip.astype(np.float64) - columns.prod_flip, repeated(columns)


def _facts(columns: ScoreColumns, embedder: str) -> _Reading:
    return columns.fact_flip.astype(np.float64), _compared(columns, embedder) & ~_unread(columns)


def _facts_unread(columns: ScoreColumns, embedder: str) -> _Reading:
    return _unread(columns).astype(np.float64), _compared(columns, embedder)


def _compared(columns: ScoreColumns, embedder: str) -> NDArray[np.bool_]:
    """Rows whose texts were held against each other."""
    compared: NDArray[np.bool_] = _scored(columns, embedder) | columns.fact_flip
    return compared


def _unread(columns: ScoreColumns) -> NDArray[np.bool_]:
    """Rows whose facts were not looked at. Equal texts contradict nothing, in whatever language."""
    unread: NDArray[np.bool_] = (columns.unread != "") & ~(columns.delta_s == 0.0) & ~columns.fact_flip
    return unread


def _collapsed(columns: ScoreColumns, _: str) -> _Reading:
    fell = (columns.state == "divergent") & (columns.prod_collapse == "")
    prod_fell = (columns.prod_collapse != "") & (columns.collapse == "")
    answered = (columns.reason == "") & (columns.prod_status < 400)
    return fell.astype(np.float64) - prod_fell, answered | fell


def _kinds(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} {n}" for kind, n in sorted(counts.items()))


def _collapses(columns: ScoreColumns, has: NDArray[np.bool_]) -> dict[str, int]:
    fell = has & (columns.state == "divergent") & (columns.prod_collapse == "")
    return columns.collapse.replaced(columns.collapse == "", "not said how")[fell].counts()


def _whose_flips(columns: ScoreColumns, has: NDArray[np.bool_]) -> dict[str, int]:
    return {
        "shadow": int((columns.flip & ~columns.prod_flip & has).sum()),
        "prod": int((columns.prod_flip & ~columns.flip & has).sum()),
        "both": int((columns.flip & columns.prod_flip & has).sum()),
    }


def _flips_line(counts: Mapping[str, int]) -> str:
    own, prods, both = (counts.get(who, 0) for who in ("shadow", "prod", "both"))
    return f"{own} of the shadow alone, {prods} of prod alone, {both} of both"


def _why_unread(columns: ScoreColumns, has: NDArray[np.bool_]) -> dict[str, int]:
    return columns.unread[has & _unread(columns)].counts()


def _citations(columns: ScoreColumns, _: str) -> _Reading:
    return np.clip(1.0 - columns.citation_match, 0.0, 1.0), ~np.isnan(columns.citation_match)


def _index(columns: ScoreColumns, _: str) -> _Reading:
    return np.clip(1.0 - columns.index_agrees, 0.0, 1.0), ~np.isnan(columns.index_agrees)


def _strange_calls(columns: ScoreColumns, _: str) -> _Reading:
    return (columns.strange_calls > 0).astype(np.float64), (columns.reason == "") & (columns.strange_calls >= 0)


def _unmatched(side: str) -> Callable[[ScoreColumns, str], _Reading]:
    def read(columns: ScoreColumns, _: str) -> _Reading:
        values = getattr(columns, side)
        return np.clip(values, 0.0, 1.0), ~np.isnan(columns.missing) & ~np.isnan(columns.extra)

    return read


def _fell_so(kind: str) -> Callable[[ScoreColumns, str], _Reading]:
    """Answers that are none in one way: the shadow's less prod's own, over the pairs that both answered."""

    def read(columns: ScoreColumns, _: str) -> _Reading:
        values = (columns.collapse == kind).astype(np.float64) - (columns.prod_collapse == kind)
        return values, (columns.reason == "") & (columns.prod_status < 400)

    return read


def _coverage(columns: ScoreColumns, _: str) -> _Reading:
    return np.clip(1.0 - columns.coverage, 0.0, 1.0), ~np.isnan(columns.coverage)


def _retrieved(columns: ScoreColumns, _: str) -> _Reading:
    has = ~np.isnan(columns.retrieved) & ~np.isnan(columns.prod_retrieved)
    return np.clip(columns.retrieved, 0.0, DELTA_S_MAX), has


def _retried(columns: ScoreColumns, _: str) -> _Reading:
    return failed_copies(columns).astype(np.float64), columns.tries > 1


def _throttled(columns: ScoreColumns, _: str) -> _Reading:
    return (columns.status == _THROTTLED).astype(np.float64), sent(columns)


def _errors(columns: ScoreColumns, _: str) -> _Reading:
    return failed_copies(columns).astype(np.float64), sent(columns)


_READINGS: dict[str, Callable[[ScoreColumns, str], _Reading]] = {
    "mean_delta_s": _delta,
    "anchored_delta_s": _anchored,
    "critical": _critical,
    "transitional": _transitional,
    "no_chaos": _state("chaotic"),
    "convergence": _state("convergent", other=True),
    "no_flip": _flips,
    "contradicted_facts": _facts,
    "facts_read": _facts_unread,
    "collapsed": _collapsed,
    "citations": _citations,
    "index": _index,
    "tool_calls": _strange_calls,
    "missing": _unmatched("missing"),
    "extra": _unmatched("extra"),
    "recursive": _state("recursive"),
    "refused": _fell_so("refused"),
    "empty": _fell_so("empty"),
    "coverage": _coverage,
    "retrieved": _retrieved,
    "retried": _retried,
    "throttled": _throttled,
    "shadow_errors": _errors,
}


def reading(key: str, columns: ScoreColumns, embedder: str) -> tuple[_Floats, NDArray[np.bool_]]:
    """The values of the rule ``key`` at all rows (n,), and which rows have one (n,). ``embedder``: whose ΔS counts."""
    return _READINGS[key](columns, embedder)


_OWN: dict[str, Callable[[ScoreColumns], _Floats]] = {
    "missing": lambda columns: np.clip(columns.extra, 0.0, 1.0),
    "extra": lambda columns: np.clip(columns.missing, 0.0, 1.0),
    "retrieved": lambda columns: np.clip(columns.prod_retrieved, 0.0, DELTA_S_MAX),
}
"""The value of prod's own in the same pair."""


@dataclass(frozen=True, slots=True)
class _Note:
    """More for a line of evidence: counts that add up over the pieces, and their words."""

    count: Callable[[ScoreColumns, NDArray[np.bool_]], dict[str, int]]
    text: Callable[[Mapping[str, int]], str] = _kinds


_NOTES = {
    "collapsed": _Note(_collapses),
    "no_flip": _Note(_whose_flips, _flips_line),
    "facts_read": _Note(_why_unread),
}
_NONE = {
    "anchored_delta_s": "no pair has an anchored ΔS; the two texts must be answers, not vectors",
    "no_chaos": "no pair has a λ state; an embedder that works gives them",
    "convergence": "no pair has a λ state; an embedder that works gives them",
    "no_flip": "no question was asked twice; score.groups, and traffic or a probe that repeats questions, give flips",
    "contradicted_facts": "no pair's facts could be looked at; a [judge] reads answers that the rules cannot",
    "missing": "no pair's sentences could be held against each other; answers in one of the six known languages can",
    "extra": "no pair's sentences could be held against each other; answers in one of the six known languages can",
    "recursive": "no pair has a λ state; an embedder that works gives them",
    "coverage": "no answer of prod's carries what it retrieved; sources with sections, tokens or texts do",
    "retrieved": "no pair carries what both retrieved; sources with their texts, and a question that is known, do",
    "retried": "no copy was tried again; shadows.NAME.retry.attempts above 1 tries",
    "citations": "no answer of either side cites; answers with sources, or score.citations_pointer, give matches",
    "tool_calls": "no answered pair says what it calls and the other does not",
    "index": "no answer says its index; send x-index-hash from both services",
}
