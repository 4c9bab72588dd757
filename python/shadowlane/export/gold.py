"""``shadowlane gold``: a gold file for ``shadowlane probe``, out of stored pairs.

Taken are the worst pairs (contradicted facts, then by falling ΔS), of the paraphrase groups with most rows one question
each, with its other wordings as paraphrases, and a uniform sample of the requests of each route and band of ΔS. The
sections of an item are those that prod's answer cites. A probe asks each question alone, so turns of a longer
conversation are left out.

Invariants: no question stands twice in a file; the same store and options give the same file; nothing is held but the
items and one sample a route and band.
"""

from __future__ import annotations

import argparse
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from ..config import Config, lane_directory
from ..detect.cleaner import open_cleaner
from ..errors import ConfigError, DataError
from ..providers.cleaning import read_answer
from ..providers.question import find_question, shown_question
from ..render.text import json_line, print_json, print_lines
from ..score.citations import cited
from ..store import PairFilter, Store, StoredPair, open_store
from .command import progress
from .wanted import add_filters, filter_of
from .writers import output

__all__ = ["add_options", "run_gold"]

_MOST_CHARS = 20_000
_MOST_WORDINGS = 8
_MOST_SEEN = 100
"""Requests of one group that are looked at."""
_MOST_SECTIONS = 20
_MOST_STRATA = 1000
_MOST_REFUSED = 10_000


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = parser.add_argument
    add("--out", metavar="FILE", required=True, help="write this file, at once and readable by its owner only")
    add("--worst", type=_count, default=20, metavar="N", help="so many of the worst pairs (default: 20)")
    add("--exemplars", type=_count, default=3, metavar="N", help="so many of each route and band (default: 3)")
    add("--groups", type=_count, default=50, metavar="N", help="so many paraphrase groups (default: 50)")
    add_filters(parser)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 100_000):
        raise argparse.ArgumentTypeError(f"{text!r}: use a whole number, at most 100000; 0: none of them")
    return int(text)


@dataclass(slots=True)
class _Item:
    id: str
    question: str
    paraphrases: list[str] = field(default_factory=list)
    sections: list[str] = field(default_factory=list)

    def line(self) -> dict[str, Any]:
        said: dict[str, Any] = {"id": self.id, "question": self.question}
        some = {"paraphrases": self.paraphrases, "sections": self.sections}
        return said | {name: value for name, value in some.items() if value}


class _Gold:
    """The items, by their question."""

    def __init__(self, pointer: str) -> None:
        self.taken: Counter[str] = Counter()
        self._pointer = pointer
        self._items: list[_Item] = []
        self._by_question: dict[str, _Item] = {}
        self._by_group: dict[int, _Item] = {}
        self._seen: dict[int, set[str]] = {}

    def item(self, why: str, row: StoredPair) -> _Item | None:
        """The pair's question as an item; ``None`` where it cannot be asked alone."""
        question = _alone(row)
        if not question:
            return None
        return _Item(f"{why}-{row.pair.copy.shadow_id}", question, sections=self._sections(row))

    def add(self, why: str, item: _Item | None) -> bool:
        """Whether it is new: a question that is there already is no item."""
        if item is None or _same(item.question) in self._by_question:
            return False
        self._items.append(item)
        self._by_question[_same(item.question)] = item
        self.taken[why] += 1
        return True

    def wants(self, group: int, request: str) -> bool:
        """Whether a request of a group may be one more wording: no other was the same to the last byte that counts."""
        seen = self._seen.setdefault(group, set())
        if request in seen or len(seen) >= _MOST_SEEN:
            return False
        seen.add(request)
        return True

    def add_of_group(self, group: int, row: StoredPair) -> None:
        """The group's item, or one more wording of it."""
        question = _alone(row)
        if not question:
            return
        there = self._by_question.get(_same(question))
        if group not in self._by_group:
            if there is None:
                there = self.item("group", row)
                self.add("group", there)
            if there is not None:
                self._by_group[group] = there
        elif there is None and len(self._by_group[group].paraphrases) < _MOST_WORDINGS:
            self._by_group[group].paraphrases.append(question)
            self._by_question[_same(question)] = self._by_group[group]

    def lines(self) -> Iterator[dict[str, Any]]:
        return (item.line() for item in self._items)

    def __len__(self) -> int:
        return len(self._items)

    def _sections(self, row: StoredPair) -> list[str]:
        copy = row.pair.copy
        answer = read_answer(copy.response_headers, copy.response_body, citations_pointer=self._pointer)
        names = (one.section_id or one.source_url for one in cited(answer))
        return [name for name in dict.fromkeys(names) if name.strip() and len(name) <= _MOST_CHARS][:_MOST_SECTIONS]


