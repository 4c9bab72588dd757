"""Judges of one stream: real workers of role ``judge`` with one store on PostgreSQL, which empty a stream on Redis."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benches.copies.pairs import pairs
from benches.memory.__main__ import Shadow
from shadowlane.config import OffloadConfig
from shadowlane.offload import Forwarded, encode, open_stream
from shadowlane.offload.stream import Stream

from .servers import cpu_s, until

__all__ = ["measure", "records"]

_ROOT = Path(__file__).parents[2]
_SOURCE = "bench/lane/0"
_AT_A_TIME = 250


def records(count: int) -> tuple[list[Forwarded], Shadow]:
    """Copies as a forwarding host publishes them, and a shadow that answers them."""
    drawn = [pair for pair, _ in zip(pairs(), range(count), strict=False)]
    return [encode(pair.copy) for pair in drawn], Shadow(drawn[0].outcome.body)


def measure(
    redis: str, postgres: str, name: str, judges: int, shadow: str, copies: list[Forwarded], warm: int
) -> dict[str, float]:
    """``judges`` of them judge all ``copies``; the first ``warm`` are not counted. Copies a second over all, and
    microseconds of processor a copy in the judges."""
    offload: dict[str, Any] = {"url": redis, "stream": f"shadowlane:{name}"}
    processes: list[subprocess.Popen[bytes]] = []
    stream = open_stream(OffloadConfig(**offload), consumer="bench")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        try:
            for number in range(judges):
                config = _config(Path(folder), number, shadow, offload, postgres, name)
                processes.append(_start(config, Path(folder) / f"state-{number}"))
            until(lambda: stream.state().judges == judges, f"{judges} judges")
            stream.join(_SOURCE, 0)
            _publish(stream, copies[:warm])
            until(lambda: stream.state().total.judged == warm, "the first copies")
            before, begun = sum(cpu_s(one.pid) for one in processes), time.monotonic()
            _publish(stream, copies[warm:])
            until(lambda: stream.state().total.judged == len(copies), "all copies")
            seconds, count = time.monotonic() - begun, len(copies) - warm
            spent = sum(cpu_s(one.pid) for one in processes) - before
        finally:
            for one in processes:
                one.terminate()
            for one in processes:
                one.wait(120)
            stream.close()
    return {"copies_s": count / seconds, "judge_us": 1e6 * spent / count}


def _config(folder: Path, number: int, shadow: str, offload: dict[str, Any], postgres: str, schema: str) -> Path:
    plain = {
        "lane": {"name": f"judge-{number}", "directory": str(folder / f"lane-{number}"), "worker": "external"},
        "limits": {"qps": 1e6, "burst": 1_000_000},
        "routes": {"presets": ["openai"]},
        "store": {"url": postgres, "schema": schema},
        "shadows": {"candidate": {"url": shadow}},
        "worker": {"role": "judge"},
        "offload": offload,
    }
    path = folder / f"judge-{number}.json"
    path.write_text(json.dumps(plain))
    return path


def _start(config: Path, state: Path) -> subprocess.Popen[bytes]:
    state.mkdir()
    environment = os.environ | {"PYTHONPATH": str(_ROOT / "python"), "XDG_STATE_HOME": str(state)}
    command = [sys.executable, "-m", "shadowlane", "worker", "--config", str(config)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)


def _publish(stream: Stream, copies: list[Forwarded]) -> None:
    for at in range(0, len(copies), _AT_A_TIME):
        some = copies[at : at + _AT_A_TIME]
        if stream.publish(_SOURCE, some, []) != len(some):
            raise RuntimeError("the stream is full")
