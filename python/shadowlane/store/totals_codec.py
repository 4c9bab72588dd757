"""The totals of a block (:mod:`.block_totals`) as bytes, kept beside it: a sum reads some kilobytes and no columns.

Invariant: what this release cannot read, or was damaged, is ``None``: then they are made of the block again.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from .block_totals import OutcomeSums, PartTotals, QuestionSums, SegmentSums, Versions
from .blocks import opened, sealed, sound

__all__ = ["packed_totals", "read_totals"]

_FORM = 1
"""Of totals that this release reads; another one for each change of :class:`PartTotals`."""


class _Questions(NamedTuple):
    numbers: bytes
    counts: bytes
    scored: dict[str, bytes]


class _Plain(NamedTuple):
    """:class:`PartTotals` with bytes in the stead of arrays."""

    n: int
    first_ns: int
    last_ns: int
    versions: list[Versions]
    routes: dict[str, OutcomeSums]
    deltas: dict[str, list[float]]
    segments: dict[str, dict[str, SegmentSums]]
    questions: _Questions | None
    said: dict[str, list[tuple[str, str, int]]]
    flips: tuple[int, int, int]
    why: dict[str, int]
    strange: tuple[int, int, int, int]
    prod_seen: tuple[int, int, int]
    refused: bool


_decoder = msgspec.msgpack.Decoder(tuple[int, _Plain])


def packed_totals(totals: PartTotals) -> bytes:
    """Totals as bytes."""
    questions = totals.questions
    plain = None
    if questions is not None:
        scored = {name: _bytes(some) for name, some in questions.scored.items()}
        plain = _Questions(_bytes(questions.numbers), _bytes(questions.counts), scored)
    return sealed(
        msgspec.msgpack.encode((_FORM, _Plain(**totals._replace(questions=None)._asdict())._replace(questions=plain)))
    )


def read_totals(content: bytes) -> PartTotals | None:
    """The other way round; ``None``: this release cannot read them."""
    if not sound(content):
        return None
    try:
        form, plain = _decoder.decode(opened(content))
    except msgspec.MsgspecError:
        return None
    if form != _FORM:
        return None
    questions = None
    if plain.questions is not None:
        numbers, counts, scored = plain.questions
        questions = QuestionSums(
            np.frombuffer(numbers, dtype=np.int64),
            _table(counts),
            {name: _table(some) for name, some in scored.items()},
        )
    return PartTotals(**plain._replace(questions=None)._asdict())._replace(questions=questions)


def _bytes(array: NDArray[np.generic]) -> bytes:
    return np.ascontiguousarray(array).tobytes()


def _table(content: bytes) -> NDArray[np.float64]:
    return np.frombuffer(content, dtype=np.float64).reshape(-1, 4)
