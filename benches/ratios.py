"""``python -m benches.ratios [--rounds 30] [--record]``: every lone figure of the core beside its rival, in one run.

Rounds are interleaved: each round measures both sides, in random order, so that what disturbs the machine disturbs
both. A ratio is the median over the rounds of ours/rival, with a bootstrap 95 % interval over the rounds. A time is
the median over the rounds; on a shared machine only ratios compare with another run.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import gc
import json
import platform
import re
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from shadowlane import __version__, _core

from . import answers, cases
from .overhead.run import ROOT, machine

_BOOTSTRAPS = 2000


class Comparison(NamedTuple):
    """Two cases over ``n`` calls a round, and what is wanted of the first: at most ``aim_ns``, or a ratio."""

    name: str
    rival: str
    ours: cases.Case
    theirs: cases.Case
    n: int
    aim_ns: float | None = None
    aim_ratio: float | None = None
    added: bool = False
    """The figure is the difference ours − theirs: what a layer adds."""


@contextlib.contextmanager
def comparisons() -> Iterator[list[Comparison]]:
    with cases.lane(cases.NOT_TAKEN) as idle, cases.lane(1.0) as busy:
        drainer = _core.Drainer(str(busy.directory), allow_headers=[])
        try:
            some = [
                Comparison(
                    "admit, not taken",
                    "queue.Queue.put_nowait",
                    cases.admit_not_taken(idle),
                    cases.queue_put(1024),
                    20_000,
                    aim_ns=300,
                )
            ]
            for kib, n, aim in ((1, 2000, 1000.0), (16, 400, None), (128, 100, None)):
                size = kib * 1024
                for rival, theirs in (
                    ("queue.Queue.put_nowait", cases.queue_put(size)),
                    ("multiprocessing.Queue.put", cases.process_queue_put(size)),
                ):
                    ours = cases.offer(busy, drainer, size)
                    some.append(Comparison(f"offer, {kib} KiB + {kib} KiB", rival, ours, theirs, n, aim_ns=aim))
            bare = cases.asgi_call(cases.bare_app)
            some += [
                Comparison(
                    "middleware, not taken", "bare ASGI call", cases.mirrored_call(idle), bare,
                    4000, aim_ns=3000, added=True,
                ),
                Comparison(
                    "middleware, taken", "bare ASGI call", cases.mirrored_call(busy, drainer), bare,
                    2000, aim_ns=12_000, added=True,
                ),
                Comparison("delta_s (8192, 384)", "simsimd.cosine", *cases.delta_cases(), 20, aim_ratio=1 / 0.9),
                Comparison(
                    "nearest of (4096, 256)", "hnswlib.knn_query", *cases.lookup_cases(), 100, aim_ns=60_000
                ),
                Comparison("group of a new question", "the same with hnswlib", *cases.grouping_cases(), 50),
            ]  # fmt: skip
            some += [
                Comparison(f"answer: {name}", "the providers' modules", ours, theirs, n, aim_ratio=0.5)
                for name, ours, theirs, n in answers.answer_cases()
            ]
            yield some
        finally:
            drainer.close()


def measure(comparison: Comparison, rounds: int, rng: np.random.Generator) -> dict[str, Any]:
    """Interleaved rounds of both sides."""
    sides = (comparison.ours, comparison.theirs)
    for side in sides:
        side(comparison.n)
    times = np.empty((rounds, 2))
    gc.collect()
    gc.disable()
    try:
        for row in times:
            for place in rng.permutation(2):
                row[place] = sides[place](comparison.n)
    finally:
        gc.enable()
    picks = rng.integers(0, rounds, (_BOOTSTRAPS, rounds))
    ratios, added = times[:, 0] / times[:, 1], times[:, 0] - times[:, 1]
    low, high = np.percentile(np.median(ratios[picks], axis=1), (2.5, 97.5))
    figure = added if comparison.added else times[:, 0]
    figure_low, figure_high = np.percentile(np.median(figure[picks], axis=1), (2.5, 97.5))
    ratio, figure_ns = float(np.median(ratios)), float(np.median(figure))
    met = None
    if comparison.aim_ns is not None:
        met = figure_ns <= comparison.aim_ns
    elif comparison.aim_ratio is not None:
        met = ratio <= comparison.aim_ratio
    return {
        "name": comparison.name,
        "rival": comparison.rival,
        "ns": round(float(np.median(times[:, 0])), 1),
        "rival_ns": round(float(np.median(times[:, 1])), 1),
        "ratio": round(ratio, 4),
        "ratio_95": [round(float(low), 4), round(float(high), 4)],
        "figure": "added" if comparison.added else "ours",
        "figure_ns": round(figure_ns, 1),
        "figure_ns_95": [round(float(figure_low), 1), round(float(figure_high), 1)],
        "aim_ns": comparison.aim_ns,
        "aim_ratio": None if comparison.aim_ratio is None else round(comparison.aim_ratio, 4),
        "met": met,
        "rounds": rounds,
    }


def show(result: dict[str, Any]) -> None:
    low, high = result["ratio_95"]
    aim = ""
    if result["aim_ns"] is not None:
        low_ns, high_ns = result["figure_ns_95"]
        aim = f"{result['figure']} {_time(result['figure_ns'])} ({_time(low_ns)} to {_time(high_ns)}), "
        aim += f"aim <= {_time(result['aim_ns'])}: {'met' if result['met'] else 'missed'}"
    elif result["aim_ratio"] is not None:
        aim = f"aim <= {result['aim_ratio']:.2f} of its time: {'met' if result['met'] else 'missed'}"
    print(
        f"{result['name']:<24}{_time(result['ns']):>10}   {result['rival']:<26}{_time(result['rival_ns']):>10}"
        f"{result['ratio']:>9.3f}  {f'{low:.3f} to {high:.3f}':<17} {aim}"
    )


def _time(ns: float) -> str:
    if abs(ns) < 1000:
        return f"{ns:.0f} ns"
    return f"{ns / 1e3:.2f} µs" if abs(ns) < 1e6 else f"{ns / 1e6:.2f} ms"


def record(results: list[dict[str, Any]], kind: str = "ratios") -> str:
    """Add the results to the machine's record of the day; returns the file's name."""
    name = machine()
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower().replace("(r)", "").replace("(tm)", "")).strip("-")
    today = datetime.date.today().isoformat()
    file = ROOT / "benches" / "records" / f"{slug}-{today}.json"
    file.parent.mkdir(exist_ok=True)
    known = json.loads(file.read_text()) if file.exists() else {}
    head = {"machine": name, "python": platform.python_version(), "shadowlane": __version__}
    file.write_text(json.dumps(known | {kind: head | {"results": results}}, indent=2) + "\n")
    return str(file.relative_to(ROOT))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benches.ratios", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--only", default="", help="only comparisons whose name contains this")
    parser.add_argument("--record", action="store_true", help="write benches/records/MACHINE-DATE.json")
    options = parser.parse_args()
    rng = np.random.default_rng()
    print(f"{machine()}, Python {platform.python_version()}\n")
    print(f"{'ours':<24}{'a call':>10}   {'rival':<26}{'a call':>10}{'ratio':>9}  {'95 % interval':<17}")
    results = []
    with comparisons() as some:
        for comparison in some:
            if options.only in comparison.name:
                results.append(measure(comparison, options.rounds, rng))
                show(results[-1])
    if options.record:
        print(f"\nrecorded in {record(results)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
