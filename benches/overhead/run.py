"""``python -m benches.overhead.run [--seconds 60] [--rate 100] [--ratio 1.0] [--record]``

A gateway (uvicorn, bare ASGI, 20 ms upstream) under open-loop Poisson load. The kill switch turns mirroring on and off
in short blocks, in random order, within one run on one process, so that both arms share every condition. The worker,
scoring and a shadow run on the same machine, as they would beside a gateway; the shadow at the lowest priority, since
it stands for another machine. Latencies count from the time a request was due.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from shadowlane import __version__
from shadowlane.demo.processes import DemoError

from .cells import BASE
from .measure import PERCENTS, ROOT, Plan, measure

AIM_RATIO, AIM_HIGH = 1.01, 1.05


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benches.overhead.run", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the measured load lasts")
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second, on average")
    parser.add_argument("--ratio", type=float, default=1.0, help="share of the requests that is mirrored in on-blocks")
    parser.add_argument("--block", type=float, default=1.5, help="seconds in a block")
    parser.add_argument("--discard", type=float, default=0.2, help="seconds at a block's start that are not measured")
    parser.add_argument("--seed", type=int, default=None, help="repeats arrivals and order of blocks")
    parser.add_argument("--record", action="store_true", help="write benches/records/MACHINE-DATE.json")
    return parser.parse_args(arguments)


def main() -> int:
    options = parse()
    shared = Path("/dev/shm")
    work = Path(tempfile.mkdtemp(prefix="shadowlane-overhead-", dir=shared if shared.is_dir() else None))
    try:
        result = result_of(options, work)
    except DemoError as error:
        print(f"benches.overhead: {error}", file=sys.stderr)
        return 3
    finally:
        shutil.rmtree(work, ignore_errors=True)
    show(result)
    if options.record:
        print(f"\nrecorded in {record(result)}")
    return 0


def result_of(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Measure the one cell that is asked for: the record."""
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(4), "big")
    plan = Plan(seconds=options.seconds, rate=options.rate, block=options.block, discard=options.discard)
    cell = replace(BASE, ratio=options.ratio)
    result = measure(cell, plan, work, np.random.default_rng(seed))
    names = ("seconds", "rate", "ratio", "block", "discard")
    settings = {name: getattr(options, name) for name in names}
    return (
        about()
        | {"settings": settings | {"seed": seed, "upstream_ms": cell.upstream_ms, "pairs": result.pop("pairs")}}
        | result
        | {"aims": {"p99_ratio": AIM_RATIO, "p99_high": AIM_HIGH}}
    )


def about() -> dict[str, str]:
    """Machine, day and versions of a record."""
    return {
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "shadowlane": __version__,
    }


def machine() -> str:
    """CPU model and cores: enough to compare records, and nothing that names the host."""
    model = platform.processor() or platform.machine()
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        model = found[1].strip() if found else model
    except OSError:
        pass
    return f"{model}, {len(os.sched_getaffinity(0))} cores"


def show(result: dict[str, Any]) -> None:
    settings = result["settings"]
    print(
        f"\n{result['machine']}: {settings['rate']:g} requests/s (Poisson) for {settings['seconds']:g} s, "
        f"ratio {settings['ratio']:g}, {settings['pairs']} pairs of {settings['block']:g} s blocks\n"
    )
    print(f"{'':6}{'off ms':>10}{'on ms':>10}{'on/off':>10}{'95 % interval':>20}   aim")
    for percent in PERCENTS:
        name = f"p{percent}"
        ratio = result["ratios"][name]
        good = ratio["ratio"] <= AIM_RATIO and ratio["high"] <= AIM_HIGH
        aim = f"<= {AIM_RATIO}, upper <= {AIM_HIGH}: {'met' if good else 'missed'}" if percent == 99 else ""
        interval = f"{ratio['low']:.4f} to {ratio['high']:.4f}"
        off, on = result["off"][f"{name}_ms"], result["on"][f"{name}_ms"]
        print(f"{name.upper():6}{off:10.3f}{on:10.3f}{ratio['ratio']:10.4f}{interval:>20}   {aim}")
    print(f"\nrequests measured: on {result['on']['count']}, off {result['off']['count']}; lane: {result['lane']}")


def record(result: dict[str, Any]) -> str:
    """Add the result to the machine's record of the day; returns the file's name."""
    slug = re.sub(r"[^a-z0-9]+", "-", result["machine"].lower().replace("(r)", "").replace("(tm)", "")).strip("-")
    file = ROOT / "benches" / "records" / f"{slug}-{result['date']}.json"
    file.parent.mkdir(exist_ok=True)
    known = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(known | {"overhead": result}, indent=2) + "\n")
    return str(file.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(main())
