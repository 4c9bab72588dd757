"""The database file: its rights, its version, and errors that say what to do."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from shadowlane.config import StoreConfig
from shadowlane.errors import ConfigError, StoreError
from shadowlane.store import SqliteStore, open_store

from .pairs import make_pair


def open_at(path: Path, *, read_only: bool = False) -> SqliteStore:
    return open_store(StoreConfig(url=f"sqlite:///{path}"), read_only=read_only)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_every_file_is_for_its_owner_only(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with open_at(tmp_path / "s.db") as store:
            store.save([make_pair(1)])
            assert {file.name: mode(file) for file in tmp_path.iterdir()} == dict.fromkeys(
                ("s.db", "s.db-wal", "s.db-shm"), 0o600
            )
    finally:
        os.umask(before)


def test_an_open_file_is_tightened(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    path.touch(0o644)
    with open_at(path):
        assert mode(path) == 0o600


def test_relative_urls_are_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store(StoreConfig(url="sqlite:///a b%41?.db")) as store:
        store.save([make_pair(1)])
    assert (tmp_path / "a b%41?.db").exists()


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "target").touch()
    (tmp_path / "s.db").symlink_to(tmp_path / "target")
    with pytest.raises(StoreError, match="symbolic link"):
        open_at(tmp_path / "s.db")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="symbolic link"):
        open_at(tmp_path / "dangling")
    assert not (tmp_path / "nowhere").exists()


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot open"):
        open_at(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(StoreError, match="not a regular file"):
        open_at(tmp_path / "fifo")
    with pytest.raises(StoreError, match=r"directory .*missing does not exist; create it"):
        open_at(tmp_path / "missing" / "s.db")


def test_a_missing_database_says_that_nothing_is_stored_yet(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"s\.db: no such database: nothing stored yet"):
        open_at(tmp_path / "s.db", read_only=True)
    assert not (tmp_path / "s.db").exists()
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreError, match="nothing stored yet"):
        open_at(tmp_path / "empty.db", read_only=True)


@pytest.mark.parametrize("read_only", [False, True])
def test_other_files_are_refused(tmp_path: Path, read_only: bool) -> None:
    text = tmp_path / "text.db"
    text.write_text("not a database, but long enough to have a header of its own\n" * 20)
    with pytest.raises(StoreError, match="not a SQLite database"):
        open_at(text, read_only=read_only)
    foreign = sqlite3.connect(tmp_path / "foreign.db")
    foreign.execute("CREATE TABLE users (name)")
    foreign.close()
    with pytest.raises(StoreError, match="not one of shadowlane"):
        open_at(tmp_path / "foreign.db", read_only=read_only)


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize(("version", "words"), [(99, "a newer release"), (-1, "an older release")])
def test_another_schema_version_is_refused(tmp_path: Path, version: int, words: str, read_only: bool) -> None:
    path = tmp_path / "s.db"
    open_at(path).close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {version}")
    db.close()
    with pytest.raises(StoreError, match=rf"schema version {version}, written by {words}"):
        open_at(path, read_only=read_only)


def test_writing_through_a_reader_is_an_error(tmp_path: Path) -> None:
    open_at(tmp_path / "s.db").close()
    with open_at(tmp_path / "s.db", read_only=True) as reader, pytest.raises(StoreError, match="cannot be written"):
        reader.save([make_pair(1)])


def test_another_writer_that_never_ends_is_named(tmp_path: Path) -> None:
    with open_at(tmp_path / "s.db") as store:
        store._db.execute("PRAGMA busy_timeout = 1")
        other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process holds it"):
            store.save([make_pair(1)])
        other.execute("ROLLBACK")
        other.close()
        assert store.save([make_pair(1)]) == 1


def test_other_urls_are_a_configuration_error() -> None:
    for url in ("sqlite:///", "mysql://x", "postgres://x", "shadow.db"):
        with pytest.raises(ConfigError, match=r"store\.(url|schema)"):
            open_store(StoreConfig(url=url))


_UNPRIVILEGED = """
import os, sys
from shadowlane.config import StoreConfig
from shadowlane.errors import StoreError
from shadowlane.store import open_store
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
for read_only in (True, False):
    try:
        with open_store(StoreConfig(url="sqlite:///" + sys.argv[1]), read_only=read_only) as store:
            print("rows", len(store.scores()))
    except StoreError as error:
        print("error", error)
"""


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    """A closed database can be read where nothing can be written; writing says what is wrong."""
    path = tmp_path / "closed" / "s.db"
    path.parent.mkdir()
    with open_at(path) as store:
        store.save([make_pair(1)])
    path.chmod(0o444)
    path.parent.chmod(0o555)
    for parent in path.parent.parents:
        if parent == Path("/tmp") or parent.owner() != Path.home().owner():
            break
        parent.chmod(parent.stat().st_mode | 0o011)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _UNPRIVILEGED, str(path)], capture_output=True, text=True, check=False
        )
        if "Permission denied" in done.stderr and os.getuid() == 0:
            pytest.skip("another user cannot read this installation")
        lines = done.stdout.splitlines()
        assert lines[0] == "rows 1", done.stderr
        assert lines[1].startswith("error")
        assert "check owner" in lines[1]
    finally:
        path.parent.chmod(0o755)


_TRY_LOCK = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:  # SQLite's shared range (https://sqlite.org/src/file/src/os.h, SHARED_FIRST)
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
"""


def test_opening_it_for_writing_leaves_a_readers_locks(tmp_path: Path) -> None:
    """Whoever could lock the file now could take the write-ahead log away from under the reader."""
    config = StoreConfig(url=f"sqlite:///{tmp_path / 'pairs.db'}")
    open_store(config).close()

    def locked() -> bool:
        command = [sys.executable, "-c", _TRY_LOCK, str(config.path)]
        return subprocess.run(command, capture_output=True, check=False).returncode != 0

    assert not locked()
    with open_store(config, read_only=True):
        assert locked()
        open_store(config).close()
        assert locked()
