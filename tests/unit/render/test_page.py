"""Two texts with their differing words marked."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from shadowlane.render.page import marked
from tests.support.pages import read

_texts = st.lists(st.sampled_from(["a", "b", " ", "\n", "<", "&", ".", "word", "é"]), max_size=25).map("".join)


@settings(deadline=None)
@given(_texts, _texts)
def test_marking_changes_no_text(prod: str, shadow: str) -> None:
    for text, shown in zip((prod, shadow), marked(prod, shadow), strict=True):
        assert "".join(read(f"<p>{shown}</p>").text) == text
        assert (prod == shadow) <= ("<mark>" not in shown)


def test_only_the_words_of_one_side_are_marked() -> None:
    prod, shadow = marked("It costs 0.50 € an hour.", "It costs two coins an hour.")
    assert prod == "It costs <mark>0.50 €</mark> an hour."
    assert shadow == "It costs <mark>two coins</mark> an hour."
