"""What sending costs: processor time a copy over each transport, in turns, within one process.

``python -m benches.transport`` sends the same chat request to an nginx that answers with JSON, over the core's own
transport and over aiohttp, one at a time and sixteen at a time, on the worker's event loop. Each round measures both in
random order, as processor time of this process with all its threads; the server's is not in it. A ratio is the median
over the rounds of native over aiohttp, with a bootstrap 95 % interval over the rounds. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import uvloop

from shadowlane.config import ShadowConfig
from shadowlane.transport import Transport, open_transport
from shadowlane.types import Copy

from ..overhead.run import machine
from ..peers.servers import start_target

_BOOTSTRAPS = 2000
_SIDES = ("native", "aiohttp")


def _copy() -> Copy:
    messages = [{"role": "user", "content": "How long may a bicycle be lent? " * 28}]
    body = json.dumps({"model": "m", "messages": messages}).encode()
    headers = [("content-type", "application/json"), ("accept", "application/json"), ("user-agent", "OpenAI/Python")]
    headers += [("accept-encoding", "gzip, deflate"), ("x-stainless-lang", "python"), ("x-request-id", "req_0123")]
    return Copy(
        shadow_id="0190a8f0-0000-7000-8000-000000000001",
        req_hash="00112233445566778899aabbccddeeff",
        started_ns=1,
        method="POST",
        target="/v1/chat/completions",
        headers=tuple((name.encode(), value.encode()) for name, value in headers),
        body=body,
        status=200,
        response_headers=(),
        response_body=b"{}",
        ttfb_ns=1,
        duration_ns=1,
        preset="openai",
    )


def _answer() -> str:
    message = {"role": "assistant", "content": "For fourteen days, and once again. " * 23}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({"id": "chatcmpl-1", "object": "chat.completion", "model": "m", "choices": [choice]})


async def _send(transport: Transport, copy: Copy, copies: int, at_once: int) -> float:
    """Processor time a copy, in microseconds."""
    left = iter(range(copies))

    async def sender() -> None:
        for _ in left:
            outcome = await transport.send(copy)
            if outcome.reason or outcome.status != 200:
                raise RuntimeError(f"{outcome.reason} {outcome.status} {outcome.detail}")

    began = time.process_time_ns()
    await asyncio.gather(*(sender() for _ in range(at_once)))
    return (time.process_time_ns() - began) / 1e3 / copies


async def _measure(url: str, at_once: int, options: argparse.Namespace) -> str:
    rng, copy = np.random.default_rng(), _copy()
    shadows = [ShadowConfig(url=url, transport=side, concurrency=at_once) for side in _SIDES]
    transports = [open_transport(side, shadow, None) for side, shadow in zip(_SIDES, shadows, strict=True)]
    times = np.empty((options.rounds, len(_SIDES)))
    try:
        for transport in transports:
            await _send(transport, copy, options.copies, at_once)
        for row in times:
            for side in rng.permutation(len(_SIDES)):
                row[side] = await _send(transports[side], copy, options.copies, at_once)
    finally:
        for transport in transports:
            await transport.close()
    ratios = times[:, 0] / times[:, 1]
    picks = rng.integers(0, options.rounds, (_BOOTSTRAPS, options.rounds))
    low, high = np.percentile(np.median(ratios[picks], axis=1), (2.5, 97.5))
    native, other = np.median(times, axis=0)
    at = f"1 KiB + 1 KiB, {at_once} at a time"
    return f"{at:<30}{native:>9.0f} µs{other:>9.0f} µs{np.median(ratios):>9.3f}  {low:.3f} to {high:.3f}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benches.transport", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--copies", type=int, default=500, help="a round")
    options = parser.parse_args()
    print(f"{machine()}, {options.rounds} rounds of {options.copies} copies\n")
    print(f"{'':<30}{_SIDES[0]:>12}{_SIDES[1]:>12}{'ratio':>9}  95 % interval")
    with tempfile.TemporaryDirectory() as folder:
        server = start_target(Path(folder), "shadow", _answer())
        try:
            for at_once in (1, 16):
                print(uvloop.run(_measure(f"http://127.0.0.1:{server.port}", at_once, options)), flush=True)
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
