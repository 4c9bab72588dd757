"""``python -m benches.peers [--only NAMES] [--seconds 40] [--rate 200] [--json FILE]``: mirrors beside each other.

Each gateway runs with the same upstream and the same shadow (nginx, which answers at once), its mirroring on and off
in blocks whose order is drawn by lot, in one process. Printed for each: processor time that a mirrored request adds
over all processes of the gateway (ours: with the worker, which redacts, reads, compares and stores), the latencies'
ratios, the throughput that is kept when the gateway is saturated (wrk), and the copies that reached the shadow of those
that should have.

Intervals are 95 %, from a bootstrap over pairs of blocks. Everything shares this machine's cores, so that a mirror's
own work shows in the latencies too. A peer that is not installed is left out with its reason.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..overhead.bootstrap import percentile_ratio
from ..overhead.run import machine
from .load import Block, paced, saturated
from .peers import PEERS, Peer
from .processes import Server
from .servers import received, start_target

_WORDS = "The lamp on the dock turns white when ride $request_id has ended. "
_ANSWER = json.dumps({"answer": _WORDS * 10})
_CHOICE = {"index": 0, "message": {"role": "assistant", "content": _WORDS * 10}, "finish_reason": "stop"}
_USAGE = {"prompt_tokens": 200, "completion_tokens": 160, "total_tokens": 360}
_CHAT = json.dumps(
    {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [_CHOICE], "usage": _USAGE}
)


_QUIET_S = 5.0
_LOOK_S = 0.1


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benches.peers", description=__doc__)
    parser.add_argument("--only", default=",".join(PEERS), help="names, with commas between them")
    parser.add_argument("--seconds", type=float, default=40.0, help="paced load for each gateway")
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second; LiteLLM gets a fifth")
    parser.add_argument("--saturate", type=float, default=3.0, help="seconds of a saturated block; 0 leaves them out")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of saturated blocks")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args(arguments)
    names = [name.strip() for name in options.only.split(",")]
    for name in names:
        if name not in PEERS:
            parser.error(f"--only: {name!r} is none of {', '.join(PEERS)}")
    rng = np.random.default_rng(options.seed)
    rows = []
    print(f"{machine()}\n")
    for name in names:
        with tempfile.TemporaryDirectory(prefix="shadowlane-peers-") as folder:
            row = measure(name, Path(folder), options, rng)
        rows.append(row)
        print(line(row), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "peers": rows}, indent=2) + "\n")
    return 0


def measure(name: str, folder: Path, options: argparse.Namespace, rng: np.random.Generator) -> dict[str, Any]:
    """One gateway's figures, or the reason why there are none."""
    answer = _CHAT if name.startswith("litellm") else _ANSWER
    servers: list[Server] = []
    try:
        upstream, shadow = (start_target(folder, target, answer) for target in ("upstream", "shadow"))
        servers += [upstream, shadow]
        peer = PEERS[name](folder, upstream.port, shadow.port)
        servers += [peer.server, *([peer.beside] if peer.beside else [])]
        rate = options.rate / 5 if name.startswith("litellm") else options.rate
        before = received(shadow)
        pairs, wanted = paced(peer, rate=rate, seconds=options.seconds, rng=rng)
        row = figures(peer, pairs, rng) | {"rate": rate, "wanted": wanted}
        row["received"] = settled(shadow, before, wanted)
        return row | throughput(peer, folder, options, rng) if options.saturate else row
    except (RuntimeError, ImportError) as error:
        return {"name": name, "skipped": _last_line(error)}
    finally:
        for server in reversed(servers):
            server.stop()


def throughput(peer: Peer, folder: Path, options: argparse.Namespace, rng: np.random.Generator) -> dict[str, Any]:
    """What mirroring leaves of a saturated gateway's throughput, or the reason why that is not measured."""
    connections = 8 if peer.name.startswith("LiteLLM") else 32
    try:
        kept = saturated(peer, folder, seconds=options.saturate, pairs=options.pairs, connections=connections, rng=rng)
    except RuntimeError as error:
        return {"throughput_skipped": _last_line(error)}
    return {"throughput_kept": interval(np.asarray(kept), rng), "lost_said": peer.lost()}


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:300]


def settled(shadow: Server, before: int, wanted: int) -> int:
    """What the shadow has received, once that is all, or no more came for a while."""
    seen, changed = received(shadow) - before, time.monotonic()
    while seen < wanted and time.monotonic() - changed < _QUIET_S:
        time.sleep(_LOOK_S)
        if (now := received(shadow) - before) != seen:
            seen, changed = now, time.monotonic()
    return seen


def figures(peer: Peer, pairs: Sequence[tuple[Block, Block]], rng: np.random.Generator) -> dict[str, Any]:
    """What a mirrored request adds, from pairs of blocks."""
    added = np.asarray([(on.cpu_s / on.requests - off.cpu_s / off.requests) * 1e6 for on, off in pairs])
    off_us = float(np.mean([off.cpu_s / off.requests for _, off in pairs])) * 1e6
    latencies = [(on.latencies_s, off.latencies_s) for on, off in pairs]
    return {
        "name": peer.name,
        "added_us": interval(added, rng),
        "plain_us": off_us,
        "p50": percentile_ratio(latencies, 50, rng=rng)._asdict(),
        "p99": percentile_ratio(latencies, 99, rng=rng)._asdict(),
        "failed": sum(on.failed + off.failed for on, off in pairs),
    }


def interval(values: np.ndarray[Any, np.dtype[np.float64]], rng: np.random.Generator) -> dict[str, float]:
    """A mean with the bounds of its 95 % bootstrap interval."""
    draws = rng.choice(values, size=(2000, len(values))).mean(axis=1)
    low, high = np.percentile(draws, [2.5, 97.5]).tolist()
    return {"mean": float(values.mean()), "low": low, "high": high}


def line(row: dict[str, Any]) -> str:
    """One gateway on one line or two."""
    if "skipped" in row:
        return f"{row['name']:24} not measured: {row['skipped']}"

    def ratio(name: str) -> str:
        return f"{name.upper()} {row[name]['ratio']:.3f} ({row[name]['low']:.3f} to {row[name]['high']:.3f})"

    added = row["added_us"]
    text = f"{row['name']:24} +{added['mean']:7.0f} us ({added['low']:.0f} to {added['high']:.0f})"
    text += f" beside {row['plain_us']:.0f}"
    text += f"; {ratio('p50')}, {ratio('p99')} at {row['rate']:g}/s; shadow got {row['received']} of {row['wanted']}"
    if row["failed"]:
        text += f"; {row['failed']} requests FAILED"
    if "throughput_skipped" in row:
        text += f"\n{'':24} throughput not measured: {row['throughput_skipped']}"
    if "throughput_kept" in row:
        kept = row["throughput_kept"]
        text += f"\n{'':24} throughput kept {kept['mean']:.3f} ({kept['low']:.3f} to {kept['high']:.3f})"
        said = row.get("lost_said")
        text += ", keeps no count of what it drops" if said is None else f", says that it dropped {said} in all"
    return text


if __name__ == "__main__":
    sys.exit(main())
