"""The two services' retrieval: answers are quotations, citations point at them, and prod finds what is asked for."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

pytest.importorskip("wordllama")

from shadowlane.demo.corpus import load_chapters, load_questions, load_sections
from shadowlane.demo.retrieval import ROLES, UNKNOWN, HandbookIndex
from shadowlane.embedders import Embedder, load_embedder


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder("wordllama")


@pytest.fixture(scope="module", params=sorted(ROLES))
def index(request: pytest.FixtureRequest, embedder: Embedder) -> HandbookIndex:
    return HandbookIndex(load_sections(), ROLES[request.param], embedder)


def test_chunks_and_their_quotes_cover_every_word_of_every_section(index: HandbookIndex) -> None:
    chapters = load_chapters()
    left_out = index.recipe.without
    sections = [section for section in load_sections() if section.chapter != left_out]
    covered = {section.section_id: np.zeros(len(section.text), dtype=bool) for section in sections}
    for chunk in index.chunks:
        section = chunk.section
        assert section.start <= chunk.start < chunk.end <= section.end
        assert chapters[section.chapter][chunk.start : chunk.end] == chunk.text
        for quote in chunk.quotes:
            assert chunk.start <= quote.start < quote.end <= chunk.end
            assert chapters[section.chapter][quote.start : quote.end] == quote.text
            covered[section.section_id][quote.start - section.start : quote.end - section.start] = True
    for section in sections:
        missed = [letter for letter, seen in zip(section.text, covered[section.section_id], strict=True) if not seen]
        assert "".join(missed).strip() == "", section.section_id


def test_a_sentence_has_the_same_id_in_both_indexes(embedder: Embedder) -> None:
    prod, shadow = (HandbookIndex(load_sections(), ROLES[role], embedder) for role in ("prod", "shadow"))
    sentences = {quote.snippet_id: quote for chunk in prod.chunks for quote in chunk.quotes}
    assert len(sentences) == sum(len(chunk.quotes) for chunk in prod.chunks)
    cut = 0
    for chunk in shadow.chunks:
        for quote in chunk.quotes:
            whole = sentences[quote.snippet_id]
            assert whole.start <= quote.start < quote.end <= whole.end
            cut += quote.text != whole.text
    assert cut > 0, "windows are meant to cut sentences"


def test_every_answer_is_its_quotes(index: HandbookIndex) -> None:
    for question in load_questions():
        composed = index.answer(question.forms[0])
        if index.recipe.without and not composed.quotes:
            assert composed.text == UNKNOWN
            continue
        assert 1 <= len(composed.quotes) <= index.recipe.sentences
        assert composed.text == " ".join(quote.text for quote, _ in composed.quotes)
        assert len({quote.snippet_id for quote, _ in composed.quotes}) == len(composed.quotes)
        assert all(-1.0001 <= score <= 1.0001 for _, score in composed.quotes)


def test_prod_finds_the_section_that_answers(embedder: Embedder) -> None:
    found = {}
    for role, recipe in ROLES.items():
        index = HandbookIndex(load_sections(), recipe, embedder)
        cited = [
            question.section in {quote.section.section_id for quote, _ in index.answer(form).quotes}
            for question in load_questions()
            for form in question.forms
        ]
        found[role] = sum(cited) / len(cited)
    assert found["prod"] >= 0.9
    assert found["shadow"] >= 0.8
    assert found["shadow"] < found["prod"], "the shadow is meant to be the weaker one"


def test_what_the_handbook_does_not_say_is_not_made_up(index: HandbookIndex) -> None:
    for text in ("", "   ", "zxqv wvut"):
        composed = index.answer(text)
        assert composed.quotes == ()
        assert "does not answer" in composed.text


def test_index_hash_follows_what_was_indexed(embedder: Embedder) -> None:
    sections = load_sections()
    recipe = ROLES["prod"]
    base = HandbookIndex(sections, recipe, embedder).index_hash
    assert HandbookIndex(sections, recipe, embedder).index_hash == base
    assert HandbookIndex(sections[:-1], recipe, embedder).index_hash != base
    narrower = msgspec.structs.replace(recipe, width=128)
    assert HandbookIndex(sections, narrower, embedder).index_hash != base
