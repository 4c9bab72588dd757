"""The table of columns: every field of a pair has one, and the file has every column of the table."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given

from shadowlane.config import StoreConfig
from shadowlane.store import ScoreColumns, open_store
from shadowlane.store.columns import BODY_TABLE, NOT_STORED, PAIR_TABLE, Column, writer
from shadowlane.store.scores import SCORE_TABLE
from shadowlane.types import Copy, GroupReading, JudgeVerdict, Outcome, Pair, Scores

from .pairs import pairs

RECORDS: dict[str, type[msgspec.Struct]] = {
    "copy": Copy,
    "outcome": Outcome,
    "scores": Scores,
    "group": GroupReading,
    "judge": JudgeVerdict,
    "pair": Pair,
}
NESTED = {"pair.copy", "pair.outcome", "pair.scores", "scores.group", "scores.judge"}
"""Fields that are records themselves."""


def test_every_field_is_filled_by_one_column() -> None:
    fields = {f"{name}.{field.name}" for name, record in RECORDS.items() for field in msgspec.structs.fields(record)}
    filled = Counter(field for column in PAIR_TABLE + BODY_TABLE for field in column.fills)
    assert set(filled) == fields - NESTED - NOT_STORED
    assert set(filled.values()) == {1}


def test_the_file_has_the_columns_of_the_table(tmp_path: Path) -> None:
    open_store(StoreConfig(url=f"sqlite:///{tmp_path / 's.db'}")).close()
    db = sqlite3.connect(tmp_path / "s.db")
    pairs = {row[1] for row in db.execute("PRAGMA table_info(pairs)")}
    bodies = {row[1] for row in db.execute("PRAGMA table_info(bodies)")}
    db.close()
    assert pairs == {"id", "stored_ns", *(column.name for column in PAIR_TABLE)}
    assert bodies == {"pair", "packed", *(column.name for column in BODY_TABLE)}


def test_a_report_reads_every_score_column_once() -> None:
    assert [score.field for score in SCORE_TABLE] == [field.name for field in msgspec.structs.fields(ScoreColumns)]


@pytest.mark.parametrize("table", [PAIR_TABLE, BODY_TABLE], ids=["pairs", "bodies"])
@given(pair=pairs())
def test_a_whole_row_is_what_each_column_writes(table: tuple[Column, ...], pair: Pair) -> None:
    assert writer(table)(pair) == [column.write(pair) for column in table]
