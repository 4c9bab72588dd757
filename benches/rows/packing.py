"""``python -m benches.rows.packing [--rows 256] [--rounds 9]``: bytes and processor time of a row's contents, packed.

Contents of the pairs of :mod:`benches.copies.pairs` are packed by the store's own code, in one stream by Python's zlib,
and each part by itself; the three take turns in each round. Printed are medians. Nothing here asserts.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import struct
import sys
import time
import zlib
from collections.abc import Callable, Sequence

from benches.copies.pairs import pairs
from shadowlane.config import ScoreConfig
from shadowlane.score import Scorer
from shadowlane.store.packed import pack_all, unpack
from shadowlane.store.rows import to_bodies

_Rows = Sequence[Sequence[bytes]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benches.rows.packing", description=__doc__)
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    scored = Scorer(ScoreConfig(embedder="lexical")).score(list(itertools.islice(pairs(), options.rows)))
    rows = [unpack(packed) for *_, packed in to_bodies(scored)]
    ways: dict[str, Callable[[_Rows], int]] = {
        "the store's": lambda some: sum(map(len, pack_all(some))),
        "one stream of zlib": lambda some: sum(len(zlib.compress(_joined(parts), 1)) for parts in some),
        "each part by itself": lambda some: sum(len(zlib.compress(part, 1)) for parts in some for part in parts),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    sizes: dict[str, int] = {}
    for _ in range(options.rounds):
        for name, way in ways.items():
            begun = time.process_time()
            sizes[name] = way(rows)
            took[name].append(time.process_time() - begun)
    print(f"{sum(len(part) for parts in rows for part in parts) / len(rows):,.0f} bytes a row as they are")
    for name, seconds in took.items():
        micros = 1e6 * statistics.median(seconds) / len(rows)
        print(f"{name:20} {sizes[name] / len(rows):7,.0f} bytes a row {micros:7.1f} µs of processor a row")
    return 0


def _joined(parts: Sequence[bytes]) -> bytes:
    return struct.pack(f"<B{len(parts)}Q", len(parts), *map(len, parts)) + b"".join(parts)


if __name__ == "__main__":
    sys.exit(main())
