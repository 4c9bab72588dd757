"""What an answer cites: its list of sources, the markers of its text, and sources that the text itself names.

Invariant: code in a text cites nothing, and neither does a picture.
"""

from __future__ import annotations

import re
from collections import Counter
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ..types import Answer, Citation

__all__ = ["cited", "inline_markers", "url_key"]

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_LISTED = re.compile(r"(?m)^[ \t]*(?:[-*][ \t]+)?(?:\[\^?(\d{1,3})\]:?|(\d{1,3})[.)])[ \t]+(\S.*)$")
"""A line of a list of sources: ``[1] Title https://...``, ``[^2]: ...``, ``3. https://...``."""
_BARE_URL = re.compile(r"https?://[^\s<>\])]+(?:\([^\s<>)]*\)[^\s<>\])]*)*")
_LINK = re.compile(
    r"(?<!!)\[([^\[\]\n]{0,300})\]"
    r"\([ \t]{0,9}<?(https?://[^\s<>()]*(?:\([^\s<>()]*\)[^\s<>()]*)*)>?"
    r"(?:[ \t]{1,9}[\"'(][^\n]{0,200}?[\"')])?[ \t]{0,9}\)"
)
_NAMED_LINK = re.compile(r"(?<!!)\[([^\[\]\n]{1,300})\]\[([^\[\]\n]{1,100})\]")
_TARGET = re.compile(r"(?m)^[ ]{0,3}\[([^\[\]\n]{1,100})\]:[ \t]*<?(https?://[^\s<>]+)")
_TITLE_WORDS = 12
_MARKER = re.compile(r"\[\^?(?:doc\s?)?(\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*)\]|【(\d{1,3})(?::\d+)?†[^】]*】")
_PART = re.compile(r"(\d+)(?:\s*[–-]\s*(\d+))?")
_MAX_RANGE = 50


def cited(answer: Answer) -> tuple[Citation, ...]:
    """What an answer cites, in its order, with the inline markers of its text taken into account.

    Markers ([1], [2, 3]) point into a list of sources, counted from 1: of those the ones that are pointed at remain, in
    the order of first mention. Where a marker has no source, or citations carry offsets in the text (provider
    annotations), the list stays as it is. Without any list the text itself is read: its list of sources (``[1]:
    https://...``), else its Markdown links, else each marker is a citation by its number.
    """
    numbers = list(dict.fromkeys(inline_markers(answer.text)))
    if not answer.citations:
        return _in_text(answer.text, numbers)
    if not numbers:
        return answer.citations
    if max(numbers) > len(answer.citations) or any(citation.offsets for citation in answer.citations):
        return answer.citations
    return tuple(answer.citations[number - 1] for number in numbers)


def _in_text(text: str, numbers: list[int]) -> tuple[Citation, ...]:
    """What a text cites by itself."""
    if "[" not in text:
        return tuple(Citation(snippet_id=f"[{number}]") for number in numbers)
    plain = _CODE.sub(" ", text)
    listed = {}
    for bracketed, counted, rest in _LISTED.findall(plain):
        url = _BARE_URL.search(rest)
        if url is not None or (bracketed and len(rest.split()) <= _TITLE_WORDS):
            title = " ".join(_BARE_URL.sub(" ", rest).split()).strip("[]()<>: ")
            listed[int(bracketed or counted)] = Citation(source_url=_closed(url.group()) if url else title, text=title)
    # A line that begins with a marker is a list of sources only where the text points at it.
    seen = Counter(inline_markers(plain))
    seen.update(int(counted) for _, counted, _ in _LISTED.findall(plain) if counted)
    pointed = [number for number in numbers if number in listed and seen[number] > 1]
    if pointed:
        return tuple(listed[number] for number in pointed)
    targets = {name.lower(): url for name, url in _TARGET.findall(plain)}
    links = [(title, _closed(url)) for title, url in _LINK.findall(plain)]
    links += [(title, targets[name.lower()]) for title, name in _NAMED_LINK.findall(plain) if name.lower() in targets]
    if links:
        found = {
            url_key(url): Citation(source_url=url, text="" if title.isdigit() else title) for title, url in links[::-1]
        }
        return tuple(found[key] for key in dict.fromkeys(url_key(url) for _, url in links))
    return tuple(Citation(snippet_id=f"[{number}]") for number in numbers)


def _closed(url: str) -> str:
    """A URL without the bracket or the full stop that ends its sentence."""
    url = url.rstrip(".,;:!?\"'>*")
    while url.endswith(")") and url.count("(") < url.count(")"):
        url = url[:-1]
    return url


def url_key(value: str) -> str:
    """A URL as it is compared: without fragment, trailing slash and ``utm_*`` parameters."""
    try:
        parts = urlsplit(value.strip())
        query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if not pair[0].startswith("utm_")]
    except ValueError:
        return value
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), parts.path.rstrip("/"), urlencode(query), ""))


def inline_markers(text: str) -> list[int]:
    """The numbers of inline citations, in their order, repeats included: ``[1]``, ``[2, 3]``, ``[4-6]``, ``[^7]``,
    ``[doc8]``, ``【9†source】``. Code is skipped; numbers of four digits are years, and 0 is no marker.
    """
    found: list[int] = []
    if "[" not in text and "【" not in text:
        return found
    for match in _MARKER.finditer(_CODE.sub(" ", text)):
        for first, last in _PART.findall(match.group(1) or match.group(2)):
            start, end = int(first), int(last or first)
            if 0 < start <= end <= start + _MAX_RANGE:
                found.extend(range(start, end + 1))
    return found
