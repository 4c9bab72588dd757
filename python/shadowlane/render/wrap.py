"""Lines cut to a terminal's width, under the column in which their text begins.

Invariant: no line is wider than asked for, and nothing of the text is lost but blanks at which it was cut. Widths are
in a terminal's cells (Unicode Standard Annex #11): East Asian letters take two, marks that combine none.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from typing import TextIO

__all__ = ["cells", "columns_of", "wrapped"]

DEFAULT_COLUMNS = 80
"""The width where no terminal says another: of files, pipes and build logs."""
_LEAST = 40
_INDENT = 2
_COLUMN = re.compile(r"(?:^ +| {2,})(?=\S)")
_BREAKS = ("/", ",=&?;:", "-_")
"""Signs behind which a long word is cut, the best first."""


def columns_of(stream: TextIO | None = None) -> int:
    """How wide lines on a stream (default: standard output) may be: ``$COLUMNS``, else its terminal's, else 80."""
    try:
        wanted = int(os.environ.get("COLUMNS", ""))
    except ValueError:
        wanted = 0
    if wanted <= 0:
        try:
            wanted = os.get_terminal_size((stream or sys.stdout).fileno()).columns
        except (OSError, ValueError, AttributeError):
            wanted = 0
    return max(wanted, _LEAST) if wanted > 0 else DEFAULT_COLUMNS


def cells(text: str) -> int:
    """How many cells of a terminal a text takes."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def wrapped(text: str, width: int) -> list[str]:
    """The line, or lines, of ``text``: what follows the first goes under the column that begins last in the left half
    (columns are parted by two blanks or more), else two blanks in."""
    return [piece for line in text.split("\n") for piece in _wrapped(line.expandtabs(4), width)]


def _wrapped(line: str, width: int) -> list[str]:
    if cells(line) <= width:
        return [line]
    starts = [found.end() for found in _COLUMN.finditer(line) if cells(line[: found.end()]) <= width // 2]
    start = starts[-1] if starts else 0
    indent = " " * (cells(line[:start]) if start else _INDENT)
    lines, now = [], line[:start]
    fresh = True
    for word in line[start:].split(" "):
        blank = "" if fresh else " "
        if cells(now) + len(blank) + cells(word) <= width:
            now += blank + word
            fresh = False
            continue
        if not fresh:
            lines.append(now.rstrip())
            now = indent
        while cells(now) + cells(word) > width:
            cut = _fitting(word, width - cells(now))
            lines.append(now + word[:cut])
            word, now = word[cut:], indent
        now += word
        fresh = False
    return [*lines, now.rstrip()]


def _fitting(word: str, room: int) -> int:
    """How many characters of a word fit: up to a sign of its second half at which paths and addresses part, if any."""
    used, most = 0, 0
    for character in word:
        used += _cells(character)
        if used > room and most:
            break
        most += 1
    for signs in _BREAKS:
        after = max(word.rfind(sign, most // 2, most) for sign in signs)
        if after > 0:
            return after + 1
    return most
