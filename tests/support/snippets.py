"""The programs of ``docs/operate/gateways.md``, as they are printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["PAGE", "Snippet", "gateway_snippets"]

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
    for section in re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        title = section.partition("\n")[0]
        blocks = re.findall(r"^```(\w*)\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
        programs = [text for language, text in blocks if language == "python"]
        commands = [text.strip() for language, text in blocks if not language]
        if programs:
            found[title] = Snippet(title, programs[0], commands[0])
    return found
