"""One cell measured: gateway, worker and shadow start, the load runs, everything ends.

Invariant: both arms share one process and every condition but the switch, which turns mirroring on and off in blocks by
lot; every process is ended by its own id, and so is the worker, which the gateway started.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shadowlane import LaneError, _core, load_config
from shadowlane.demo.load import run_open_loop
from shadowlane.demo.processes import Child, DemoError, end_by_force, start, wait_for_exit
from shadowlane.status.overhead import overhead

from .arrivals import offsets
from .blocks import Block, draw_blocks, paired_latencies
from .bootstrap import percentile_ratio
from .cells import Cell
from .client import Client

__all__ = ["PERCENTS", "ROOT", "Plan", "measure", "running"]

ROOT = Path(__file__).resolve().parents[2]
PERCENTS = (50, 95, 99)
_LATE_S = 0.001
_SLOW_MS = 10_000

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


@dataclass(frozen=True)
class Plan:
    """How long and how fast, for every cell."""

    seconds: float = 60.0
    rate: float = 100.0
    block: float = 1.5
    discard: float = 0.2
    warm_up: float = 3.0


@dataclass
class _Sent:
    """What became of the requests, by their number."""

    latencies: list[float]
    lags: list[float]
    """Seconds from due to sent: the generator's own delay, which is in the latency."""
    failures: int = 0


