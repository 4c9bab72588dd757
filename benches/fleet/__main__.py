"""``python -m benches.fleet [--rounds 5] [--only rows,judges,leases] [--json FILE]``: what several hosts share.

On a PostgreSQL (fsync on) and a Redis (append-only file) that are started for the run, all on this machine:

- rows: 1, 2 and 4 hosts, each a process, write chats of about 1 KiB to one schema in batches of 250;
- judges: 1 and 2 real workers of role ``judge`` empty one stream into one schema (wordllama, groups);
- leases: what keeping the shares of a fleet asks of either engine, and how soon all hosts know of the switch.

Each round takes its settings by lot; figures are medians over rounds, ratios to the first setting have 95 % intervals
from a bootstrap over rounds. Rates are of the clock: on a busy machine they are the neighbours', and the load average
is printed and recorded with them. Processor times are the kernel's, in steps of 10 ms a process. Nothing here asserts.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shadowlane.errors import ShadowlaneError

from . import judges, leases, rows
from .servers import cpu_s, family_cpu_s, postgres, redis

_HOSTS = (1, 2, 4)
_JUDGES = (1, 2)
_FLEETS = (1, 4, 16)
_PARTS = ("rows", "judges", "leases")

Found = dict[int, list[dict[str, float]]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benches.fleet", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=5000, help="of each host in each round")
    parser.add_argument("--copies", type=int, default=3000, help="that judges empty in each round")
    parser.add_argument("--seconds", type=float, default=10.0, help="of keeping shares")
    parser.add_argument("--switches", type=int, default=15)
    parser.add_argument("--only", default=",".join(_PARTS), help=f"of {', '.join(_PARTS)}")
    parser.add_argument("--json", type=Path, help="write what was found into this file")
    options = parser.parse_args()
    parts = options.only.split(",")
    if options.rounds < 2 or options.rows < 1 or options.copies < 1 or not set(parts) <= set(_PARTS):
        parser.error(f"--rounds: at least 2; --rows, --copies: at least 1; --only: of {', '.join(_PARTS)}")
    logging.getLogger("shadowlane").setLevel(logging.ERROR)  # keepers tell each switch
    options.rows = -(-options.rows // rows.BATCH) * rows.BATCH
    result: dict[str, Any] = {"date": time.strftime("%Y-%m-%d"), "cores": os.cpu_count(), "cpu": _cpu(),
                              "load_before": os.getloadavg()[0]}  # fmt: skip
    print(f"{result['cpu']}, {result['cores']} cores; load {result['load_before']:.1f} before", flush=True)
    rng = np.random.default_rng(1)
    try:
        with tempfile.TemporaryDirectory(prefix="shadowlane-fleet-bench-") as base:
            for part in _PARTS:
                if part in parts:
                    folder = Path(base) / part
                    folder.mkdir()
                    result[part] = {"rows": _rows, "judges": _judges, "leases": _leases}[part](folder, options, rng)
    except (ShadowlaneError, RuntimeError) as error:
        print(f"fleet bench: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 3)
    result["load_after"] = os.getloadavg()[0]
    print(f"load {result['load_after']:.1f} after", flush=True)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def _rows(folder: Path, options: argparse.Namespace, rng: np.random.Generator) -> dict[str, Any]:
    found: Found = {hosts: [] for hosts in _HOSTS}
    with postgres(folder) as (url, postmaster):
        for number in range(options.rounds):
            for hosts in map(int, rng.permutation(_HOSTS)):
                found[hosts].append(rows.measure(url, postmaster, f"rows_{number}_{hosts}", hosts, options.rows))
    return _shown("hosts that write", found, "rows_s", ("server_us", "host_us"), rng)


def _judges(folder: Path, options: argparse.Namespace, rng: np.random.Generator) -> dict[str, Any]:
    found: Found = {count: [] for count in _JUDGES}
    warm = max(options.copies // 4, 1)
    copies, shadow = judges.records(options.copies + warm)
    with postgres(folder) as (store, _), redis(folder) as (url, _):
        for number in range(options.rounds):
            for count in map(int, rng.permutation(_JUDGES)):
                name = f"judges_{number}_{count}"
                found[count].append(judges.measure(url, store, name, count, shadow.url, copies, warm))
    return _shown("judges of one stream", found, "copies_s", ("judge_us",), rng)


def _shown(what: str, found: Found, rate: str, spent: Sequence[str], rng: np.random.Generator) -> dict[str, Any]:
    """A line a setting: the medians, and the ratios of its rate and of what was ``spent`` to the first setting's of the
    same round. The latter hold on a busy machine, too."""
    result: dict[str, Any] = {}
    for count, some in found.items():
        medians = {key: float(np.median([one[key] for one in some])) for key in some[0]}
        ratios = {key: _ratio(found, count, key, rng) for key in (rate, *spent)}
        result[str(count)] = {**medians, "ratios": ratios, "rounds": some}
        figures = "   ".join(
            f"{key} {medians[key]:.0f}, {one['ratio']:.2f} ({one['low']:.2f} to {one['high']:.2f})"
            for key, one in ratios.items()
        )
        print(f"{what}: {count:2}   {figures}", flush=True)
    return result


def _ratio(found: Found, count: int, key: str, rng: np.random.Generator) -> dict[str, float]:
    """The median over the rounds, and its interval."""
    first, ours = (np.array([one[key] for one in found[setting]]) for setting in (min(found), count))
    ratios = ours / first
    draws = np.median(rng.choice(ratios, (4000, len(ratios))), axis=1)
    low, high = np.percentile(draws, [2.5, 97.5]).tolist()
    return {"ratio": float(np.median(ratios)), "low": low, "high": high}


def _leases(folder: Path, options: argparse.Namespace, _: np.random.Generator) -> dict[str, Any]:
    result: dict[str, Any] = {"redis": {}, "postgresql": {}}
    with postgres(folder) as (store, postmaster), redis(folder) as (url, pid):
        import psycopg
        from redis import Redis

        with Redis.from_url(url) as client, psycopg.connect(store, autocommit=True) as connection:

            def of_redis() -> dict[str, float]:
                said: dict[str, Any] = client.info("stats")  # type: ignore[assignment]
                return {
                    "calls": said["total_commands_processed"],
                    "bytes": said["total_net_input_bytes"] + said["total_net_output_bytes"],
                    "server_us": 1e6 * cpu_s(pid),
                }

            def of_postgres() -> dict[str, float]:
                connection.execute("SELECT pg_stat_clear_snapshot()")
                query = "SELECT sum(xact_commit), sum(tup_updated) FROM pg_stat_database"
                commits, updates = connection.execute(query).fetchone() or (0, 0)
                return {
                    "calls": float(commits),
                    "writes": float(updates),
                    "server_us": 1e6 * family_cpu_s(postmaster),
                }

            for hosts in _FLEETS:
                for engine, address, server in (("redis", url, of_redis), ("postgresql", store, of_postgres)):
                    name = f"bench-{hosts}"
                    one = leases.measure(address, name, hosts, options.seconds, options.switches, server)
                    result[engine][str(hosts)] = one
                    figures = ", ".join(f"{key} {value:.4g}" for key, value in one.items())
                    print(f"shares on {engine}, {hosts} hosts, a host and second: {figures}", flush=True)
    return result


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main())
