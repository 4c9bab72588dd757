"""``python -m benches.overhead.run [--seconds 60] [--rate 100] [--ratio 1.0] [--record]``

A gateway (uvicorn, bare ASGI, 20 ms upstream) under open-loop Poisson load. The kill switch turns mirroring on and off
in short blocks, in random order, within one run on one process, so that both arms share every condition. The worker,
scoring and a shadow run on the same machine, as they would beside a gateway; the shadow at the lowest priority, since
it stands for another machine. Latencies count from the time a request was due.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import gc
import json
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from shadowlane import __version__, _core, load_config
from shadowlane.demo.load import poisson_offsets, run_open_loop
from shadowlane.demo.processes import Child, DemoError, end_by_force, start, wait_for_exit

from .blocks import Block, draw_blocks, paired_latencies
from .bootstrap import percentile_ratio
from .client import Client

ROOT = Path(__file__).resolve().parents[2]
QUESTION = json.dumps({"question": "How do I know that my ride has ended? " * 26}).encode()
PERCENTS = (50, 95, 99)
AIM_RATIO, AIM_HIGH = 1.01, 1.05
WARM_UP_S = 3.0

CONFIG = """\
[lane]
name = "overhead"
directory = "{lane}"
idle_exit_s = 1.0
[sampling]
ratio = {ratio}
[limits]
qps = 1000000
burst = 1000000
[routes]
read = ["POST /ask"]
[store]
url = "sqlite:///overhead.db"
[shadows.candidate]
url = "{shadow}"
concurrency = 64
"""


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
        result = measure(options, work)
    except DemoError as error:
        print(f"benches.overhead: {error}", file=sys.stderr)
        return 3
    finally:
        shutil.rmtree(work, ignore_errors=True)
    show(result)
    if options.record:
        print(f"\nrecorded in {record(result)}")
    return 0


def measure(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Start gateway and shadow, send the load, end everything, return the record."""
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(4), "big")
    rng = np.random.default_rng(seed)
    children: list[Child] = []
    lane = work / "lane"
    lane.mkdir(mode=0o700)
    try:
        shadow = start("shadow", "benches.overhead.gateway", [], work / "shadow.log", folder=ROOT)
        children.append(shadow)
        shadow.wait_until_up(30)
        config = work / "shadowlane.toml"
        config.write_text(CONFIG.format(lane=lane, ratio=options.ratio, shadow=shadow.url))
        load_config(config)
        gateway = start(
            "gateway", "benches.overhead.gateway", ["--config", str(config)], work / "gateway.log", folder=ROOT
        )
        children.append(gateway)
        gateway.wait_until_up(30)
        blocks = draw_blocks(options.seconds, options.block, rng)
        offsets = poisson_offsets(blocks[-1].stop, options.rate, rng)
        wait_for_worker(lane)
        gc.collect()
        gc.freeze()
        gc.disable()  # a collection in the client would be measured as a latency of the gateway
        latencies, failures = asyncio.run(load(gateway.url, lane, blocks, offsets, options.rate))
        gc.enable()
        for child in children:
            child.check()
        status = _core.lane_status(str(lane))
    finally:
        end(children, lane)
    pairs = paired_latencies(blocks, offsets, latencies, discard_s=options.discard)
    if failures:
        raise DemoError(f"{failures} of {len(offsets)} requests failed; the run measures nothing")
    on, off = (np.concatenate([pair[arm] for pair in pairs]) * 1e3 for arm in (0, 1))
    ratios = {f"p{percent}": percentile_ratio(pairs, percent, rng=rng)._asdict() for percent in PERCENTS}
    return {
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "shadowlane": __version__,
        "settings": {name: getattr(options, name) for name in ("seconds", "rate", "ratio", "block", "discard")}
        | {"seed": seed, "upstream_ms": 20, "request_bytes": len(QUESTION), "pairs": len(pairs)},
        "on": arm(on),
        "off": arm(off),
        "ratios": ratios,
        "aims": {"p99_ratio": AIM_RATIO, "p99_high": AIM_HIGH},
        "lane": {name: status[name] for name in ("seen", "mirrored", "dropped")},
    }


async def load(url: str, lane: Path, blocks: list[Block], offsets: list[float], rate: float) -> tuple[list[float], int]:
    """Seconds from due to answered for each request, and how many failed."""
    latencies = [0.0] * len(offsets)
    failures = 0
    client = Client(url, "/ask", QUESTION)

    async def warm(_: int, __: float) -> None:
        await client.post()

    async def fire(place: int, due: float) -> None:
        nonlocal failures
        status = await client.post()
        latencies[place] = time.perf_counter() - due
        failures += status != 200

    async def turn(place: int, _: float) -> None:
        _core.set_enabled(str(lane), blocks[place].on)

    try:
        await run_open_loop([place / rate for place in range(int(WARM_UP_S * rate))], warm)
        await asyncio.gather(run_open_loop([block.start for block in blocks], turn), run_open_loop(offsets, fire))
        _core.set_enabled(str(lane), True)
    finally:
        client.close()
    return latencies, failures


def wait_for_worker(lane: Path) -> None:
    deadline = time.monotonic() + 60
    while not _core.lane_status(str(lane))["worker"]["alive"]:
        if time.monotonic() > deadline:
            raise DemoError(f"worker: not up after 60 s: {(lane / 'worker.log').read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


def end(children: list[Child], lane: Path) -> None:
    """End gateway and shadow, and wait for the worker, which leaves by itself."""
    try:
        worker = int(_core.lane_status(str(lane))["worker"]["pid"] or 0)
    except Exception:  # the lane never came up: there is no worker to wait for
        worker = 0
    for child in reversed(children):
        child.stop()
    if worker and not wait_for_exit(worker, 30):
        end_by_force(worker)


def arm(latencies_ms: np.ndarray[Any, Any]) -> dict[str, float]:
    values = np.percentile(latencies_ms, PERCENTS).tolist()
    return {"count": int(latencies_ms.size)} | {
        f"p{percent}_ms": round(value, 3) for percent, value in zip(PERCENTS, values, strict=True)
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