def question(kib: int) -> bytes:
    """A request of about ``kib`` KiB."""
    sentence = "How do I know that my ride has ended? "
    return json.dumps({"question": sentence * (kib * 1024 // len(sentence))}).encode()


@contextlib.contextmanager
def running(cell: Cell, work: Path) -> Iterator[tuple[Child, Path]]:
    """The gateway that a cell wants, its worker and its shadow, as long as this lasts; and the lane's directory.

    Raises DemoError when something does not come up.
    """
    children: list[Child] = []
    lane = work / "lane"
    lane.mkdir(mode=0o700)
    with _shadow(cell, work, children) as url:
        try:
            config = work / "shadowlane.toml"
            config.write_text(CONFIG.format(lane=lane, ratio=cell.ratio, shadow=url))
            load_config(config)
            gateway = start("gateway", "benches.overhead.gateway", _arguments(cell, config), work / "log", folder=ROOT)
            children.append(gateway)
            gateway.wait_until_up(60)
            worker = _wait_for_worker(lane)
            yield gateway, lane
            for child in children:
                child.check()
            if (now := _worker(lane)) != worker:
                said = (lane / "worker.log").read_text(errors="replace").strip().splitlines()[-1:]
                raise DemoError(f"the worker {worker} ended during the run ({now or 'none'} now): {''.join(said)}")
        finally:
            _end(children, lane, patient=cell.shadow == "healthy")


def measure(cell: Cell, plan: Plan, work: Path, rng: np.random.Generator) -> dict[str, Any]:
    """A cell's figures. Raises DemoError when something does not come up, or a request fails."""
    blocks = draw_blocks(plan.seconds, plan.block, rng)
    due = offsets(cell.arrivals, blocks[-1].stop, plan.rate, rng)
    with running(cell, work) as (gateway, lane):
        sent = _load(gateway.url, lane, blocks, due, cell, plan)
        status, times = _core.lane_status(str(lane)), _core.lane_times(str(lane))
    if sent.failures:
        raise DemoError(f"{sent.failures} of {len(due)} requests failed; the run measures nothing")
    pairs = paired_latencies(blocks, due, sent.latencies, discard_s=plan.discard)
    if any(arm.size == 0 for pair in pairs for arm in pair):
        raise DemoError("a block without a request: ask for longer blocks or a higher rate")
    on, off = (np.concatenate([pair[arm] for pair in pairs]) * 1e3 for arm in (0, 1))
    own = overhead(times, status)
    return {
        "pairs": len(pairs),
        "on": _arm(on),
        "off": _arm(off),
        "ratios": {f"p{percent}": percentile_ratio(pairs, percent, rng=rng)._asdict() for percent in PERCENTS},
        "generator": _generator(sent.lags),
        "status": own["all"] if own["randomized"] else None,
        "lane": {name: status[name] for name in ("seen", "mirrored", "dropped")},
    }


def _arguments(cell: Cell, config: Path) -> list[str]:
    return [
        *("--config", str(config), "--kib", str(cell.kib), "--answer", cell.answer),
        *("--upstream-ms", str(cell.upstream_ms), "--server", cell.server),
    ]


@contextlib.contextmanager
def _shadow(cell: Cell, work: Path, children: list[Child]) -> Iterator[str]:
    """The shadow's URL; it is there as long as this lasts."""
    if cell.shadow in ("healthy", "slow"):
        delay = cell.upstream_ms if cell.shadow == "healthy" else _SLOW_MS
        arguments = ["--kib", str(cell.kib), "--answer", cell.answer, "--upstream-ms", str(delay)]
        child = start("shadow", "benches.overhead.gateway", arguments, work / "shadow.log", folder=ROOT)
        children.append(child)
        try:
            child.wait_until_up(60)
        except BaseException:
            child.stop()
            raise
        yield child.url
        return
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        if cell.shadow == "dead":
            held.listen(128)
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


def _load(url: str, lane: Path, blocks: list[Block], due: list[float], cell: Cell, plan: Plan) -> _Sent:
    gc.collect()
    gc.freeze()
    gc.disable()  # a collection in the client would be measured as a latency of the gateway
    try:
        return asyncio.run(_send(Client(url, "/ask", question(cell.kib)), lane, blocks, due, cell, plan))
    finally:
        gc.enable()
        gc.unfreeze()


async def _send(client: Client, lane: Path, blocks: list[Block], due: list[float], cell: Cell, plan: Plan) -> _Sent:
    sent = _Sent([0.0] * len(due), [0.0] * len(due))

    async def warm(_: int, __: float) -> None:
        await client.post()

    async def fire(number: int, at: float) -> None:
        sent.lags[number] = time.perf_counter() - at
        status = await client.post()
        sent.latencies[number] = time.perf_counter() - at
        sent.failures += status != 200

    async def turn(number: int, _: float) -> None:
        _core.set_enabled(str(lane), blocks[number].on and not cell.same)

    try:
        await run_open_loop([number / plan.rate for number in range(int(plan.warm_up * plan.rate))], warm)
        await asyncio.gather(run_open_loop([block.start for block in blocks], turn), run_open_loop(due, fire))
        _core.set_enabled(str(lane), True)
    finally:
        client.close()
    return sent


def _generator(lags: list[float]) -> dict[str, float]:
    """How late requests were sent: their latencies hold it, in both arms alike."""
    values = np.asarray(lags)
    return {
        "late_share": round(float((values > _LATE_S).mean()), 5),
        "p99_ms": round(float(np.percentile(values, 99)) * 1e3, 3),
        "max_ms": round(float(values.max()) * 1e3, 3),
    }


def _arm(latencies_ms: np.ndarray[Any, Any]) -> dict[str, float]:
    values = np.percentile(latencies_ms, PERCENTS).tolist()
    return {"count": int(latencies_ms.size)} | {
        f"p{percent}_ms": round(value, 3) for percent, value in zip(PERCENTS, values, strict=True)
    }


def _wait_for_worker(lane: Path) -> int:
    deadline = time.monotonic() + 60
    while not (worker := _worker(lane)):
        if time.monotonic() > deadline:
            log = lane / "worker.log"
            said = log.read_text(errors="replace")[-2000:] if log.exists() else "it said nothing"
            raise DemoError(f"worker: not up after 60 s: {said}")
        time.sleep(0.1)
    return worker


def _worker(lane: Path) -> int:
    """The process id of a worker that lives, or 0: the lane, too, may only be starting."""
    try:
        worker = _core.lane_status(str(lane))["worker"]
    except LaneError:
        return 0
    return int(worker["pid"]) if worker["alive"] else 0


def _end(children: list[Child], lane: Path, *, patient: bool) -> None:
    """End gateway and shadow, and wait for the worker, which leaves by itself once its copies are answered: of a shadow
    that does not answer, that is not waited for."""
    worker = _worker(lane)
    for child in reversed(children):
        child.stop()
    if worker and not (patient and wait_for_exit(worker, 30)):
        end_by_force(worker)
