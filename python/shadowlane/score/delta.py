"""ΔS: how far apart two answers mean, as one number for each pair of embedding rows.

Invariants: one pass over the two arrays, no copy of either; the result is float32 in [0, 2]; wrong shapes and types are
refused, never broadcast or converted. What the numbers mean is said in :mod:`shadowlane.bands`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..bands import ACCEPTED, CRITICAL, STABLE, Band, band
from ..embedders import Embedder
from ..errors import ScoreError

__all__ = ["ACCEPTED", "CRITICAL", "STABLE", "Band", "band", "bands", "delta_s", "rows_delta_s", "text_delta_s"]

_NAMES: NDArray[np.str_] = np.array(["stable", "transitional", "critical"])


def delta_s(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """ΔS = 1 − cos(a, b), row by row, of unit-norm embeddings.

    ``a`` and ``b`` are (n, d) float32 with unit rows, as :meth:`Embedder.embed <shadowlane.embedders.Embedder.embed>`
    gives them; rows are not normalised again, since that would be a second pass. Two 1-D vectors (d,) are taken as one
    row each. Returns (n,) float32, clipped to [0, 2], so that rounding cannot make a distance negative. A row that
    holds NaN gives NaN.

    Raises :class:`~shadowlane.errors.ScoreError` when the shapes differ, are not (n, d), the type is not float32, or
    the rows do not lie one after the other in memory (C order): reading those would need a copy.

    Source: ΔS (semantic stress) of the WFGY Problem Map (PSBigBig, MIT), with its bands at 0.40 and 0.60.
    """
    a, b = _rows("a", a), _rows("b", b)
    if a.shape != b.shape:
        raise ScoreError(
            f"delta_s: a has shape {a.shape} and b has {b.shape}; give the same number of rows and dimensions"
        )
    out: NDArray[np.float32] = np.empty(len(a), dtype=np.float32)
    # A stack of (1, d) @ (d, 1) is one BLAS dot for each row, straight from the two arrays; (a * b).sum(1) would write
    # an (n, d) intermediate and read it back, at a third of the speed.
    np.matmul(a[:, None, :], b[:, :, None], out=out[:, None, None])
    np.subtract(np.float32(1), out, out=out)
    return np.clip(out, np.float32(0), np.float32(2), out=out)


def bands(values: NDArray[np.floating]) -> NDArray[np.str_]:
    """The bands of many ΔS, in the shape of ``values``. Raises :class:`~shadowlane.errors.ScoreError` on NaN."""
    # Compared in the type of the values, so that float32(0.4) is the edge itself and not a hair above it.
    values = np.asarray(values)
    if np.isnan(values).any():
        raise ScoreError("bands: ΔS holds NaN; an answer without a score has no band")
    edges = np.array([STABLE, CRITICAL], dtype=values.dtype if values.dtype.kind == "f" else np.float64)
    return np.asarray(_NAMES[np.searchsorted(edges, values, side="right")])


def text_delta_s(embedder: Embedder, a: Sequence[str], b: Sequence[str]) -> NDArray[np.float32]:
    """ΔS of n texts against n others, in one call of the embedder: (n,) float32.

    Two blank texts have ΔS 0, a blank one against another has 1. Raises :class:`~shadowlane.errors.ScoreError` when the
    lengths differ.
    """
    if len(a) != len(b):
        raise ScoreError(f"text_delta_s: {len(a)} texts against {len(b)}; give as many on both sides")
    rows = embedder.embed([*a, *b])
    return rows_delta_s(rows[: len(a)], rows[len(a) :], a, b)


def rows_delta_s(
    rows_a: NDArray[np.float32], rows_b: NDArray[np.float32], a: Sequence[str], b: Sequence[str]
) -> NDArray[np.float32]:
    """:func:`text_delta_s` of texts whose rows, (n, dim) float32 each, are known."""
    out = delta_s(rows_a, rows_b)
    blank = np.array([[not text or text.isspace() for text in side] for side in (a, b)], dtype=bool).reshape(2, -1)
    out[blank[0] != blank[1]] = 1
    out[blank[0] & blank[1]] = 0
    return out


def _rows(name: str, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    if not isinstance(rows, np.ndarray):
        raise ScoreError(f"delta_s: {name} is a {type(rows).__name__}; give a numpy array of float32")
    if rows.dtype != np.float32:
        raise ScoreError(f"delta_s: {name} has type {rows.dtype}; give float32 ({name}.astype(numpy.float32))")
    if rows.ndim == 1:
        rows = rows[None, :]
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ScoreError(f"delta_s: {name} has shape {rows.shape}; give (n, d) with d > 0")
    if not rows.flags.c_contiguous:
        raise ScoreError(f"delta_s: {name} is not contiguous by rows; give numpy.ascontiguousarray({name})")
    return rows
