"""``shadowlane reset``: a lane forgets what it counted and learned, and keeps what it stored.

Invariants: nothing goes while a gateway or a worker of the lane lives, and no worker starts meanwhile (its lock is
held); what goes is said before, by name; rows, keys, logs and the configuration stay.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ..config import Config, groups_folder, lane_directory
from ..config.worker_file import ERROR_FILE
from ..errors import ConfigError, LaneError
from ..render.text import Line, asked, print_json, print_lines
from ..store import open_store
from ..worker.state import STATE_FILE
from .lane import LaneStatus, read_lane

__all__ = ["run_reset"]

_CONTROL = "control.shm"
_WORKER_LOCK = "worker.lock"
# A `struct flock` (fcntl(2)) for writing, of the first byte: a worker's life to the core (rust/lane/src/lock.rs).
_LOCK = struct.pack("@hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)


def run_reset(config: Config, *, yes: bool, as_json: bool = False) -> int:
    """Say what the lane would forget, ask (unless ``yes``), and forget it. Returns the exit code: 1 when told no.

    Raises :class:`~shadowlane.errors.LaneError` while a process of the lane lives, and
    :class:`~shadowlane.errors.ConfigError` where nobody can be asked.
    """
    directory = lane_directory(config)
    with _no_worker(config, directory):
        lane = read_lane(directory) if (directory / _CONTROL).exists() else None
        _refuse_life(config, lane)
        files = _files(config, directory)
        windows = list(config.arms()) if config.store.path.exists() else []
        told = _told(config, lane, files, windows)
        if not as_json:
            print_lines(told)
        if not yes and not _agreed(as_json):
            return 1
        for file in files:
            file.unlink(missing_ok=True)
        if windows:
            now = time.time_ns()
            with open_store(config.store) as store:
                for name in windows:
                    store.restart_window(name, now)
    if as_json:
        print_json({"lane": config.lane.name, "removed": [str(file) for file in files], "windows": windows})
    else:
        print_lines([("forgotten; the next gateway begins anew", "")])
    return 0


@contextlib.contextmanager
def _no_worker(config: Config, directory: Path) -> Iterator[None]:
    """Hold the lock that elects the worker."""
    if not directory.exists():
        yield
        return
    handle = os.open(directory / _WORKER_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.fcntl(handle, fcntl.F_OFD_SETLK, _LOCK)
        except OSError:
            raise LaneError(
                f"lane {config.lane.name}: its worker runs; stop the gateway, and the worker leaves when all is stored "
                "(lane.idle_exit_s); then reset"
            ) from None
        yield
    finally:
        os.close(handle)


def _refuse_life(config: Config, lane: LaneStatus | None) -> None:
    living = [str(ring.pid) for ring in lane.rings if ring.alive] if lane is not None else []
    if living:
        raise LaneError(
            f"lane {config.lane.name}: gateway processes count in it ({', '.join(living)}); stop the gateway, then "
            "reset, then start it. To leave old rows out of the verdict no reset is needed: shadowlane gate --restart"
        )


def _files(config: Config, directory: Path) -> list[Path]:
    """What goes, the control file last: with it the lane is the old one still."""
    groups = groups_folder(config)
    learned = sorted(groups.glob("groups*")) if groups.is_dir() else []
    known = [directory / STATE_FILE, directory / ERROR_FILE]
    counted = [*sorted(directory.glob("ring-*.shm")), directory / _CONTROL]
    return [file for file in (*learned, *known, *counted) if file.is_file()]


def _told(config: Config, lane: LaneStatus | None, files: list[Path], windows: list[str]) -> list[Line]:
    lines: list[Line] = [(f"lane {config.lane.name} forgets:", "")]
    if lane is not None:
        lines.append((f"  counters of {lane.seen} requests, {lane.mirrored} of them mirrored, and the cap's debt", ""))
        if lost := max(lane.mirrored - lane.acked - lane.corrupt, 0):
            lines.append((f"  {lost} copies that no worker has stored yet: they are LOST", ""))
    if any(file.name == STATE_FILE for file in files):
        lines.append(("  what shadows' providers asked for, open circuit breakers", ""))
    if any(file.parent == groups_folder(config) for file in files):
        lines.append(("  the memory of λ: groups of paraphrases, and how they were answered", ""))
    if windows:
        lines.append((f"  the gate's windows ({', '.join(windows)}): new ones begin now", ""))
    if len(lines) == 1:
        lines.append(("  nothing: it has neither counted nor learned anything", ""))
    lines.append((f"and keeps the rows of {config.store.path}, budgets spent, keys, logs and its configuration.", ""))
    return lines


def _agreed(as_json: bool) -> bool:
    if as_json or not sys.stdin.isatty():
        raise ConfigError("--yes: nobody can be asked here; add it when all of this may be forgotten")
    return asked("Forget it? [y/N] ") in ("y", "yes")
