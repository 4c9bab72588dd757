"""Where two texts contradict each other, with the two spans for each finding.

Invariant: a finding needs both texts to speak of the same thing, that is, of sentences that share their content
words, and a fact that stands in the same slot; what one text merely leaves out is never a contradiction.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass

from .edits import Component, Finding, Side, judged, replaced
from .extract import Entity, Facts, Sentence
from .lexicon import FUNCTION_WORDS, OPPOSITES, WEAK_NEGATORS, negated_form, words
from .same import kind_of, same

__all__ = ["Evidence", "contradictions", "disorder", "entity_agreement"]

_ALIKE = 0.5
"""Two sentences speak of the same when this share of the shorter one's content words is in both."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One contradiction: its kind, and the (start, end) character span of each side."""

    kind: str
    """``number``, ``date``, ``name``, ``quote``, ``url``, ``code``, ``negation``, ``antonym``, ``modality``,
    ``direction`` or ``answer`` (yes against no)."""
    component: Component
    a: tuple[int, int]
    b: tuple[int, int]
    text_a: str
    text_b: str


def contradictions(a: Facts, b: Facts, text_a: str, text_b: str) -> list[Evidence]:
    """Every contradiction found between two texts that were read by
    :func:`~shadowlane.score.anchored.extract.extract`.
    """
    found: list[Evidence] = []

    def add(kind: str, component: Component, one: tuple[int, int], other: tuple[int, int]) -> None:
        found.append(Evidence(kind, component, one, other, text_a[slice(*one)], text_b[slice(*other)]))

    if a.answer and b.answer and a.answer != b.answer:
        add("answer", "relations", a.answer_span, b.answer_span)
    pairs = _aligned(a, b)
    for one, other in _differing_entities(a, b, pairs):
        add("number" if one.kind in ("number", "time") else one.kind, "entities", _span(one), _span(other))
    for i, j in pairs:
        left, right = a.sentences[i], b.sentences[j]
        edits = replaced(left, right)
        if edits is not None:
            findings = judged(edits, Side(a, text_a, i), Side(b, text_b, j))
        else:
            findings = _reworded(left, right)
        for kind, component, one_span, other_span in findings:
            if not any(item.a == one_span or item.b == other_span for item in found):
                add(kind, component, one_span, other_span)
    return found


def _reworded(left: Sentence, right: Sentence) -> list[Finding]:
    """What contradicts between two sentences that say it in different words."""
    negation = _negation(left, right)
    antonym = _antonym(left, right)
    if negation and antonym:
        return []  # "not open" and "closed" say the same
    if negation:
        return [("negation", "relations", *negation)]
    found: list[Finding] = []
    if antonym:
        found.append(("antonym", "relations", *antonym))
    else:
        swapped = _swapped(left, right)
        if swapped:
            found.append(("direction", "relations", *swapped))
    modality = _modality(left, right)
    if modality:
        found.append(("modality", "constraints", *modality))
    return found


def _span(entity: Entity) -> tuple[int, int]:
    return entity.start, entity.end


def _aligned(a: Facts, b: Facts) -> list[tuple[int, int]]:
    """Sentences that speak of the same: each of ``a`` with the sentence of ``b`` that shares most of its content
    words.
    """
    where: dict[str, list[int]] = {}
    for index, sentence in enumerate(b.sentences):
        for root in sentence.stems:
            where.setdefault(root, []).append(index)
    pairs = []
    single = len(a.sentences) == len(b.sentences) == 1
    for index, sentence in enumerate(a.sentences):
        shared: dict[int, int] = {}
        for root in sentence.stems:
            for place in where.get(root, ()):
                shared[place] = shared.get(place, 0) + 1
        if shared:
            best = max(shared, key=lambda place: (shared[place], -len(b.sentences[place].stems), -abs(place - index)))
            if shared[best] >= _ALIKE * min(len(sentence.stems), len(b.sentences[best].stems)):
                pairs.append((index, best))
        elif single and min(len(sentence.stems), len(b.sentences[0].stems)) <= 1:
            pairs.append((0, 0))
    return pairs


