"""Server-sent events, as the WHATWG HTML standard defines them (§9.2.6, "Interpreting an event stream").

Invariant: the events do not depend on where the bytes were cut, not even inside a UTF-8 character or a CR LF pair.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ... import _core

__all__ = ["Event", "SseDecoder", "looks_like_sse", "parse_sse"]

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Event:
    """One event. ``name`` is empty for the default ("message"); ``data`` joins its lines with LF."""

    data: str
    name: str = ""
    id: str = ""
    complete: bool = True
    """False for a last event without the blank line that ends it: the stream may have been cut there."""


class SseDecoder:
    """Turns bytes into events, piece by piece."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._rest = ""
        self._data: list[str] = []
        self._name = ""
        self._id = ""

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that ``chunk`` completes."""
        yield from self._read(self._utf8.decode(chunk), last=False)

    def close(self) -> Iterator[Event]:
        """What is left at the end: the standard drops it; here it comes marked as not complete."""
        yield from self._read(self._utf8.decode(b"", True), last=True)
        if self._rest:
            rest, self._rest = self._rest, ""
            self._line(rest)
        if self._data:
            yield self._dispatch(complete=False)

    def _read(self, text: str, *, last: bool) -> Iterator[Event]:
        text = self._rest + text
        start = 0
        for match in _LINE_END.finditer(text):
            if match.group() == "\r" and match.end() == len(text) and not last:
                break  # the LF of a CR LF may still come
            line, start = text[start : match.start()], match.end()
            if line:
                self._line(line)
            else:
                if self._data:
                    yield self._dispatch(complete=True)
                self._name = ""
        self._rest = text[start:]

    def _line(self, line: str) -> None:
        name, colon, value = line.partition(":")
        if colon and value.startswith(" "):
            value = value[1:]
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._name = value
        elif name == "id" and "\0" not in value:
            self._id = value

    def _dispatch(self, *, complete: bool) -> Event:
        event = Event("\n".join(self._data), self._name, self._id, complete)
        self._data.clear()
        self._name = ""
        return event


def parse_sse(body: bytes) -> list[Event]:
    """All events of a whole body."""
    decoder = SseDecoder()
    return [*decoder.feed(body), *decoder.close()]


def looks_like_sse(body: bytes, *, declared: bool) -> bool:
    """Whether the bytes read as an event stream, as the redaction reads them. When no header declares one, events hold
    JSON, or every line is one of their fields."""
    return _core.framing(body, declared) == "events"
