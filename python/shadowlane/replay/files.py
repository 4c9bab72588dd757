"""The database of a replay or an import: its own, new, or that of the same command which did not come to its end.

Invariants: rows of recorded traffic never stand among those of a lane; a finished result is replaced only when that is
asked for; one command at a time has the file.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import xxhash

from ..config import Config, StoreConfig, groups_folder
from ..errors import ConfigError
from ..sources import Source
from ..store import Origin, Store, open_store

__all__ = ["fingerprint", "own_store", "store_path"]


def store_path(config: Config, given: str | None, kind: str) -> Path:
    """The file: the one that was asked for, else beside the configuration's own, with the command's name in it
    (in this folder, where a server has that)."""
    if given is not None:
        return Path(given).absolute()
    if config.store.on_server:
        return Path(f"{config.lane.name}-{kind}.db").absolute()
    own = config.store.path
    return own.with_name(f"{own.stem}-{kind}{own.suffix or '.db'}").absolute()


def fingerprint(source: Source, *parts: str) -> str:
    """What makes two runs the same: where the source lies, what it is, and what else is given. Lines that are added
    to its end later change nothing."""
    file = Path(source.path).resolve()
    told = (str(file), source.form, source.answers, source.target, source.model, *parts)
    return str(xxhash.xxh3_128_hexdigest("\x00".join(told).encode()))


@contextlib.contextmanager
def own_store(config: Config, path: Path, origin: Origin, *, fresh: bool) -> Iterator[tuple[Config, Store]]:
    """The open store, and the configuration with it in the place of the lane's.

    Raises :class:`~shadowlane.errors.ConfigError` when the file is the lane's own, another command's, or holds a
    finished result, and :class:`~shadowlane.errors.StoreError`.
    """
    if not config.store.on_server and path == config.store.path.absolute():
        raise ConfigError(f"--store = {str(path)!r}: is the lane's own database; name another, or leave it out")
    kept = config.store.in_file(path)
    config = msgspec.structs.replace(config, store=kept)
    with _locked(path):
        if path.exists() or path.is_symlink():
            _check(kept, path, origin, fresh=fresh)
            if fresh:
                _remove(config, path)
        with open_store(kept) as store:
            if (known := store.origin()) is not None:
                origin = msgspec.structs.replace(known, finished=False)
            store.put_origin(origin)
            yield config, store


def _check(kept: StoreConfig, path: Path, origin: Origin, *, fresh: bool) -> None:
    with open_store(kept, read_only=True) as store:
        known = store.origin()
    if known is None:
        raise ConfigError(f"--store = {str(path)!r}: a database, but not one of `{origin.kind}`; name another file")
    if fresh:
        return
    if known.finished:
        done = time.strftime("%Y-%m-%d %H:%M", time.gmtime(known.began_ns / 1e9))
        raise ConfigError(
            f"--store = {str(path)!r}: holds the {known.kind} of {known.source}, begun {done} UTC and finished; read "
            "it with `shadowlane report --store`, name another file, or replace it with --fresh"
        )
    if known.fingerprint != origin.fingerprint:
        raise ConfigError(
            f"--store = {str(path)!r}: was begun with another source, shadow or address ({known.source} for "
            f"{known.shadow}); go on with that one, name another file, or replace it with --fresh"
        )


def _remove(config: Config, path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    groups = groups_folder(config)
    if groups.is_dir():
        for file in groups.iterdir():
            file.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = path.with_name(path.name + ".lock")
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            f"--store = {str(path)!r}: {lock.name} cannot be made beside it: {error.strerror}; name a file in a folder "
            "of yours"
        ) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"--store = {str(path)!r}: another replay or import is using it; wait for it, or name another file"
            ) from None
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
    finally:
        os.close(handle)