def _negation(left: Sentence, right: Sentence) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """A predicate that one sentence negates and the other asserts."""
    if not left.negators and not right.negators:
        return None
    shared = left.stems.keys() & right.stems.keys()
    against = [root for root in shared if left.stems[root] != right.stems[root]]
    if not against or any(left.stems[root] and right.stems[root] for root in shared):
        return None
    for mine, theirs in ((left, right), (right, left)):
        scope = [root for root, negated in mine.stems.items() if negated]
        hit = sum(root in scope for root in against)
        if scope and hit >= _ALIKE * len(scope) and scope[0] in against:
            # The other side may say the same with a verb of its own: "did not pass" and "failed to pass".
            if any(root in WEAK_NEGATORS or root.endswith("less") for root in theirs.stems.keys() - mine.stems.keys()):
                return None
            spot = next(root for root in theirs.stems if root in against)
            span, back = mine.negators[0], theirs.spans[spot]
            return (span, back) if mine is left else (back, span)
    return None


def _antonym(left: Sentence, right: Sentence) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """A content word against one that excludes it, in sentences that otherwise agree."""
    mine = [root for root in left.stems if root not in right.stems]
    theirs = [root for root in right.stems if root not in left.stems]
    if not mine or not theirs:
        return _particle(left, right)
    shared = len(left.stems.keys() & right.stems.keys())
    for one in mine:
        excluded = OPPOSITES.get(one, frozenset())
        for other in theirs:
            if other in excluded or negated_form(one, other):
                if left.stems[one] != right.stems[other]:
                    continue
                if shared >= _ALIKE * (min(len(mine), len(theirs)) + shared - 1) and _beside(left, one, right, other):
                    return left.spans[one], right.spans[other]
    return _particle(left, right)


def _beside(left: Sentence, one: str, right: Sentence, other: str) -> bool:
    """Whether two words stand beside the same content word, or in sentences that differ in little else."""
    mine, theirs = list(left.stems), list(right.stems)
    i, j = mine.index(one), theirs.index(other)
    before = mine[i - 1 : i] == theirs[j - 1 : j] if i and j else i == j
    after = mine[i + 1 : i + 2] == theirs[j + 1 : j + 2]
    return before or after or len(left.stems.keys() ^ right.stems.keys()) <= 2


_PARTICLES = words("up down out on onto off before after above below into")


def _particle(left: Sentence, right: Sentence) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """``turn on`` against ``turn off``: opposite particles with the same word on either side."""
    mine, theirs = left.words, right.words
    for i, word in enumerate(mine):
        if word in _PARTICLES and word in OPPOSITES:
            for j, other in enumerate(theirs):
                if other in OPPOSITES[word] and other not in mine and word not in theirs:
                    before = i and j and mine[i - 1] == theirs[j - 1]
                    if before:
                        return left.places[i], right.places[j]
    return None


_CLASH = frozenset({frozenset(("must", "may")), frozenset(("must", "never")), frozenset(("may", "never")),
                    frozenset(("always", "never"))})  # fmt: skip


def _modality(left: Sentence, right: Sentence) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """``must`` against ``may``, ``always`` against ``never``, about the same."""
    if not left.modals or not right.modals:
        return None
    for one, span in left.modals.items():
        for other, back in right.modals.items():
            if one not in right.modals and other not in left.modals and frozenset((one, other)) in _CLASH:
                return span, back
    return None


