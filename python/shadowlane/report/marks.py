"""How far persons bear out the rules and ΔS: of what these accept and object to, how much was marked fine or wrong.

Invariant: who looks at a page sees the worst pairs first, so that no share over all pairs is said: only of those that
the scores accept, and of those that they object to, each with bounds that hold at any time.
"""

from __future__ import annotations

from typing import Any

from ..gate.sequences import rate_cs
from ..render.text import percent
from ..store import MarkCounts

__all__ = ["marks_data", "marks_lines"]


def marks_data(counts: MarkCounts) -> dict[str, Any] | None:
    """JSON-ready; ``None`` where nobody marked a pair."""
    if not sum(counts):
        return None
    return {
        "accepted": _agreed(counts.accepted_fine, counts.accepted_fine + counts.accepted_wrong),
        "objected": _agreed(counts.objected_wrong, counts.objected_fine + counts.objected_wrong),
        "unscored": counts.unscored,
    }


def _agreed(agreed: int, marked: int) -> dict[str, Any]:
    seen = rate_cs(agreed, marked) if marked else None
    return {"marked": marked, "agreed": agreed, "interval": None if seen is None else [seen.lower, seen.upper]}


def marks_lines(marks: dict[str, Any] | None) -> list[str]:
    """The same for a person; empty where nobody marked a pair."""
    lines: list[str] = []
    if marks is None:
        return lines
    for key, text, word in (
        ("accepted", "pairs that the scores accept", "fine"),
        ("objected", "pairs that they object to", "wrong"),
    ):
        part = marks[key]
        if part["marked"]:
            low, high = part["interval"]
            share = f"{percent(part['agreed'] / part['marked'])}, 95 % at any time: {percent(low)} to {percent(high)}"
            lines.append(f"of {part['marked']} marked {text}, {part['agreed']} are {word} ({share})")
    if marks["unscored"]:
        lines.append(f"{marks['unscored']} marked pairs have no score to compare with")
    return lines
