"""When requests are due: a Poisson process, or recorded arrivals of a language model's service.

Invariant: recorded arrivals keep their order and the shape of their gaps; only the scale of time is another, so
that the mean rate is the one that was asked for.
"""

from __future__ import annotations

import csv
import datetime
import gzip
import os
from pathlib import Path

import numpy as np

from shadowlane.demo.load import poisson_offsets
from shadowlane.demo.processes import DemoError

__all__ = ["offsets", "recorded", "stretch"]

_FILE = "azure_llm_arrivals.csv.gz"


def offsets(kind: str, seconds: float, rate: float, rng: np.random.Generator) -> list[float]:
    """Seconds from the start at which requests are due. Raises DemoError without the recording in SHADOWLANE_DATA."""
    if kind == "poisson":
        return poisson_offsets(seconds, rate, rng)
    folder = os.environ.get("SHADOWLANE_DATA")
    if not folder or not (Path(folder) / _FILE).exists():
        raise DemoError(f"no recorded arrivals: SHADOWLANE_DATA names no folder with {_FILE}")
    return stretch(recorded(Path(folder) / _FILE), seconds, rate, rng)


def recorded(file: Path) -> list[float]:
    """Seconds of the arrivals since the first one, ascending."""
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        # Seven digits behind the second: one more than Python reads.
        times = [datetime.datetime.fromisoformat(row["TIMESTAMP"][:26]).timestamp() for row in csv.DictReader(lines)]
    return (np.sort(np.asarray(times)) - min(times)).tolist()


def stretch(times: list[float], seconds: float, rate: float, rng: np.random.Generator) -> list[float]:
    """A run of ``seconds * rate`` neighbours from a random place, put into ``seconds``.

    Raises DemoError when there are fewer.
    """
    wanted = int(seconds * rate)
    if len(times) <= wanted:
        raise DemoError(f"{len(times)} recorded arrivals, {wanted + 1} needed: ask for a shorter time or a lower rate")
    start = int(rng.integers(len(times) - wanted))
    window = np.asarray(times[start : start + wanted + 1])
    span = window[-1] - window[0]
    due: list[float] = ((window[:-1] - window[0]) * (seconds / span)).tolist()
    return due
