"""shadowlane mirrors a sample of a gateway's traffic to a shadow service and compares the answers.

Importing this package is light on purpose: it runs in somebody's gateway. Scoring, storing and sending live in
the worker process and are imported there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._core import __version__
from .config import Config, load_config
from .errors import ConfigError, LaneError, MissingExtraError, ScoreError, ShadowlaneError, StoreError

if TYPE_CHECKING:
    from .capture.lane import Lane

__all__ = [
    "Config",
    "ConfigError",
    "Lane",
    "LaneError",
    "MissingExtraError",
    "ScoreError",
    "ShadowlaneError",
    "StoreError",
    "__version__",
    "load_config",
]


def __getattr__(name: str) -> Any:
    if name == "Lane":
        from .capture.lane import Lane

        return Lane
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
