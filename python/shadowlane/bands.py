"""What a ΔS means: its bands and the largest mean that is accepted. Every other module reads them from here.

Source: the WFGY Problem Map (PSBigBig, MIT), with its bands at 0.40 and 0.60.
"""

from __future__ import annotations

from typing import Literal

from .errors import ScoreError

__all__ = ["ACCEPTED", "CRITICAL", "STABLE", "Band", "band"]

Band = Literal["stable", "transitional", "critical"]

STABLE = 0.40
"""Below this the answers mean the same for most purposes."""
CRITICAL = 0.60
"""From here on they do not."""
ACCEPTED = 0.45
"""The largest mean ΔS with which a shadow may graduate."""


def band(value: float) -> Band:
    """The band of one ΔS: ``stable`` below 0.40, ``transitional`` below 0.60, else ``critical``.

    Raises :class:`~shadowlane.errors.ScoreError` when ``value`` is NaN.
    """
    if value != value:
        raise ScoreError("band: ΔS is NaN; an answer without a score has no band")
    if value < STABLE:
        return "stable"
    return "transitional" if value < CRITICAL else "critical"
