"""See :mod:`tests.unit.worker.conftest`."""

from __future__ import annotations

from ..worker.conftest import way

__all__ = ["way"]
