"""``python -m benches.instructions [--tolerance 3] [--runs 1] [--update]``: what the hot calls cost.

Counted by callgrind over fixed inputs: admission, the offer, and one copy's way through the drain (checksum, redaction,
classification, hash), for chat requests of several sizes with JSON and streamed answers. Compared with
``benches/records/instructions.json``; both more and fewer fail, since a record that is too high hides what comes next.
Where there is no record for this processor, compiler, C library and valgrind, the counts are printed and nothing fails.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .compare import differences, load, recorded, save
from .count import ROOT, Counted, NotCounted, NotInstalled, binary, counted, find_valgrind

RECORD = ROOT / "benches" / "records" / "instructions.json"
_REPEATABLE = 0.001
"""Runs of one program differ by less: hash tables with random keys are all that differs."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benches.instructions", description=__doc__)
    parser.add_argument("--tolerance", type=float, default=3.0, help="percent that a count may differ")
    parser.add_argument("--runs", type=int, default=1, help="count as often, and fail when the runs differ")
    parser.add_argument("--update", action="store_true", help="write the record instead of comparing")
    parser.add_argument("--record", type=Path, default=RECORD, help="another file than that of this project")
    options = parser.parse_args(arguments)
    if options.runs < 1 or not 0 <= options.tolerance <= 100:
        parser.error("--runs: at least 1; --tolerance: a percentage between 0 and 100")
    try:
        find_valgrind()
        program = binary()
        runs = [counted(program) for _ in range(options.runs)]
    except NotInstalled as error:
        print(f"instructions: skipped: {error}")
        return 0
    except NotCounted as error:
        print(f"instructions: {error}", file=sys.stderr)
        return 1
    now = runs[0]
    apart = [line for other in runs[1:] for line in differences(now.counts, other.counts, _REPEATABLE)]
    show(now, load(options.record))
    if apart:
        print("\nthe runs differ:", *apart, sep="\n  ")
        return 1
    if options.update:
        save(options.record, load(options.record), now)
        print(f"\nwritten: {options.record}")
        return 0
    return compare(now, options.record, options.tolerance)


def show(now: Counted, records: list[dict[str, object]]) -> None:
    """The counts, with those of the record beside them."""
    known = recorded(records, now.key) or {}
    print(", ".join(f"{name} {value}" for name, value in now.key.items()) + "\n")
    print(f"{'':24}{'instructions':>14}{'record':>14}")
    for case, count in now.counts.items():
        beside = f"{known[case]:,}" if case in known else "-"
        print(f"{case:24}{count:14,}{beside:>14}")


def compare(now: Counted, file: Path, tolerance: float) -> int:
    """0 when nothing differs or there is no record, else 1."""
    known = recorded(load(file), now.key)
    if known is None:
        print(f"\nno record for this processor, compiler, C library and valgrind in {file.name}: nothing compared")
        return 0
    apart = differences(known, now.counts, tolerance / 100)
    if apart:
        print(f"\nby more than {tolerance:g} %:", *apart, sep="\n  ")
        print("If that is meant: make instructions INSTRUCTIONS=--update")
        return 1
    print(f"\nall within {tolerance:g} % of the record")
    return 0


if __name__ == "__main__":
    sys.exit(main())
