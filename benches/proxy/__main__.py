"""``python -m benches.proxy``: what a proxy adds to a request, and takes of the processor: ours, nginx, Envoy.

All stand in front of the same upstream, and are asked in turn over one connection each, in rounds whose order is drawn
by lot: 1 KiB and 64 KiB from a file, twenty server-sent events, each a write of its own, and 1 KiB over HTTP/2 on both
sides. Nothing is mirrored: what that adds is measured by ``benches.overhead``. Added are the P50 and P99 above those of
the bare upstream; processor time is that of all processes of the proxy (``/proc``). Intervals are 95 %, from a
bootstrap over rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..overhead.run import machine
from ..peers.processes import Server, cpu_seconds
from .contestants import events_upstream, files_upstream, proxies
from .links import Http1Link, Http2Link

_DRAWS = 400
_BARE = "bare"
Rounds = list[NDArray[np.float64]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benches.proxy", description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--requests", type=int, default=40, help="of each proxy in a round")
    parser.add_argument("--against", default="", help="python folder of another version of ours: measured, too")
    options = parser.parse_args()
    rng = np.random.default_rng()
    print(f"{machine()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f} when it began\n")
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)

        def kept(server: Server) -> Server:
            stack.callback(server.stop)
            return server

        def behind(upstream: Server, *, http2: bool = False) -> dict[str, Server]:
            found = proxies(folder, upstream.port, options.against, http2=http2)
            for server in found.values():
                kept(server)
            return {_BARE: upstream, **found}

        files = behind(kept(files_upstream(folder, http2=False)))
        streams = behind(kept(events_upstream(folder)))
        two = behind(kept(files_upstream(folder, http2=True)), http2=True)
        for title, servers, path, link in (
            ("1 KiB", files, "/small", Http1Link),
            ("64 KiB", files, "/large", Http1Link),
            ("20 events", streams, "/events", Http1Link),
            ("1 KiB, HTTP/2", two, "/small", Http2Link),
        ):
            with _asking(servers, path, link) as ask:
                show(title, *measured(servers, ask, options, rng), rng)
    return 0


@contextlib.contextmanager
def _asking(
    servers: dict[str, Server], path: str, link: type[Http1Link | Http2Link]
) -> Iterator[Callable[[str, int], NDArray[np.float64]]]:
    """Ask one of the servers so often, on one connection each; seconds of each request."""
    links = {name: link(server.port, path) for name, server in servers.items()}

    def ask(name: str, count: int) -> NDArray[np.float64]:
        asked, found = links[name], np.zeros(count)
        for place in range(count):
            began = time.perf_counter()
            asked.ask()
            found[place] = time.perf_counter() - began
        return found

    try:
        yield ask
    finally:
        for one in links.values():
            one.close()


def measured(
    servers: dict[str, Server],
    ask: Callable[[str, int], NDArray[np.float64]],
    options: argparse.Namespace,
    rng: np.random.Generator,
) -> tuple[dict[str, Rounds], dict[str, Rounds]]:
    """By name: seconds of the requests, and the processor's seconds a request, each by rounds."""
    latencies: dict[str, Rounds] = defaultdict(list)
    spent: dict[str, Rounds] = defaultdict(list)
    for turn in range(options.rounds + 2):
        for name in rng.permutation(list(servers)).tolist():
            before = cpu_seconds(servers[name].pids)
            found = ask(name, options.requests)
            took = (cpu_seconds(servers[name].pids) - before) / options.requests
            if turn >= 2:  # the first rounds warm up
                latencies[name].append(found)
                spent[name].append(np.array([took]))
    return latencies, spent


def show(title: str, latencies: dict[str, Rounds], spent: dict[str, Rounds], rng: np.random.Generator) -> None:
    """The page's rows: microseconds, and ours over each other as a ratio."""
    print(f"{title}: bare {_bare(latencies)}")
    print(f"  {'':24}{'P50 added':>24}{'P99 added':>24}{'processor':>24}  ours over it (P50, processor)")
    for name in spent:
        if name == _BARE:
            continue
        cells = [_text(_drawn(lambda at, n=name, p=p: _added(latencies, n, p, at), latencies, rng)) for p in (50, 99)]  # type: ignore[misc]
        cells.append(_text(_drawn(lambda at, n=name: _mean(spent[n], at), spent, rng)))  # type: ignore[misc]
        over = ""
        if name != "ours":
            both = [
                _drawn(
                    lambda at, n=name: _added(latencies, "ours", 50, at) / _added(latencies, n, 50, at), latencies, rng
                ),  # type: ignore[misc]
                _drawn(lambda at, n=name: _mean(spent["ours"], at) / _mean(spent[n], at), spent, rng),  # type: ignore[misc]
            ]
            over = ", ".join(
                "-" if np.isnan(low) else f"{mid:.2f} ({low:.2f} to {high:.2f})" for mid, low, high in both
            )
        print(f"  {name:24}{cells[0]:>24}{cells[1]:>24}{cells[2]:>24}  {over}")
    print()


def _bare(latencies: dict[str, Rounds]) -> str:
    all_of = np.concatenate(latencies[_BARE])
    return f"P50 {1e6 * np.percentile(all_of, 50):.0f} µs, P99 {1e6 * np.percentile(all_of, 99):.0f} µs"


def _added(latencies: dict[str, Rounds], name: str, percent: float, at: NDArray[np.intp]) -> float:
    above, below = (np.concatenate([latencies[one][place] for place in at]) for one in (name, _BARE))
    return float(np.percentile(above, percent) - np.percentile(below, percent))


def _mean(rounds: Rounds, at: NDArray[np.intp]) -> float:
    return float(np.mean([rounds[place] for place in at]))


def _drawn(
    figure: Callable[[NDArray[np.intp]], float], rounds: dict[str, Rounds], rng: np.random.Generator
) -> tuple[float, float, float]:
    count = len(rounds[_BARE])
    draws = [figure(rng.integers(count, size=count)) for _ in range(_DRAWS)]
    low, high = np.percentile(draws, [2.5, 97.5]).tolist()
    return figure(np.arange(count)), low, high


def _text(found: tuple[float, float, float]) -> str:
    mid, low, high = (1e6 * value for value in found)
    return f"{mid:.0f} µs ({low:.0f} to {high:.0f})"


if __name__ == "__main__":
    sys.exit(main())
