"""The folders of a demonstration: what it leaves for the user, and where its lanes lie meanwhile.

Invariant: nothing is removed but what an earlier demonstration left, in a folder that one has marked as its own.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ..errors import ConfigError

__all__ = ["lane_folder", "prepared", "toml_text"]

_MARKER = ".shadowlane-demo"


def prepared(out: Path, own: Iterable[str]) -> Path:
    """``out`` as an empty folder with a folder ``logs`` (0700) in it. What an earlier run left, that is the names of
    ``own``, is removed.

    Raises :class:`~shadowlane.errors.ConfigError` for a folder of somebody else's, and one that cannot be written.
    """
    out = out.resolve()
    try:
        if out.exists() and any(out.iterdir()) and not (out / _MARKER).is_file():
            raise ConfigError(f"--out = {str(out)!r}: holds files that are not of a demonstration; name another folder")
        out.mkdir(parents=True, exist_ok=True)
        (out / _MARKER).touch()
        for name in own:
            item = out / name
            if item.is_dir() and not item.is_symlink():
                shutil.rmtree(item)
            else:
                item.unlink(missing_ok=True)
        (out / "logs").mkdir(mode=0o700)
    except OSError as error:
        raise ConfigError(f"--out = {str(out)!r}: {error.strerror}; name a folder that can be written") from None
    return out


def lane_folder(out: Path) -> Path:
    """A fresh 0700 folder for rings and counters: in shared memory, or beside the results where there is none."""
    shared = Path("/dev/shm")  # noqa: S108 - mkdtemp makes the folder: 0700, a name of its own
    parent = shared if shared.is_dir() and os.access(shared, os.W_OK) else out
    return Path(tempfile.mkdtemp(prefix=f"shadowlane-demo-{os.getpid()}-", dir=parent))


def toml_text(text: str) -> str:
    """A TOML basic string; JSON's escapes are TOML's."""
    return json.dumps(text, ensure_ascii=False)
