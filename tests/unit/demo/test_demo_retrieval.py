"""The two services' retrieval: answers are quotations, citations point at them, and prod finds what is asked for."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

pytest.importorskip("wordllama")

from shadowlane.demo.corpus import load_chapters, load_questions, load_sections
from shadowlane.demo.retrieval import ROLES, HandbookIndex
from shadowlane.score.embed import Embedder, load_embedder


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder("wordllama")


@pytest.fixture(scope="module", params=sorted(ROLES))
def index(request: pytest.FixtureRequest, embedder: Embedder) -> HandbookIndex:
    return HandbookIndex(load_sections(), ROLES[request.param], embedder)


def test_snippets_cover_every_word_of_every_section(index: HandbookIndex) -> None:
    chapters = load_chapters()
    covered = {section.section_id: np.zeros(len(section.text), dtype=bool) for section in load_sections()}
    for snippet in index.snippets:
        section = snippet.section
        assert section.start <= snippet.start < snippet.end <= section.end
        assert chapters[section.chapter][snippet.start : snippet.end] == snippet.text
        assert snippet.tokens == len(snippet.text.split())
        covered[section.section_id][snippet.start - section.start : snippet.end - section.start] = True
    for section in load_sections():
        missed = [letter for letter, seen in zip(section.text, covered[section.section_id], strict=True) if not seen]
        assert "".join(missed).strip() == "", section.section_id
    assert len({snippet.snippet_id for snippet in index.snippets}) == len(index.snippets)


def test_every_answer_is_quoted_from_what_it_cites(index: HandbookIndex) -> None:
    for question in load_questions():
        composed = index.answer(question.forms[0])
        assert composed.snippets
        rest = composed.text
        for _ in range(index.recipe.sentences):
            for snippet, _score in composed.snippets:
                parts = sorted(
                    (sentence for sentence in _sentences(snippet.text) if rest.startswith(sentence)), key=len
                )
                if parts:
                    rest = rest[len(parts[-1]) :].lstrip()
        assert rest == "", f"not in the cited snippets: {rest!r}"
        assert all(-1.0001 <= score <= 1.0001 for _, score in composed.snippets)


def _sentences(text: str) -> list[str]:
    import re

    return re.findall(r"\S.*?(?:[.!?](?=\s|$)|$)", text, re.DOTALL)


def test_prod_finds_the_section_that_answers(embedder: Embedder) -> None:
    found = {}
    for role, recipe in ROLES.items():
        index = HandbookIndex(load_sections(), recipe, embedder)
        cited = [
            question.section in {snippet.section.section_id for snippet, _ in index.answer(form).snippets}
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
        assert composed.snippets == ()
        assert "does not answer" in composed.text


def test_index_hash_follows_what_was_indexed(embedder: Embedder) -> None:
    sections = load_sections()
    recipe = ROLES["prod"]
    base = HandbookIndex(sections, recipe, embedder).index_hash
    assert HandbookIndex(sections, recipe, embedder).index_hash == base
    assert HandbookIndex(sections[:-1], recipe, embedder).index_hash != base
    narrower = msgspec.structs.replace(recipe, width=128)
    assert HandbookIndex(sections, narrower, embedder).index_hash != base
