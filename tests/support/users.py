"""Processes of another user, for who runs the tests as root."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

__all__ = ["ENV", "interpreter"]

ENV = {
    "PATH": os.environ.get("PATH", os.defpath),
    "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2] / "python"), sysconfig.get_paths()["purelib"]]),
    "PYTHONDONTWRITEBYTECODE": "1",
    "COLUMNS": "400",
}
"""What such a process needs to find the package, and what that needs."""
_NOBODY = 61999


def interpreter() -> str:
    """A Python that any user may run, and that reads this checkout; empty: there is none, or this is not root."""
    if os.geteuid() != 0:
        return ""
    names = (sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")
    for name in names:
        try:
            done = subprocess.run(
                [name, "-c", "import shadowlane.cli, msgspec, numpy, aiohttp"],
                user=_NOBODY,
                group=_NOBODY,
                extra_groups=[],
                env=ENV,
                cwd="/",
                capture_output=True,
                check=False,
            )
        except OSError:
            continue
        if done.returncode == 0:
            return name
    return ""
