"""``python -m benches.copies [--against FOLDER] [--rounds 9] [--batch 64]``: processor time of scoring and storing.

Batches of pairs of ``.pairs`` (64 of them; a quiet lane's have one or two) go through the real scorer (wordllama) and
the real store, once with paraphrase groups and once without; the table of groups is filled first. Each round is a
process of its own; with ``--against``, the ``python`` folder of another checkout with its extension, the rounds of both
alternate by lot, and ratios have 95 % intervals from a bootstrap over the rounds. Figures are a pair's. Nothing here
asserts.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .pairs import pairs

_WARM = 4096
_ROOT = Path(__file__).parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benches.copies", description=__doc__)
    parser.add_argument("--pairs", type=int, default=1024, help="measured in each round")
    parser.add_argument("--batch", type=int, default=64, help="pairs that are scored and stored at a time")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--against", type=Path, help="the python folder of another checkout")
    parser.add_argument("--one", action="store_true", help="one round in this process, as JSON")
    options = parser.parse_args()
    if not 1 <= options.batch <= options.pairs or options.rounds < 1:
        parser.error("--batch: from 1 to --pairs; --rounds: at least 1")
    if options.one:
        print(json.dumps(measured(options.pairs, options.batch)))
        return 0
    here = _ROOT / "python"
    found: dict[Path, list[dict[str, float]]] = {here: []} | ({options.against: []} if options.against else {})
    rng = np.random.default_rng(1)
    for _ in range(options.rounds):
        for place in rng.permutation(len(found)):
            folder = list(found)[int(place)]
            found[folder].append(_round(folder, options.pairs, options.batch))
    show(list(found.values()), rng)
    return 0


def _round(folder: Path, count: int, size: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benches.copies", "--one", "--pairs", str(count), "--batch", str(size)]
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{_ROOT}"}
    done = subprocess.run(command, env=environment, cwd=_ROOT, capture_output=True, text=True, check=True)
    made: dict[str, float] = json.loads(done.stdout)
    return made


def measured(count: int, size: int) -> dict[str, float]:
    """Microseconds a pair: scored with groups, without, what groups add, and stored."""
    from shadowlane.config import ScoreConfig
    from shadowlane.embedders import load_embedder
    from shadowlane.score import Scorer
    from shadowlane.store.sqlite import SqliteStore

    drawn = pairs()
    grouped = Scorer(ScoreConfig(), embedder=load_embedder("wordllama"))
    plain = Scorer(ScoreConfig(groups=False), embedder=load_embedder("wordllama"))
    for scorer in (grouped, plain):
        scorer.score(list(itertools.islice(drawn, _WARM if scorer is grouped else 64)))
    spent = {"score, groups": 0, "score, no groups": 0, "store": 0}
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "pairs.db", max_age_ns=10**18, max_bytes=10**12)
        with store:
            store.set_epoch("bench", {"candidate": 0})
            for _ in range(count // size):
                batch = list(itertools.islice(drawn, size))
                _timed(spent, "score, no groups", lambda batch=batch: plain.score(batch))
                scored = _timed(spent, "score, groups", lambda batch=batch: grouped.score(batch))
                _timed(spent, "store", lambda scored=scored: store.save(scored))
    pairs_in_all = count // size * size
    found = {name: ns / pairs_in_all / 1e3 for name, ns in spent.items()}
    return found | {"groups add": found["score, groups"] - found["score, no groups"]}


def _timed(spent: dict[str, int], name: str, work: Callable[[], Any]) -> Any:
    begun = time.thread_time_ns()
    made = work()
    spent[name] += time.thread_time_ns() - begun
    return made


def show(sides: list[list[dict[str, float]]], rng: np.random.Generator) -> None:
    """A line a step: the median of each side, and the ratio of the first to the second with its interval."""
    for name in sides[0][0]:
        values = [np.array([one[name] for one in side]) for side in sides]
        line = f"{name:18}" + "".join(
            f"{np.median(side):9.0f}{'' if name.startswith('bytes') else ' µs'}" for side in values
        )
        if len(values) == 2:
            ours, theirs = (rng.choice(side, (4000, len(side))) for side in values)
            low, high = np.percentile(np.median(ours, axis=1) / np.median(theirs, axis=1), [2.5, 97.5])
            line += f"   {np.median(values[0]) / np.median(values[1]):.2f} ({low:.2f} to {high:.2f})"
        print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
