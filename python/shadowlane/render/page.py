"""What every page of ours is made of: its frame, escaping, and two texts with their differing words marked.

Invariants: no request, no font or picture from elsewhere; a page that is a file has no script, and its content security
policy allows its own style sheet, by its hash, and nothing else; nothing is inline in one that is served; answers from
outside can neither run, fetch, nor change the page's layout.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import itertools
import re
from collections.abc import Sequence
from html import escape

from .style import CSS
from .text import printable

__all__ = ["escaped", "marked", "page", "served"]

_WORD = re.compile(r"\s+|\w+|[^\w\s]")


def page(title: str, body: str) -> str:
    """A whole page; ``body`` is markup, whose values were escaped where they entered it."""
    digest = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escaped(policy)}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="robots" content="noindex">\n'
        f"<title>{escaped(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )


def served(title: str, body: str, *, scripts: Sequence[str] = (), styles: Sequence[str] = ()) -> str:
    """The same for a page that a server gives with its policy in a header; styles and scripts are its files."""
    links = "".join(f'<link rel="stylesheet" href="{href}">\n' for href in (*styles, "/assets/style.css"))
    links += "".join(f'<script src="{source}" defer></script>\n' for source in scripts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n<link rel="icon" href="data:,">\n'
        f"<title>{escaped(title)}</title>\n{links}</head>\n<body>\n"
        '<a class="skip" href="#main">To the figures</a>\n<main id="main" tabindex="-1">\n'
        f"{body}</main>\n</body>\n</html>\n"
    )


def escaped(value: object) -> str:
    """A value as text of the page: escaped, and without control characters."""
    return escape(printable(str(value)), quote=True)


def marked(prod: str, shadow: str) -> tuple[str, str]:
    """Both texts escaped, with the words that only one of them has marked."""
    a, b = _WORD.findall(printable(prod)), _WORD.findall(printable(shadow))
    in_a, in_b = [False] * len(a), [False] * len(b)
    # Blanks are compared with nothing: there are so many that two long texts would be compared for minutes.
    at_a, at_b = ([index for index, word in enumerate(some) if not word.isspace()] for some in (a, b))
    words = difflib.SequenceMatcher(None, [a[index] for index in at_a], [b[index] for index in at_b], autojunk=False)
    for start_a, start_b, length in words.get_matching_blocks():
        for step in range(length):
            in_a[at_a[start_a + step]] = in_b[at_b[start_b + step]] = True
    return _spans(a, in_a), _spans(b, in_b)


def _spans(words: Sequence[str], shared: list[bool]) -> str:
    """Escaped words, runs of those that are not shared marked; a space between two of them belongs to the run."""
    for index in range(1, len(words) - 1):
        if words[index].isspace():
            shared[index] = shared[index - 1] or shared[index + 1]
    runs = itertools.groupby(zip(shared, words, strict=True), key=lambda item: item[0])
    texts = [(both, escape("".join(word for _, word in run), quote=True)) for both, run in runs]
    return "".join(text if both or not text.strip() else f"<mark>{text}</mark>" for both, text in texts)
