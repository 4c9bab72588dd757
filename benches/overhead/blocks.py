"""Which arm runs when: pairs of blocks, mirroring on and off, in an order drawn by lot for each pair.

Invariant: a request belongs to the block in which it was due; requests due in the first moments of a block are sent
but not measured, since what the block before left in the pipe is still being worked off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Block", "draw_blocks", "paired_latencies"]


class Block(NamedTuple):
    """One stretch of time, in seconds from the start of the load."""

    start: float
    stop: float
    on: bool


def draw_blocks(seconds: float, block_s: float, rng: np.random.Generator) -> list[Block]:
    """As many whole pairs of blocks as fit into ``seconds``. Raises ValueError when fewer than two do."""
    pairs = int(seconds / (2 * block_s) + 1e-9)
    if pairs < 2:
        raise ValueError(f"seconds = {seconds}: fewer than two pairs of {block_s} s blocks; run longer")
    blocks = []
    for pair in range(pairs):
        first = bool(rng.integers(2))
        for place, on in enumerate((first, not first)):
            start = (2 * pair + place) * block_s
            blocks.append(Block(start, start + block_s, on))
    return blocks


def paired_latencies(
    blocks: Sequence[Block], offsets: Sequence[float], latencies: Sequence[float], *, discard_s: float
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """For each pair of blocks the latencies with mirroring (on, off), first moments left out."""
    due = np.asarray(offsets)
    took = np.asarray(latencies, dtype=np.float64)
    out = []
    for first, second in zip(blocks[::2], blocks[1::2], strict=True):
        arms = {block.on: took[(due >= block.start + discard_s) & (due < block.stop)] for block in (first, second)}
        out.append((arms[True], arms[False]))
    return out
