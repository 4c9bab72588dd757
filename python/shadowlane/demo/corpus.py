"""The handbook and the questions that come with the demonstration, read from the package.

Invariants: a section's text is exactly ``document[start:end]`` of its chapter's file, so that offsets cited by a
service can be checked against the file; every question names a section that exists.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

import msgspec

from ..errors import DataError

__all__ = ["Question", "Section", "load_chapters", "load_questions", "load_sections"]

_BASE_URL = "https://handbook.lindenrad.example"
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One section of the handbook. Offsets count characters in the chapter's file."""

    section_id: str
    """``chapter/heading-in-kebab-case``."""
    title: str
    text: str
    start: int
    end: int

    @property
    def chapter(self) -> str:
        return self.section_id.partition("/")[0]

    @property
    def source_url(self) -> str:
        chapter, _, anchor = self.section_id.partition("/")
        return f"{_BASE_URL}/{chapter}#{anchor}"


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question in several wordings, and the section that answers it."""

    section: str
    forms: tuple[str, ...]


class _QuestionFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    question: tuple[Question, ...]


@cache
def load_chapters() -> dict[str, str]:
    """The text of each chapter's file, by the file's stem, sorted by name."""
    folder = resources.files(__package__) / "handbook"
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".md")), key=lambda item: item.name)
    return {item.name.removesuffix(".md"): item.read_text(encoding="utf-8") for item in files}


@cache
def load_sections() -> tuple[Section, ...]:
    """Every section of every chapter, in the order of the files. Raises DataError when the package is damaged."""
    sections: list[Section] = []
    for chapter, text in load_chapters().items():
        headings = list(_HEADING.finditer(text))
        ends = [heading.start() for heading in headings[1:]] + [len(text)]
        for heading, limit in zip(headings, ends, strict=True):
            raw = text[heading.end() : limit]
            body = raw.strip()
            start = heading.end() + len(raw) - len(raw.lstrip())
            anchor = re.sub(r"[^a-z0-9]+", "-", heading[1].lower()).strip("-")
            sections.append(
                Section(
                    section_id=f"{chapter}/{anchor}", title=heading[1], text=body, start=start, end=start + len(body)
                )
            )
    if not sections:
        raise DataError("the demonstration's handbook is missing from the installed package; install shadowlane again")
    return tuple(sections)


@cache
def load_questions() -> tuple[Question, ...]:
    """Every question. Raises DataError when one names a section that the handbook does not have."""
    raw = (resources.files(__package__) / "questions.toml").read_bytes()
    try:
        questions = msgspec.toml.decode(raw, type=_QuestionFile).question
    except msgspec.DecodeError as error:
        raise DataError(f"demo/questions.toml: {error}; install shadowlane again") from None
    section_ids = {section.section_id for section in load_sections()}
    for question in questions:
        if question.section not in section_ids:
            raise DataError(f"demo/questions.toml: section = {question.section!r}: the handbook has no such section")
    return questions
