"""A database that is taken away while it is open: deleted, replaced, restored, its log overwritten."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from shadowlane.errors import StoreLostError
from shadowlane.store import SqliteStore

from .pairs import make_pair


def open_at(path: Path) -> SqliteStore:
    return SqliteStore(path, max_age_ns=10**18, max_bytes=10**12)


def delete(path: Path) -> None:
    path.unlink()


def move(path: Path) -> None:
    path.rename(path.with_name("moved.db"))


def replace(path: Path) -> None:
    other = open_at(path.with_name("other.db"))
    other.close()
    path.with_name("other.db").replace(path)


def restore(path: Path) -> None:
    """A copy of an hour ago, put in the file's place."""
    shutil.copy(path.with_name("backup.db"), path.with_name("restored.db"))
    path.with_name("restored.db").replace(path)


def overwrite_log(path: Path) -> None:
    path.with_name(path.name + "-wal").write_bytes(b"\0" * 100_000)


def truncate_log(path: Path) -> None:
    with path.with_name(path.name + "-wal").open("r+b") as file:
        file.truncate(0)


def older_log(path: Path) -> None:
    path.with_name(path.name + "-wal").write_bytes(path.with_name("backup.db-wal").read_bytes())


def delete_log(path: Path) -> None:
    path.with_name(path.name + "-wal").unlink()


def replace_log(path: Path) -> None:
    """Another file with the log's name and the beginning of what it holds."""
    log = path.with_name(path.name + "-wal")
    path.with_name("other-wal").write_bytes(log.read_bytes()[:4096])
    path.with_name("other-wal").replace(log)


@pytest.mark.parametrize(
    "taken", [delete, move, replace, restore, overwrite_log, truncate_log, older_log, delete_log, replace_log]
)
def test_nothing_is_acknowledged_that_cannot_be_read(tmp_path: Path, taken: Callable[[Path], None]) -> None:
    path = tmp_path / "pairs.db"
    store = open_at(path)
    store.set_epoch("lane", {"candidate": 0})
    assert store.save([make_pair(1)]) == 1
    shutil.copy(tmp_path / "pairs.db-wal", tmp_path / "backup.db-wal")
    store.prune(0)  # what is in the log goes into the file
    shutil.copy(path, tmp_path / "backup.db")
    assert store.save([make_pair(2)]) == 1
    taken(path)
    with pytest.raises(StoreLostError, match=r"pairs\.db: .*new worker opens"):
        store.save([make_pair(3)])
    store.close()
    anew = open_at(path)
    anew.set_epoch("lane", {"candidate": 0})
    assert anew.save([make_pair(50)]) == 1
    anew.check()
    anew.close()


def test_an_idle_store_notices_too(tmp_path: Path) -> None:
    store = open_at(tmp_path / "pairs.db")
    store.set_epoch("lane", {"candidate": 0})
    store.check()
    (tmp_path / "pairs.db").unlink()
    with pytest.raises(StoreLostError):
        store.check()
    store.close()


def test_backups_and_readers_beside_it_are_no_loss(tmp_path: Path) -> None:
    path = tmp_path / "pairs.db"
    store = open_at(path)
    store.set_epoch("lane", {"candidate": 0})
    for number in range(5):
        store.save([make_pair(number)])
        shutil.copy(path, tmp_path / "backup.db")
        with SqliteStore(path, max_age_ns=1, max_bytes=1, read_only=True) as reader:
            assert sum(1 for _ in reader.iter_pairs()) == number + 1
        store.prune(0)
    store.close()
