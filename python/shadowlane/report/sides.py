"""What one side has of the other's, in words: prod's by the shadow, or, where the shadow is the baseline
(``direction = "reverse"``), the shadow's by prod."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..render.text import percent

__all__ = ["cited_line", "covered_line", "strange_line"]


def cited_line(shadow: Mapping[str, Any]) -> str:
    """Of the citations."""
    whose = "the shadow's are prod's too" if _reverse(shadow) else "prod's found again"
    return f"{percent(shadow['match'])} of {whose} ({shadow['match_n']} pairs cite)"


def covered_line(shadow: Mapping[str, Any]) -> str:
    """Of what was retrieved."""
    covered = shadow["surroundings"]["coverage"]
    base, other = ("the shadow", "by prod") if _reverse(shadow) else ("prod", "too")
    return f"{percent(covered['mean'])} of what {base} retrieved was retrieved {other}; {covered['pairs']} pairs"


def strange_line(shadow: Mapping[str, Any]) -> str:
    """Of the tool calls: those that the baseline never made."""
    strange = shadow["strange_calls"]
    who = "of prod's that the shadow never made" if _reverse(shadow) else "that prod never made"
    return f"{strange['calls']} {who}, in {strange['pairs']} pairs"


def _reverse(shadow: Mapping[str, Any]) -> bool:
    return bool(shadow["direction"] == "reverse")
