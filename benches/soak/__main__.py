"""``python -m benches.soak [--requests 200000] [--ratio 0.1]``: many requests, then whether anything grew.

A gateway (uvicorn) with a worker and a shadow beside it, under as many requests as it answers, every text another one.
Memory, files and threads of gateway and worker must not grow in the second half of the run, and every request must be
answered and accounted for, by the worker that was there at the start: exit code 1 otherwise. Bounded in requests, not
in time; latencies are printed for each quarter, and nothing is said of them.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from shadowlane import _core
from shadowlane.demo.processes import Child, DemoError

from ..overhead.cells import BASE
from ..overhead.measure import running
from ..peers.load import NUMBER, NumberedClient
from .growth import Held, grown, look

_SAMPLES = 40
_CLIENTS = 16
_REST_S = 600.0
_BODY = (
    b'{"question": "How do I know that ride ' + NUMBER.encode() + b' has ended? The lamp is white, and it is late."}'
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benches.soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--ratio", type=float, default=0.1, help="share of the requests that is mirrored")
    parser.add_argument("--grow-kib", type=float, default=4096.0, help="memory that the second half may add, in KiB")
    options = parser.parse_args(arguments)
    if options.requests < _SAMPLES or not 0 < options.ratio <= 1:
        parser.error(f"--requests: at least {_SAMPLES}; --ratio: above 0, at most 1")
    shared = Path("/dev/shm")
    work = Path(tempfile.mkdtemp(prefix="shadowlane-soak-", dir=shared if shared.is_dir() else None))
    try:
        failed = soak(options.requests, options.ratio, options.grow_kib, work)
    except DemoError as error:
        print(f"benches.soak: {error}", file=sys.stderr)
        return 3
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(*failed or ["nothing grew"], sep="\n")
    return 1 if failed else 0


def soak(requests: int, ratio: float, most_kib: float, work: Path) -> list[str]:
    """Send the requests, print what both processes held, and return a line for each thing that is wrong."""
    cell = replace(BASE, ratio=ratio, upstream_ms=0)
    with running(cell, work) as (gateway, lane):
        worker = int(_core.lane_status(str(lane))["worker"]["pid"])
        took, held, failures = asyncio.run(_send(gateway, worker, requests))
        gateway.check()
        failed = _accounted(lane)
    if failures:
        failed.append(f"{failures} of {requests} requests were not answered with 200")
    show(took, held)
    return failed + [line for name, samples in held.items() for line in grown(name, samples, most_kib)]


async def _send(gateway: Child, worker: int, requests: int) -> tuple[list[float], dict[str, list[Held]], int]:
    """Latencies in the order of the answers, what was held at regular counts of them, and how many failed."""
    took: list[float] = []
    held: dict[str, list[Held]] = {"gateway": [], "worker": []}
    failures = 0
    left = iter(range(requests))
    client = NumberedClient(gateway.url, "/ask", _BODY, itertools.count(int(NUMBER)))

    async def one() -> None:
        nonlocal failures
        for _ in left:
            begun = time.perf_counter()
            failures += await client.post() != 200
            took.append(time.perf_counter() - begun)
            if len(took) * _SAMPLES // requests > len(held["gateway"]):
                for name, pid in (("gateway", gateway.pid), ("worker", worker)):
                    held[name].append(look(pid, len(took)))

    try:
        await asyncio.gather(*(one() for _ in range(_CLIENTS)))
    except ProcessLookupError:
        raise DemoError("the gateway or the worker ended during the run") from None
    finally:
        client.close()
    return took, held, failures


def _accounted(lane: Path) -> list[str]:
    """Waits until the worker has taken everything; a line when the counts do not add up."""
    deadline = time.monotonic() + _REST_S
    while True:
        status = _core.lane_status(str(lane))
        used = sum(int(ring["used"]) for ring in status["rings"])
        if not used and not status["open"]:
            break
        if time.monotonic() > deadline or not status["worker"]["alive"]:
            return [f"{status['open']} requests open, {used} bytes in rings, and no worker that takes them"]
        time.sleep(0.2)
    settled = status["mirrored"] + sum(status["dropped"].values())
    dropped = {name: n for name, n in status["dropped"].items() if n}
    print(f"seen {status['seen']}, mirrored {status['mirrored']}, dropped {dropped}")
    return [] if status["seen"] == settled else [f"{status['seen']} requests seen, {settled} accounted for"]


def show(took: list[float], held: dict[str, list[Held]]) -> None:
    """P99 of each quarter, and both processes at the ends of the quarters."""
    quarters = [part for part in np.array_split(np.asarray(took) * 1e3, 4) if part.size]
    print("P99 ms by quarter: " + ", ".join(f"{np.percentile(part, 99):.1f}" for part in quarters))
    for name, samples in held.items():
        for at in sorted({0, *(max(0, len(samples) * quarter // 4 - 1) for quarter in range(1, 5))}):
            one = samples[at]
            line = f"{one.memory_kib:9,} KiB, {one.files} files, {one.threads} threads"
            print(f"{name:8} after {one.requests:9,} requests: {line}")


if __name__ == "__main__":
    sys.exit(main())
