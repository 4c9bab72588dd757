"""Where a lane's files lie: its runtime directory, its groups, and its database where the file does not say.

Invariant: asking makes nothing; only :func:`make_lane_directory` and :func:`make_state_folder` do, for who opens a lane
and for who opens its database.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .. import _core
from ..files import is_folder, may_exist

if TYPE_CHECKING:
    from . import Config

__all__ = [
    "default_store",
    "groups_folder",
    "lane_directory",
    "lies_in_state_folder",
    "make_lane_directory",
    "make_state_folder",
    "memory_path",
]


def lane_directory(config: Config, environ: Mapping[str, str] | None = None) -> Path:
    """Where the lane's rings and control file lie: shared memory of this user, one directory a lane.

    ``lane.directory`` when it is set; else ``$XDG_RUNTIME_DIR/shadowlane/NAME`` (XDG Base Directory Specification:
    that directory is the user's own and 0700); else ``/dev/shm/shadowlane-UID-NAME``. Where files of another release
    lie there, this one's lane is in ``layout-N`` below it.
    """
    return _core.locate_lane(str(_root(config, environ)))


def _root(config: Config, environ: Mapping[str, str] | None = None) -> Path:
    if config.lane.directory:
        return Path(config.lane.directory)
    runtime = (os.environ if environ is None else environ).get("XDG_RUNTIME_DIR", "")
    if runtime and is_folder(Path(runtime)):
        return Path(runtime) / "shadowlane" / config.lane.name
    return Path("/dev/shm") / f"shadowlane-{os.geteuid()}-{config.lane.name}"  # noqa: S108 - checked: owner, mode, no symlink


def make_lane_directory(config: Config) -> Path:
    """As :func:`lane_directory`, with the folder of all lanes made in the user's runtime directory (0700). The lane's
    own is made, and checked, by the core.

    Raises :class:`~shadowlane.errors.LaneError` for one that holds another release's lane and is not safe to use."""
    root = _root(config)
    if not config.lane.directory and root.parent.name == "shadowlane":
        with contextlib.suppress(FileExistsError):
            root.parent.mkdir(mode=0o700)
    directory = _core.locate_lane(str(root))
    if directory != root:
        _core.check_directory(str(root))
    return directory


def groups_folder(config: Config) -> Path:
    """Where the paraphrase groups are kept."""
    return memory_path(config, "groups")


def memory_path(config: Config, what: str, environ: Mapping[str, str] | None = None) -> Path:
    """Where this host keeps what outlives a restart of the machine and is no row: beside the database's file. Where a
    server has the database: in the user's state directory, or the lane's own for a user without one."""
    if not config.store.on_server:
        path = config.store.path
        return path.with_name(f"{path.name}.{config.lane.name}.{what}")
    folder = _state_folder(os.environ if environ is None else environ)
    return (folder or lane_directory(config, environ)) / f"{config.lane.name}.{what}"


def default_store(base: Path, file: Path, lane: str, environ: Mapping[str, str] | None = None) -> Path:
    """The database of a configuration that names none: ``file`` beside it, in ``base``. Where that folder cannot be
    written and has no database yet, as a read-only mount, a file of the lane's name in the user's state directory."""
    beside = base / file
    if may_exist(beside) or os.access(base, os.W_OK | os.X_OK):
        return beside
    folder = _state_folder(os.environ if environ is None else environ)
    return beside if folder is None else folder / f"{lane}.db"


def make_state_folder(config: Config, environ: Mapping[str, str] | None = None) -> None:
    """Make the user's state directory (0700), when the lane's database or memory lies there. Raises
    :class:`OSError`."""
    if lies_in_state_folder(config, environ):
        memory_path(config, "groups", environ).parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def lies_in_state_folder(config: Config, environ: Mapping[str, str] | None = None) -> bool:
    """Whether the lane's database, or its memory where a server has that, lies in the user's state directory."""
    folder = _state_folder(os.environ if environ is None else environ)
    return memory_path(config, "groups", environ).parent == folder


def _state_folder(environ: Mapping[str, str]) -> Path | None:
    """``$XDG_STATE_HOME/shadowlane``, else ``~/.local/state/shadowlane`` (XDG Base Directory Specification: a path that
    is not absolute is none); ``None`` for a user without a home directory."""
    named = Path(environ.get("XDG_STATE_HOME", ""))
    if named.is_absolute():
        return named / "shadowlane"
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises for a user without one
    return home / ".local" / "state" / "shadowlane" if home.is_absolute() else None
