"""Two sentences that are equal but for a few words: what was replaced, and whether that contradicts.

Invariant: judged strictly, since the same words on either side of a replaced one leave no doubt that both sentences
speak of the same; a replacement whose meaning is not known (a synonym, perhaps) is no finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .extract import Entity, Facts, Sentence
from .lexicon import FUNCTION_WORDS, MODALITY, NEGATORS, OPPOSITES, WEAK_NEGATORS, negated_form, stem, words
from .same import inflected, same

__all__ = ["Component", "Finding", "Side", "judged", "replaced"]

Component: TypeAlias = Literal["entities", "relations", "constraints"]
Span: TypeAlias = tuple[int, int]
Finding: TypeAlias = tuple[str, Component, Span, Span]
"""Kind, component, and the span on each side."""
Edit: TypeAlias = tuple[int, int, int, int]
"""Words ``[i0:i1]`` of one sentence stand where words ``[j0:j1]`` of the other do."""

_COMMON = 0.6
_LONGEST = 4
_LIST = words("and or nor , the a an")
_SYMMETRIC = words("talk meet marry fight dance same different equal differ between shake speak and")
_MUST, _MAY = words("must shall required"), words("may can could might optional")


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two sentences, with the text and the facts that it belongs to."""

    facts: Facts
    text: str
    index: int

    @property
    def sentence(self) -> Sentence:
        return self.facts.sentences[self.index]

    def entities(self, start: int, stop: int) -> list[Entity]:
        """Entities of the sentence that overlap these words."""
        return [
            entity
            for entity in self.facts.entities
            if entity.sentence == self.index and entity.place < stop and start < entity.stop
        ]

    def loose(self, start: int, stop: int) -> list[str]:
        """These words, less those that belong to a quantity: two years and 24 months are no opposites."""
        bound = {
            place
            for entity in self.entities(start, stop)
            if entity.quantity is not None
            for place in range(entity.place, entity.stop)
        }
        return [self.sentence.words[place] for place in range(start, stop) if place not in bound]

    def span(self, start: int, stop: int) -> Span:
        """Characters of these words; of the word before the gap when there are none."""
        places = self.sentence.places
        if start < stop:
            return places[start][0], places[stop - 1][1]
        return places[max(start - 1, 0)]


def replaced(left: Sentence, right: Sentence) -> list[Edit] | None:
    """The replaced words of two sentences that are equal in at least 60 % of their words; ``None`` when they are
    not.
    """
    mine, theirs = left.words, right.words
    if mine == theirs:
        return []
    size = max(len(mine), len(theirs))
    if len(mine) == len(theirs):
        differ = [place for place in range(size) if mine[place] != theirs[place]]
        if size - len(differ) >= max(_COMMON * size, 1):
            edits: list[Edit] = []
            for place in differ:
                if edits and edits[-1][1] == place:
                    edits[-1] = (edits[-1][0], place + 1, edits[-1][2], place + 1)
                else:
                    edits.append((place, place + 1, place, place + 1))
            if all(stop - start <= _LONGEST for start, stop, _, _ in edits):
                return edits
    shorter = min(len(mine), len(theirs))
    head = 0
    while head < shorter and mine[head] == theirs[head]:
        head += 1
    tail = 0
    while tail < shorter - head and mine[-1 - tail] == theirs[-1 - tail]:
        tail += 1
    edit = (head, len(mine) - tail, head, len(theirs) - tail)
    if head + tail < max(_COMMON * shorter, 2) or size - head - tail > _LONGEST:
        return None
    return [edit]


def judged(edits: list[Edit], a: Side, b: Side) -> list[Finding]:
    """What contradicts in these replacements."""
    mine, theirs = a.sentence.words, b.sentence.words
    out = sorted(word for i0, i1, _, _ in edits for word in mine[i0:i1])
    if len(edits) > 1 and out == sorted(word for _, _, j0, j1 in edits for word in theirs[j0:j1]):
        return list(_exchange(edits, a, b))
    return [finding for edit in edits for finding in _edit(edit, a, b)]


def _exchange(edits: list[Edit], a: Side, b: Side) -> Iterator[Finding]:
    """The same words in each other's places: who did what to whom, unless it is a list or works both ways."""
    mine = a.sentence.words
    if len(edits) != 2 or not _SYMMETRIC.isdisjoint(a.sentence.stems):
        return
    (i0, i1, j0, j1), (k0, k1, _, _) = edits
    moved = [word for word in mine[i0:i1] + mine[k0:k1] if word not in FUNCTION_WORDS]
    if moved and not all(word in _LIST for word in mine[i1:k0]):
        yield "direction", "relations", a.span(i0, i1), b.span(j0, j1)


def _edit(edit: Edit, a: Side, b: Side) -> Iterator[Finding]:
    i0, i1, j0, j1 = edit
    mine, theirs = a.sentence.words[i0:i1], b.sentence.words[j0:j1]
    spans = a.span(i0, i1), b.span(j0, j1)
    negators = [sum(word in NEGATORS for word in side) for side in (mine, theirs)]
    known = _opposite(a.loose(i0, i1), b.loose(j0, j1))
    if (negators[0] + negators[1]) % 2:
        both = mine + theirs
        hedged = any(stem(word) in WEAK_NEGATORS or word.endswith("less") for word in both) or "only" in both
        if not known and not hedged:
            yield "negation", "relations", *spans
        return
    if known:
        yield "antonym", "relations", *spans
        return
    classes = [{_strength(word) for word in side} - {""} for side in (mine, theirs)]
    if all(classes) and classes[0].isdisjoint(classes[1]):
        yield "modality", "constraints", *spans
        return
    here, there = a.entities(i0, i1), b.entities(j0, j1)
    for one in here:
        for other in there:
            kind = _other_thing(one, other, mine, theirs)
            if kind:
                yield kind, "entities", (one.start, one.end), (other.start, other.end)
                return


def _opposite(mine: list[str], theirs: list[str]) -> bool:
    for word in mine:
        if word in NEGATORS:
            continue
        one = stem(word)
        for other in [stem(word) for word in theirs if word not in NEGATORS]:
            if other in OPPOSITES.get(one, ()) or (one != other and negated_form(one, other)):
                return True
    return False


def _strength(word: str) -> str:
    if word in _MUST:
        return "must"
    return "may" if word in _MAY else MODALITY.get(word, "")


def _other_thing(one: Entity, other: Entity, mine: list[str], theirs: list[str]) -> str:
    """The kind of the contradiction when an entity was replaced by another one; empty when it may be the same."""
    if same(one, other, strict=True):
        return ""
    if one.quantity is not None and other.quantity is not None:
        return "date" if "date" in (one.kind, other.kind) else "number"
    if "date" in (one.kind, other.kind):
        return "date"
    if one.kind != other.kind:
        return ""
    if one.kind == "name":
        # "Virginia Medical Center" against "Virginia Medical Institute": a shared part makes no alias when just the
        # rest was replaced, word for word; "J." for "John" is the same name cut short.
        if len(mine) != len(theirs):
            return ""
        cut_short = any(
            short.startswith(long[: max(len(short), 1)]) and len(short) <= 2 for short, long in _both(mine, theirs)
        )
        return "" if cut_short or inflected(mine[-1], theirs[-1]) else "name"
    return one.kind


def _both(mine: list[str], theirs: list[str]) -> Iterator[tuple[str, str]]:
    for one, other in zip(mine, theirs, strict=True):
        yield (one, other) if len(one) < len(other) else (other, one)
