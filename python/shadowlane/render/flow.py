"""The way of a lane's requests as inline SVG, from seen to stored: what went on at each step, and what was left behind.

Invariant: as :mod:`.svg`'s; every name is escaped, since reasons come from a store.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

__all__ = ["Step", "flow"]

_WIDTH, _ROW, _NAME, _COUNT = 760, 30, 150, 90


class Step(NamedTuple):
    """One bar: its name, how many, its class (``flow``, ``kept``, ``lost`` or ``left``) and a word on it."""

    name: str
    n: int
    kind: str
    more: str = ""


def flow(steps: Sequence[Step], title: str) -> str:
    """Bars under each other, as long as they are many."""
    top = max((step.n for step in steps), default=0) or 1
    room = _WIDTH - _NAME - _COUNT
    parts = [f"<title>{escape(title)}</title>"]
    for row, step in enumerate(steps):
        y = row * _ROW
        long = step.n / top * room
        width = max(long, 2.0) if step.n else 0.0
        parts.append(
            f'<text class="{"strong" if step.kind == "flow" else ""}" x="0" y="{y + 19}">{_cut(step.name)}</text>'
        )
        parts.append(
            f'<rect class="{step.kind}" x="{_NAME}" y="{y + 5}" width="{width:.1f}" height="{_ROW - 10}" rx="3">'
            f"<title>{escape(step.name)}: {step.n:,}</title></rect>"
        )
        text = f"{step.n:,}" + (f" {escape(step.more)}" if step.more else "")
        parts.append(f'<text class="num" x="{_NAME + width + 8:.1f}" y="{y + 19}">{text}</text>')
    return f'<svg viewBox="0 0 {_WIDTH} {len(steps) * _ROW}" role="img">{"".join(parts)}</svg>'


def _cut(name: str) -> str:
    return escape(name if len(name) <= 22 else name[:21] + "…")
