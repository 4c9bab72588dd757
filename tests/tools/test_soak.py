"""The soak finds what grows, in real processes, and nothing where nothing does."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from benches.soak import __main__ as soak
from benches.soak.growth import Held, grown, look, slope

_LEAKS = """\
import sys, threading
kept = []
for line in sys.stdin:
    for _ in range(10):
        kept.append({kind})
    print(len(kept), flush=True)
"""
_KINDS = {
    "memory": "b'x' * 200_000",
    "files": "open('/dev/null')",
    "threads": "threading.Thread(target=threading.Event().wait, daemon=True).start()",
}


def _steps(kind: str, steps: int) -> list[Held]:
    """What a process held after each step of a program that keeps ten more of a kind a step."""
    program = _LEAKS.format(kind=_KINDS.get(kind, "None"))
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        held = []
        for step in range(1, steps + 1):
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline()
            held.append(look(process.pid, 1000 * step))
        process.stdin.close()
    return held


@pytest.mark.parametrize("kind", [*_KINDS, "nothing"])
def test_what_a_real_process_keeps_is_found(kind: str) -> None:
    lines = grown("it", _steps(kind, 12), 4096)
    found = {name for name in _KINDS if any(name in line for line in lines)}
    assert found == ({kind} if kind in _KINDS else set())
    assert all(line.startswith("it: ") for line in lines)


def test_what_fills_up_in_the_first_half_is_no_leak() -> None:
    rng = random.Random(3)
    memory = [50_000 + 3000 * min(n, 16) + rng.randrange(600) for n in range(1, 41)]
    samples = [Held(1000 * n, kib, 20 + min(n, 10), 5 + n % 3) for n, kib in enumerate(memory, 1)]
    assert grown("gateway", samples, 1024) == []
    spike = [*samples[:-1], samples[-1]._replace(memory_kib=10**6)]
    assert grown("gateway", spike, 1024) == [], "one odd sample moves nothing"
    leaking = [held._replace(memory_kib=held.memory_kib + held.requests // 10) for held in samples]
    [line] = grown("gateway", leaking, 1024)
    assert "memory grew by" in line
    assert "in 19,000 requests (at most 1,024)" in line


def test_connections_that_were_closed_and_made_again_are_no_leak() -> None:
    files = [83] * 5 + [80] * 15 + [83] * 20
    assert grown("worker", [Held(1000 * n, 50_000, count, 8) for n, count in enumerate(files, 1)], 1024) == []
    more = [Held(1000 * n, 50_000, 80 + n // 5, 8) for n in range(1, 41)]
    assert grown("worker", more, 1024) == ["worker: 88 files in the second half, 84 at most in the first"]


def test_a_process_that_ended_holds_nothing() -> None:
    """Nor does one that nobody has waited for."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(ProcessLookupError, match=f"process {process.pid} has ended"):
        look(process.pid, 1)
    process.wait()
    with pytest.raises(ProcessLookupError):
        look(process.pid, 1)


def test_slopes() -> None:
    assert slope([(0, 1), (1, 3), (2, 5), (3, 7), (4, 9), (5, 700)]) == 2.0
    with pytest.raises(ValueError, match="no two"):
        slope([(1, 1), (1, 2)])
    with pytest.raises(ValueError, match="at least 8"):
        grown("it", [Held(1, 1, 1, 1)] * 7, 1)


@pytest.mark.e2e
def test_a_short_soak_sees_gateway_and_worker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Too short to say what grows: that both were looked at, and that every request was accounted for."""
    failed = soak.soak(2000, 0.1, 1e9, tmp_path)
    assert [line for line in failed if "files" not in line and "threads" not in line] == []
    out = capsys.readouterr().out
    assert "seen 2000, mirrored 200, dropped {'sampled_out': 1800}" in out
    assert "gateway  after     2,000 requests" in out
    assert "worker   after     2,000 requests" in out
