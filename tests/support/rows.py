"""What a drain gives, by name: fields come and go, their order with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shadowlane import _core
from shadowlane.types import Copy

__all__ = ["acknowledge"]

_RING, _SEQ = (Copy.__struct_fields__.index(name) for name in ("ring", "seq"))


def acknowledge(drainer: _core.Drainer, rows: Iterable[tuple[Any, ...]]) -> None:
    """Say that the copies may be forgotten."""
    for row in rows:
        drainer.ack(row[_RING], row[_SEQ])
