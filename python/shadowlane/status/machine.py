"""What ``doctor`` says of the machine: the lane's directory, shared memory, packages, the store's folder, the clock.

Invariant: looks only; makes no file.
"""

from __future__ import annotations

import importlib.util
import os
import resource
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from .. import __file__ as _package_file
from .. import _core
from ..config import Config, lane_directory, lies_in_state_folder
from ..errors import ShadowlaneError
from ..files import is_file, is_folder, may_exist
from ..store import find_store
from .cgroup import memory_limit
from .check import Check
from .render import size

__all__ = ["clock_checks", "directory_checks", "extras_checks", "limit_checks", "memory_checks", "store_checks"]

_SMALL_FILES = 8
"""Files of one page that a lane has beside its control file and rings: configuration, worker's state, log, locks."""
_FUTURE_S = 300.0
_ONE_USER = (
    "run all processes of a lane as one user, whatever their groups (in containers: the same runAsUser), or set "
    "lane.directory to a folder of your own"
)


def directory_checks(config: Config) -> Iterator[Check]:
    directory = lane_directory(config)
    name = "directory"
    try:
        info = directory.lstat()
    except FileNotFoundError:
        parent = directory.parent
        if not config.lane.directory and not may_exist(parent):  # the folder of all lanes, which the first one makes
            parent = parent.parent
        if is_folder(parent) and os.access(parent, os.W_OK | os.X_OK):
            yield Check(name, "ok", f"{directory}: not there yet; the first gateway process makes it")
        else:
            text = f"{directory}: not there, and {parent} is not a folder that this user can write"
            yield Check(name, "fail", text, "make that folder, or set lane.directory to another folder")
        return
    except OSError as error:
        yield Check(name, "fail", f"{directory}: {error.strerror}", "set lane.directory to a folder that can be read")
        return
    if stat.S_ISLNK(info.st_mode):
        yield Check(
            name, "fail", f"{directory}: is a symbolic link", "remove it, or set lane.directory to a real folder"
        )
    elif not stat.S_ISDIR(info.st_mode):
        yield Check(name, "fail", f"{directory}: is not a folder", "remove it, or set lane.directory to another folder")
    elif info.st_uid != os.geteuid():
        text = f"{directory}: belongs to user {info.st_uid}, this is user {os.geteuid()}"
        yield Check(name, "fail", text, _ONE_USER)
    elif info.st_mode & 0o077:
        text = f"{directory}: mode {stat.S_IMODE(info.st_mode):04o} is open to others"
        yield Check(name, "fail", text, f"chmod 700 {directory}")
    else:
        yield Check(name, "ok", f"{directory}: yours alone")


