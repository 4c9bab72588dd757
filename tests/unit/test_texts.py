"""A column of texts does what an array of them does."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.columns import Texts

WORDS = ("", "a", "b", "é", "deadline", "x")
values = st.lists(st.sampled_from(WORDS), max_size=30)


@given(values, st.sets(st.sampled_from((*WORDS, "other"))))
def test_rows_are_found_by_their_text(some: list[str], wanted: set[str]) -> None:
    texts, array = Texts.of(some), np.array(some, dtype=np.str_)
    narrow = Texts(texts.words, texts.codes.astype(np.uint8))
    for column in (texts, narrow):
        assert column.tolist() == some
        assert len(column) == len(some)
        assert column.isin(wanted).tolist() == [word in wanted for word in some]
        for word in (*WORDS, "other"):
            assert (column == word).tolist() == (array == word).tolist()
            assert (column != word).tolist() == (array != word).tolist()


@given(values, st.data())
def test_some_rows_counts_and_other_texts(some: list[str], data: st.DataObject) -> None:
    rows = np.array([data.draw(st.booleans()) for _ in some], dtype=bool)
    texts = Texts.of(some)
    kept = [word for word, row in zip(some, rows.tolist(), strict=True) if row]
    assert texts[rows].tolist() == kept
    assert texts[rows].counts() == {word: kept.count(word) for word in kept}
    for word in ("a", "other"):
        changed = [word if row else before for before, row in zip(some, rows.tolist(), strict=True)]
        assert texts.replaced(rows, word).tolist() == changed


@given(st.lists(values, max_size=4))
def test_pieces_are_joined(pieces: list[list[str]]) -> None:
    joined = Texts.joined([Texts.of(piece) for piece in pieces])
    assert joined.tolist() == [word for piece in pieces for word in piece]
    assert len(set(joined.words)) == len(joined.words)
