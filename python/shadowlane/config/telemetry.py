"""``[telemetry]``: spans of the copies, for an OpenTelemetry collector.

Invariant: what passes here names a collector without a secret in its address.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from .bounds import Bound
from .limits import Section
from .shown import shown_url

__all__ = ["TelemetryConfig", "telemetry_problem"]

_PATH = "/v1/traces"


class TelemetryConfig(Section, frozen=True):
    """``[telemetry]``: spans of the copies, by OpenTelemetry (extra ``otel``)."""

    endpoint: str = ""
    """The collector that takes OTLP over HTTP: ``http://HOST[:PORT]``, with ``/v1/traces`` put behind it, or its whole
    address. Its headers, a key for example, are ``OTEL_EXPORTER_OTLP_HEADERS`` in the worker's environment. Empty:
    off."""
    propagate: bool = False
    """Send the context of a copy's span to the shadow, so that the shadow's spans are below it. Prod's own context is
    never sent."""
    service_name: str = "shadowlane"
    """``service.name`` of the spans."""
    queue: Annotated[int, Bound(1, 65_536, unit="spans")] = 2048
    """Spans that wait for the collector; those beyond are lost, and counted."""
    timeout_s: Annotated[float, Bound(0, 60, above=True, unit="seconds")] = 5.0
    """How long the collector may take for a batch, tries included."""

    def traces_url(self) -> str:
        """Where the spans go."""
        return self.endpoint if urlsplit(self.endpoint).path.strip("/") else self.endpoint.rstrip("/") + _PATH


def telemetry_problem(telemetry: TelemetryConfig) -> str | None:
    """The first thing that is wrong, as ``field = value: why; remedy``, or ``None``."""
    shown = f"telemetry.endpoint = {shown_url(telemetry.endpoint)!r}"
    if not telemetry.service_name.strip() or not telemetry.service_name.isprintable():
        return f"telemetry.service_name = {telemetry.service_name!r}: use a name of printable characters"
    if not telemetry.endpoint:
        return "telemetry.propagate = true: needs telemetry.endpoint" if telemetry.propagate else None
    try:
        url = urlsplit(telemetry.endpoint)
        host, _ = url.hostname, url.port
    except ValueError:
        return f"{shown}: host or port cannot be read; use http://HOST[:PORT] or https://..."
    if url.scheme not in ("http", "https") or not host:
        return f"{shown}: use http://HOST[:PORT] or https://..."
    if url.username is not None or url.password is not None:
        return "telemetry.endpoint: holds a user name or password; put them into OTEL_EXPORTER_OTLP_HEADERS"
    if url.query or url.fragment:
        return f"{shown}: a query or fragment has no meaning here; put a key into OTEL_EXPORTER_OTLP_HEADERS"
    return None
