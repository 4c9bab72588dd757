"""What a process holds, and whether it grows.

Invariant: only the second half of a run is judged: what fills up once (caches, connections, tables with a capacity)
does so in the first. Memory is judged by the Theil–Sen slope, the median of the slopes of all pairs of samples (Sen
1968), which a few odd samples do not move; files and threads by the largest number of each half.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["Held", "grown", "look", "slope"]

_SPARE = 2
"""So many more files or threads than before are a timer or a connection that was made anew, not a leak."""


class Held(NamedTuple):
    """What a process held when so many requests had been answered."""

    requests: int
    memory_kib: int
    """Anonymous resident memory: rings and files that are mapped are counted where they lie."""
    files: int
    threads: int


def look(pid: int, requests: int) -> Held:
    """A process now (``/proc``). Raises ProcessLookupError when it has ended, whether waited for or not."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        status = dict(line.split(":", 1) for line in lines if ":" in line)
        return Held(
            requests=requests,
            memory_kib=int(status["RssAnon"].split()[0]),
            files=sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()),
            threads=int(status["Threads"]),
        )
    except (FileNotFoundError, KeyError):
        raise ProcessLookupError(f"process {pid} has ended") from None


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The median of the slopes of all pairs of points whose first values differ. Raises ValueError without one."""
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in itertools.combinations(points, 2) if x1 != x2]
    if not slopes:
        raise ValueError("points: no two of them differ in their first value")
    return statistics.median(slopes)


def grown(name: str, samples: Sequence[Held], most_kib: float) -> list[str]:
    """A line for each thing that grew: memory by more than ``most_kib`` KiB over the second half at its slope, files or
    threads beyond the most of the first half.

    Raises ValueError with fewer than eight samples.
    """
    if len(samples) < 8:
        raise ValueError(f"samples: {len(samples)}; at least 8 are needed")
    half = len(samples) // 2
    late, before = samples[half:], samples[:half]
    requests = late[-1].requests - late[0].requests
    risen = slope([(held.requests, held.memory_kib) for held in late]) * requests
    lines = []
    if risen > most_kib:
        lines.append(f"{name}: memory grew by {risen:,.0f} KiB in {requests:,} requests (at most {most_kib:,.0f})")
    for what in ("files", "threads"):
        was, now = (max(getattr(held, what) for held in some) for some in (before, late))
        if now > was + _SPARE:
            lines.append(f"{name}: {now} {what} in the second half, {was} at most in the first")
    return lines
