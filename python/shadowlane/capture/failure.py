"""What a gateway process that cannot open the lane leaves for ``status`` and ``doctor``, as far as it can.

Invariant: nothing here raises, and nothing is made but one file in the lane's directory, which is 0700 like the lane's.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ..config.worker_file import GATEWAY_ERROR_FILE
from ..files import write_private

__all__ = ["forget_failure", "note_failure"]


def note_failure(directory: Path, text: str) -> None:
    """Leave why this process mirrors nothing. Where not even that can be written, ``doctor`` finds the cause itself."""
    with contextlib.suppress(OSError):
        directory.mkdir(mode=0o700, exist_ok=True)
        if directory.lstat().st_uid == os.geteuid() and not directory.is_symlink():
            write_private(directory / GATEWAY_ERROR_FILE, f"process {os.getpid()}: {text}\n".encode("utf-8", "replace"))


def forget_failure(directory: Path) -> None:
    """A process could open the lane: whatever was in the way is over."""
    with contextlib.suppress(OSError):
        (directory / GATEWAY_ERROR_FILE).unlink()
