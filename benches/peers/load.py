"""Load in pairs of blocks, mirroring on and off: at a fixed rate, and as fast as the gateway answers."""

from __future__ import annotations

import asyncio
import itertools
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shadowlane.demo.load import poisson_offsets, run_open_loop

from ..overhead.client import Client
from .processes import cpu_seconds

if TYPE_CHECKING:
    from .peers import Arm, Peer

__all__ = ["NUMBER", "Block", "paced", "saturated"]

NUMBER = "73000000"
"""Stands in a body for the number of the request: as many digits."""
_IDLE_S = 0.7
"""After a block, so that what a mirror still works off is counted where it belongs."""


class NumberedClient(Client):
    """A client whose every request has a number of its own."""

    def __init__(self, url: str, path: str, body: bytes) -> None:
        super().__init__(url, path, body)
        self._whole = self._request
        self._numbers = itertools.count(int(NUMBER))

    def __getattribute__(self, name: str) -> object:
        if name == "_request" and "_numbers" in super().__getattribute__("__dict__"):
            return self._whole.replace(NUMBER.encode(), b"%d" % next(self._numbers), 1)
        return super().__getattribute__(name)


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
    """
    pairs = max(2, int(seconds / 2 / max(1.0, min(3.0, seconds / 4))))
    block_s = seconds / 2 / pairs

    async def run() -> tuple[list[tuple[Block, Block]], int]:
        clients = {on: _client(peer, peer.on if on else peer.off) for on in (True, False)}
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


def _client(peer: Peer, arm: Arm) -> NumberedClient:
    return NumberedClient(f"http://127.0.0.1:{peer.server.port}", arm.path, arm.body)


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
    await asyncio.sleep(_IDLE_S)
    return Block(len(offsets), failed, cpu_seconds(peer.pids) - before, latencies)


_SCRIPT = """\
local n = {number}
request = function()
  n = n + 1
  local body = string.gsub([==[{body}]==], "{number}", tostring(n), 1)
  return wrk.format("POST", "{path}", {{["content-type"] = "application/json"}}, body)
end
"""


def saturated(
    peer: Peer, folder: Path, *, seconds: float, pairs: int, connections: int, rng: np.random.Generator
) -> list[float]:
    """Throughput with mirroring on over that with it off, for each pair of blocks; needs ``wrk``.

    Raises RuntimeError when wrk is not installed or says nothing.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise RuntimeError("wrk is not installed: apt-get install wrk")
    ratios = []
    for pair in range(pairs + 1):
        made: dict[bool, float] = {}
        for on in (True, False) if rng.integers(2) else (False, True):
            arm = peer.on if on else peer.off
            script = folder / "load.lua"
            script.write_text(_SCRIPT.format(number=NUMBER, body=arm.body.decode(), path=arm.path))
            peer.turn(on)
            command = [
                wrk,
                "-t1",
                f"-c{connections}",
                "--timeout",
                "20s",
                f"-d{max(1, round(seconds))}s",
                "-s",
                str(script),
            ]
            url = f"http://127.0.0.1:{peer.server.port}{arm.path}"
            out = subprocess.run([*command, url], capture_output=True, text=True, check=False).stdout
            found = re.search(r"Requests/sec:\s*([0-9.]+)", out)
            if found is None:
                raise RuntimeError(f"wrk said no rate: {out[-300:]}")
            made[on] = float(found[1])
            if not made[on]:
                raise RuntimeError(f"{peer.name}: no request was answered in {seconds:g} s")
            time.sleep(_IDLE_S)
        if pair:  # the first pair warms up
            ratios.append(made[True] / made[False])
    return ratios
