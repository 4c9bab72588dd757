"""Figures in a line of evidence, and how long a rule still needs. Invariant: nothing here decides anything."""

from __future__ import annotations

import math
from collections.abc import Callable

from .sequences import Interval

__all__ = ["bounds", "hours_for", "percent", "plain", "rounded", "signed", "signed_fine", "signed_plain"]


def bounds(seen: Interval, show: Callable[[float], str], target: float, *, each: bool = False) -> str:
    """The estimate, its bounds and the target; ``each``: each bound holds with 95 %, not both together."""
    text = f"{show(seen.lower)} to {show(seen.upper)}" if math.isfinite(seen.upper) else "not bounded yet"
    level = "each bound 95 %" if each else "95 %"
    return f"{show(seen.estimate)} ({level} at any time: {text}; target at most {show(target)})"


def hours_for(more: int | None, n: int, hours: float) -> float | None:
    """How long ``more`` values take, when ``n`` came in so many ``hours``."""
    if more is None or n <= 0 or hours <= 0:
        return None
    return more / (n / hours)


def percent(value: float) -> str:
    """``12.34 %``."""
    return f"{100 * value:.2f} %"


def plain(value: float) -> str:
    """``0.123``; what is nearly zero has no sign."""
    return f"{round(value, 3) + 0.0:.3f}"


def rounded(n: int) -> int:
    """Two figures: nobody knows more."""
    step = int(10 ** max(len(str(n)) - 2, 0))
    return -(-n // step) * step


def signed(value: float) -> str:
    """``+1.2 %``."""
    return f"{100 * value:+.1f} %"


def signed_fine(value: float) -> str:
    """``+0.012 %``."""
    return f"{100 * value:+.2g} %"


def signed_plain(value: float) -> str:
    """``+0.123``."""
    return f"{value:+.3f}"
