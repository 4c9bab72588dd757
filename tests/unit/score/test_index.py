"""The index's fingerprint: blind to order, awake to everything else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shadowlane.errors import DataError
from shadowlane.score.index import index_hash

VECTORS = np.array([[1.0, 2.0], [3.0, -0.5], [0.0, 7.0]], np.float32)
IDS = ["a", "b", "é"]
MANIFEST = {"embedder": "wordllama", "chunk": {"size": 200, "overlap": 20}}


@st.composite
def indexes(draw: st.DrawFn) -> tuple[Any, list[str], list[int]]:
    n, d = draw(st.integers(0, 12)), draw(st.integers(1, 5))
    values = st.floats(-4, 4, width=32)
    vectors = draw(hnp.arrays(np.float32, (n, d), elements=values))
    ids = draw(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=n, max_size=n, unique=True))
    return vectors, ids, draw(st.permutations(range(n)))


@given(indexes())
def test_order_does_not_matter(case: tuple[Any, list[str], list[int]]) -> None:
    vectors, ids, order = case
    shuffled = index_hash(vectors[order], [ids[index] for index in order], dict(reversed(MANIFEST.items())))
    assert shuffled == index_hash(vectors, ids, MANIFEST)
    assert len(shuffled) == 32


@given(indexes().filter(lambda case: len(case[1]) > 0), st.data())
def test_any_change_of_content_matters(case: tuple[Any, list[str], list[int]], data: st.DataObject) -> None:
    vectors, ids, _ = case
    before = index_hash(vectors, ids, MANIFEST)
    row = data.draw(st.integers(0, len(ids) - 1))
    changed = vectors.copy()
    changed[row, 0] += np.float32(1.0)
    assert index_hash(changed, ids, MANIFEST) != before
    renamed = [name + "\0new" if index == row else name for index, name in enumerate(ids)]
    if len(set(renamed)) == len(renamed):
        assert index_hash(vectors, renamed, MANIFEST) != before
    assert index_hash(vectors, ids, {**MANIFEST, "analyzer": "std"}) != before


def test_is_stable_over_releases_and_layouts() -> None:
    known = index_hash(VECTORS, IDS, MANIFEST)
    assert known == "40287c39cb28ec75509fdbf25fe0f409"
    assert index_hash(np.asfortranarray(VECTORS), IDS, MANIFEST) == known
    assert index_hash(np.repeat(VECTORS, 2, axis=1)[:, ::2], IDS, MANIFEST) == known
    negative_zero = VECTORS.copy()
    negative_zero[2, 0] = -0.0
    assert index_hash(negative_zero, IDS, MANIFEST) == known


def test_swapping_two_vectors_matters() -> None:
    assert index_hash(VECTORS[[1, 0, 2]], IDS, MANIFEST) != index_hash(VECTORS, IDS, MANIFEST)


def test_more_rows_than_a_block() -> None:
    rng = np.random.default_rng(5)
    vectors = rng.standard_normal((9000, 3)).astype(np.float32)
    ids = [f"chunk-{number}" for number in range(9000)]
    order = rng.permutation(9000)
    assert index_hash(vectors, ids, {}) == index_hash(vectors[order], [ids[index] for index in order], {})


@pytest.mark.parametrize(
    ("vectors", "ids", "manifest", "message"),
    [
        (VECTORS.astype(np.float64), IDS, {}, "float64"),
        (VECTORS[0], ["a"], {}, r"\(2,\)"),
        ([[1.0]], ["a"], {}, "list"),
        (VECTORS, IDS[:2], {}, "2 ids for 3 vectors"),
        (VECTORS, ["a", "b", "a"], {}, r"ids\[2\] 'a' appears twice"),
        (VECTORS, ["a", "b", 3], {}, r"ids\[2\] must be a text"),
        (VECTORS, ["a", "b", "\ud800"], {}, r"ids\[2\]"),
        (VECTORS, IDS, {"x": object()}, "manifest"),
        (np.array([[1.0], [np.nan]], np.float32), ["a", "b"], {}, r"vectors\[1\] \('b'\) is not finite"),
    ],
)
def test_what_does_not_fit_is_named(vectors: Any, ids: Any, manifest: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        index_hash(vectors, ids, manifest)