def _alone(row: StoredPair) -> str:
    """A pair's question where it is all that a user said; empty where it is not, or was not kept."""
    if not row.bodies or row.pair.copy.status >= 400:
        return ""
    question, whole = shown_question(row.pair.copy), find_question(row.pair.copy)
    alone = whole is not None and question.strip() == whole.text.strip()
    return question if alone and question.strip() and len(question) <= _MOST_CHARS else ""


def _same(question: str) -> str:
    return " ".join(question.casefold().split())


def run_gold(config: Config, options: argparse.Namespace) -> int:
    """Returns the exit code, 0. Raises :class:`~shadowlane.errors.DataError` when no stored pair has a question."""
    if not (options.worst or options.exemplars or options.groups):
        raise ConfigError("--worst, --exemplars and --groups: nothing is asked for; give one of them a number above 0")
    wanted, path = filter_of(options, config), Path(options.out)
    gold = _Gold(config.score.citations_pointer)
    with open_store(config.store, read_only=True) as store:
        open_cleaner(config, lane_directory(config), reading=True)
        for shadow in [wanted.shadow] if wanted.shadow else list(config.shadows):
            _worst(gold, store, wanted, shadow, options.worst)
        _sampled(gold, store, wanted, options.exemplars, options.groups)
    if not len(gold):
        raise DataError(
            f"{config.store.shown}: no stored pair has a question that can be asked alone; store.keep_bodies keeps "
            "questions, and a wider filter finds more"
        )
    with output(path) as file:
        for line in gold.lines():
            file.write(json_line(line).encode() + b"\n")
    if options.json:
        print_json({"file": str(path), "items": len(gold), "taken": dict(sorted(gold.taken.items()))})
    else:
        parts = ", ".join(f"{n} {why}" for why, n in gold.taken.items())
        print_lines([(f"{len(gold)} items in {path}: {parts}", ""), (f"next: shadowlane probe {path}", "dim")])
    return 0


def _worst(gold: _Gold, store: Store, wanted: PairFilter, shadow: str, limit: int) -> None:
    """Page by page: questions repeat, and some cannot be asked alone."""
    asked, taken, page = msgspec.structs.replace(wanted, shadow=shadow, order="worst"), 0, 0
    while taken < limit:
        found = store.find_pairs(asked, limit=200, skip=200 * page, seconds=60.0)
        for row, _ in found.rows:
            taken += gold.add("worst", gold.item("worst", row))
            if taken >= limit:
                return
        page += 1
        if not found.more or page >= 10:
            return


def _sampled(gold: _Gold, store: Store, wanted: PairFilter, each: int, groups: int) -> None:
    """One pass over all rows, and the bodies of few: the sample of each route and band, and the groups' wordings."""
    largest = dict(store.largest_groups(wanted, groups)) if groups else {}
    strata: dict[tuple[str, str], _Stratum] = {}
    with progress("reading") as show:
        for walked in store.walk(wanted, with_bodies=False):
            for row in walked.rows:
                group = row.pair.scores.group
                if group is not None and group.number in largest and gold.wants(group.number, row.pair.copy.req_hash):
                    gold.add_of_group(group.number, _whole(store, row))
                if each:
                    _sample(gold, store, strata, row, each)
            show(walked.done, walked.of)
    for _, stratum in sorted(strata.items(), key=lambda one: one[0]):
        for _, _, item in stratum.kept:
            gold.add("exemplar", item)


def _whole(store: Store, row: StoredPair) -> StoredPair:
    """The row with its bodies, where they are kept and it is still there."""
    return next((other for other in store.exchange(row.pair.copy.shadow_id) if other.id == row.id), row)


@dataclass(slots=True)
class _Stratum:
    """A uniform sample of the requests of one route and band."""

    kept: list[tuple[int, int, _Item]] = field(default_factory=list)
    """By rising hash."""
    refused: set[int] = field(default_factory=set)
    """Hashes of requests that were looked at and are none, so that they are not looked at again."""


def _sample(gold: _Gold, store: Store, strata: dict[tuple[str, str], _Stratum], row: StoredPair, each: int) -> None:
    """Those with the smallest hashes: a uniform sample, and the same one again from the same store."""
    key = row.pair.copy.route, row.pair.scores.band
    if key not in strata and len(strata) >= _MOST_STRATA:
        return
    stratum = strata.setdefault(key, _Stratum())
    kept, drawn = stratum.kept, zlib.crc32(row.pair.copy.req_hash.encode())
    if (len(kept) >= each and drawn >= kept[-1][0]) or drawn in stratum.refused:
        return
    if any(drawn == other for other, _, _ in kept):
        return
    item = gold.item("exemplar", _whole(store, row))
    if item is None or any(_same(item.question) == _same(other.question) for _, _, other in kept):
        if len(stratum.refused) >= _MOST_REFUSED:
            stratum.refused.clear()
        stratum.refused.add(drawn)
        return
    kept.append((drawn, row.id, item))
    kept.sort(key=lambda one: one[:2])
    del kept[each:]
