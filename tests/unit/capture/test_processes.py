"""One sampler and one cap for all processes: real ones, on the real clock."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shadowlane import _core

ROOT = Path(__file__).parents[3]
Given = list[tuple[int, int]]


@pytest.fixture
def directory() -> Iterator[Path]:
    made = Path("/dev/shm") / f"shadowlane-test-{secrets.token_hex(6)}"
    yield made
    shutil.rmtree(made, ignore_errors=True)


def config_of(directory: Path, **sections: Any) -> dict[str, Any]:
    return {
        "lane": {"directory": str(directory), "worker": "external", "ring_bytes": 65536, "max_body_bytes": 4096},
        "sampling": {"ratio": 1.0},
        "limits": {"qps": 1e6, "burst": 1_000_000},
        "shadows": {"candidate": {"url": "http://127.0.0.1:9"}},
        **sections,
    }


def ask(config: dict[str, Any], processes: int, n: int, seconds: float, tenants: int = 0) -> list[Given]:
    """What each process was let through; they start together."""
    some: list[subprocess.Popen[str]] = []
    try:
        for number in range(processes):
            headers = [("x-tenant", f"t{number % tenants}")] if tenants else []
            arguments = [json.dumps(config), str(n), str(seconds), json.dumps(headers)]
            some.append(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.support.asker", *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=ROOT,
                )
            )
        for process in some:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in some:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        outputs = [process.communicate(timeout=60)[0] for process in some]
        assert all(process.returncode == 0 for process in some)
        return [[(a, b) for a, b in json.loads(output)] for output in outputs]
    finally:
        for process in some:
            if process.poll() is None:
                process.kill()
                process.communicate()


def excess(given: Given, rate: float, burst: float) -> float:
    """By how much any window holds more than it may. Each was let through between its two times, so those that
    surely lie in a window that begins with one's first time and ends with another's last are counted."""
    times = np.array(sorted(given), dtype=np.int64).reshape(-1, 2)
    worst = -np.inf
    for start in times[:, 0]:
        inside = np.sort(times[times[:, 0] >= start, 1])
        allowed = rate * (inside - start) / 1e9 + burst
        worst = max(worst, float(np.max(np.arange(1, len(inside) + 1) - allowed)))
    return worst


def test_the_cap_holds_in_every_window_over_eight_processes(directory: Path) -> None:
    config = config_of(directory, limits={"qps": 200.0, "burst": 20})
    given = ask(config, 8, 10**9, 1.5)
    together = [one for some in given for one in some]
    assert len(together) > 20, "nothing came after the burst"
    assert excess(together, 200.0, 20) <= 1e-6
    assert excess(together, 100.0, 10) > 0, "the check sees what is too much"
    status = _core.lane_status(str(directory))
    assert status["dropped"]["prod_failed"] == len(together)
    assert status["dropped"]["prod_failed"] + status["dropped"]["cap"] == status["seen"]


def test_each_tenant_has_one_budget_over_all_processes(directory: Path) -> None:
    limits = {"qps": 1e6, "burst": 1_000_000, "tenant_key": "header:x-tenant", "tenant_qps": 30.0}
    given = ask(config_of(directory, limits=limits), 6, 10**9, 1.0, tenants=3)
    for tenant in range(3):
        together = [one for number, some in enumerate(given) if number % 3 == tenant for one in some]
        assert len(together) >= 30, "a tenant did not get its burst"
        assert excess(together, 30.0, 30) <= 1e-6


def test_the_ratio_is_exact_over_processes(directory: Path) -> None:
    config = config_of(directory, sampling={"ratio": 0.3, "seed": 7})
    given = ask(config, 4, 5000, 60.0)
    assert abs(sum(len(some) for some in given) - 6000) <= 1
    assert _core.lane_status(str(directory))["sampler"]["eligible"] == 20_000


def test_processes_agree_on_a_sticky_sample(directory: Path) -> None:
    sampling = {"mode": "sticky", "key": "header:x-tenant", "ratio": 0.5, "seed": 3}
    given = ask(config_of(directory, sampling=sampling), 8, 40, 60.0, tenants=4)
    for tenant in range(4):
        assert {len(given[tenant]), len(given[tenant + 4])} in ({0}, {40})
