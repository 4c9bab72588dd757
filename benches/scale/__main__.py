"""``python -m benches.scale [--copies 8000] [--rate 200] [--against FOLDER]``: what a copy costs a whole worker.

One real worker empties the ring of one lane; the shadows answer from a process of their own. Copies are the chats of
:mod:`benches.copies.pairs`. The first quarter fills caches and groups; over the rest is counted what the kernel says of
the worker's process, all threads included (``/proc/PID/stat``), a copy. Printed are microseconds of processor time a
copy, the gateway's own part (the thread time of admit and offer), and bytes a row with bodies.

Copies come as fast as the ring has room, in full batches; with ``--rate``, so many a second, in the small batches of a
quiet lane. ``--against``: the ``python`` folder of another checkout with its extension; ``--rounds`` of both alternate
by lot, and the ratio has a 95 % interval from a bootstrap over the rounds. ``--awake`` takes the worker's low priority
away, for a machine where others leave it no processor time. Linux alone. Nothing here asserts.
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

import numpy as np

from benches.copies.__main__ import show
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
    parser.add_argument("--rate", type=float, default=0.0, help="copies a second; 0: as many as the ring takes")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--against", type=Path, help="the python folder of another checkout")
    parser.add_argument("--awake", action="store_true", help="at the priority of others")
    parser.add_argument("--serve-shadow", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--one", action="store_true", help="one round in this process, as JSON")
    options = parser.parse_args()
    if options.serve_shadow:
        _serve()
        return 0
    if options.copies < 100 or options.shadows < 1:
        parser.error("--copies: at least 100; --shadows: at least 1")
    if options.one:
        print(json.dumps(measure(options)))
        return 0
    here = _ROOT / "python"
    folders = [here] + ([options.against] if options.against else [])
    found: dict[Path, list[dict[str, float]]] = {folder: [] for folder in folders}
    rng = np.random.default_rng(1)
    for _ in range(options.rounds):
        for place in rng.permutation(len(folders)):
            found[folders[int(place)]].append(_round(folders[int(place)], options))
    show(list(found.values()), rng)
    return 0


def _round(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, "-m", "benches.scale", "--one", "--copies", str(options.copies)]
    command += ["--embedder", options.embedder, "--shadows", str(options.shadows), "--rate", str(options.rate)]
    command += ["--awake"] if options.awake else []
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{_ROOT}"}
    done = subprocess.run(command, env=environment, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True)
    made: dict[str, float] = json.loads(done.stdout)
    return made


def _serve() -> None:
    """One answer of about 700 characters to everybody, until standard input ends."""
    answer = next(pairs(seed=9)).outcome.body
    text = json.loads(answer)["choices"][0]["message"]["content"]
    body = dict(_ANSWER)
    body["choices"] = [{**_ANSWER["choices"][0], "message": {"role": "assistant", "content": text}}]  # type: ignore[index]
    shadow = Shadow(json.dumps(body).encode())
    print(shadow.url, flush=True)
    sys.stdin.read()


def measure(options: argparse.Namespace) -> dict[str, float]:
    """One round: microseconds of processor time a copy in the worker and in the gateway, and bytes a row."""
    serve = [sys.executable, "-m", "benches.scale", "--serve-shadow"]
    answering = subprocess.Popen(serve, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert answering.stdout is not None
    url = answering.stdout.readline().strip()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory, tempfile.TemporaryDirectory() as disk:
        config = Config.from_dict(
            {
                "lane": {"directory": f"{memory}/lane", "ring_bytes": 64 * _MIB, "worker": "external"},
                "sampling": {"ratio": 1.0},
                "limits": {"qps": 1e6, "burst": 1_000_000},
                "routes": {"presets": ["openai"]},
                "score": {"embedder": options.embedder},
                "store": {"url": f"sqlite:///{disk}/pairs.db"},
                "shadows": {f"s{n}": {"url": url, "timeout_s": 60.0} for n in range(options.shadows)},
            }
        )
        file = Path(disk) / "shadowlane.json"
        file.write_text(json.dumps(config.to_dict()), encoding="utf-8")
        command = [sys.executable, "-m", "shadowlane", "worker", "--config", str(file), "--log-level", "error"]
        with Lane.open(config) as lane:
            worker = subprocess.Popen(command)
            try:
                wait(lambda: bool(_status(config)["worker"]["alive"]), "a worker")
                if options.awake:
                    _wake(worker.pid)
                found = _run(lane, config, worker.pid, options.copies, options.rate)
            finally:
                worker.terminate()
                worker.wait()
        found["bytes a row"] = Path(config.store.path).stat().st_size / (options.copies * options.shadows)
    answering.communicate("")
    return found


def _run(lane: Lane, config: Config, pid: int, copies: int, rate: float) -> dict[str, float]:
    drawn, warm = pairs(), copies // 4
    _offer(lane, config, itertools.islice(drawn, warm), 0.0)
    _settled(config, warm)
    before, begun = _processor_s(pid), time.monotonic()
    ours_ns = _offer(lane, config, itertools.islice(drawn, copies - warm), rate)
    _settled(config, copies)
    n = copies - warm
    found = {"worker, a copy": 1e6 * (_processor_s(pid) - before) / n, "gateway, a copy": ours_ns / n / 1e3}
    return found | {"on the clock": 1e6 * (time.monotonic() - begun) / n}


def _offer(lane: Lane, config: Config, some: itertools.islice[Pair], rate: float) -> int:
    """Offer them as fast as the ring has room, or ``rate`` a second; the thread time of the lane's calls, in ns."""
    spent = 0
    begun_at = time.monotonic()
    for number, pair in enumerate(some):
        copy = pair.copy
        if rate:
            time.sleep(max(0.0, begun_at + number / rate - time.monotonic()))
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


def _wake(pid: int) -> None:
    """What the worker has done to its threads' priority undone; those that it starts later are like them."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setscheduler(int(task.name), os.SCHED_OTHER, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, int(task.name), 0)


def _processor_s(pid: int) -> float:
    """User and system time of a process, all threads, in seconds (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
