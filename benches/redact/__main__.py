"""``python -m benches.redact [--each 40] [--data FOLDER [--half 1]]``: precision, recall and MB/s beside the rivals.

Labelled texts are made here (``texts.py``), half of them with nothing in them. With ``SHADOWLANE_DATA`` set to a
folder that has ``pii_cases.jsonl.gz`` (text, entities, spans), the recall on those is printed too, and the speed on the
recorded bodies of ``llm_exchanges.jsonl.gz`` there. A value counts as found when a finding of its kind overlaps it.
With ``--data``, public labelled data is measured on and nothing else (``public.py``). Speed rounds are interleaved,
rivals get the same text in the same round; on a shared machine the best round says what the code can do, and ratios
compare.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import gzip
import json
import os
import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from shadowlane.core import Redactor

from . import rivals, texts
from .public import public

T = TypeVar("T")


def score(find: rivals.Find, labelled: list[texts.Labelled]) -> dict[str, tuple[float, float, float]]:
    """Precision, recall and F1 by kind."""
    hits: collections.Counter[str] = collections.Counter()
    wanted: collections.Counter[str] = collections.Counter()
    false: collections.Counter[str] = collections.Counter()
    for text, spans in labelled:
        found = find(text)
        for kind, start, end in spans:
            wanted[kind] += 1
            hits[kind] += any(k == kind and s < end and e > start for k, s, e in found)
        for kind, start, end in found:
            if not any(k == kind and s < end and e > start for k, s, e in spans):
                false[kind] += 1
    out = {}
    for kind in wanted:
        recall = hits[kind] / wanted[kind]
        precision = hits[kind] / (hits[kind] + false[kind]) if hits[kind] + false[kind] else 1.0
        out[kind] = (precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0)
    return out


def quality(each: int) -> None:
    labelled = texts.labelled(1, each)
    print(f"{len(labelled)} texts; precision / recall / F1 by kind")
    ours = score(rivals.ours(), labelled)
    others = [(name, score(find, labelled), kinds) for name, find, kinds in rivals.all_of_them()]
    print(f"{'kind':16}{'shadowlane':>20}" + "".join(f"{name:>20}" for name, _, _ in others))
    for kind, (precision, recall, f1) in sorted(ours.items()):
        row = f"{kind:16}{precision:>8.2f}{recall:>6.2f}{f1:>6.2f}"
        for _, theirs, kinds in others:
            row += "{:>8.2f}{:>6.2f}{:>6.2f}".format(*theirs[kind]) if kind in kinds else f"{'-':>20}"
        print(row)


def cases() -> None:
    """Recall on Presidio's own test tables, by our redactor and by the recognizers that they test."""
    folder = os.environ.get("SHADOWLANE_DATA")
    file = Path(folder or ".") / "pii_cases.jsonl.gz"
    if not folder or not file.is_file():
        print("SHADOWLANE_DATA is not set: no recall on third-party cases")
        return
    ours = rivals.ours()
    others = {}
    for name, _, _ in rivals.all_of_them():
        if name == "presidio":
            others = {entity: rivals.presidio((entity,)) for entity in rivals.PRESIDIO}
    rows: dict[str, list[list[int]]] = collections.defaultdict(lambda: [[0, 0, 0], [0, 0, 0]])
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            case = json.loads(line)
            entity = case["entities"][0]
            if entity not in rivals.PRESIDIO or case["spans"] is None:
                continue
            for row, find in zip(rows[entity], (ours, others.get(entity)), strict=True):
                found = find(case["text"]) if find else []
                row[0] += sum(any(s < end and e > start for _, s, e in found) for start, end in case["spans"])
                row[1] += len(case["spans"])
                row[2] += not case["spans"] and bool(
                    [kind for kind, _, _ in found if kind == rivals.PRESIDIO[entity][1]]
                )
    print("third-party cases: found of all, and false findings in texts without; shadowlane, presidio")
    for entity, (mine, theirs) in sorted(rows.items()):
        print(f"{entity:16}{mine[0]:>6}/{mine[1]:<4}{mine[2]:>3}{theirs[0]:>8}/{theirs[1]:<4}{theirs[2]:>3}")


