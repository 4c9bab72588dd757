"""The programs of ``docs/operate/gateways.md`` and ``clients.md``, as they are printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["PAGE", "Snippet", "client_snippets", "gateway_settings", "gateway_snippets"]

PAGE = Path(__file__).parents[2] / "docs" / "operate" / "gateways.md"


class Snippet(NamedTuple):
    """One framework's section."""

    name: str
    program: str
    """What stands in ``gateway.py``."""
    command: str
    """What starts it."""


def gateway_snippets() -> dict[str, Snippet]:
    """By the section's title; sections without a program are left out."""
    found = {}
    for title, blocks in _sections(PAGE):
        programs = [text for language, text in blocks if language == "python"]
        commands = [text.strip() for language, text in blocks if not language]
        if programs:
            found[title] = Snippet(title, programs[0], commands[0])
    return found


def gateway_settings() -> dict[str, str]:
    """YAML that a gateway reads, by the section's title."""
    return {title: text for title, blocks in _sections(PAGE) for language, text in blocks if language == "yaml"}


def client_snippets() -> dict[str, str]:
    """The programs that ask, by the section's title."""
    page = PAGE.with_name("clients.md")
    return {title: text for title, blocks in _sections(page) for language, text in blocks if language == "python"}


def _sections(page: Path) -> list[tuple[str, list[tuple[str, str]]]]:
    """Titles, and the blocks of each: language and text."""
    sections = re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    blocks = [re.findall(r"^```(\w*)\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL) for section in sections]
    return [(section.partition("\n")[0], some) for section, some in zip(sections, blocks, strict=True)]
