"""What a worker leaves in the lane's directory for others: how its limits stand, and why the last one ended.

Imports nothing of the worker, so that ``shadowlane status`` starts in milliseconds. Invariant: both files are replaced
at once, mode 0600, and quote nothing of a request.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..config.worker_file import ERROR_FILE, GATEWAY_ERROR_FILE
from ..files import write_private

__all__ = [
    "ERROR_FILE",
    "STATE_FILE",
    "clear_error",
    "gateway_error",
    "last_error",
    "read_state",
    "write_error",
    "write_state",
]

STATE_FILE = "worker.json"


def read_state(directory: Path) -> dict[str, Any] | None:
    """What the lane's worker last wrote about its limits; ``None`` when there is nothing that can be read."""
    try:
        state = msgspec.json.decode((directory / STATE_FILE).read_bytes())
    except (OSError, msgspec.DecodeError):
        return None
    return state if isinstance(state, dict) else None


def write_state(directory: Path, state: Mapping[str, Any]) -> None:
    """Replace the state. Raises :class:`OSError`."""
    write_private(directory / STATE_FILE, msgspec.json.encode(state))


def last_error(directory: Path) -> str:
    """Why the last worker of this lane ended, when it ended with an error; else empty."""
    try:
        return (directory / ERROR_FILE).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def gateway_error(directory: Path) -> str:
    """Why the last gateway process that could not open the lane mirrors nothing; empty since one could."""
    try:
        return (directory / GATEWAY_ERROR_FILE).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def write_error(directory: Path, text: str) -> None:
    """Say why this worker ends. Raises :class:`OSError`."""
    write_private(directory / ERROR_FILE, (text + "\n").encode("utf-8", "replace"))


def clear_error(directory: Path) -> None:
    """This worker ended well."""
    with contextlib.suppress(OSError):
        (directory / ERROR_FILE).unlink()