def _swapped(left: Sentence, right: Sentence) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Two words that have changed places while nearly all others stand as they did: who did what to whom."""
    mine, theirs = left.words, right.words
    if ("by" in mine and "by" not in theirs) or ("by" in theirs and "by" not in mine):
        return None  # active against passive
    once_a = {word: place for place, word in enumerate(mine) if mine.count(word) == 1}
    once_b = {word: place for place, word in enumerate(theirs) if theirs.count(word) == 1}
    if (set(mine) ^ set(theirs)) - _ARTICLES or not _SYMMETRIC.isdisjoint(left.stems):
        return None
    slots: dict[str, tuple[str, str]] = {}
    for word, place in once_a.items():
        if word in FUNCTION_WORDS or word not in once_b:
            continue
        slots[word] = (_near(mine, place, -1), _near(mine, place, 1))
    moved = []
    for word, slot in slots.items():
        other = (_near(theirs, once_b[word], -1), _near(theirs, once_b[word], 1))
        if other[0] != slot[0] and other[1] != slot[1]:
            moved.append((word, slot, other))
    for index, (one, slot, other) in enumerate(moved):
        for two, slot_two, other_two in moved[index + 1 :]:
            exchanged = (other[0] == slot_two[0] or other[1] == slot_two[1]) and (
                other_two[0] == slot[0] or other_two[1] == slot[1]
            )
            inverted = (once_a[one] < once_a[two]) != (once_b[one] < once_b[two])
            if exchanged and inverted and not _listed(mine, once_a[one], once_a[two]):
                return left.places[once_a[one]], right.places[once_b[two]]
    return None


_ARTICLES = frozenset(("a", "an", "the"))
_SYMMETRIC = words("talk meet marry fight dance same different equal differ between shake speak")


def _near(words: list[str], place: int, step: int) -> str:
    place += step
    while 0 <= place < len(words) and words[place] in ("a", "an", "the"):
        place += step
    return words[place] if 0 <= place < len(words) else ("^" if step < 0 else "$")


def _listed(words: list[str], one: int, two: int) -> bool:
    """Whether only ``and``, ``or`` and articles stand between two words, so that their order says nothing."""
    between = words[min(one, two) + 1 : max(one, two)]
    return bool(between) and all(word in ("and", "or", "the", "a", "an", "nor") for word in between)


def _differing_entities(a: Facts, b: Facts, pairs: list[tuple[int, int]]) -> Iterator[tuple[Entity, Entity]]:
    """Entities of one kind in the same slot of aligned sentences, of which neither is anywhere in the other text."""
    if not a.entities or not b.entities:
        return
    partner = dict(pairs)
    alone_a = [entity for entity in a.entities if not _known(entity, b)]
    alone_b = [entity for entity in b.entities if not _known(entity, a)]
    taken: set[int] = set()
    for one in alone_a:
        for index, other in enumerate(alone_b):
            if one.kind == "name" and (_headline(a, one) or _headline(b, other)):
                continue
            if index in taken or kind_of(one) != kind_of(other) or partner.get(one.sentence) != other.sentence:
                continue
            if _same_slot(one, other):
                taken.add(index)
                yield one, other
                break
    if not alone_a and not alone_b:
        yield from _exchanged(a, b, partner)


def _headline(facts: Facts, entity: Entity) -> bool:
    sentence = facts.sentences[entity.sentence]
    return sentence.capitals > 4 and sentence.capitals > 0.6 * len(sentence.words)


def _known(entity: Entity, facts: Facts) -> bool:
    """Whether the other text has the entity, be it as a word that it does not recognise as a name."""
    if any(same(entity, other) for other in facts.entities):
        return True
    if entity.kind != "name":
        return False
    words = entity.key.split()
    return any(all(word in sentence.words for word in words) for sentence in facts.sentences)


def _exchanged(a: Facts, b: Facts, partner: dict[int, int]) -> Iterator[tuple[Entity, Entity]]:
    """The same numbers in each other's places: 3 of the first and 5 of the second against 5 and 3."""
    for one in a.entities:
        for other in b.entities:
            if (
                partner.get(one.sentence) == other.sentence
                and kind_of(one) == kind_of(other)
                and one.left == other.left
                and one.right == other.right
                and one.kind in ("number", "date", "time")
                and not same(one, other)
                and not any(
                    same(one, third) and third.left == one.left and third.right == one.right for third in b.entities
                )
            ):
                yield one, other
                return


def _same_slot(one: Entity, other: Entity) -> bool:
    if one.kind in ("number", "date", "time", "url"):
        return one.left == other.left or one.right == other.right
    return one.left == other.left and one.right == other.right


def entity_agreement(a: Facts, b: Facts) -> float | None:
    """Share of all entities that both texts have, in [0, 1]; ``None`` when neither has any."""
    total = len(a.entities) + len(b.entities)
    if not total:
        return None
    shared = sum(any(same(entity, other) for other in b.entities) for entity in a.entities)
    shared += sum(any(same(entity, other) for other in a.entities) for entity in b.entities)
    return shared / total


def disorder(a: Facts, b: Facts) -> float:
    """Share of pairs of shared words whose order is inverted, as far as the texts are made of the same words; in [0,
    1].

    (1 − Kendall's τ) / 2 over the words that stand once in each text, times the fourth power of the share of them that
    both have: where most words differ, another order is only another way to say it.
    """
    first, second = _once(a), _once(b)
    order = [second[word] for word in first if word in second]
    count = len(order)
    if count < 2:
        return 0.0
    coverage = 2 * count / (len(first) + len(second))
    return coverage**4 * _inversions(order) / (count * (count - 1) / 2)


def _once(facts: Facts) -> dict[str, int]:
    seen: dict[str, int] = {}
    twice = set()
    place = 0
    for sentence in facts.sentences:
        for word in sentence.words:
            if word in seen:
                twice.add(word)
            seen[word] = place
            place += 1
    for word in twice:
        del seen[word]
    return seen


def _inversions(order: list[int]) -> int:
    count = 0
    sorted_: list[int] = []
    for place in order:
        count += len(sorted_) - bisect_right(sorted_, place)
        insort(sorted_, place)
    return count
