"""Hashed words are those of the same rules written down in Python."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
import xxhash
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shadowlane import _core
from shadowlane.embedders import load_embedder

DIM = 512


def expected(text: str) -> NDArray[np.float64]:
    """The row of a text, before it is made a unit one."""
    words = re.findall(r"\w+", text.lower()) or list(text.strip())
    spelled = "".join(f"<{word}>" for word in words)
    trigrams = [spelled[start : start + 3] for start in range(max(len(spelled) - 2, 1))]
    pairs = [f"{left} {right}" for left, right in itertools.pairwise(words)]
    row = np.zeros(DIM)
    features = words + pairs + trigrams
    for feature in dict.fromkeys(features):
        number = xxhash.xxh3_64_intdigest(feature.encode())
        row[number % DIM] += (1 if number >> 63 else -1) * (1 + np.log(features.count(feature)))
    return row


@given(st.text(max_size=60).filter(lambda text: bool(text.strip())))
def test_any_text_has_the_row_of_its_features(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    row = expected(text)
    norm = np.linalg.norm(row)
    assume(norm > 0.5)  # features that cancel leave no direction
    np.testing.assert_allclose(load_embedder("lexical").embed([text])[0], row / norm, atol=1e-5)


@pytest.mark.parametrize("text", ["a", "ab ab ab", "?!", "Straße über STRASSE", "日本語の文", "x_1 x_1 I"])
def test_a_text_has_the_row_of_its_features(text: str) -> None:
    long = " ".join([text] * 40)
    rows = np.array([expected(text), expected(long)])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(load_embedder("lexical").embed([text, long]), rows, atol=1e-5)


def test_a_row_without_dimensions_is_refused() -> None:
    with pytest.raises(ValueError, match="dim: must be positive"):
        _core.hashed_words([["a"]], 0)
