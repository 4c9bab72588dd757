"""A lane's counters, scores and verdicts for Prometheus. Needs the ``worker`` extra; gateways never import it."""

from __future__ import annotations

from .collector import LaneCollector
from .exposition import expose
from .names import METRICS, Named
from .verdicts import Judged

__all__ = ["METRICS", "Judged", "LaneCollector", "Named", "expose"]
