"""The contents of a row as one value; rows of an earlier release, with a value a column, are read as before."""

from __future__ import annotations

import sqlite3
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.config import StoreConfig
from shadowlane.store import PairFilter, SqliteStore, open_store, steps
from shadowlane.store.columns import BODY_TABLE
from shadowlane.store.packed import pack, pack_all, unpack
from shadowlane.types import Pair

from .pairs import make_pair


@given(st.lists(st.binary(max_size=300), max_size=255))
def test_what_is_packed_is_unpacked(parts: list[bytes]) -> None:
    assert unpack(pack(parts)) == parts


def test_large_parts_and_small_ones_have_one_form() -> None:
    parts = [b"head", bytes(range(256)) * 1024, b"", b"tail" * 5]
    assert unpack(pack(parts)) == parts
    lengths = struct.pack("<B4Q", 4, *map(len, parts))
    assert zlib.decompress(pack(parts)) == lengths + b"".join(parts)


@pytest.mark.parametrize("size", [0, 1024])
def test_a_value_has_no_more_parts_than_a_byte_counts(size: int) -> None:
    with pytest.raises(ValueError, match="255 parts"):
        pack([bytes(size)] * 256)


@given(st.lists(st.lists(st.sampled_from([b"", b"part", bytes(40_000)]), max_size=4), max_size=6))
def test_many_rows_are_packed_as_each_is(rows: list[list[bytes]]) -> None:
    assert [unpack(value) for value in pack_all(rows)] == rows
    assert pack_all(rows) == [pack(parts) for parts in rows]


def test_what_is_alike_is_stored_once() -> None:
    answer = "".join(f"Ride {n} ends at dock {n * 7919 % 1000}. " for n in range(40)).encode()
    assert len(pack([answer] * 5)) < 2 * len(pack([answer]))


@pytest.mark.parametrize(
    "data", [b"", b"\x02", struct.pack("<B2Q", 2, 3, 4) + b"abc", struct.pack("<B1Q", 1, 0) + b"x"]
)
def test_what_was_not_packed_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="a packed value of"):
        unpack(zlib.compress(data))


def of_before(path: Path, pair: Pair) -> None:
    """Put the pair's contents where a release before ``packed`` put them, and the schema back to its version."""
    db = sqlite3.connect(path)
    names = ", ".join(f"{column.name} = ?" for column in BODY_TABLE)
    db.execute(f"UPDATE bodies SET {names}", [zlib.compress(column.write(pair), 1) for column in BODY_TABLE])
    db.execute("ALTER TABLE bodies DROP COLUMN packed")
    db.execute("DROP TABLE block_totals")  # of later versions
    db.execute("DROP TABLE blocks")
    db.execute("DROP TABLE folds")
    db.execute(f"PRAGMA user_version = {steps.STEPS.index(steps._PACKED)}")
    db.commit()
    db.close()


def opened(path: Path, *, read_only: bool = False) -> SqliteStore:
    return open_store(StoreConfig(url=f"sqlite:///{path}"), read_only=read_only)


def test_rows_of_an_earlier_release_are_read_and_found_beside_new_ones(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    old, new = (make_pair(n, body=b"the needle %d" % n, outcome_body=b"said %d" % n) for n in (1, 2))
    with opened(path) as store:
        store.save([old])
    of_before(path, old)
    with opened(path) as store:
        store.save([new])
    with opened(path, read_only=True) as store:
        rows = list(store.iter_pairs(with_bodies=True))
        assert [row.pair for row in rows] == [old, new]
        assert all(row.bodies for row in rows)
        found = store.find_pairs(PairFilter(shadow="candidate", text="NEEDLE"), limit=5, seconds=60)
        assert len(found.rows) == 2
    with opened(path) as store:
        store._db.execute("DELETE FROM bodies")
        assert [row.bodies for row in store.iter_pairs(with_bodies=True)] == [False, False]
