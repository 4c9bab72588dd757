"""``shadowlane reset``: a lane forgets what it counted and learned, and keeps what it stored.

Invariants: nothing goes while a gateway or a worker of the lane lives, and no worker starts meanwhile (its lock is
held); what goes is said before, by name, and is looked at again after the yes, before which any time may pass; rows,
keys, logs and the configuration stay.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .. import _core
from ..capture.received import FILE as RECEIVED
from ..config import Config, groups_folder, lane_directory
from ..config.worker_file import ERROR_FILE
from ..errors import ConfigError, LaneError
from ..files import is_file, is_folder, may_exist
from ..render.text import Line, asked, print_json, print_lines
from ..store import find_store, open_store
from ..worker.state import STATE_FILE
from .lane import LaneStatus, read_lane

__all__ = ["run_reset"]

_CONTROL = "control.shm"


class _Found(NamedTuple):
    """What a lane would forget."""

    files: list[Path]
    windows: list[str]
    told: list[Line]


def run_reset(config: Config, *, yes: bool, as_json: bool = False) -> int:
    """Say what the lane would forget, ask (unless ``yes``), and forget it. Returns the exit code: 1 when told no.

    Asks again when that is no longer what was said before the question.

    Raises :class:`~shadowlane.errors.LaneError` while a process of the lane lives, and
    :class:`~shadowlane.errors.ConfigError` where nobody can be asked.
    """
    agreed_to: list[Line] | None = None
    while True:
        directory = lane_directory(config)
        with _no_worker(config, directory):
            found = _find(config, directory)
            if found.told != agreed_to and not as_json:
                print_lines([*([] if agreed_to is None else [("this has changed meanwhile:", "")]), *found.told])
            if yes or found.told == agreed_to:
                _forget(config, found)
                break
            if not _agreed(as_json):
                return 1
            agreed_to = found.told
    if as_json:
        print_json({"lane": config.lane.name, "removed": [str(file) for file in found.files], "windows": found.windows})
    else:
        print_lines([("forgotten; the next gateway begins anew", "")])
    return 0


@contextlib.contextmanager
def _no_worker(config: Config, directory: Path) -> Iterator[None]:
    """Hold the lock that elects the worker."""
    if not may_exist(directory):
        yield
        return
    lock = _core.take_worker_lock(str(directory))
    if lock is None:
        raise LaneError(
            f"lane {config.lane.name}: its worker runs; stop the gateway, and the worker leaves when all is stored "
            "(lane.idle_exit_s); then reset"
        )
    try:
        yield
    finally:
        lock.release()


def _find(config: Config, directory: Path) -> _Found:
    lane = read_lane(directory) if may_exist(directory / _CONTROL) else None
    _refuse_life(config, lane)
    files = _files(config, directory)
    windows = list(config.arms()) if _is_stored(config) else []
    return _Found(files, windows, _told(config, lane, files, windows))


def _is_stored(config: Config) -> bool:
    if not config.store.on_server:
        return may_exist(config.store.path)
    found = find_store(config.store)
    if found is not None:
        found.close()
    return found is not None


def _forget(config: Config, found: _Found) -> None:
    for file in found.files:
        file.unlink(missing_ok=True)
    if found.windows:
        now = time.time_ns()
        with open_store(config.store) as store:
            for name in found.windows:
                store.restart_window(name, now)


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
    learned = sorted(groups.glob("groups*")) if is_folder(groups) else []
    known = [directory / STATE_FILE, directory / ERROR_FILE, directory / RECEIVED]
    counted = [*sorted(directory.glob("ring-*.shm")), directory / _CONTROL]
    return [file for file in (*learned, *known, *counted) if is_file(file)]


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
    lines.append((f"and keeps the rows of {config.store.shown}, budgets spent, keys, logs and its configuration.", ""))
    return lines


def _agreed(as_json: bool) -> bool:
    if as_json or not sys.stdin.isatty():
        raise ConfigError("--yes: nobody can be asked here; add it when all of this may be forgotten")
    return asked("Forget it? [y/N] ") in ("y", "yes")
