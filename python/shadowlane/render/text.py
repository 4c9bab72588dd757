"""Lines for a terminal, and numbers and times as text. Styled by rich when it is installed and a person looks.

Invariant: no style carries meaning of its own; text from outside is printed without control characters.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Iterable, Mapping

__all__ = ["Line", "clock", "count_line", "milliseconds", "percent", "print_lines", "printable", "signed"]

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
    """Print to standard output."""
    if sys.stdout.isatty() and importlib.util.find_spec("rich") is not None:
        from rich.console import Console
        from rich.text import Text

        console = Console(highlight=False, soft_wrap=True)
        for text, style in lines:
            console.print(Text(text, style=_STYLES[style]))
    else:
        sys.stdout.write("".join(text + "\n" for text, _ in lines))


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
