"""The worker's allocator: few arenas, and what was freed goes back to the system."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="malloc_trim(3) and mallopt(3) are glibc's"
)

_SCRIPT = """
import threading
from pathlib import Path
from shadowlane.worker.memory import give_back, keep_arenas_few

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1])

def arenas():
    # Each arena but the main one is a mapping of its own that begins at a multiple of its size, 64 MiB.
    starts = [line.split("-")[0] for line in Path("/proc/self/maps").read_text().splitlines()]
    return sum(int(start, 16) % (64 << 20) == 0 for start in starts)

few = keep_arenas_few()
together = threading.Barrier(8)
def work():
    together.wait()
    held = [bytes(5000) for _ in range(2000)]
    together.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
before = arenas()
for thread in threads: thread.start()
for thread in threads: thread.join()
made = arenas() - before
kept, last = [], []
for number in range(20000):
    kept.append(bytes(2000))
last = bytes(2000)  # on top of the heap: what lies below it does not go back by itself
kept.clear()
full = anonymous()
print(few, made, give_back(), full - anonymous())
"""


def test_eight_threads_share_two_arenas_and_free_pages_go_back() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True, timeout=60)
    few, made, trimmed, given_back_kib = done.stdout.split()
    assert (few, trimmed) == ("True", "True")
    assert int(made) <= 1, "the main arena and one more"
    assert int(given_back_kib) > 10_000


def test_what_is_there_at_the_start_is_no_more_looked_at() -> None:
    script = """
import gc
from shadowlane.worker.memory import collect_seldom
before = gc.get_threshold()
collect_seldom()
assert gc.get_freeze_count() > 1000
assert gc.get_threshold()[0] > before[0]
assert gc.get_threshold()[1:] == before[1:]
assert gc.isenabled()
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
