"""What the gateway and the lane's worker leave for each other in the lane's directory, beside the shared memory.

Invariant: the configuration there is the one of the gateway that opened the lane last, whole, with absolute paths; it
holds no secret, since credentials are named.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from ..errors import ConfigError
from . import Config

__all__ = [
    "CONFIG_FILE",
    "ERROR_FILE",
    "GATEWAY_ERROR_FILE",
    "START_LOCK",
    "START_LOCK_ENV",
    "running_revision",
    "worker_config",
]

CONFIG_FILE = "config.json"
"""The configuration that the worker runs. Written by who opens the lane."""
ERROR_FILE = "worker.error"
"""Why the last worker ended, when it did not end well: in its own words, or its supervisor's when it was killed."""

GATEWAY_ERROR_FILE = "gateway.error"
"""Why the last gateway process that could not open the lane mirrors nothing, until one can."""
START_LOCK = "start.lock"
"""Locked while a worker is coming up."""
START_LOCK_ENV = "SHADOWLANE_START_LOCK"
"""Which descriptor a worker that a gateway starts inherits with that lock."""


def worker_config(config: Config, directory: Path) -> Config:
    """``config`` as the lane's worker reads it: with absolute paths, whatever directory it starts in."""
    plain = config.to_dict()
    plain["store"]["url"] = config.store.anchored(Path.cwd()).url
    plain["lane"]["directory"] = str(directory)
    return Config.from_dict(plain)


def running_revision(directory: Path) -> str:
    """The revision of the configuration that the lane's worker is to run; empty when none was written, or none that
    this release can read."""
    try:
        return Config.from_dict(msgspec.json.decode((directory / CONFIG_FILE).read_bytes())).revision()
    except (OSError, msgspec.DecodeError, ConfigError):
        return ""
