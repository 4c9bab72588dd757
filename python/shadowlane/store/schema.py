"""The database file: how it is made by the steps of the schema (:mod:`.steps`), opened and checked.

Invariants: the file is a regular file of mode 0600, never reached through a symbolic link; its ``application_id`` and
``user_version`` say whose and which version it is. A writer brings an older version up to date, in one transaction;
a newer one is refused, never guessed at.
"""

from __future__ import annotations

import functools
import os
import sqlite3
import stat
from pathlib import Path
from urllib.parse import quote

from ..errors import StoreError
from ..files import may_exist
from ..types import route_of
from .sqlite_database import SqliteDatabase, explained
from .steps import SCHEMA_VERSION, STEPS

__all__ = ["connect"]

_APPLICATION_ID = 0x53484C4E  # "SHLN", so that file(1) and a person with a hex dump can tell
_BUSY_TIMEOUT_S = 5.0
_ROUTES_KNOWN = 4096
_WAL_BYTES = 64 * 1024 * 1024


def connect(path: Path, *, read_only: bool) -> SqliteDatabase:
    """A checked connection in autocommit mode. Raises :class:`~shadowlane.errors.StoreError`."""
    with explained(path, "open"):
        return _connect_to_read(path) if read_only else _connect_to_write(path)


def _connect_to_write(path: Path) -> SqliteDatabase:
    _secure(path)
    db = _raw(path, "rw")
    try:
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # only effective before the first table
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
        db.execute("BEGIN IMMEDIATE")
        if _is_empty(db):
            db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            _upgrade(db, 0)
        elif _is_ours(db):
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if 1 <= version < SCHEMA_VERSION:
                _upgrade(db, version)
        db.execute("COMMIT")
        _check(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _connect_to_read(path: Path) -> SqliteDatabase:
    if not may_exist(path):
        raise StoreError(
            f"{path}: no such database: nothing stored yet; let the gateway take traffic while the worker runs, "
            "or correct store.url"
        )
    db = _raw(path, "ro")
    try:
        try:
            empty = _is_empty(db)
        except sqlite3.OperationalError:
            # Readers of a WAL database need its -shm file. In a directory that cannot be written, and with no writer's
            # -wal file left, the file itself is complete and cannot change under us.
            if os.access(path.parent, os.W_OK) or path.with_name(path.name + "-wal").exists():
                raise
            db.close()
            db = _raw(path, "ro&immutable=1")
            empty = _is_empty(db)
        if empty:
            raise StoreError(
                f"{path}: the database is empty: nothing stored yet; start the worker, or correct store.url"
            )
        _check(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _raw(path: Path, mode: str) -> SqliteDatabase:
    db = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode={mode}",
        uri=True,
        timeout=_BUSY_TIMEOUT_S,
        isolation_level=None,  # transactions are written out, so that one glance shows where they begin and end
        check_same_thread=False,
        factory=SqliteDatabase,
    )
    db.path = path
    # Many rows have few routes, and a query asks for that of each.
    db.create_function("route_of", 2, functools.lru_cache(_ROUTES_KNOWN)(route_of), deterministic=True)
    return db


def _is_empty(db: sqlite3.Connection) -> bool:
    return bool(db.execute("SELECT count(*) = 0 FROM sqlite_master").fetchone()[0])


def _is_ours(db: sqlite3.Connection) -> bool:
    return bool(db.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION_ID)


def _upgrade(db: sqlite3.Connection, version: int) -> None:
    """Inside the caller's transaction: a process that is killed here leaves the version as it was."""
    for step in STEPS[version:]:
        for statement in step:
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _check(db: sqlite3.Connection, path: Path) -> None:
    if not _is_ours(db):
        raise StoreError(f"{path}: a database, but not one of shadowlane; give store.url a file of its own")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if 1 <= version < SCHEMA_VERSION:
        raise StoreError(
            f"{path}: schema version {version}, and this release reads version {SCHEMA_VERSION}; start its worker "
            "once, which brings the file up to date and keeps what is in it"
        )
    if version != SCHEMA_VERSION:
        age = "a newer" if version > SCHEMA_VERSION else "an older"
        raise StoreError(
            f"{path}: schema version {version}, written by {age} release; this one reads version {SCHEMA_VERSION}; "
            "use the matching release, or give store.url a new file"
        )


def _secure(path: Path) -> None:
    """Make the file with mode 0600 whatever the umask, or tighten the one that is there. SQLite's own -wal and -shm
    files take the mode of the database (https://sqlite.org/tempfiles.html, §2.2)."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        handle = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if path.is_symlink():
            raise StoreError(
                f"{path}: is a symbolic link, which could lead anywhere; give store.url the file itself"
            ) from None
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o600:
            return  # closing a descriptor of it would drop the locks of a reader in this process (fcntl(2))
        handle = os.open(path, flags)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise StoreError(f"{path}: not a regular file; give store.url a file")
        if stat.S_IMODE(os.fstat(handle).st_mode) != 0o600:
            os.fchmod(handle, 0o600)
    finally:
        os.close(handle)
