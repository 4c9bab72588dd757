"""``shadowlane dashboard``: the page alone, over a lane's counters and store, whether a worker runs or not."""

from __future__ import annotations

from ..config import Config
from ..errors import MissingExtraError
from ..serve.command import run_serve

__all__ = ["run_dashboard"]


def run_dashboard(config: Config, listen: str | None = None, as_json: bool = False) -> int:
    """Serve the page until told to stop; returns 0. Raises what :func:`shadowlane.serve.command.run_serve` does."""
    try:
        from .routes import dashboard_routes
    except ImportError:
        raise MissingExtraError("shadowlane dashboard", "worker", "aiohttp") from None
    return run_serve(config, listen, as_json, more=(dashboard_routes,), path="/")
