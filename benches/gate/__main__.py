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

from shadowlane.gate import Verdict

from .boundary import OUTCOMES, at_the_boundary
from .days import SCENARIOS, WHOLE
from .lane import Lane

KINDS = ("independent", "runs of 20", "150 questions", "1000 questions", "diurnal")
RULES = {"mean_delta_s": "mean ΔS 0.45", "shadow_errors": "1 % errors", "p95_latency": "P95 +3 %"}
"""What a day at the boundary is exactly at."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.gate", description="Days of traffic through the gate.")
    parser.add_argument("--rates", default="1,10,50", help="requests a second, of which 5 %% are mirrored")
    parser.add_argument("--only", default="", help="of the scenarios, those whose names have this in them")
    parser.add_argument("--days", type=int, default=3, help="days of each scenario and rate (default: 3)")
    parser.add_argument("--boundary-days", type=int, default=1000, help="days at the targets, without a store")
    parser.add_argument("--whole-days", type=int, default=200, help="short days through the store (default: 200)")
    parser.add_argument("--latency-only", action="store_true", help="at the targets, the P95's rule alone: quicker")
    parser.add_argument("--boundary-rate", type=float, default=1.0, help="requests a second of those days (default: 1)")
    parser.add_argument("--kinds", default="", help="of the days at the targets, those kinds alone (comma)")
    parser.add_argument("--looks", type=int, default=24, help="looks a day (default: 24)")
    parser.add_argument("--json", default=None, metavar="FILE", help="write the numbers")
    options = parser.parse_args()
    rates = [float(rate) for rate in options.rates.split(",")]
    began = time.monotonic()
    scenarios = [
        scenario(name, rate, options.days, options.looks)
        for name in SCENARIOS
        if options.only in name
        for rate in rates
        if options.days
    ]
    show_scenarios(scenarios)
    days, how = options.boundary_days, {"rate": options.boundary_rate, "scores": not options.latency_only}
    kinds = [
        {"kind": kind, "days": days, "rules": at_the_boundary(kind, days, options.looks, **how)}
        for kind in (options.kinds.split(",") if options.kinds else KINDS)
        if days
    ]
    show_boundary(kinds, options.looks)
    whole = [whole_verdicts(name, options.whole_days, options.looks) for name in WHOLE if options.whole_days]
    show_whole(whole, options.looks)
    if options.json:
        Path(options.json).write_text(
            json.dumps({"scenarios": scenarios, "boundary": kinds, "whole": whole}, indent=2) + "\n"
        )
    print(f"\n{time.monotonic() - began:.0f} s")


def scenario(name: str, rate: float, days: int, looks: int) -> dict[str, Any]:
    """Days of one scenario, looked at every hour: what the verdict was at the end and when it came."""
    make, wanted = SCENARIOS[name]
    ends: Counter[str] = Counter()
    shown: Counter[str] = Counter()
    hours: list[float] = []
    waiting: Counter[str] = Counter()
    overhead: list[float] = []
    pairs = 0
    for seed in range(days):
        with tempfile.TemporaryDirectory() as folder:
            lane = Lane(Path(folder), make(np.random.default_rng(1000 + seed), rate), seed=seed)
            verdicts = [(hour, lane.look(hour)) for hour in look_hours(looks)]
        last = verdicts[-1][1]
        pairs = next(len(rule.evidence) and int(rule.evidence.split()[0]) for rule in last.rules if rule.key == "pairs")
        ends[last.decision] += 1
        decided = next((hour for hour, verdict in verdicts if verdict.decision == last.decision != "HOLD"), None)
        hours += [] if decided is None else [decided]
        overhead += _hour_from_which(verdicts, "overhead")
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
        "overhead_hours": float(np.median(overhead)) if overhead else None,
        "not_met_or_known": dict(waiting),
    }


def look_hours(looks: int) -> list[float]:
    """So many looks, evenly over the day. A window begins with its first copy that counts, some minutes into the day,
    so the last look is half an hour after it."""
    return [*(24 * k / looks for k in range(1, looks)), 24.5]


def _hour_from_which(verdicts: list[tuple[float, Verdict]], key: str) -> list[float]:
    """The first look from which on a rule is met to the day's end; empty: it is not."""
    met = [next(rule.ok is True for rule in verdict.rules if rule.key == key) for _, verdict in verdicts]
    last = max((i for i, so in enumerate(met) if not so), default=-1)
    return [verdicts[last + 1][0]] if last + 1 < len(verdicts) else []


def whole_verdicts(name: str, days: int, looks: int) -> dict[str, Any]:
    """Days at 1 request a second through the real store: how often a false verdict was ever shown."""
    make, false = WHOLE[name]
    shown: Counter[str] = Counter()
    for seed in range(days):
        with tempfile.TemporaryDirectory() as folder:
            lane = Lane(Path(folder), make(np.random.default_rng([7000, seed]), 1.0), seed=seed)
            shown.update({lane.look(hour).decision for hour in look_hours(looks)})
    return {"scenario": name, "false": false, "days": days, "ever": dict(shown), "errs": shown[false] / days}


def show_scenarios(rows: list[dict[str, Any]]) -> None:
    heads = (
        "a day of",
        "requests/s",
        "pairs",
        "verdict at its end",
        "ever shown",
        "hours to it",
        "overhead met after",
    )
    print(f"| {' | '.join(heads)} | not met or known |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        ends = ", ".join(f"{name} {n}/{row['days']}" for name, n in row["ends"].items())
        ever = ", ".join(f"{name} {n}" for name, n in row["ever"].items()) or "neither"
        hours = "" if row["hours"] is None else f"{row['hours']:.0f}"
        waiting = ", ".join(row["not_met_or_known"])
        overhead = "" if row["overhead_hours"] is None else f"{row['overhead_hours']:.0f} h"
        cells = (row["scenario"], f"{row['rate']:g}", row["pairs"], ends, ever, hours, overhead, waiting)
        print(f"| {' | '.join(map(str, cells))} |")


def show_boundary(rows: list[dict[str, Any]], looks: int) -> None:
    print(f"\nExactly at a target, {looks} looks a day: ever met, ever missed, ever rejected\n")
    print(f"| values | days | {' | '.join(RULES.values())} |")
    print(f"|---|---|{'---|' * len(RULES)}")
    for row in rows:
        found = row["rules"]
        cells = [
            ", ".join(f"{100 * found[key][some]:.1f} %" for some in OUTCOMES) if key in found else "" for key in RULES
        ]
        print(f"| {row['kind']} | {row['days']} | {' | '.join(cells)} |")


def show_whole(rows: list[dict[str, Any]], looks: int) -> None:
    print(f"\nWhole verdicts, days of 4,320 pairs, {looks} looks each\n")
    print("| a day of | days | false would be | ever shown | falsely |")
    print("|---|---|---|---|---|")
    for row in rows:
        ever = ", ".join(f"{name} {n}" for name, n in sorted(row["ever"].items()))
        print(f"| {row['scenario']} | {row['days']} | {row['false']} | {ever} | {100 * row['errs']:.1f} % |")


if __name__ == "__main__":
    main()
