"""Text for who asks: OpenMetrics 1.0, with exemplars, for those that want it, else Prometheus' text format.

Source: https://prometheus.io/docs/instrumenting/content_negotiation/, RFC 9110 §12.5.1. Invariant: nothing of the
request stands in the answer.
"""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector, CollectorRegistry

__all__ = ["expose"]

_OPENMETRICS = "application/openmetrics-text"


def expose(collector: Collector, accept: str = "") -> tuple[bytes, str]:
    """What the collector gives now, and its content type. ``accept``: the request's field."""
    registry = CollectorRegistry()
    registry.register(collector)
    if _wants_openmetrics(accept):
        text: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
        return text, openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


def _wants_openmetrics(accept: str) -> bool:
    """Whether it is asked for, and nothing else more than it."""
    found = {"openmetrics": 0.0, "text": 0.0}
    for item in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in item.split(";"))
        weight = _weight(parameters)
        if kind == _OPENMETRICS:
            found["openmetrics"] = max(found["openmetrics"], weight)
        elif kind in ("text/plain", "text/*"):
            found["text"] = max(found["text"], weight)
    return found["openmetrics"] > 0 and found["openmetrics"] >= found["text"]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
