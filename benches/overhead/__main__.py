"""``python -m benches.overhead [--quick] [--cross kib,shadow] [--out target/overhead]``: what mirroring costs.

One gateway a cell, with mirroring on and off in random blocks within one run: sizes, JSON and streamed answers, the
upstream's delay, ratio, a shadow that is healthy, slow, dead or refuses, uvicorn and granian, Poisson and recorded
arrivals (``SHADOWLANE_DATA``). The first cell is A/A. Prints a table, and writes it, a record
(JSON) and a drawing (SVG). Nothing here asserts; a machine on which others work measures them. A cell that cannot be
measured says why.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shadowlane.demo.processes import DemoError

from .cells import Cell, cells, quick_cells
from .measure import ROOT, Plan, measure
from .run import about
from .table import HEADINGS, drawing, markdown, row

_QUICK = Plan(seconds=6.0, block=0.5, discard=0.1, warm_up=1.0)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benches.overhead", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="seven cells of 6 s: about two minutes")
    parser.add_argument("--seconds", type=float, help="measured load of a cell (60; quick: 6)")
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second, on average")
    parser.add_argument("--cross", default="", help="fields, with commas: all their combinations as well")
    parser.add_argument("--seed", type=int, default=None, help="repeats arrivals and order of blocks")
    parser.add_argument("--out", type=Path, default=ROOT / "target" / "overhead", help="folder of what is written")
    options = parser.parse_args(arguments)
    base = _QUICK if options.quick else Plan()
    plan = Plan(options.seconds or base.seconds, options.rate, base.block, base.discard, base.warm_up)
    if plan.rate <= 0 or plan.seconds < 4 * plan.block:
        parser.error(f"--rate: above 0; --seconds: at least {4 * plan.block:g}, two pairs of blocks")
    try:
        wanted = quick_cells() if options.quick else cells([name for name in options.cross.split(",") if name])
    except ValueError as error:
        parser.error(str(error))
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(4), "big")
    lines = run(wanted, plan, np.random.default_rng(seed))
    write(options.out, lines, plan, seed)
    return 0


def run(wanted: Sequence[Cell], plan: Plan, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Measure the cells one after the other, and print each as soon as it is there."""
    print(" | ".join(HEADINGS))
    lines = []
    for cell in wanted:
        shared = Path("/dev/shm")
        work = Path(tempfile.mkdtemp(prefix="shadowlane-overhead-", dir=shared if shared.is_dir() else None))
        line: dict[str, Any] = {"name": cell.name(), "cell": cell.to_dict()}
        try:
            line |= measure(cell, plan, work, rng)
        except DemoError as error:
            line["skipped"] = (str(error).splitlines() or ["it failed"])[0]
        finally:
            shutil.rmtree(work, ignore_errors=True)
        lines.append(line)
        print(" | ".join(row(line)), flush=True)
    return lines


def write(folder: Path, lines: list[dict[str, Any]], plan: Plan, seed: int) -> None:
    """Table, record and drawing."""
    folder.mkdir(parents=True, exist_ok=True)
    record = about() | {"seconds": plan.seconds, "rate": plan.rate, "block": plan.block, "seed": seed, "cells": lines}
    load = f"{plan.rate:g} requests/s for {plan.seconds:g} s a cell"
    title = f"{record['machine']}, {record['date']}, shadowlane {record['shadowlane']}: {load}."
    (folder / "overhead.json").write_text(json.dumps(record, indent=2) + "\n")
    (folder / "overhead.md").write_text(markdown(lines, title))
    (folder / "overhead.svg").write_text(drawing(lines))
    print(f"\nwritten: {', '.join(str(folder / name) for name in ('overhead.md', 'overhead.json', 'overhead.svg'))}")


if __name__ == "__main__":
    sys.exit(main())
