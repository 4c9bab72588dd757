"""Lines for a terminal, and numbers and times as text. Styled by rich when it is installed and a person looks.

Invariant: no style carries meaning of its own; no control character and no direction mark from outside reaches the
terminal, as text or in JSON.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["Line", "clock", "count_line", "milliseconds", "percent", "print_json", "print_lines", "printable", "signed"]

Line = tuple[str, str]
"""Text and the name of its style."""

_STYLES = {
    "title": "bold",
    "good": "green",
    "bad": "red",
    "open": "yellow",
    "dim": "dim",
    "": "",
}
_HARMLESS = "\n\t\u00a0\u202f\u2009\u3000\u200c\u200d\u00ad"
"""Not printable by Unicode's word, and part of honest text: spaces, and what joins letters and emoji."""


def print_lines(lines: Iterable[Line]) -> None:
    """Print to standard output, what would drive the terminal replaced by ``�``."""
    lines = [(printable(text), style) for text, style in lines]
    if sys.stdout.isatty() and importlib.util.find_spec("rich") is not None:
        from rich.console import Console
        from rich.text import Text

        console = Console(highlight=False, soft_wrap=True)
        for text, style in lines:
            console.print(Text(text, style=_STYLES[style]))
    else:
        sys.stdout.write("".join(text + "\n" for text, _ in lines))


def print_json(value: Any) -> None:
    """Print a value as JSON (RFC 8259), sorted, readable, with an escape for each character that is not printable.

    A terminal obeys U+009B as it obeys ESC ``[``, and U+202E turns what follows around; ``json.dumps`` escapes neither.
    """
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("".join(c if c.isprintable() or c == "\n" else _escape(c) for c in text) + "\n")


def _escape(character: str) -> str:
    return json.dumps(character)[1:-1]


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


def count_line(counts: Mapping[str, int]) -> str:
    """``cap 3, deadline 1``, or ``none``."""
    return ", ".join(f"{name} {n}" for name, n in counts.items()) or "none"
