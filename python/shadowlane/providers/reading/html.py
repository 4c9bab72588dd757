"""The visible text of a web page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

__all__ = ["html_text", "looks_like_html"]

_HTML_START = re.compile(
    r"\s*(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_SPACES = re.compile(r"[^\S\n]+")
_NEWLINES = re.compile(r"\s*\n\s*")
_HIDDEN = frozenset({"script", "style", "template", "noscript", "svg", "head"})
_SECTIONS = {"address", "article", "aside", "blockquote", "div", "footer", "form", "header", "main", "nav", "section"}
_LINES = {"br", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "option", "p", "pre"}
_LISTS = {"dd", "dl", "dt", "li", "ol", "table", "td", "th", "tr", "ul"}
_BLOCKS = frozenset(_SECTIONS | _LINES | _LISTS)


def looks_like_html(text: str) -> bool:
    """Whether a text begins as an HTML document."""
    return _HTML_START.match(text) is not None


class _TextOfPage(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.title: list[str] = []
        self._hidden: list[str] = []
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_title = tag == "title"
        if tag == "body":
            self._hidden.clear()  # an unclosed <head> ends here
        if tag in _HIDDEN:
            self._hidden.append(tag)
        if tag in _BLOCKS:
            self.pieces.append("\n")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False
        if tag in self._hidden:
            while self._hidden.pop() != tag:
                pass
        if tag in _BLOCKS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)
        elif not self._hidden:
            # Line breaks of the source are spaces; only block elements break lines.
            self.pieces.append(data.replace("\n", " "))


def html_text(page: str) -> str:
    """The visible text of a page, one line a block; its title when there is no other."""
    parser = _TextOfPage()
    parser.feed(page)
    parser.close()
    text = _NEWLINES.sub("\n", _SPACES.sub(" ", "".join(parser.pieces))).strip()
    return text or _SPACES.sub(" ", "".join(parser.title)).strip()
