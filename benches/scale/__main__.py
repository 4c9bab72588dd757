"""``python -m benches.scale [--copies 8000] [--embedder wordllama] [--shadows 1]``: what a copy costs a whole worker.

One real worker empties the ring of one lane; the shadows answer from a process of their own. Copies are the chats of
:mod:`benches.copies.pairs`. The first quarter fills caches and groups; over the rest is counted what the kernel says of
the worker's process, all threads included (``/proc/PID/stat``), a copy. Printed are microseconds of processor time a
copy, how many copies a second one core carries by that (a division, not a measurement), the gateway's own part (the
thread time of admit and offer), and bytes a row with bodies. Linux alone. Nothing here asserts.
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
from pathlib import Path

from benches.copies.pairs import pairs
from benches.memory.__main__ import Shadow, wait
from shadowlane import Config, _core
from shadowlane.capture.lane import Lane
from shadowlane.types import Pair

_ROOT = Path(__file__).parents[2]
_MIB = 1 << 20
_ROOM = 0.5
"""Offered are no more than fill half of the ring: none may be lost."""
_ANSWER = {
    "object": "chat.completion",
    "model": "model-b",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 120, "completion_tokens": 140, "total_tokens": 260},
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benches.scale", description=__doc__)
    parser.add_argument("--copies", type=int, default=8000)
    parser.add_argument("--embedder", default="wordllama")
    parser.add_argument("--shadows", type=int, default=1)
    parser.add_argument("--serve-shadow", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve_shadow:
        _serve()
        return 0
    if options.copies < 100 or options.shadows < 1:
        parser.error("--copies: at least 100; --shadows: at least 1")
    measure(options.copies, options.embedder, options.shadows)
    return 0


def _serve() -> None:
    """One answer of about 700 characters to everybody, until standard input ends."""
    answer = next(pairs(seed=9)).outcome.body
    text = json.loads(answer)["choices"][0]["message"]["content"]
    body = dict(_ANSWER)
    body["choices"] = [{**_ANSWER["choices"][0], "message": {"role": "assistant", "content": text}}]  # type: ignore[index]
    shadow = Shadow(json.dumps(body).encode())
    print(shadow.url, flush=True)
    sys.stdin.read()


def measure(copies: int, embedder: str, shadows: int) -> None:
    """Run it, and print the figures."""
    environment = os.environ | {"PYTHONPATH": f"{_ROOT / 'python'}{os.pathsep}{_ROOT}"}
    serve = [sys.executable, "-m", "benches.scale", "--serve-shadow"]
    answering = subprocess.Popen(
        serve, env=environment, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert answering.stdout is not None
    url = answering.stdout.readline().strip()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory, tempfile.TemporaryDirectory() as disk:
        config = Config.from_dict(
            {
                "lane": {"directory": f"{memory}/lane", "ring_bytes": 64 * _MIB, "worker": "external"},
                "sampling": {"ratio": 1.0},
                "limits": {"qps": 1e6, "burst": 1_000_000},
                "routes": {"presets": ["openai"]},
                "score": {"embedder": embedder},
                "store": {"url": f"sqlite:///{disk}/pairs.db"},
                "shadows": {f"s{n}": {"url": url, "timeout_s": 60.0} for n in range(shadows)},
            }
        )
        file = Path(disk) / "shadowlane.json"
        file.write_text(json.dumps(config.to_dict()), encoding="utf-8")
        command = [sys.executable, "-m", "shadowlane", "worker", "--config", str(file), "--log-level", "error"]
        with Lane.open(config) as lane:
            worker = subprocess.Popen(command, env=environment)
            try:
                wait(lambda: bool(_status(config)["worker"]["alive"]), "a worker")
                _run(lane, config, worker.pid, copies, shadows)
            finally:
                worker.terminate()
                worker.wait()
        rows = copies * shadows
        print(f"{Path(config.store.path).stat().st_size / rows:10,.0f} bytes a row with bodies, {rows:,} rows")
    answering.communicate("")


def _run(lane: Lane, config: Config, pid: int, copies: int, shadows: int) -> None:
    drawn, warm = pairs(), copies // 4
    _offer(lane, config, itertools.islice(drawn, warm))
    _settled(config, warm)
    before, begun = _processor_s(pid), time.monotonic()
    ours_ns = _offer(lane, config, itertools.islice(drawn, copies - warm))
    _settled(config, copies)
    spent, took = _processor_s(pid) - before, time.monotonic() - begun
    n = copies - warm
    each = spent / n
    print(f"{1e6 * each:10,.0f} µs of processor a copy in the worker, {shadows} shadows ({n:,} copies in {took:.0f} s)")
    print(f"{1 / each:10,.0f} copies a second a core, by division")
    print(f"{ours_ns / n / 1e3:10.1f} µs of processor a copy in the gateway: admit and offer")


def _offer(lane: Lane, config: Config, some: itertools.islice[Pair]) -> int:
    """Offer them as fast as the ring has room; the thread time of the lane's calls, in ns."""
    spent = 0
    for number, pair in enumerate(some):
        copy = pair.copy
        if number % 64 == 0:
            wait(lambda: _fill(config) < _ROOM, "room in the ring")
        begun = time.thread_time_ns()
        ticket = lane.admit("POST", "/v1/chat/completions", list(copy.headers))
        if ticket is not None:
            lane.offer(
                ticket,
                f"/v1/chat/completions?n={copy.shadow_id}",
                list(copy.headers),
                copy.body,
                200,
                list(copy.response_headers),
                copy.response_body,
                10**7,
                0,
            )
        spent += time.thread_time_ns() - begun
    return spent


def _status(config: Config) -> dict[str, object]:
    return _core.lane_status(config.lane.directory)


def _fill(config: Config) -> float:
    return max((ring["used"] / ring["bytes"] for ring in _status(config)["rings"]), default=0.0)  # type: ignore[attr-defined]


def _settled(config: Config, copies: int) -> None:
    wait(lambda: _status(config)["acked"] == copies, f"{copies} copies to be stored")


def _processor_s(pid: int) -> float:
    """User and system time of a process, all threads, in seconds (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
