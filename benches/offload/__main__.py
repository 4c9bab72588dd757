"""``python -m benches.offload [--copies 2000] [--rounds 9]``: the worker's processor time a copy, by role.

Each round starts real workers on lanes of their own, by lot: one of role ``all``, and one that forwards to a real
``redis-server``, whose stream a judge then empties. The copies are those of ``benches.copies`` (chats of about 1 KiB);
the shadow answers on the loopback from this process. Counted is the time of the worker's process (``/proc/PID/stat``)
between its first copies, which are not counted, and the last acknowledgement. Times are medians over the rounds, ratios
to ``all`` have 95 % intervals from a bootstrap over the rounds. Nothing here asserts.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benches.copies.pairs import pairs
from benches.memory.__main__ import Shadow
from shadowlane import Config, _core
from shadowlane.capture.lane import Lane
from shadowlane.config import OffloadConfig
from shadowlane.offload import open_stream
from shadowlane.types import Copy, Pair

_PATIENCE_S = 300.0
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_ROOT = Path(__file__).parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benches.offload", description=__doc__)
    parser.add_argument("--copies", type=int, default=2000, help="counted in each round, after a quarter that is not")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    if shutil.which("redis-server") is None:
        parser.error("redis-server is not installed")
    drawn = list(itertools.islice(pairs(), options.copies + options.copies // 4))
    answer = drawn[0].outcome.body
    shadow, rng = Shadow(answer), np.random.default_rng(1)
    found: dict[str, list[float]] = {"all": [], "forward": [], "judge": [], "redis-server": []}
    for number in range(options.rounds):
        for role in rng.permutation(["all", "forward"]):
            with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
                measure = _all if role == "all" else _offloaded
                for name, spent in measure(Path(folder), shadow.url, drawn, options.copies).items():
                    found[name].append(spent)
        print(f"round {number + 1}: " + ", ".join(f"{name} {some[-1]:.0f} µs" for name, some in found.items()))
    show(found, rng)
    return 0


def show(found: dict[str, list[float]], rng: np.random.Generator) -> None:
    """A line a role."""
    whole = np.array(found["all"])
    for name, some in found.items():
        values = np.array(some)
        ours, theirs = (rng.choice(side, (4000, len(side))) for side in (values, whole))
        low, high = np.percentile(np.median(ours, axis=1) / np.median(theirs, axis=1), [2.5, 97.5])
        ratio = f"{np.median(values) / np.median(whole):.2f} ({low:.2f} to {high:.2f}) of all"
        print(f"{name:14}{np.median(values):8.0f} µs a copy   {ratio if name != 'all' else ''}", flush=True)


def _all(folder: Path, shadow: str, drawn: list[Pair], count: int) -> dict[str, float]:
    return {"all": _worked(folder, "all", shadow, {}, drawn, count)}


def _offloaded(folder: Path, shadow: str, drawn: list[Pair], count: int) -> dict[str, float]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = subprocess.Popen([*command, "--appendonly", "yes"], stdout=subprocess.DEVNULL)
    offload = {"url": f"redis://127.0.0.1:{port}"}
    try:
        _until(lambda: _listens(port), "redis-server")
        forward = _worked(folder, "forward", shadow, offload, drawn, count)
        judge = _judged(folder, shadow, offload, drawn, count)
        return {"forward": forward, "judge": judge, "redis-server": 1e6 * _cpu_s(server.pid) / len(drawn)}
    finally:
        server.terminate()
        server.wait(60)


def _config(folder: Path, role: str, shadow: str, offload: dict[str, Any]) -> Path:
    plain = {
        "lane": {"directory": str(folder / f"lane-{role}"), "worker": "external", "ring_bytes": 1 << 26},
        "sampling": {"ratio": 1.0},
        "limits": {"qps": 1e6, "burst": 1_000_000},
        "routes": {"presets": ["openai"]},
        "store": {"url": f"sqlite:///{folder / f'{role}.db'}"},
        "shadows": {"candidate": {"url": shadow}},
        "worker": {"role": role},
        "offload": offload,
    }
    path = folder / f"{role}.json"
    path.write_text(json.dumps(plain))
    return path


def _start(config: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(_ROOT / "python")}
    command = [sys.executable, "-m", "shadowlane", "worker", "--config", str(config)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)


def _worked(folder: Path, role: str, shadow: str, offload: dict[str, Any], drawn: list[Pair], count: int) -> float:
    """Microseconds a copy of a worker whose rings a gateway fills."""
    path = _config(folder, role, shadow, offload)
    config = Config.from_dict(json.loads(path.read_text()))
    with Lane.open(config) as lane:
        worker = _start(path)
        try:
            acked = lambda: _core.lane_status(str(config.lane.directory))["acked"]  # noqa: E731
            _offer(lane, [pair.copy for pair in drawn[count:]])
            _until(lambda: acked() == len(drawn) - count, f"{role}: the first copies")
            before = _cpu_s(worker.pid)
            _offer(lane, [pair.copy for pair in drawn[:count]])
            _until(lambda: acked() == len(drawn), f"{role}: all copies")
            return 1e6 * (_cpu_s(worker.pid) - before) / count
        finally:
            worker.terminate()
            worker.wait(60)


def _judged(folder: Path, shadow: str, offload: dict[str, Any], drawn: list[Pair], count: int) -> float:
    """Microseconds a copy of a judge that empties the stream."""
    stream = open_stream(OffloadConfig(**offload), consumer="bench")
    worker = _start(_config(folder, "judge", shadow, offload))
    try:
        _until(lambda: stream.state().total.judged >= len(drawn) - count, "the judge's first copies")
        state, before = stream.state(), _cpu_s(worker.pid)
        _until(lambda: stream.state().total.judged == len(drawn), "the judge's copies")
        return 1e6 * (_cpu_s(worker.pid) - before) / (len(drawn) - state.total.judged)
    finally:
        stream.close()
        worker.terminate()
        worker.wait(60)


def _offer(lane: Lane, copies: list[Copy]) -> None:
    for copy in copies:
        headers = list(copy.headers)
        ticket = lane.admit(copy.method, copy.target, headers)
        answer = (list(copy.response_headers), copy.response_body)
        if ticket is None or not lane.offer(ticket, copy.target, headers, copy.body, 200, *answer, 10**7, 0):
            raise RuntimeError("a copy was not mirrored")


def _cpu_s(pid: int) -> float:
    """Processor time of a process, in seconds (proc(5): fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {_PATIENCE_S:.0f} s for {what}")
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
