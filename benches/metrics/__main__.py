"""What a scrape costs: ``/metrics`` of a lane with many stored pairs, against one with few, in turns.

``python -m benches.metrics --pairs 100000`` fills two stores through the worker's own way of writing, serves each by
``shadowlane serve``, and asks both in random order, as text and as OpenMetrics. Printed are the answer's size, its time
at the client, and the processor time of the serving process; nothing here asserts. The gate is evaluated as for any
other scraper, on a thread of its own: its time is in the process's.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np

from shadowlane import Config
from shadowlane.capture.lane import Lane
from shadowlane.store import open_store
from shadowlane.types import Copy, Outcome, Pair, Scores

_BATCH = 2000
_HOUR_NS = 3600 * 10**9
_FORMS = {"text": "text/plain", "OpenMetrics": "application/openmetrics-text"}


def _config(folder: Path) -> Config:
    folder.mkdir()
    return Config.from_dict(
        {
            "lane": {"directory": str(folder / "lane"), "worker": "external"},
            "store": {"url": f"sqlite:///{folder / 'pairs.db'}"},
            "shadows": {"candidate": {"url": "http://127.0.0.1:9"}},
        }
    )


def _fill(config: Config, pairs: int) -> None:
    drawn, now = np.random.default_rng(pairs), time.time_ns()
    with open_store(config.store) as store:
        store.set_epoch("bench", dict.fromkeys(config.shadows, 0))
        for first in range(0, pairs, _BATCH):
            n = min(_BATCH, pairs - first)
            times, deltas = drawn.lognormal(-2, 0.6, (2, n)), drawn.beta(2, 6, n)
            store.save([_pair(first + i, now, *times[:, i], deltas[i]) for i in range(n)])


def _pair(number: int, now: int, prod_s: float, shadow_s: float, delta: float) -> Pair:
    copy = Copy(
        shadow_id=f"0190a8f0-0000-7000-8000-{number:012x}",
        req_hash=f"{number % 5000:032x}",
        started_ns=now - (number % 86_400) * 10**9 - _HOUR_NS,
        method="POST",
        target="/ask",
        status=200,
        ttfb_ns=int(5e8 * prod_s),
        duration_ns=int(1e9 * prod_s),
    )
    outcome = Outcome(
        shadow="candidate",
        status=200,
        tries=1,
        waited_ns=10**6,
        ttfb_ns=int(5e8 * shadow_s),
        duration_ns=int(1e9 * shadow_s),
    )
    return Pair(
        copy=copy, outcome=outcome, scores=Scores(delta_s=float(delta), anchored=float(delta), embedder="bench")
    )


class _Served:
    """A lane behind ``shadowlane serve``."""

    def __init__(self, config: Config, folder: Path) -> None:
        file = folder / "lane.json"
        file.write_text(json.dumps(config.to_dict()))
        command = [
            sys.executable,
            "-m",
            "shadowlane",
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--json",
            "--config",
            str(file),
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._process.stdout is not None
        self.url = f"http://{json.loads(self._process.stdout.readline())['listen']}/metrics"

    def processor_s(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def ask(self, accept: str) -> tuple[float, bytes]:
        request = urllib.request.Request(self.url, headers={"Accept": accept})
        begun = time.perf_counter()
        with urllib.request.urlopen(request) as answer:
            body: bytes = answer.read()
        return time.perf_counter() - begun, body

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        if self._process.stdout is not None:
            self._process.stdout.close()


def _measure(pairs: int, scrapes: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        served: dict[int, _Served] = {}
        lanes = []
        for n in (min(1000, pairs), pairs):
            folder = Path(name) / str(n)
            config = _config(folder)
            lanes.append(Lane.open(config))
            _fill(config, n)
            served[n] = _Served(config, folder)
        try:
            _turns(served, scrapes)
        finally:
            for one in served.values():
                one.close()
            for lane in lanes:
                lane.close()


def _turns(served: dict[int, _Served], scrapes: int) -> None:
    for one in served.values():
        _wait_for_verdict(one)
    turns = [(n, form) for n in served for form in _FORMS] * scrapes
    random.Random(0).shuffle(turns)
    took: dict[tuple[int, str], list[float]] = {}
    sizes: dict[tuple[int, str], int] = {}
    before = {n: one.processor_s() for n, one in served.items()}
    for turn in turns:
        seconds, body = served[turn[0]].ask(_FORMS[turn[1]])
        took.setdefault(turn, []).append(1e3 * seconds)
        sizes[turn] = len(body)
    for (n, form), times in sorted(took.items()):
        times.sort()
        p95 = times[int(0.95 * len(times))]
        print(
            f"{n:>7} pairs, {form}: median {statistics.median(times):.1f} ms, P95 {p95:.1f} ms, {sizes[n, form]} bytes"
        )
    for n, one in served.items():
        each = 1e3 * (one.processor_s() - before[n]) / (2 * scrapes)
        print(f"{n:>7} pairs: {each:.1f} ms of the process a scrape, the gate's evaluations with it")


def _wait_for_verdict(one: _Served) -> None:
    until = time.monotonic() + 120
    while b"shadowlane_gate_verdict" not in one.ask("text/plain")[1]:
        if time.monotonic() > until:
            raise SystemExit("the gate was not evaluated within 120 s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--scrapes", type=int, default=100, help="of each lane in each form")
    options = parser.parse_args()
    _measure(options.pairs, options.scrapes)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
