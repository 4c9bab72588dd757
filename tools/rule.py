"""What a rule for Prometheus is made of.

Invariant: an alert has series on which it fires, and others on which it does not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Alert", "Record"]


@dataclass(frozen=True, slots=True)
class Record:
    """A recording rule."""

    name: str
    expr: str
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert, series on which it fires within 40 minutes, and such on which it does not."""

    name: str
    expr: str
    lasts: str
    severity: Literal["page", "ticket"]
    summary: str
    text: str
    fires: dict[str, str]
    """Series to values, one a minute."""
    quiet: tuple[dict[str, str], ...]
    labels: dict[str, str] = field(default_factory=dict)
    """Those of the alert on :attr:`fires`, beside its name and severity."""