def memory_checks(config: Config) -> Iterator[Check]:
    folder = lane_directory(config)
    while not is_folder(folder) and folder != folder.parent:
        folder = folder.parent
    try:
        info = os.statvfs(folder)
    except OSError as error:
        yield Check("shared memory", "fail", f"{folder}: {error.strerror}", "set lane.directory to another folder")
        return
    free, page = info.f_bavail * info.f_frsize, info.f_frsize or 4096
    ring = _core.RING_HEAD_BYTES + config.lane.ring_bytes
    if not may_exist(lane_directory(config) / "control.shm"):
        free -= -(-_core.CONTROL_BYTES // page) * page + _SMALL_FILES * page
    fits, cores = max(free, 0) // (-(-ring // page) * page), os.cpu_count() or 1
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if most != resource.RLIM_INFINITY and most < ring:
        text = f"{folder}: a ring needs a file of {size(ring)}, and this process may write {size(most)} (ulimit -f)"
        yield Check("shared memory", "fail", text, "raise that limit, or make lane.ring_bytes smaller")
        return
    text = f"{folder}: {size(max(free, 0))} free, room for {fits} more gateway processes with rings of {size(ring)}"
    remedy = "give the container more (docker run --shm-size=256m), make lane.ring_bytes smaller, or set lane.directory"
    if fits == 0:
        yield Check("shared memory", "fail", text, remedy)
    elif fits < cores:
        yield Check("shared memory", "warn", f"{text}; this machine has {cores} cores", remedy)
    else:
        yield Check("shared memory", "ok", text)


def limit_checks(config: Config) -> Iterator[Check]:
    """Rings are charged to the container of the gateway that makes them."""
    limit = memory_limit()
    if limit is None:
        return
    ring = _core.RING_HEAD_BYTES + config.lane.ring_bytes
    text = (
        f"{size(limit.bytes)} for this container or service, {size(limit.room)} left: room for {limit.room // ring} "
        f"more gateway processes here, whose rings of {size(ring)} are charged to it"
    )
    if limit.room >= ring:
        yield Check("memory limit", "ok", text)
    else:
        remedy = "raise it by lane.ring_bytes for each gateway process that runs here, or make lane.ring_bytes smaller"
        yield Check("memory limit", "warn", text, remedy)


def extras_checks(config: Config) -> Iterator[Check]:
    """What the worker imports; it may run elsewhere only when it is external."""
    needed = {"aiohttp": "worker"}
    if config.score.embedder == "wordllama":
        needed["wordllama"] = "semantic"
    if config.store.on_server:
        needed["psycopg"] = "postgres"
    if config.score.groups and config.score.group_index == "hnsw":
        needed["hnswlib"] = "groups"
    if config.worker.role != "all":
        needed["redis"] = "redis"
    for package, extra in needed.items():
        if importlib.util.find_spec(package) is not None:
            yield Check("extras", "ok", f"{package} is installed")
            continue
        remedy = f"pip install 'shadowlane[{extra}]'"
        if config.lane.worker == "external":
            text = f"{package} is not installed here; the worker needs it where it runs"
            yield Check("extras", "warn", text, f"there: {remedy}")
        else:
            yield Check("extras", "fail", f"{package} is not installed; the worker cannot start", remedy)


def store_checks(config: Config) -> Iterator[Check]:
    if config.store.on_server:
        yield _server_check(config)
        return
    path = config.store.path
    folder = path.parent
    if lies_in_state_folder(config):  # the worker makes it
        folder = next(some for some in (folder, *folder.parents) if may_exist(some))
    if not is_folder(folder) or not os.access(folder, os.W_OK | os.X_OK):
        text = f"{path}: {folder} is not a folder that this user can write"
        yield Check("store", "fail", text, "make it, set store.url, or XDG_STATE_HOME to a folder of this user")
        return
    if may_exist(path) and not os.access(path, os.R_OK | os.W_OK):
        yield Check("store", "fail", f"{path}: this user cannot write it", "run as its owner, or correct store.url")
        return
    info = os.statvfs(folder)
    free = info.f_bavail * info.f_frsize
    used = path.stat().st_size if is_file(path) else 0
    if used + free < config.store.max_bytes:
        text = f"{path}: {size(free)} free, and it may grow to {size(config.store.max_bytes)}"
        yield Check("store", "warn", text, "make room, or make store.max_bytes smaller")
    else:
        yield Check("store", "ok", f"{path}: {size(used)}, {size(free)} free")


def _server_check(config: Config) -> Check:
    """Looks only: whether it answers, and whether a lane stored something there."""
    where = config.store.shown
    try:
        found = find_store(config.store)
        if found is None:
            return Check("store", "ok", f"{where}: not made yet; the worker makes it")
        with found as store:
            return Check("store", "ok", f"{where}: {size(store.bytes_used())}")
    except ShadowlaneError as error:
        return Check("store", "fail", str(error), "see docs/operate/postgres.md")


def clock_checks(config: Config) -> Iterator[Check]:
    """Ids, windows and retention follow the system clock; it cannot be before what was installed or stored."""
    now = time.time()
    known = [Path(_package_file or __file__), *([] if config.store.on_server else [config.store.path])]
    latest = max(file.stat().st_mtime for file in known if is_file(file))
    if latest > now + _FUTURE_S:
        text = f"the system clock is {latest - now:.0f} s behind files of this installation"
        yield Check("clock", "fail", text, "set it (timedatectl set-ntp true)")
    else:
        yield Check("clock", "ok", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now)))
