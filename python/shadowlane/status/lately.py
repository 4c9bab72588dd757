"""A shadow's newest copies in a few figures: versions, waiting, tries, and what answers use beside prod's.

Invariant: figures of both sides are sums over the same pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..render.text import milliseconds, signed

__all__ = ["lately_lines"]


def lately_lines(lately: Mapping[str, Any] | None) -> list[str]:
    """One line of figures and one of versions; empty without copies."""
    if not lately:
        return []
    parts = []
    if lately["wait_p95_s"] is not None:
        parts.append(f"P95 of the wait for a slot {milliseconds(lately['wait_p95_s'])}")
    if lately["again"]:
        parts.append(f"{lately['again']} of {lately['sent']} sent again")
    parts += [f"{name} {more} to prod's" for name in ("tokens", "cost") if (more := _increase(lately[name]))]
    lines = ["; ".join(parts)] if parts else []
    if lately["pins"]:
        lines.append("versions: " + ", ".join(f"{pin} {value}" for pin, value in lately["pins"].items()))
    return lines


def _increase(sums: Sequence[float] | None) -> str:
    if sums is None or not sums[0]:
        return ""
    return signed(sums[1] / sums[0] - 1)
