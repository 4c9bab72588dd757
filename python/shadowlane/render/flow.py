"""The way of a lane's requests, from seen to stored, as a table of bars: what went on at each step, what did not.

Invariant: every name is escaped, since reasons come from a store; a bar is a drawing without a style of its own, and
its number stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .page import escaped

__all__ = ["Step", "flow"]


class Step(NamedTuple):
    """One bar: its name, how many, and its class (``flow``, ``kept``, ``lost`` or ``left``)."""

    name: str
    n: int
    kind: str


def flow(steps: Sequence[Step], title: str) -> str:
    """Bars under each other, as long as they are many."""
    top = max((step.n for step in steps), default=0) or 1
    rows = "".join(
        f'<tr><th scope="row">{escaped(step.name)}</th><td><svg viewBox="0 0 100 4" preserveAspectRatio="none" '
        f'aria-hidden="true"><rect class="{step.kind}" width="{_width(step.n, top)}" height="4"/></svg></td>'
        f"<td>{step.n:,}</td></tr>"
        for step in steps
    )
    return f'<table class="steps num"><caption>{escaped(title)}</caption><tbody>{rows}</tbody></table>'


def _width(n: int, top: int) -> str:
    return f"{max(100 * n / top, 0.4) if n else 0:.2f}"
