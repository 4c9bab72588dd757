"""Load in pairs of blocks, mirroring on and off: at a fixed rate, and as fast as the gateway answers."""

from __future__ import annotations

import asyncio
import itertools
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shadowlane.demo.load import poisson_offsets, run_open_loop

from ..overhead.client import Client
from .processes import cpu_seconds
from .rest import come_to_rest

if TYPE_CHECKING:
    from .peers import Arm, Peer

__all__ = ["NUMBER", "Block", "NumberedClient", "paced", "said_by_wrk", "saturated"]

NUMBER = "73000000"
"""Stands in a body for the number of the request: as many digits."""
_FIRST = int(NUMBER)


class NumberedClient(Client):
    """A client whose every request has a number of its own, from ``numbers``."""

    def __init__(self, url: str, path: str, body: bytes, numbers: Iterator[int]) -> None:
        super().__init__(url, path, body)
        self._numbers = numbers

    def _next_request(self) -> bytes:
        return self._request.replace(NUMBER.encode(), b"%d" % next(self._numbers), 1)


@dataclass(frozen=True)
class Block:
    """What one block took."""

    requests: int
    failed: int
    cpu_s: float
    latencies_s: NDArray[np.float64]


def paced(
    peer: Peer, *, rate: float, seconds: float, rng: np.random.Generator
) -> tuple[list[tuple[Block, Block]], int]:
    """Pairs of blocks (on, off) at ``rate`` requests a second (Poisson), in an order by lot; and how many requests
    were to be mirrored, those before the first block included.

    Raises RuntimeError when the peer does not come to rest after a block.
    """
    pairs = max(2, int(seconds / 2 / max(1.0, min(3.0, seconds / 4))))
    block_s = seconds / 2 / pairs

    async def run() -> tuple[list[tuple[Block, Block]], int]:
        numbers = itertools.count(_FIRST)
        clients = {on: _client(peer, peer.on if on else peer.off, numbers) for on in (True, False)}
        found = []
        try:
            sent = (await _block(peer, clients[True], True, rate, 1.0, rng)).requests
            await _block(peer, clients[False], False, rate, 1.0, rng)
            for _ in range(pairs):
                order = (True, False) if rng.integers(2) else (False, True)
                made = {on: await _block(peer, clients[on], on, rate, block_s, rng) for on in order}
                found.append((made[True], made[False]))
                sent += made[True].requests
        finally:
            for client in clients.values():
                client.close()
        return found, sent

    return asyncio.run(run())


def _client(peer: Peer, arm: Arm, numbers: Iterator[int]) -> NumberedClient:
    return NumberedClient(f"http://127.0.0.1:{peer.server.port}", arm.path, arm.body, numbers)


async def _block(
    peer: Peer, client: NumberedClient, on: bool, rate: float, seconds: float, rng: np.random.Generator
) -> Block:
    peer.turn(on)
    offsets = poisson_offsets(seconds, rate, rng)
    latencies = np.zeros(len(offsets))
    failed = 0

    async def fire(place: int, due: float) -> None:
        nonlocal failed
        status = await client.post()
        latencies[place] = time.perf_counter() - due
        failed += status != 200

    before = cpu_seconds(peer.pids)
    await run_open_loop(offsets, fire)
    await asyncio.to_thread(come_to_rest, peer)  # what a mirror still works off is counted where it belongs
    return Block(len(offsets), failed, cpu_seconds(peer.pids) - before, latencies)


_SCRIPT = """\
local n = {first}
request = function()
  n = n + 1
  local body = string.gsub([==[{body}]==], "{number}", tostring(n), 1)
  return wrk.format("POST", "{path}", {{["content-type"] = "application/json"}}, body)
end
"""
_SATURATED_FIRST = _FIRST + 10_000_000
"""Where the numbers of the saturated blocks begin: behind all that paced ones use."""


def saturated(
    peer: Peer, folder: Path, *, seconds: float, pairs: int, connections: int, rng: np.random.Generator
) -> list[float]:
    """Throughput with mirroring on over that with it off, for each pair of blocks; needs ``wrk``.

    Raises RuntimeError when wrk is not installed or says nothing, when a request failed, and when the peer does not
    come to rest after a block.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise RuntimeError("wrk is not installed: apt-get install wrk")
    command = [wrk, "-t1", f"-c{connections}", "--timeout", "20s", f"-d{max(1, round(seconds))}s", "-s"]
    ratios = []
    first = _SATURATED_FIRST
    for pair in range(pairs + 1):
        made: dict[bool, float] = {}
        for on in (True, False) if rng.integers(2) else (False, True):
            arm = peer.on if on else peer.off
            script = folder / "load.lua"
            script.write_text(_SCRIPT.format(first=first, number=NUMBER, body=arm.body.decode(), path=arm.path))
            peer.turn(on)
            url = f"http://127.0.0.1:{peer.server.port}{arm.path}"
            out = subprocess.run([*command, str(script), url], capture_output=True, text=True, check=False).stdout
            made[on], answered = said_by_wrk(out)
            first += answered + connections  # each connection may have one more on its way at the end
            come_to_rest(peer)
        if pair:  # the first pair warms up
            ratios.append(made[True] / made[False])
    return ratios


def said_by_wrk(out: str) -> tuple[float, int]:
    """Requests a second and requests in all, of what wrk printed.

    Raises RuntimeError when it names no rate, no answer, or one that failed.
    """
    rate, count = re.search(r"Requests/sec:\s*([0-9.]+)", out), re.search(r"(\d+) requests in ", out)
    if rate is None or count is None:
        raise RuntimeError(f"wrk said no rate: {out[-300:]}")
    failed = re.findall(r"(?:Non-2xx or 3xx responses|Socket errors): .*", out)
    if failed:
        raise RuntimeError(f"wrk: {'; '.join(map(str.strip, failed))}, of {count[1]} requests")
    if not float(rate[1]):
        raise RuntimeError("wrk: no request was answered")
    return float(rate[1]), int(count[1])
