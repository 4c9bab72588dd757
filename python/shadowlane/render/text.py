"""What goes to standard output and standard error: lines, errors, JSON; and numbers and times as text.

Invariants: every command writes through this module and no other way (``tests/unit/render/test_output.py``), so that no
control character and no direction mark from outside reaches a terminal, as text or in JSON; no style carries meaning of
its own; no line of text is wider than the terminal; JSON, and what is there to be copied, is never wrapped.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from .wrap import columns_of, wrapped

__all__ = [
    "STYLES",
    "Line",
    "asked",
    "clock",
    "count_line",
    "cut",
    "json_line",
    "milliseconds",
    "percent",
    "print_error",
    "print_file",
    "print_json",
    "print_json_line",
    "print_lines",
    "print_raw",
    "printable",
    "signed",
]

Line = tuple[str, str]
"""Text and the name of its style."""

STYLES = {
    "title": "bold",
    "good": "green",
    "bad": "red",
    "open": "yellow",
    "dim": "dim",
    "": "",
}
"""What rich makes of a style's name."""
_HARMLESS = "\n\t\u00a0\u202f\u2009\u3000\u200c\u200d\u00ad"
"""Not printable by Unicode's word, and part of honest text: spaces, and what joins letters and emoji."""


def print_lines(lines: Iterable[Line]) -> None:
    """Print to standard output, wrapped, what would drive the terminal replaced by ``�``. Styled by rich when it is
    installed and a person looks."""
    width = columns_of(sys.stdout)
    lines = [(line, style) for text, style in lines for line in wrapped(printable(text), width)]
    if sys.stdout.isatty() and importlib.util.find_spec("rich") is not None:
        from rich.console import Console
        from rich.text import Text

        console = Console(highlight=False, soft_wrap=True)
        for text, style in lines:
            console.print(Text(text, style=STYLES[style]))
    else:
        sys.stdout.write("".join(text + "\n" for text, _ in lines))
    sys.stdout.flush()


def print_file(text: str) -> None:
    """Print a file's text, code or commands to standard output: not wrapped, since a line's end means something."""
    sys.stdout.write(printable(text))
    sys.stdout.flush()


def print_raw(data: bytes) -> None:
    """Write bytes that another program reads to standard output: :func:`json_line` in UTF-8, or a file's."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def print_error(text: str, program: str = "shadowlane") -> None:
    """Print ``program: text`` to standard error, as :func:`print_lines` does."""
    lines = wrapped(printable(f"{program}: {text}"), columns_of(sys.stderr))
    sys.stderr.write("".join(line + "\n" for line in lines))


def asked(question: str) -> str:
    """What a person answers to a question on standard output, in lower case without outer blanks."""
    sys.stdout.write(printable(question))
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower()


def print_json(value: Any) -> None:
    """Print a value as JSON (RFC 8259), sorted, readable, with an escape for each character that is not printable.

    A terminal obeys U+009B as it obeys ESC ``[``, and U+202E turns what follows around; ``json.dumps`` escapes neither.
    """
    sys.stdout.write(_json(value, indent=2) + "\n")


def json_line(value: Any) -> str:
    """The same as one line, without its end: for a log that a terminal may show."""
    return _json(value, indent=None)


def print_json_line(value: Any, stream: TextIO | None = None) -> None:
    """Write :func:`json_line` to a stream, by default standard output, at once."""
    out = sys.stdout if stream is None else stream
    out.write(json_line(value) + "\n")
    out.flush()


def _json(value: Any, *, indent: int | None) -> str:
    text = json.dumps(value, indent=indent, sort_keys=indent is not None, ensure_ascii=False, allow_nan=False)
    if text.isprintable():  # nearly every line, told at once
        return text
    return "".join(c if c.isprintable() or (c == "\n" and indent is not None) else _escape(c) for c in text)


def _escape(character: str) -> str:
    # json.dumps takes DEL for a letter, and gives a pair of surrogates for what lies beyond the first plane.
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]


def printable(text: str) -> str:
    """Text from outside, without control characters: it must not drive the terminal that shows it."""
    return "".join(c if c.isprintable() or c in _HARMLESS else "�" for c in text)


def percent(share: float) -> str:
    """``12.3 %``."""
    return f"{100 * share:.1f} %"


def signed(share: float) -> str:
    """``+12.3 %``."""
    return f"{100 * share:+.1f} %"


def milliseconds(seconds: float) -> str:
    """``3.21 ms``, ``45 ms``, ``1.20 s``."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    value = 1000 * seconds
    return f"{value:.0f} ms" if value >= 10 else f"{value:.2f} ms"


def clock(time_ns: int) -> str:
    """``2025-01-31 12:00:00`` in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time_ns / 1e9))


def cut(text: str, chars: int) -> str:
    """At most so many characters of it, the last an ellipsis where there are more."""
    return text if len(text) <= chars else text[: chars - 1].rstrip() + "…"


def count_line(counts: Mapping[str, int]) -> str:
    """``cap 3, deadline 1``, or ``none``."""
    return ", ".join(f"{name} {n}" for name, n in counts.items()) or "none"