def recorded(folder: Path) -> list[bytes]:
    """JSON bodies of recorded LLM exchanges, both sides, of 1 to 17 KiB; none when they are not there."""
    file = folder / "llm_exchanges.jsonl.gz"
    if not file.is_file():
        return []
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        exchanges = [json.loads(line) for line in lines]
    found = []
    for exchange in exchanges:
        for side in ("request", "response"):
            body = (exchange[side]["body"] if isinstance(exchange[side]["body"], str) else "").encode()
            with contextlib.suppress(ValueError):
                if 1024 <= len(body) <= 17 * 1024 and isinstance(json.loads(body), (dict, list)):
                    found.append(body)
    return found


def speed(rounds: int) -> None:
    redactor = Redactor()
    bodies = {f"chat, {size >> 10} KiB": [texts.chat(seed, size) for seed in range(8)] for size in (1024, 4096, 16384)}
    bodies["no candidate, 16 KiB"] = [texts.chat(seed, 16384, candidates=False) for seed in range(8)]
    bodies["no candidate, 1 MiB"] = [texts.chat(1, 1 << 20, candidates=False)]
    bodies["dense, 0.4 KiB"] = [texts.dense(seed) for seed in range(64)]
    folder = os.environ.get("SHADOWLANE_DATA")
    if some := recorded(Path(folder)) if folder else []:
        bodies[f"recorded, {len(some)} of 1 to 17 KiB"] = some
    compared = {name: b"\n".join(bodies[name][:8]).decode() for name in ("chat, 4 KiB", "dense, 0.4 KiB")}
    theirs = {name: find for name, find, _ in rivals.all_of_them()}
    if "presidio" in theirs:
        theirs["presidio, no phone"] = rivals.presidio(tuple(set(rivals.PRESIDIO) - {"PHONE_NUMBER", "MAC_ADDRESS"}))
    rates: dict[str, list[float]] = collections.defaultdict(list)
    ratios: dict[tuple[str, str], list[float]] = collections.defaultdict(list)
    times: list[float] = []
    for _ in range(rounds):
        for name, some_bodies in bodies.items():
            size = sum(map(len, some_bodies))
            repeat = max(1, 200_000 // size)
            seconds = _seconds(redactor.redact_json, some_bodies, repeat)
            rates[name].append(repeat * size / 1e6 / seconds)
        for body in bodies["chat, 16 KiB"] * 4:
            start = time.thread_time()
            redactor.redact_json(body)
            times.append(time.thread_time() - start)
        for name, text in compared.items():
            ours = _seconds(redactor.redact_text, [text], 20) / 20
            for rival, find in theirs.items():
                seconds = _seconds(find, [text])
                rates[f"{rival}: {name}"].append(len(text) / 1e6 / seconds)
                ratios[rival, name].append(seconds / ours)
    print(f"\n{'':40}{'best':>10}{'median':>10}  MB/s")
    for name, all_rates in rates.items():
        print(f"{name:40}{max(all_rates):>10.2f}{statistics.median(all_rates):>10.2f}")
    print("\nhow many times as long the rival takes for the same text (median of the rounds, 95 % interval)")
    for (rival, name), values in ratios.items():
        low, high = _interval(values)
        print(f"{rival:20}{name:20}{statistics.median(values):>8.0f}   {low:.0f} to {high:.0f}")
    times.sort()
    middle, late = (times[len(times) * share // 100] * 1e6 for share in (50, 99))
    print(f"\none 16 KiB body, processor time: P50 {middle:.0f} us, P99 {late:.0f} us")


def _seconds(work: Callable[[T], object], items: Sequence[T], repeat: int = 1) -> float:
    start = time.perf_counter()
    for _ in range(repeat):
        for item in items:
            work(item)
    return time.perf_counter() - start


def _interval(values: list[float]) -> tuple[float, float]:
    """95 % of the median, by bootstrap over the rounds."""
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(2000))
    return medians[49], medians[1949]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.redact", description=__doc__)
    parser.add_argument("--each", type=int, default=40, help="labelled texts of each kind")
    parser.add_argument("--rounds", type=int, default=20, help="interleaved rounds of the speed part")
    parser.add_argument("--data", type=Path, help="a folder of public labelled data: these are all that is measured")
    parser.add_argument("--half", type=int, choices=(0, 1), help="one half of it, by the hash of each text")
    options = parser.parse_args()
    if options.data is not None:
        public(options.data, options.half)
        return
    quality(options.each)
    cases()
    speed(options.rounds)


if __name__ == "__main__":
    main()
