"""The handbook and its questions fit together."""

from __future__ import annotations

import re

from shadowlane.demo.corpus import load_chapters, load_questions, load_sections


def test_sections_lie_where_they_say() -> None:
    chapters = load_chapters()
    sections = load_sections()
    assert len(sections) >= 40
    assert len({section.section_id for section in sections}) == len(sections)
    for section in sections:
        assert chapters[section.chapter][section.start : section.end] == section.text
        assert section.text == section.text.strip()
        assert "#" not in section.text
        assert 50 <= len(section.text.split()) <= 150, section.section_id
        assert section.source_url.endswith(section.section_id.replace("/", "#"))


def test_every_question_names_a_section_and_has_paraphrases() -> None:
    known = {section.section_id for section in load_sections()}
    questions = load_questions()
    assert len(questions) == 60
    for question in questions:
        assert question.section in known
        assert len(question.forms) == 5
    assert {question.section for question in questions} == known, "a section that nobody asks about"


def test_every_wording_is_distinct() -> None:
    forms = [re.sub(r"\W+", " ", form.lower()).strip() for question in load_questions() for form in question.forms]
    assert len(forms) == 300
    assert len(set(forms)) == len(forms)
