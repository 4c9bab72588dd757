"""The record of instruction counts, and what differs from it.

Counts depend on the compiler, and on the processor (memchr, the C library and others choose their code by what they
find), so that a record holds for its key alone: for another machine there is none, which is said and is no failure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .count import Counted

__all__ = ["differences", "load", "recorded", "save"]


def load(file: Path) -> list[dict[str, Any]]:
    """All records of a file; none when it is not there."""
    records: list[dict[str, Any]] = json.loads(file.read_text())["records"] if file.exists() else []
    return records


def recorded(records: list[dict[str, Any]], key: Mapping[str, str]) -> dict[str, int] | None:
    """The counts for this key, or None."""
    return next((record["counts"] for record in records if all(record[name] == key[name] for name in key)), None)


def save(file: Path, records: list[dict[str, Any]], new: Counted) -> None:
    """Write the records with ``new`` in the stead of the one with its key. One for another release of a compiler or
    library on the same processor is left out: nobody could make it again."""
    kept = [record for record in records if record["cpu"] != new.key["cpu"]]
    every = sorted([*kept, {**new.key, "counts": new.counts}], key=lambda record: str(record["cpu"]))
    file.write_text(json.dumps({"records": every}, indent=2) + "\n")


def differences(known: Mapping[str, int], now: Mapping[str, int], tolerance: float) -> list[str]:
    """A line for each case that differs by more than ``tolerance`` (a share), or that only one of both has."""
    lines = []
    for case in sorted({*known, *now}):
        if case not in known:
            lines.append(f"{case}: {now[case]:,} instructions, none in the record")
        elif case not in now:
            lines.append(f"{case}: {known[case]:,} instructions in the record, not counted any more")
        elif abs(now[case] - known[case]) > tolerance * known[case]:
            change = 100 * (now[case] / known[case] - 1)
            lines.append(f"{case}: {now[case]:,} instructions, {known[case]:,} in the record: {change:+.1f} %")
    return lines
