"""One line of ``shadowlane doctor``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Check"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. ``remedy`` is empty when all is well."""

    name: str
    level: Literal["ok", "warn", "fail"]
    text: str
    remedy: str = ""
