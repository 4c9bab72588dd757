"""Answers labelled harmless or contradicting, by language: ``python -m benches.judge.answers FILE... [--examples N]``.

A file has one pair a line (``.jsonl``, gzipped or not): ``lang``, ``a``, ``b``, ``label`` (``ok``: a harmless rewrite,
``bad``: a contradiction or a loss) and ``category``. A file whose lines have ``answers`` instead holds recorded answers
to one prompt; those of one model are pairs labelled ``ok`` that nobody looked at.

A pair is *accepted* when ΔS is at most 0.45 and no fact contradicts: what the gate would let pass. Prints the accepted
share for each language and label, the same for each category, and the pairs that were judged wrongly. In each harmless
pair every number that both texts have in digits is then changed in one of them, one at a time: the share that is seen.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from shadowlane.embedders import Embedder, load_embedder
from shadowlane.score.anchored import Comparison, anchor
from shadowlane.score.delta import text_delta_s

__all__ = ["Judged", "Pair", "accepted", "changed", "judge", "load_pairs", "show"]

ACCEPTED_DELTA_S = 0.45
"""The gate's target for mean ΔS: a pair above it speaks against the shadow without any fact."""


@dataclass(frozen=True)
class Pair:
    lang: str
    label: str
    category: str
    a: str
    b: str


@dataclass(frozen=True)
class Judged:
    pair: Pair
    found: Comparison

    @property
    def accepted(self) -> bool:
        return self.found.delta_s <= ACCEPTED_DELTA_S and not self.found.fact_flip

    @property
    def wrong(self) -> bool:
        return self.accepted != (self.pair.label == "ok")


def load_pairs(file: Path) -> list[Pair]:
    """The pairs of a file. Raises ValueError with the file and line when one is not in the format."""
    opened = gzip.open if file.suffix == ".gz" else open
    pairs: list[Pair] = []
    with opened(file, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            row = json.loads(line)
            if "answers" in row:
                pairs.extend(_recorded(row["answers"]))
                continue
            try:
                pairs.append(Pair(row["lang"], row["label"], row.get("category", ""), row["a"], row["b"]))
            except KeyError as error:
                raise ValueError(f"{file}:{number}: the field {error} is missing") from None
    return pairs


def _recorded(answers: Iterable[dict[str, str]]) -> Iterable[Pair]:
    by_model: dict[str, list[str]] = defaultdict(list)
    for one in answers:
        if one["answer"]:
            by_model[one["model"]].append(one["answer"])
    for model, texts in by_model.items():
        for a, b in itertools.combinations(texts, 2):
            if a != b:
                yield Pair("recorded", "ok", model, a, b)


def judge(embedder: Embedder, pairs: Sequence[Pair]) -> list[Judged]:
    plain = text_delta_s(embedder, [pair.a for pair in pairs], [pair.b for pair in pairs])
    return [
        Judged(pair, anchor(pair.a, pair.b, float(value), embedder=embedder.name))
        for pair, value in zip(pairs, plain, strict=True)
    ]


def accepted(judged: Sequence[Judged]) -> dict[tuple[str, str], tuple[int, int]]:
    """(language, label) to how many were accepted, of how many."""
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    for one in judged:
        key = one.pair.lang, one.pair.label
        hits, size = counts.get(key, (0, 0))
        counts[key] = hits + one.accepted, size + 1
    return dict(sorted(counts.items()))


def changed(judged: Sequence[Judged]) -> dict[str, tuple[int, int]]:
    """By language: of the numbers changed in harmless pairs how many were flagged, and how many were changed.

    The last digit before any separator is raised by three; a number that the other text has not in digits is left out,
    and so are one that becomes another of its numbers, and the number of an item in a list.
    """
    counts: dict[str, tuple[int, int]] = {}
    for one in judged:
        if one.pair.label != "ok" or one.found.fact_flip:
            continue
        known = set(re.findall(r"[0-9]+", one.pair.a))
        for match in re.finditer(r"(?<![0-9.,:])[0-9]+", one.pair.b):
            number = match.group()
            other = number[:-1] + str((int(number[-1]) + 3) % 10)
            line = one.pair.b[: match.start()].rpartition("\n")[2]
            if number not in known or other in known or not line.strip(" #*->_|("):
                continue
            text = one.pair.b[: match.start()] + other + one.pair.b[match.end() :]
            hits, size = counts.get(one.pair.lang, (0, 0))
            counts[one.pair.lang] = hits + anchor(one.pair.a, text, one.found.delta_s).fact_flip, size + 1
    return dict(sorted(counts.items()))


def show(judged: Sequence[Judged], examples: int) -> None:
    """Prints the table by language, the one by category, and the pairs judged wrongly."""
    for (lang, label), (taken, size) in accepted(judged).items():
        mine = [one for one in judged if (one.pair.lang, one.pair.label) == (lang, label)]
        flips = sum(one.found.fact_flip for one in mine)
        far = sum(one.found.delta_s > ACCEPTED_DELTA_S for one in mine)
        share = f"{taken / size:6.1%} accepted"
        print(f"  {lang:<9} {label:<4} {share} ({taken} of {size}; {flips} flips, {far} with ΔS above 0.45)")
    others = [one for one in judged if one.pair.lang not in {"en", "recorded"}]
    for label in ("ok", "bad"):
        taken_of = [one.accepted for one in others if one.pair.label == label]
        if taken_of:
            share = f"{sum(taken_of) / len(taken_of):6.1%} accepted"
            print(f"  {'not en':<9} {label:<4} {share} ({sum(taken_of)} of {len(taken_of)})")
    kinds: dict[tuple[str, str], list[Judged]] = defaultdict(list)
    for one in judged:
        kinds[one.pair.label, one.pair.category].append(one)
    for (label, category), some in sorted(kinds.items()):
        print(f"    {label:<4} {category:<28} {sum(one.accepted for one in some):>3} of {len(some):>3} accepted")
    for lang, (hits, size) in changed(judged).items():
        print(f"  {lang:<9} one number changed in harmless pairs: {hits / size:6.1%} flagged ({hits} of {size})")
    for one in [one for one in judged if one.wrong][:examples]:
        pair, found = one.pair, one.found
        evidence = "; ".join(f"{item.kind}: {item.text_a!r} / {item.text_b!r}" for item in found.evidence)
        what = "accepted" if one.accepted else "refused"
        print(f"    {what} {pair.lang} {pair.label} {pair.category}: ΔS {found.delta_s:.2f} {evidence}")
        print(f"      {' '.join(pair.a.split())}\n      {' '.join(pair.b.split())}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benches.judge.answers", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--embedder", default="wordllama")
    parser.add_argument("--examples", type=int, default=5, help="pairs judged wrongly that are shown")
    given = parser.parse_args()
    embedder = load_embedder(given.embedder)
    for file in given.files:
        pairs = load_pairs(file)
        print(f"{file.name}: {len(pairs)} pairs, embedder {embedder.name}")
        show(judge(embedder, pairs), given.examples)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
