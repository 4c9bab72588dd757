"""How much memory this process's control groups leave it, as a container's limit does (cgroups(7)).

Sources: ``memory.max``, ``memory.current`` and ``memory.stat`` of version 2
(https://docs.kernel.org/admin-guide/cgroup-v2.html), ``memory.limit_in_bytes`` and ``memory.usage_in_bytes`` of
version 1 (https://docs.kernel.org/admin-guide/cgroup-v1/memory.html).
Invariant: looks only; what cannot be read is no limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["MemoryLimit", "memory_limit"]

_V2 = ("memory.max", "memory.current", "inactive_file")
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_NO_LIMIT = 1 << 60
"""Version 1 says "none" by the largest multiple of a page."""


class MemoryLimit(NamedTuple):
    """Of the group that has least room left, of this process's own and those around it."""

    bytes: int
    room: int
    """What is neither used nor could be freed by writing files back."""


def memory_limit(process: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> MemoryLimit | None:
    """``None``: there is none. ``process``: where the groups are named; ``root``: where they are mounted."""
    found = [limit for folder, names in _groups(process, root) if (limit := _limit(folder, names)) is not None]
    return min(found, key=lambda limit: limit.room, default=None)


def _groups(process: Path, root: Path) -> Iterator[tuple[Path, tuple[str, str, str]]]:
    try:
        lines = process.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            top, names = root, _V2
        elif "memory" in controllers.split(","):
            top, names = root / "memory", _V1
        else:
            continue
        # In a container the path may be one of the host's, and the group itself is mounted at the top.
        own = top / path.strip("/")
        for folder in (own, *own.parents):
            yield folder, names
            if folder == top:
                break


def _limit(folder: Path, names: tuple[str, str, str]) -> MemoryLimit | None:
    most, used = (_number(folder / name) for name in names[:2])
    if most is None or used is None or most >= _NO_LIMIT:
        return None
    return MemoryLimit(most, max(most - max(used - _stat(folder, names[2]), 0), 0))


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):  # "max" is no number either
        return None


def _stat(folder: Path, name: str) -> int:
    try:
        lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name} "))
    except (OSError, ValueError, StopIteration, IndexError):
        return 0
