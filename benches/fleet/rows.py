"""Rows that hosts write to one PostgreSQL: each host is a process with a store of its own on one schema.

``python -m benches.fleet.rows URL SCHEMA HOST ROWS`` is a host: it prints a line when its pairs are made and its first
batch is stored, begins with a line of its input, and prints its processor time as JSON when all is committed.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from benches.copies.pairs import pairs
from shadowlane.config import StoreConfig
from shadowlane.store import open_store
from shadowlane.types import Pair

from .servers import family_cpu_s

__all__ = ["BATCH", "measure"]

BATCH = 250
_ROOT = Path(__file__).parents[2]


def measure(url: str, postmaster: int, schema: str, hosts: int, rows: int) -> dict[str, float]:
    """``hosts`` processes write ``rows`` rows each: rows a second over all, and microseconds of processor a row in the
    server and in the hosts."""
    environment = os.environ | {"PYTHONPATH": f"{_ROOT / 'python'}{os.pathsep}{_ROOT}"}
    command = [sys.executable, "-m", "benches.fleet.rows", url, schema]
    processes = [
        subprocess.Popen(
            [*command, str(host), str(rows)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for host in range(hosts)
    ]
    try:
        for one in processes:
            assert one.stdout is not None
            if one.stdout.readline() != "ready\n":
                raise RuntimeError("a host did not come up; its words stand above")
        before, begun = family_cpu_s(postmaster), time.monotonic()
        for one in processes:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        spent = 0.0
        for one in processes:
            assert one.stdout is not None
            spent += json.loads(one.stdout.readline())["cpu_s"]
        seconds, server = time.monotonic() - begun, family_cpu_s(postmaster) - before
    finally:
        for one in processes:
            one.kill()
            one.communicate()
    count = hosts * rows
    return {"rows_s": count / seconds, "server_us": 1e6 * server / count, "host_us": 1e6 * spent / count}


def _host(url: str, schema: str, host: int, rows: int) -> None:
    drawn = [_of_host(pair, host) for pair in itertools.islice(pairs(), rows + BATCH)]
    with open_store(StoreConfig(url=url, schema=schema)) as store:
        store.set_epoch(f"host-{host}", {"candidate": 0})
        store.save(drawn[:BATCH])
        print("ready", flush=True)
        sys.stdin.readline()
        begun = time.process_time()
        for at in range(BATCH, len(drawn), BATCH):
            store.save(drawn[at : at + BATCH])
        print(json.dumps({"cpu_s": time.process_time() - begun}), flush=True)


def _of_host(pair: Pair, host: int) -> Pair:
    copy = pair.copy
    shadow_id = f"0190f3c2-7c1e-7d44-{host:04x}-{copy.shadow_id[-12:]}"
    return msgspec.structs.replace(pair, copy=msgspec.structs.replace(copy, shadow_id=shadow_id))


if __name__ == "__main__":
    _host(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
