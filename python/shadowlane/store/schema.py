"""The steps of the schema, and the database file: how it is made, opened and checked.

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

__all__ = ["SCHEMA_VERSION", "STEPS", "connect"]

_APPLICATION_ID = 0x53484C4E  # "SHLN", so that file(1) and a person with a hex dump can tell
_BUSY_TIMEOUT_S = 5.0
_ROUTES_KNOWN = 4096
_WAL_BYTES = 64 * 1024 * 1024

# Step n leads from schema version n to n + 1. A new file takes all of them, an older one those that it lacks: one way
# to every version. Steps that were released are never changed.
# Thin rows and thick bodies are apart: a report scans hundreds of thousands of scores without touching a body's pages,
# and retention can drop the bodies of rows whose keys must stay.
_FIRST = (
    """
    CREATE TABLE pairs (
        id INTEGER PRIMARY KEY,
        shadow_id TEXT NOT NULL,
        shadow TEXT NOT NULL,
        req_hash TEXT NOT NULL,
        started_ns INTEGER NOT NULL,
        stored_ns INTEGER NOT NULL,
        method TEXT NOT NULL,
        target TEXT NOT NULL,
        prod_status INTEGER NOT NULL,
        prod_ttfb_ns INTEGER NOT NULL,
        prod_ns INTEGER NOT NULL,
        flags INTEGER NOT NULL,
        blocked TEXT NOT NULL,
        findings TEXT NOT NULL,
        reason TEXT NOT NULL,
        detail TEXT NOT NULL,
        status INTEGER NOT NULL,
        shadow_started_ns INTEGER NOT NULL,
        shadow_ttfb_ns INTEGER NOT NULL,
        shadow_ns INTEGER NOT NULL,
        delta_s REAL,
        anchored REAL,
        fact_flip INTEGER NOT NULL,
        embedder TEXT NOT NULL,
        citation_match REAL,
        index_agrees INTEGER,
        state TEXT NOT NULL,
        note TEXT NOT NULL,
        model_rev TEXT NOT NULL,
        index_hash TEXT NOT NULL,
        prod_index_hash TEXT NOT NULL,
        rate_limit TEXT NOT NULL,
        UNIQUE (shadow_id, shadow)
    )
    """,
    """
    CREATE TABLE bodies (
        pair INTEGER PRIMARY KEY REFERENCES pairs (id) ON DELETE CASCADE,
        request_headers BLOB NOT NULL,
        request_body BLOB NOT NULL,
        prod_headers BLOB NOT NULL,
        prod_body BLOB NOT NULL,
        shadow_headers BLOB NOT NULL,
        shadow_body BLOB NOT NULL,
        prod_text BLOB NOT NULL,
        shadow_text BLOB NOT NULL
    )
    """,
    """
    CREATE TABLE counts (
        lane_epoch TEXT NOT NULL,
        shadow TEXT NOT NULL,
        reason TEXT NOT NULL,
        n INTEGER NOT NULL,
        PRIMARY KEY (lane_epoch, shadow, reason)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE arms (
        lane_epoch TEXT NOT NULL,
        shadow TEXT NOT NULL,
        base INTEGER NOT NULL,
        PRIMARY KEY (lane_epoch, shadow)
    ) WITHOUT ROWID
    """,
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX pairs_by_time ON pairs (started_ns)",
    "CREATE INDEX pairs_by_shadow ON pairs (shadow, started_ns)",
)
_GROUPS_STRUCTURE_JUDGE = (
    "ALTER TABLE pairs ADD COLUMN group_id INTEGER",
    "ALTER TABLE pairs ADD COLUMN group_seen INTEGER",
    "ALTER TABLE pairs ADD COLUMN prod_lambda TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN shadow_lambda TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN prod_flip INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE pairs ADD COLUMN lambda_flip INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE pairs ADD COLUMN trend TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN differences TEXT",
    "ALTER TABLE pairs ADD COLUMN judge TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN judge_why TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN judge_model TEXT NOT NULL DEFAULT ''",
    # status asks for flips often, and there are few.
    "CREATE INDEX pairs_flipped ON pairs (shadow, started_ns) WHERE lambda_flip = 1",
)
_SPENDING_EXEMPLARS = (
    # What a shadow's answers used, by the minute: a budget outlives the worker that counts it.
    """
    CREATE TABLE spend (
        shadow TEXT NOT NULL,
        minute INTEGER NOT NULL,
        tokens INTEGER NOT NULL,
        money REAL NOT NULL,
        PRIMARY KEY (shadow, minute)
    ) WITHOUT ROWID
    """,
    # keep_bodies = "reservoir": how many rows each stratum has had, and which of them keep their bodies.
    """
    CREATE TABLE strata (
        id INTEGER PRIMARY KEY,
        shadow TEXT NOT NULL,
        route TEXT NOT NULL,
        band TEXT NOT NULL,
        seen INTEGER NOT NULL,
        UNIQUE (shadow, route, band)
    )
    """,
    """
    CREATE TABLE exemplars (
        pair INTEGER PRIMARY KEY REFERENCES pairs (id) ON DELETE CASCADE,
        stratum INTEGER NOT NULL REFERENCES strata (id)
    )
    """,
    "CREATE INDEX exemplars_by_stratum ON exemplars (stratum)",
)
_POLICY = (
    "ALTER TABLE pairs ADD COLUMN why TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN preset TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN normalised TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE pairs ADD COLUMN stubs TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE pairs ADD COLUMN strange_calls INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE pairs ADD COLUMN rounds INTEGER NOT NULL DEFAULT 1",
)
_TIMES = (
    # What each life of a lane had timed up to a moment: the last one of an hour, for each way of choosing.
    """
    CREATE TABLE times (
        lane_id TEXT NOT NULL,
        hour INTEGER NOT NULL,
        choice TEXT NOT NULL,
        ratio REAL NOT NULL,
        at_ns INTEGER NOT NULL,
        counts BLOB NOT NULL,
        PRIMARY KEY (lane_id, hour, choice, ratio)
    )
    """,
)
_COST_TENANT = (
    "ALTER TABLE pairs ADD COLUMN tokens INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE pairs ADD COLUMN money REAL NOT NULL DEFAULT 0",
    "ALTER TABLE pairs ADD COLUMN tenant TEXT NOT NULL DEFAULT ''",
)
_CLAUSES = (
    "ALTER TABLE pairs ADD COLUMN missing REAL",
    "ALTER TABLE pairs ADD COLUMN extra REAL",
    "ALTER TABLE pairs ADD COLUMN unread TEXT NOT NULL DEFAULT ''",
)
_COLLAPSE = (
    "ALTER TABLE pairs ADD COLUMN collapse TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN prod_collapse TEXT NOT NULL DEFAULT ''",
)
_ACCOUNTS = (
    "ALTER TABLE pairs ADD COLUMN waited_ns INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE pairs ADD COLUMN tries INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE pairs ADD COLUMN answer_tokens INTEGER",
    "ALTER TABLE pairs ADD COLUMN prod_tokens INTEGER",
    "ALTER TABLE pairs ADD COLUMN answer_cost REAL",
    "ALTER TABLE pairs ADD COLUMN prod_cost REAL",
    "ALTER TABLE pairs ADD COLUMN cache_served INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE pairs ADD COLUMN coverage REAL",
    "ALTER TABLE pairs ADD COLUMN retrieved REAL",
    "ALTER TABLE pairs ADD COLUMN prod_retrieved REAL",
    "ALTER TABLE pairs ADD COLUMN prod_model TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN pins TEXT NOT NULL DEFAULT '{}'",
)
_SAID = (
    "ALTER TABLE pairs ADD COLUMN model TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN finish TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN prod_finish TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN tools TEXT NOT NULL DEFAULT ''",
)
_OBSERVED = (
    # What metrics are made of, see .observed: they only rise, whatever retention deletes.
    """
    CREATE TABLE observed (
        shadow TEXT NOT NULL,
        series TEXT NOT NULL,
        key TEXT NOT NULL,
        n INTEGER NOT NULL,
        total REAL NOT NULL,
        exemplar REAL NOT NULL,
        exemplar_id TEXT NOT NULL,
        exemplar_trace TEXT NOT NULL,
        exemplar_ns INTEGER NOT NULL,
        PRIMARY KEY (shadow, series, key)
    ) WITHOUT ROWID
    """,
)
_MARKS = (
    # What a person said of a pair; and the way to the pairs furthest apart, of which a page shows some.
    "ALTER TABLE pairs ADD COLUMN mark TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX pairs_marked ON pairs (shadow) WHERE mark <> ''",
    "CREATE INDEX pairs_by_distance ON pairs (shadow, fact_flip, delta_s)",
)
_BOTH_SIDES = (
    # What a reverse shadow is judged by: rows that are there already do not know it.
    "ALTER TABLE pairs ADD COLUMN prod_citation_match REAL",
    "ALTER TABLE pairs ADD COLUMN prod_coverage REAL",
    "ALTER TABLE pairs ADD COLUMN prod_strange_calls INTEGER",
    # Marks of rows that retention deleted, beside what was thought of them automatically.
    """
    CREATE TABLE marks (
        shadow_id TEXT NOT NULL,
        shadow TEXT NOT NULL,
        started_ns INTEGER NOT NULL,
        fact_flip INTEGER NOT NULL,
        delta_s REAL,
        mark TEXT NOT NULL,
        PRIMARY KEY (shadow, shadow_id)
    ) WITHOUT ROWID
    """,
)
_PACKED = (
    # All contents of a row as one value; the columns beside it are empty then. Rows of before keep theirs.
    "ALTER TABLE bodies ADD COLUMN packed BLOB",
)
_BLOCKS = (
    # Copies of many rows' columns, see .blocks: what reads them all need not read the rows.
    """
    CREATE TABLE blocks (
        id INTEGER PRIMARY KEY,
        shadow TEXT NOT NULL,
        first_ns INTEGER NOT NULL,
        until_ns INTEGER NOT NULL,
        n INTEGER NOT NULL,
        total_ns INTEGER NOT NULL,
        form INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        parts BLOB NOT NULL,
        scores BLOB NOT NULL,
        UNIQUE (shadow, first_ns)
    )
    """,
)
_FOLDS = (
    # What was made of many rows so far, see .folds.
    """
    CREATE TABLE folds (
        id INTEGER PRIMARY KEY,
        shadow TEXT NOT NULL,
        name TEXT NOT NULL,
        since_ns INTEGER NOT NULL,
        until_ns INTEGER NOT NULL,
        control TEXT NOT NULL,
        n INTEGER NOT NULL,
        total_ns INTEGER NOT NULL,
        control_n INTEGER NOT NULL,
        control_total_ns INTEGER NOT NULL,
        made_ns INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        state BLOB NOT NULL,
        UNIQUE (shadow, name, until_ns)
    )
    """,
)
_TOTALS = (
    # Sums of each block, see .totals_codec: apart, so that they are read without its columns.
    """
    CREATE TABLE block_totals (
        block INTEGER PRIMARY KEY REFERENCES blocks (id) ON DELETE CASCADE,
        content BLOB NOT NULL
    )
    """,
)
STEPS: tuple[tuple[str, ...], ...] = (
    _FIRST,
    _GROUPS_STRUCTURE_JUDGE,
    _POLICY,
    _SPENDING_EXEMPLARS,
    _TIMES,
    _COST_TENANT,
    _CLAUSES,
    _COLLAPSE,
    _ACCOUNTS,
    _SAID,
    _OBSERVED,
    _MARKS,
    _BOTH_SIDES,
    _PACKED,
    _BLOCKS,
    _FOLDS,
    _TOTALS,
)
SCHEMA_VERSION = len(STEPS)


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
