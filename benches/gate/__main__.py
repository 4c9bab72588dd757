"""``python -m benches.gate``: the tables of docs/parts/gate.md. Prints Markdown; --json FILE keeps the numbers."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from .days import SCENARIOS, boundary
from .lane import Lane

KINDS = ("independent", "runs of 20", "150 questions", "diurnal")
RULES = {"mean_delta_s": "mean ΔS 0.45", "shadow_errors": "1 % errors", "p95_latency": "P95 +3 %"}
"""What a day at the boundary is exactly at."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.gate", description="Days of traffic through the gate.")
    parser.add_argument("--rates", default="1,10,50", help="requests a second, of which 5 %% are mirrored")
    parser.add_argument("--days", type=int, default=3, help="days of each scenario and rate (default: 3)")
    parser.add_argument("--boundary-days", type=int, default=100, help="days at the boundary (default: 100)")
    parser.add_argument("--looks", type=int, default=24, help="looks a day (default: 24)")
    parser.add_argument("--json", default=None, metavar="FILE", help="write the numbers")
    options = parser.parse_args()
    rates = [float(rate) for rate in options.rates.split(",")]
    began = time.monotonic()
    scenarios = [
        scenario(name, rate, options.days, options.looks) for name in SCENARIOS for rate in rates if options.days
    ]
    show_scenarios(scenarios)
    kinds = [at_the_boundary(kind, options.boundary_days, options.looks) for kind in KINDS if options.boundary_days]
    show_boundary(kinds, options.boundary_days, options.looks)
    if options.json:
        Path(options.json).write_text(json.dumps({"scenarios": scenarios, "boundary": kinds}, indent=2) + "\n")
    print(f"\n{time.monotonic() - began:.0f} s")


def scenario(name: str, rate: float, days: int, looks: int) -> dict[str, Any]:
    """Days of one scenario, looked at every hour: what the verdict was at the end and when it came."""
    make, wanted = SCENARIOS[name]
    ends: Counter[str] = Counter()
    shown: Counter[str] = Counter()
    hours: list[float] = []
    waiting: Counter[str] = Counter()
    pairs = 0
    for seed in range(days):
        with tempfile.TemporaryDirectory() as folder:
            lane = Lane(Path(folder), make(np.random.default_rng(1000 + seed), rate), seed=seed)
            verdicts = [(24 * k / looks, lane.look(24 * k / looks)) for k in range(1, looks + 1)]
        last = verdicts[-1][1]
        pairs = next(len(rule.evidence) and int(rule.evidence.split()[0]) for rule in last.rules if rule.key == "pairs")
        ends[last.decision] += 1
        decided = next((hour for hour, verdict in verdicts if verdict.decision == last.decision != "HOLD"), None)
        hours += [] if decided is None else [decided]
        shown["REJECT"] += any(verdict.decision == "REJECT" for _, verdict in verdicts)
        shown["GRADUATE"] += any(verdict.decision == "GRADUATE" for _, verdict in verdicts)
        waiting.update(rule.name for rule in last.rules if rule.ok is not True and not rule.not_judged)
    return {
        "scenario": name,
        "wanted": wanted,
        "rate": rate,
        "days": days,
        "pairs": pairs,
        "ends": dict(ends),
        "ever": {key: n for key, n in shown.items() if n},
        "hours": float(np.median(hours)) if hours else None,
        "not_met_or_known": dict(waiting),
    }


def at_the_boundary(kind: str, days: int, looks: int) -> dict[str, Any]:
    """Days exactly at the targets, at 1 request a second: how often a rule was ever met, or ever beyond for good."""
    met: Counter[str] = Counter()
    beyond: Counter[str] = Counter()
    for seed in range(days):
        with tempfile.TemporaryDirectory() as folder:
            lane = Lane(Path(folder), boundary(kind, np.random.default_rng(5000 + seed), 1.0), seed=seed)
            verdicts = [lane.look(24 * k / looks) for k in range(1, looks + 1)]
        for key in RULES:
            outcomes = [next(rule for rule in verdict.rules if rule.key == key) for verdict in verdicts]
            met[key] += any(rule.ok is True for rule in outcomes)
            beyond[key] += any(rule.beyond for rule in outcomes)
    shares = {key: {"met": met[key] / days, "rejected": beyond[key] / days} for key in RULES}
    return {"kind": kind, "days": days, "rules": shares}


def show_scenarios(rows: list[dict[str, Any]]) -> None:
    print("| a day of | requests/s | pairs | verdict at its end | ever shown | hours to it | not met or known |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        ends = ", ".join(f"{name} {n}/{row['days']}" for name, n in row["ends"].items())
        ever = ", ".join(f"{name} {n}" for name, n in row["ever"].items()) or "neither"
        hours = "" if row["hours"] is None else f"{row['hours']:.0f}"
        waiting = ", ".join(row["not_met_or_known"])
        cells = (row["scenario"], f"{row['rate']:g}", row["pairs"], ends, ever, hours, waiting)
        print(f"| {' | '.join(map(str, cells))} |")


def show_boundary(rows: list[dict[str, Any]], days: int, looks: int) -> None:
    print(f"\nExactly at a target, {days} days of 4,320 pairs, {looks} looks each: ever met, ever rejected\n")
    print(f"| values | {' | '.join(RULES.values())} |")
    print(f"|---|{'---|' * len(RULES)}")
    for row in rows:
        cells = [f"{100 * some['met']:.0f} %, {100 * some['rejected']:.0f} %" for some in row["rules"].values()]
        print(f"| {row['kind']} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
