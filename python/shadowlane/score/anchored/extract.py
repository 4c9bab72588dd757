"""What can be read out of a text without a model: entities, negation and its scope, modals, the order of words.

Invariants: one pass over the text; every fact keeps the span that it was read from, so that evidence can be shown;
nothing depends on the text that it will be compared with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .lexicon import (
    AUXILIARIES,
    CONJUNCTIONS,
    DETERMINERS,
    FUNCTION_WORDS,
    HEDGES,
    MODALITY,
    NEGATORS,
    OPPOSITES,
    OTHER_LANGUAGES,
    PRONOUNS,
    stem,
    words,
)
from .quantities import (
    MONTHS,
    NUMBER_WORDS,
    SCALES,
    UNITS,
    WEEKDAYS,
    Quantity,
    parse_date,
    parse_number,
)

__all__ = ["Entity", "Facts", "Sentence", "extract"]

_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_TOKEN = re.compile(
    rf"""
      (?P<code>```.*?```|`[^`\n]+`)
    | (?P<url>(?:https?://|www\.)[^\s<>"'`)\]]*[^\s<>"'`)\].,;:!?])
    | (?P<quote>"[^"\n]{{1,60}}"|“[^”\n]{{1,60}}”)
    | (?P<date>\b\d{{4}}[-/]\d{{1,2}}[-/]\d{{1,2}}\b|\b\d{{1,2}}[/.]\d{{1,2}}[/.](?:\d{{4}}|\d\d)\b
        |\b(?:{_MONTH})\.?\s+\d{{1,2}}(?!\d|[:.]\d)(?:st|nd|rd|th)?(?:,?\s+\d{{4}}\b)?
        |\b\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?(?:{_MONTH})\b(?:\.?,?\s+\d{{4}}\b)?
        |\b(?:{_MONTH})\.?,?\s+\d{{4}}\b
        |\b\d{{1,2}}:\d\d(?::\d\d)?(?:\s*(?:[ap]m\b|[ap]\.m\.))?|\b\d{{1,2}}\s*(?:[ap]m\b|[ap]\.m\.))
    | (?P<ident>\b[A-Za-z]+[-_]?\d[\w-]*\b|\b\w+_\w+\b|\b\d+(?:\.\d+){{2,}}\b)
    | (?P<num>(?<!\w)[-+−]?\d+(?:[,_\u202f]\d{{3}})*(?:\.\d+)?)
    | (?P<unit>[%$€£¥]|°[CcFf]?)
    | (?P<word>[^\W\d_]+(?:['’][^\W\d_]+)*)
    | (?P<end>[.!?]+(?=[\s"'”)*_]|$)|\n+)
    | (?P<sep>[,;:()—–])
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)

_YES = words("yes yeah yep correct indeed true absolutely certainly affirmative")
_NO = words("no nope incorrect false negative")
_VERBS_AFTER_A_NAME = words("is was has had said says will would can could does did")
_SINGULAR = words("is was has says does")
_AFTER_NO = words("doubt wonder matter problem longer")
_AFTER_NOT = words("only just merely simply")
_TITLES = words("mr mrs ms dr prof sir adm gen col capt lt sgt rep sen gov rev hon jr sr inc corp ltd co plc")


@dataclass(slots=True)
class Entity:
    """One thing that two answers must agree on, and where it stands."""

    kind: str
    """``number``, ``date``, ``name``, ``quote``, ``url`` or ``code``."""
    key: str
    """The comparable form of all but numbers and dates."""
    start: int
    end: int
    sentence: int
    place: int
    """Of its first token in the sentence; ``stop`` is after its last one."""
    stop: int
    quantity: Quantity | None = None
    hedged: bool = False
    left: str = ""
    right: str = ""
    """The nearest words beside it that are no articles; ``^`` and ``$`` at the ends of the sentence."""


@dataclass(slots=True)
class Sentence:
    """Content stems with their polarity, and what else was said in the sentence."""

    start: int
    end: int = 0
    stems: dict[str, bool] = field(default_factory=dict)
    """Content stem to whether it lies in the scope of a negation."""
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    negators: list[tuple[int, int]] = field(default_factory=list)
    modals: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Modality (``must``, ``may``, ``never``, ``always``) to where it is said."""
    capitals: int = 0
    """Words that begin with a capital: in a headline they say nothing about names."""
    words: list[str] = field(default_factory=list)
    """Every token in order, lower case."""
    places: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Facts:
    """Everything read out of one text."""

    sentences: list[Sentence]
    entities: list[Entity]
    answer: str
    """``yes`` or ``no`` when the text opens with it, else empty."""
    answer_span: tuple[int, int]
    english: bool


def extract(text: str) -> Facts:
    """Read a text. Any text will do; what is not English is marked so and keeps only its numbers, URLs and code."""
    reader = _Reader(text)
    for match in _TOKEN.finditer(text):
        reader.take(match)
    return reader.done()


class _Reader:
    """State of the pass: the open sentence, the scope of a negation, and a number that may still get a unit."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sentence = Sentence(0)
        self.sentences = [self.sentence]
        self.entities: list[Entity] = []
        self.negated = False
        self.total = self.functional = self.foreign = self.accented = 0
        self.answer, self.answer_span = "", (0, 0)
        self.last = ""
        self.hedge_at = -9
        self.currency, self.currency_at = "", 0

    def take(self, match: re.Match[str]) -> None:
        group = match.lastgroup or ""
        raw, start, end = match.group(), match.start(), match.end()
        if group == "word":
            self.word(raw, start, end)
        elif group == "end":
            self.close()
        elif group == "sep":
            self.negated = False
            self.last = raw
        elif group == "num":
            self.number(raw, start, end)
        elif group == "unit":
            self.unit(raw, start, end)
        elif group == "date":
            found = parse_date(raw.strip().rstrip("."))
            if found is None:
                self.entity("name", raw.lower(), start, end)
            else:
                self.entity("date" if found.kind == "date" else "time", "", start, end, found)
        elif group == "url":
            self.entity(
                "url", raw.lower().partition("://")[2].removeprefix("www.").rstrip("/") or raw.lower(), start, end
            )
        elif group == "code":
            self.entity("code", " ".join(raw.strip("`").split()), start, end)
        elif group == "quote":
            self.quote(raw, start, end)
        else:
            self.entity("name", raw.lower(), start, end)

    def push(self, norm: str, start: int, end: int) -> int:
        sentence = self.sentence
        if not sentence.words:
            sentence.start = start
        sentence.words.append(norm)
        sentence.places.append((start, end))
        sentence.end = end
        self.last = norm
        return len(sentence.words) - 1

    def close(self) -> None:
        sentence = self.sentence
        if sentence.negators and not any(sentence.stems.values()):
            # Nothing follows the negator: it speaks of what came before ("is played by nobody").
            sentence.stems = dict.fromkeys(sentence.stems, True)
        self.negated, self.currency, self.last = False, "", ""
        if sentence.words:
            self.sentence = Sentence(0)
            self.sentences.append(self.sentence)

    def word(self, raw: str, start: int, end: int) -> None:
        low = raw.lower().replace("’", "'")
        self.total += 1
        sentence = self.sentence
        sentence.capitals += raw[0].isupper()
        if low.endswith("n't"):
            low, cut = (low[:-3] or "do"), end - 3
            low = {"ca": "can", "wo": "will", "sha": "shall"}.get(low, low)
            self.functional += 1
            self.modal(low, start, end)
            self.push(low, start, cut)
            self.push("n't", cut, end)
            self.negate(cut, end)
            return
        if "'" in low:
            low = low.partition("'")[0] or low
        if low in NUMBER_WORDS and (low != "one" or self.sentence.words):
            self.push(low, start, end)
            self.spelled(low, start, end)
            return
        previous = self.last
        place = self.push(low, start, end)
        if place == 0 and len(self.sentences) == 1 and (low in _YES or low in _NO):
            after = self.text[end : end + 1]
            if after in ("", ",", ".", "!", ";", ":", "\n") or self.text[end : end + 2] in (" —", " –", " -"):
                self.answer, self.answer_span = ("yes" if low in _YES else "no"), (start, end)
                self.last = ","
                return
        if low in SCALES and self.scale(low, end):
            return
        unit = low if low in UNITS else low.removesuffix("s")
        if unit in UNITS and self.measured(unit, end):
            return
        if low in NEGATORS:
            self.functional += 1
            self.negate(start, end)
            return
        if (previous in ("not", "n't") and low in _AFTER_NOT) or (previous == "no" and low in _AFTER_NO):
            self.negated = False
            sentence.negators.pop()
        self.modal(low, start, end)
        if low in HEDGES:
            self.hedge_at = place
        if low in WEEKDAYS and raw[0].isupper():
            self.entity_here("date", f"weekday {WEEKDAYS[low]}", place)
            return
        if low in MONTHS and raw[0].isupper() and low != "may" and low != "march":
            self.entity_here("date", f"month {MONTHS[low]}", place)
            return
        if low in FUNCTION_WORDS:
            self.functional += 1
            if (
                low in CONJUNCTIONS
                or (low in AUXILIARIES and previous in ("and", "or", ","))
                or (self.negated and previous == "and" and (low in PRONOUNS or low in DETERMINERS))
            ):
                self.negated = False
            return
        self.accented += not low.isascii()
        self.foreign += low in OTHER_LANGUAGES
        root = stem(low)
        if self.negated or root not in sentence.stems:
            sentence.stems[root] = self.negated
            sentence.spans.setdefault(root, (start, end))
        if raw[0].isupper() and low not in _TITLES:
            self.name(raw, low, start, end, place)

    def negate(self, start: int, end: int) -> None:
        # A second negator in the same scope takes the first one back: "not without", "never not".
        self.negated = not self.negated
        self.sentence.negators.append((start, end))

    def modal(self, low: str, start: int, end: int) -> None:
        kind = MODALITY.get(low)
        if kind:
            self.sentence.modals.setdefault(kind, (start, end))
        elif low == "to" and self.last in ("have", "has", "need", "needs", "had"):
            self.sentence.modals.setdefault("must", (start, end))

    def name(self, raw: str, low: str, start: int, end: int, place: int) -> None:
        """A capitalised word: joined to the name before it, or a new one, when it is not merely first in its
        sentence.
        """
        if self.entities:
            before = self.entities[-1]
            if before.kind == "name" and before.sentence == len(self.sentences) - 1 and before.stop == place:
                before.key += " " + low
                before.end, before.stop = end, place + 1
                return
        self.entity_here("name", low, place, opening=place == 0 and not raw.isupper())

    def quote(self, raw: str, start: int, end: int) -> None:
        inner = raw[1:-1]
        if len(inner.split()) <= 5:
            self.entity("quote", " ".join(inner.lower().split()).rstrip(".,!?"), start, end)
            return
        for match in _TOKEN.finditer(self.text, start + 1, end - 1):
            self.take(match)

    def entity(self, kind: str, key: str, start: int, end: int, quantity: Quantity | None = None) -> Entity:
        place = self.push(self.text[start:end].lower(), start, end)
        return self.entity_here(kind, key, place, quantity)

    def entity_here(
        self, kind: str, key: str, place: int, quantity: Quantity | None = None, *, opening: bool = False
    ) -> Entity:
        start, end = self.sentence.places[place]
        found = Entity(kind, key, start, end, len(self.sentences) - 1, place, place + 1, quantity)
        found.hedged = 0 <= place - self.hedge_at <= 2
        if opening:
            found.kind = "opening"
        self.entities.append(found)
        return found

    def number(self, raw: str, start: int, end: int) -> None:
        parsed = parse_number(raw.replace("−", "-"))
        if parsed is None:
            self.entity("name", raw, start, end)
            return
        value, precision = parsed
        if self.text[end : end + 2].lower() in ("st", "nd", "rd", "th") and "." not in raw:
            self.entity("number", "", start, end, Quantity("ordinal", value))
            return
        kind = self.currency or ("year" if len(raw) == 4 and raw[0] in "12" and raw.isdigit() else "count")
        quantity = Quantity(kind, value, self.currency, precision)
        found = self.entity("number", "", start, end, quantity)
        if self.currency:
            found.start, self.currency = self.currency_at, ""

    def spelled(self, low: str, start: int, end: int) -> None:
        value = float(NUMBER_WORDS[low])
        before = self.open_number()
        if before is not None and before.quantity is not None and before.end < start:
            joined = before.quantity
            tens = 20 <= joined.value % 100 <= 90 and joined.value % 10 == 0 and value < 10
            hundreds = joined.value >= 100 and joined.value % 100 == 0 and value < 100
            if joined.kind == "count" and not joined.precision and (tens or hundreds) and before.key == "spelled":
                before.quantity = Quantity("count", joined.value + value)
                before.end, before.stop = end, before.stop + 1
                return
        self.entity_here("number", "spelled", len(self.sentence.words) - 1, Quantity("count", value))

    def open_number(self) -> Entity | None:
        """The number that ends right before the word just pushed."""
        if not self.entities:
            return None
        before = self.entities[-1]
        same = before.sentence == len(self.sentences) - 1 and before.stop == len(self.sentence.words) - 1
        return before if same and before.kind == "number" else None

    def scale(self, low: str, end: int) -> bool:
        before = self.open_number()
        if before is None or before.quantity is None or before.quantity.kind == "ordinal":
            return False
        if low in ("k", "m") and before.end + 1 != end:
            return False
        if low == "m" and not before.quantity.kind.startswith("money"):
            return False  # 5m are metres, $5m are millions
        old = before.quantity
        factor = SCALES[low]
        # "114 million" is rounded to the million, though its digits are whole.
        precision = (old.precision or 0.5) * factor if factor >= 1e6 else old.precision * factor
        before.quantity = Quantity(old.kind, old.value * factor, old.unit, precision)
        before.end, before.stop = end, before.stop + 1
        return True

    def measured(self, low: str, end: int) -> bool:
        before = self.open_number()
        if before is None or before.quantity is None:
            return False
        exact = before.quantity.kind == "temperature" and low in ("celsius", "fahrenheit")
        if not exact and before.quantity.kind not in ("count", "year"):
            return False
        if low == "in":  # "5 in" is five inches, "5 in the box" is not
            return False
        kind, factor = UNITS[low]
        old = before.quantity
        before.quantity = Quantity(kind, old.value * factor, low, old.precision * factor)
        before.end, before.stop = end, before.stop + 1
        return True

    def unit(self, raw: str, start: int, end: int) -> None:
        low = raw.lower()
        if low in "$€£¥":
            before = self.open_number_at_end()
            self.currency, self.currency_at = UNITS[low][0], start
            if before is not None and before.end == start and self.text[end : end + 1] in ("", " ", ".", ","):
                old = before.quantity or Quantity("count", 0.0)
                before.quantity = Quantity(self.currency, old.value, self.currency, old.precision)
                before.end, self.currency = end, ""
            return
        self.push(low, start, end)
        self.measured(low, end)

    def open_number_at_end(self) -> Entity | None:
        if not self.entities:
            return None
        before = self.entities[-1]
        same = before.sentence == len(self.sentences) - 1 and before.stop == len(self.sentence.words)
        return before if same and before.kind == "number" else None

    def done(self) -> Facts:
        self.close()
        if len(self.sentences) > 1 and not self.sentence.words:
            self.sentences.pop()
        named = {entity.key for entity in self.entities if entity.kind == "name"}
        kept = []
        for entity in self.entities:
            words = self.sentences[entity.sentence].words
            entity.left, entity.right = _beside(words, entity.place - 1, -1), _beside(words, entity.stop, 1)
            if entity.kind == "opening":
                if not _is_name(entity, words, named):
                    continue
                entity.kind = "name"
            kept.append(entity)
        english = self.foreign <= self.functional and self.accented <= 0.3 * self.total
        return Facts(self.sentences, kept, self.answer, self.answer_span, english)


def _beside(words: list[str], place: int, step: int) -> str:
    while 0 <= place < len(words) and words[place] in DETERMINERS:
        place += step
    return words[place] if 0 <= place < len(words) else ("^" if step < 0 else "$")


def _is_name(entity: Entity, words: list[str], named: set[str]) -> bool:
    """Whether a capitalised first word is a name and not just first.

    English puts an article before a single countable noun; one that stands bare before a verb in the singular is a
    name.
    """
    if entity.stop - entity.place > 1 or entity.key in named or len(words) == 1:
        return True
    following = words[entity.stop] if entity.stop < len(words) else ""
    plain = entity.key.endswith(("ing", "ly", "ness", "tion")) or stem(entity.key) in OPPOSITES
    if entity.key.endswith("s") and following not in _SINGULAR:
        return False
    return following in _VERBS_AFTER_A_NAME and not plain
