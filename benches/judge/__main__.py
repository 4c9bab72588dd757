"""How good the judge is: ``python -m benches.judge [DATA] [--embedder NAME] [--examples N] [--json FILE]``.

Runs on the swapped and reworded answers and the sentence pairs made here, and on SICK, PAWS, STS-B, MRPC, recorded
answers, labelled answers (``answers*.jsonl.gz``) and the intent groups when the data folder holds them; what is not
there is named as not measured. Prints every figure beside its aim, and the misses.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shadowlane.config import ScoreConfig
from shadowlane.demo.corpus import load_questions
from shadowlane.embedders import Embedder, load_embedder
from shadowlane.providers.question import find_question
from shadowlane.score.anchored import Comparison, anchor, anchored_delta_s
from shadowlane.score.delta import text_delta_s
from shadowlane.score.groups import ParaphraseGroups, purity
from shadowlane.types import Copy

from .answers import accepted, judge, load_pairs, show
from .data import Labelled, load
from .generated import paws_like, sick_like, sts_like
from .swaps import Swap, paraphrases, swapped_in, swaps

_SWAPPED_SENTENCES = 2500
_TURNS = 15

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    what: str
    value: float
    aim: str = ""
    met: bool | None = None


class Bench:
    def __init__(self, embedder: Embedder, examples: int) -> None:
        self.embedder = embedder
        self.examples = examples
        self.figures: list[Figure] = []

    def figure(self, what: str, value: float, *, least: float | None = None, most: float | None = None) -> None:
        aim, met = "", None
        if least is not None:
            aim, met = f">= {least:.4g}", bool(value >= least)
        elif most is not None:
            aim, met = f"<= {most:g}", bool(value <= most)
        self.figures.append(Figure(what, float(value), aim, met))
        mark = {None: "", True: "met", False: "MISSED"}[met]
        print(f"  {what:<66} {value:8.4f}   {aim:<9} {mark}")

    def show(self, what: str, rows: Sequence[tuple[str, str, Comparison]]) -> None:
        for a, b, found in rows[: self.examples]:
            at = (found.evidence[0].a[0], found.evidence[0].b[0]) if found.evidence else (_parting(a, b),) * 2
            a, b = _window(a, at[0]), _window(b, at[1])
            evidence = "; ".join(f"{item.kind}: {item.text_a!r} / {item.text_b!r}" for item in found.evidence)
            print(f"    {what}: {a}\n      {' ' * len(what)}{b}" + (f"\n      {evidence}" if evidence else ""))

    def compare(self, a: list[str], b: list[str]) -> tuple[Values, Values, NDArray[np.bool_], list[Comparison]]:
        plain = text_delta_s(self.embedder, a, b).astype(np.float64)
        found = [anchor(one, other, float(value)) for one, other, value in zip(a, b, plain, strict=True)]
        anchored = np.array([one.anchored for one in found])
        return plain, anchored, np.array([one.fact_flip for one in found]), found

    def sick(self, data: Labelled) -> None:
        plain, anchored, flips, found = self.compare(data.a, data.b)
        labels = np.array(data.labels)
        against, entailed = labels == "CONTRADICTION", labels == "ENTAILMENT"
        self.figure("AUC contradiction against entailment, plain", auc(plain[against], plain[entailed]))
        area = auc(anchored[against], anchored[entailed])
        self.figure("AUC contradiction against entailment, anchored", area, least=0.95)
        self.figure("contradictions called stable, plain", (plain[against] < 0.40).mean())
        self.figure("contradictions called stable, anchored", (anchored[against] < 0.40).mean(), most=0.10)
        self.figure("fact flips among entailments", flips[entailed].mean(), most=0.03)
        self.show("false flip", pick(data, found, entailed & flips))
        self.show("missed", pick(data, found, against & ~flips))

    def two_way(self, data: Labelled, *, made_elsewhere: bool = True) -> None:
        plain, anchored, flips, found = self.compare(data.a, data.b)
        same = np.array(data.labels) == "1"
        paws = data.kind == "PAWS"
        self.figure("AUC, plain", auc(plain[~same], plain[same]))
        self.figure("AUC, anchored", auc(anchored[~same], anchored[same]), least=0.82 if paws else None)
        self.figure("fact flips among those called paraphrases", flips[same].mean(), most=0.03 if paws else None)
        kinds = [{item.kind for item in one.evidence} for one in found]
        # MRPC's raters call news of one event paraphrases though their figures and days differ.
        figures = np.array([bool(kind) and kind <= {"number", "date"} for kind in kinds])
        self.figure("  of these by figures or dates alone", figures[same].mean())
        self.figure("  by anything else", (flips & ~figures)[same].mean())
        self.figure("fact flips among the others", flips[~same].mean())
        self.show("false flip", pick(data, found, same & flips))
        self.show("missed", pick(data, found, ~same & ~flips & (anchored < np.median(anchored[same]))))
        if made_elsewhere:
            self.facts_swapped(data)

    def facts_swapped(self, data: Labelled) -> None:
        """One number, month, unit or name swapped in the sentences of a set that has many of them."""
        made = [swap for text in dict.fromkeys(data.a[:_SWAPPED_SENTENCES]) for swap in swapped_in(text)]
        found = [anchor(swap.a, swap.b, 0.05) for swap in made]
        hits = np.array([one.fact_flip for one in found])
        self.figure(f"one fact swapped in its sentences ({len(made)}): flagged", hits.mean(), least=0.98)
        self.show("missed", [(p.a, p.b, f) for p, f, hit in zip(made, found, hits, strict=True) if not hit])

    def sts(self, data: Labelled, *, aimed: bool = True) -> None:
        """The aim is about graded pairs that people wrote; for those made here the figures are shown alone."""
        plain, anchored, flips, found = self.compare(data.a, data.b)
        grades = np.array([float(label) for label in data.labels])
        base = spearman(-plain, grades)
        self.figure("Spearman, plain", base)
        self.figure("Spearman, anchored", spearman(-anchored, grades), least=base if aimed else None)
        equal = grades >= 4.5
        self.figure("fact flips among grades of 4.5 and above", flips[equal].mean(), most=0.03)
        self.show("false flip", pick(data, found, equal & flips))

    def swapped(self) -> None:
        pairs = swaps()
        print(f"\nanswers with one fact swapped ({len(pairs)})")
        _, anchored, flips, found = self.compare([pair.a for pair in pairs], [pair.b for pair in pairs])
        kinds = np.array([pair.kind for pair in pairs])
        facts = np.isin(kinds, ["number", "unit", "date", "time", "money", "name"])
        self.figure("numbers, dates, units, names swapped: flagged", flips[facts].mean(), least=0.98)
        for kind in sorted(set(kinds.tolist())):
            self.figure(f"  of these {kind} ({(kinds == kind).sum()})", flips[kinds == kind].mean())
        self.figure("all swaps flagged", flips.mean())
        self.figure("all swaps called stable", (anchored < 0.40).mean())
        self.show("missed", [(p.a, p.b, f) for p, f, hit in zip(pairs, found, flips, strict=True) if not hit])

    def reworded(self) -> None:
        pairs = paraphrases()
        print(f"\nthe same answers in other words ({len(pairs)})")
        _, anchored, flips, found = self.compare([pair.a for pair in pairs], [pair.b for pair in pairs])
        self.figure("fact flips", flips.mean(), most=0.03)
        self.figure("called stable", (anchored < 0.40).mean())
        self.show("false flip", [(p.a, p.b, f) for p, f, hit in zip(pairs, found, flips, strict=True) if hit])

    def speed(self) -> None:
        print(f"\nspeed, in processor time of all threads (one core), by turns, best of {_TURNS}")
        texts = [pair for pair in [*swaps(), *paraphrases()] if pair.kind != "equal"]
        a, b = ([_hundred(pair, side) for pair in texts] for side in ("a", "b"))
        rules, whole = [], []
        for turn in range(_TURNS):
            # Each text with a number that no text had: nothing comes from the cache, nearly all words are known.
            fresh = [
                [f"{text} {turn}{number}{side}" for number, text in enumerate(some)] for side, some in enumerate((a, b))
            ]
            known = np.full(len(a), 0.1)
            rules.append(_timed(partial(anchored_delta_s, *fresh, delta=known)) / len(a) * 1e6)
            whole.append(_timed(partial(anchored_delta_s, *fresh, embedder=self.embedder)) / len(a) * 1e6)
        self.figure("microseconds a pair of 100-word answers, plain ΔS known", min(rules), most=150)
        name = self.embedder.name.partition("@")[0]
        self.figure(f"the same, with both embedded for the first time by {name}", min(whole))

    def recorded(self, file: Path) -> None:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            groups = [[one["answer"] for one in json.loads(line)["answers"] if one["answer"]] for line in lines]
        made = [swap for text in sorted(set(itertools.chain.from_iterable(groups))) for swap in swapped_in(text)]
        print(f"\n{file.name}: one fact swapped in recorded answers ({len(made)})")
        _, _, flips, found = self.compare([swap.a for swap in made], [swap.b for swap in made])
        self.figure("numbers, dates, units, names swapped: flagged", flips.mean(), least=0.98)
        kinds = np.array([swap.kind for swap in made])
        for kind in sorted(set(kinds.tolist())):
            self.figure(f"  of these {kind} ({(kinds == kind).sum()})", flips[kinds == kind].mean())
        self.show("missed", [(p.a, p.b, f) for p, f, hit in zip(made, found, flips, strict=True) if not hit])
        pairs = [(a, b) for group in groups for a, b in itertools.combinations(group, 2) if a != b]
        print(f"{file.name}: answers of several models to one question ({len(pairs)} pairs, not labelled)")
        _, _, flips, found = self.compare([a for a, _ in pairs], [b for _, b in pairs])
        self.figure("fact flips, real ones among them", flips.mean(), most=0.03)
        self.show("flip", [(a, b, f) for (a, b), f, hit in zip(pairs, found, flips, strict=True) if hit])

    def answers(self, file: Path) -> None:
        judged = judge(self.embedder, load_pairs(file))
        print(f"\n{file.name}: harmless rewrites and contradictions ({len(judged)} pairs)")
        show(judged, self.examples)
        counts = accepted(judged)
        others = {lang for lang, _ in counts} - {"en"}
        for what, langs, most in (("English", {"en"}, 0.25), ("other languages", others, 0.40)):
            for label in ("ok", "bad"):
                some = [counts.get((lang, label), (0, 0)) for lang in langs]
                if size := sum(size for _, size in some):
                    share = sum(hits for hits, _ in some) / size
                    if label == "ok":
                        self.figure(f"{what}, harmless ({size}): accepted", share, least=0.92)
                    else:
                        self.figure(f"{what}, contradicting ({size}): accepted", share, most=most)

    def intents(self, file: Path) -> None:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            intents = [json.loads(line)["queries"] for line in lines]
        print(f"\n{file.name}: an intent is wider than a paraphrase, so its recall is a lower bound")
        self.groups(intents)

    def demo_questions(self) -> None:
        print("\nthe demonstration's questions: five wordings each")
        self.groups([list(question.forms) for question in load_questions()])

    def groups(self, labelled: list[list[str]]) -> None:
        """Purity and recall of live groups over requests in random order, as the worker assigns them."""
        labels = np.repeat(np.arange(len(labelled)), [len(texts) for texts in labelled])
        found = [find_question(_asking(text)) for texts in labelled for text in texts]
        rows = self.embedder.embed([one.text for one in found if one])
        scopes = [one.scope for one in found if one]
        order = np.random.default_rng(0).permutation(len(rows))
        print(f"  {len(rows)} requests of {len(labelled)} labels")
        for threshold in (0.5, 0.6, 0.7, 0.8, 0.9):
            groups = ParaphraseGroups(self.embedder.dim, threshold=threshold)
            got = purity(groups.assign(rows[order], [scopes[place] for place in order]), labels[order])
            default = threshold == ScoreConfig().group_threshold
            name = f"threshold {threshold}" + (", the default" if default else "")
            self.figure(f"{name}: purity ({got.groups} groups)", got.purity, least=0.98 if default else None)
            self.figure(f"{name}: pairwise recall", got.recall)


def _asking(text: str) -> Copy:
    return Copy(
        shadow_id="",
        req_hash="",
        started_ns=0,
        method="POST",
        target="/ask",
        headers=(),
        body=json.dumps({"question": text}).encode(),
        status=200,
        response_headers=(),
        response_body=b"",
        ttfb_ns=0,
        duration_ns=0,
    )


def auc(far: Values, near: Values) -> float:
    """Probability that a value of ``far`` exceeds one of ``near``, ties counting half (Mann & Whitney 1947)."""
    ranks = _ranks(np.concatenate([far, near]))[: len(far)]
    return float((ranks.sum() - len(far) * (len(far) + 1) / 2) / (len(far) * len(near)))


def spearman(x: Values, y: Values) -> float:
    return float(np.corrcoef(_ranks(x), _ranks(y))[0, 1])


def _ranks(values: Values) -> Values:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Values = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks


def pick(data: Labelled, found: list[Comparison], where: NDArray[np.bool_]) -> list[tuple[str, str, Comparison]]:
    return [(data.a[place], data.b[place], found[place]) for place in np.flatnonzero(where)]


def _parting(a: str, b: str) -> int:
    return next((place for place, (one, other) in enumerate(zip(a, b, strict=False)) if one != other), 0)


def _window(text: str, at: int) -> str:
    """A short text as it is, a long one around a place, on one line."""
    if len(text) > 240:
        start = max(0, at - 100)
        text = ("…" if start else "") + text[start : at + 140] + "…"
    return " ".join(text.split())


def _hundred(pair: Swap, side: str) -> str:
    words: list[str] = getattr(pair, side).split()
    return " ".join((words * (100 // len(words) + 1))[:100])


def _timed(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benches.judge", description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, help="folder with SICK, PAWS, STS-B, MRPC, intent groups")
    parser.add_argument("--embedder", default="wordllama")
    parser.add_argument("--examples", type=int, default=3, help="misses shown of each kind")
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    if given.data is not None and not given.data.is_dir():
        parser.error(f"{given.data}: no such folder")
    bench = Bench(load_embedder(given.embedder), given.examples)
    print(f"embedder {bench.embedder.name}")
    bench.swapped()
    bench.reworded()
    here, unaimed = partial(bench.two_way, made_elsewhere=False), partial(bench.sts, aimed=False)
    for made, measure in ((sick_like(), bench.sick), (paws_like(), here), (sts_like(), unaimed)):
        print(f"\n{made.kind}-like: {made.name} ({len(made.a)} pairs)")
        measure(made)
    bench.speed()
    bench.demo_questions()
    kinds = set()
    for data in load(given.data) if given.data else ():
        kinds.add(data.kind)
        print(f"\n{data.kind}: {data.name} ({len(data.a)} pairs)")
        {"SICK": bench.sick, "STS": bench.sts}.get(data.kind, bench.two_way)(data)
    for file in sorted(given.data.glob("same_question_answers.jsonl.gz")) if given.data else ():
        bench.recorded(file)
    for file in sorted(given.data.glob("answers*.jsonl*")) if given.data else ():
        bench.answers(file)
    for file in sorted(given.data.glob("intent_groups.jsonl.gz")) if given.data else ():
        bench.intents(file)
    for kind in ("SICK", "PAWS", "STS", "MRPC"):
        if kind not in kinds:
            print(f"\n{kind}: not in the data folder, not measured")
    if given.json:
        record = {
            "embedder": bench.embedder.name,
            "machine": platform.processor() or platform.machine(),
            "figures": [asdict(figure) for figure in bench.figures],
        }
        given.json.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if all(figure.met is not False for figure in bench.figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
