"""A store of the release before, which has no days: laid out by a writer, with its rows kept as they lie, while workers
of that release and readers go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from shadowlane.config import StoreConfig
from shadowlane.errors import StoreError
from shadowlane.store import PairFilter, open_store
from shadowlane.store.postgres_days import bound, partitions
from tests.e2e.conftest import ROOT

from .by_days import BeforeDays, as_before, dated, id_at, kept_bytes, opened, partition_rows, seen
from .engines import Engine
from .pairs import DAY_NS, HOUR_NS, make_pair

TODAY = time.time_ns() // DAY_NS * DAY_NS
ROWS = 150
FILES = (
    "SELECT relname, pg_relation_filenode(oid) FROM pg_class WHERE relnamespace = to_regnamespace(current_schema()) "
    "AND relname ~ '^(pairs|bodies)' AND pg_relation_filenode(oid) IS NOT NULL"
)


@pytest.fixture
def config(postgres: Engine, tmp_path: Path) -> StoreConfig:
    return postgres.config(tmp_path / "s.db", max_age_days=30.0)


@pytest.fixture
def before(config: StoreConfig, monkeypatch: pytest.MonkeyPatch) -> Iterator[BeforeDays]:
    """Rows of the last days in tables of the release before: its store, still open."""
    with as_before(monkeypatch):
        store = opened(config)
    with store:
        store.set_epoch("old", {"candidate": 0})
        rows = [dated(TODAY - n * DAY_NS // 10, n, body=b"x" * n) for n in range(ROWS)]
        assert store.save(rows) == ROWS
        assert store.save_mark(rows[3].copy.shadow_id, "candidate", "fine")
        yield store


def files(db: psycopg.Connection[Any]) -> dict[str, int]:
    return dict(db.execute(FILES).fetchall())


def read(config: StoreConfig) -> list[Any]:
    with open_store(config, read_only=True) as store:
        found = store.find_pairs(PairFilter(shadow="candidate"), limit=40, seconds=60)
        return [
            [(row.id, row.stored_ns, row.pair, row.bodies) for row in store.iter_pairs(with_bodies=True)],
            [row.id for row, _ in found.rows],
            [[row.id for row in piece.rows] for piece in store.walk(PairFilter(shadow="candidate"))],
            store.counts("old"),
            store.mark_counts("candidate"),
            store.bytes_used(),
        ]


def test_rows_stay_where_they_are_and_no_index_is_built(
    config: StoreConfig, before: BeforeDays, monkeypatch: pytest.MonkeyPatch
) -> None:
    with seen(config) as db:
        with as_before(monkeypatch):
            were, seen_before = files(db), read(config)
        notices: list[str] = []
        real = psycopg.Connection.connect.__func__  # type: ignore[attr-defined]

        def told(cls: Any, *args: Any, **options: Any) -> Any:
            made = real(cls, *args, **options)
            made.add_notice_handler(lambda notice: notices.append(notice.message_primary))
            made.execute("SET client_min_messages = debug1")
            return made

        with monkeypatch.context() as patch:
            patch.setattr(psycopg.Connection, "connect", classmethod(told))
            open_store(config).close()
        implied = [text for text in notices if "is implied by existing constraints" in text]
        assert len(implied) == 2, "nobody waits for a look through the rows"
        are = {name: number for name, number in files(db).items() if "_before" in name}
        moved = {name.replace("_before", "", 1): number for name, number in are.items()}
        assert {name: number for name, number in were.items() if not name.endswith("_seq")} == moved
        assert read(config) == seen_before
        assert partition_rows(db) == {"before": ROWS}
        known = partitions(lambda query: db.execute(query.encode()))
        assert known[0].high == bound(TODAY // DAY_NS + 2), "what hosts write just now has a place in the old table"
        checks = "SELECT count(*) FROM pg_constraint WHERE conname = 'before_days'"
        assert db.execute(checks).fetchone() == (0,)


def test_a_worker_of_the_release_before_goes_on_and_its_rows_are_whole(
    config: StoreConfig, before: BeforeDays, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(config) as store, seen(config) as db:
        store._clock_ns = before._clock_ns = lambda: TODAY
        times = [TODAY + HOUR_NS, TODAY + 2 * DAY_NS + HOUR_NS, TODAY + 3 * DAY_NS + HOUR_NS]
        for nth, at_ns in enumerate(times):
            both = dated(at_ns, 5000 + nth)
            assert before.save([dated(at_ns + 1, 1000 + nth, body=b"old"), both]) == 2
            assert store.save([both, dated(at_ns + 2, 2000 + nth, body=b"new")]) == 1, "one key for both releases"
            assert before.save([both, dated(at_ns + 2, 2000 + nth)]) == 0
        rows = {row.pair.copy.shadow_id: row for row in store.iter_pairs(with_bodies=True)}
        assert len(rows) == ROWS + 9
        assert all(row.bodies for row in rows.values())
        assert rows[id_at(times[1] + 1, 1001)].pair.copy.body == b"old"
        assert rows[id_at(times[1] + 2, 2001)].pair.copy.body == b"new"
        ids = [row.id for row in store.iter_pairs(order="time")]
        assert len(set(ids)) == ROWS + 9
        assert len(set(kept_bytes(db))) == 1
        assert before.roll_up() in (True, False)
        assert store.counts("old")["candidate"].answered + store.counts()["candidate"].answered >= ROWS + 9
        # Bodies that came without a day go with their row's day, and so do their bytes.
        now = TODAY + 33 * DAY_NS + HOUR_NS
        assert store.prune(now) == ROWS + 6
        assert partition_rows(db, "bodies") == {"before": 2, time.strftime("%Y%m%d", time.gmtime(times[2] / 1e9)): 1}
        assert len(set(kept_bytes(db))) == 1


def test_the_release_before_deletes_what_is_too_old_from_days_too(
    config: StoreConfig, before: BeforeDays, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its statement, as it is."""
    delete = (
        "WITH oldest AS (SELECT id FROM pairs WHERE started_ns < ? AND stored_ns < ? ORDER BY started_ns LIMIT ?), "
        "thick AS (DELETE FROM bodies USING oldest WHERE bodies.pair = oldest.id "
        "RETURNING coalesce(octet_length(packed), 0) AS size), "
        "gone AS (DELETE FROM pairs USING oldest WHERE pairs.id = oldest.id "
        "RETURNING shadow_id, shadow, started_ns, fact_flip, delta_s, mark, bytes), "
        "said AS (INSERT INTO marks (shadow_id, shadow, started_ns, fact_flip, delta_s, mark) "
        "SELECT shadow_id, shadow, started_ns, fact_flip, delta_s, mark FROM gone WHERE mark <> '' "
        "ON CONFLICT (shadow, shadow_id) DO UPDATE SET mark = excluded.mark) "
        "SELECT count(*), coalesce(sum(bytes), 0) + (SELECT coalesce(sum(size), 0) FROM thick) FROM gone"
    )
    with open_store(config) as store, seen(config) as db:
        store._clock_ns = lambda: TODAY
        store.save([dated(TODAY + 3 * DAY_NS + n, 1000 + n) for n in range(10)])
        with before._db.transaction():
            n, size = before._db.execute(delete, (TODAY + 3 * DAY_NS + 5, TODAY + DAY_NS * 99, 1000)).fetchone()
            before._db.hold(-int(size))
        assert n == ROWS + 5
        assert len(set(kept_bytes(db))) == 1
        assert sum(store.mark_counts("candidate")) == 1


def test_rows_of_a_clock_that_was_ahead_come_into_their_days(
    config: StoreConfig, before: BeforeDays, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = TODAY + 40 * DAY_NS
    assert before.save([dated(ahead, 900, body=b"ahead"), make_pair(901, shadow_id="zebra")]) == 2
    with as_before(monkeypatch):
        seen_before = read(config)
    with open_store(config) as store, seen(config) as db:
        day = time.strftime("%Y%m%d", time.gmtime(ahead / 1e9))
        assert partition_rows(db) == {"before": ROWS, day: 1, "later": 1}
        assert read(config) == seen_before
        assert store.save([dated(ahead, 900), make_pair(901, shadow_id="zebra")]) == 0
        assert len(set(kept_bytes(db))) == 1


def test_numbers_of_rows_go_on_rising_and_rights_stay(
    config: StoreConfig, before: BeforeDays, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = f"grantee_{config.schema}"
    with seen(config) as db:
        db.execute("DELETE FROM pairs WHERE id > 100")  # the numbers of rows that are gone are not given again
        db.execute(f"CREATE ROLE {role}")
        try:
            db.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {config.schema} TO {role}")
            db.execute(f"GRANT UPDATE ON pairs TO {role}")
            with open_store(config) as store:
                store.save([dated(TODAY + HOUR_NS, 1234)])
                assert [row.id for row in store.iter_pairs(order="newest", limit=1)] == [ROWS + 1]
            query = "SELECT has_table_privilege(%s, 'pairs', 'UPDATE'), has_table_privilege(%s, 'bodies', 'SELECT')"
            assert db.execute(query, (role, role)).fetchone() == (True, True)
        finally:
            db.execute(f"DROP OWNED BY {role}")
            db.execute(f"DROP ROLE {role}")


def test_many_that_start_together_lay_it_out_once(
    config: StoreConfig, before: BeforeDays, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[BaseException] = []
    stop = threading.Event()

    def go_on() -> None:
        try:
            number = 10_000
            while not stop.is_set():
                number += 1
                before.save([dated(TODAY + number, number)])
        except BaseException as error:
            failed.append(error)

    def start(number: int) -> None:
        try:
            with open_store(config) as store:
                store.save([dated(TODAY + HOUR_NS + number, 20_000 + number)])
        except BaseException as error:
            failed.append(error)

    writing = threading.Thread(target=go_on)
    starting = [threading.Thread(target=start, args=(number,)) for number in range(4)]
    for thread in (writing, *starting):
        thread.start()
    for thread in starting:
        thread.join()
    stop.set()
    writing.join()
    assert not failed
    with seen(config) as db:
        rows = db.execute("SELECT count(*), count(DISTINCT shadow_id) FROM pairs").fetchone()
        assert rows is not None
        assert rows[0] == rows[1] > ROWS + 4
        assert len(set(kept_bytes(db))) == 1


_DIES = """
import os, signal, sys
import psycopg
from shadowlane.config import StoreConfig
from shadowlane.store import open_store
url, schema, told = sys.argv[1:]
real = psycopg.Connection.execute
def execute(self, query, *args, **options):
    found = real(self, query, *args, **options)
    if told.encode() in (query if isinstance(query, bytes) else str(query).encode()):
        os.kill(os.getpid(), signal.SIGKILL)
    return found
psycopg.Connection.execute = execute
open_store(StoreConfig(url=url, schema=schema))
"""


@pytest.mark.parametrize("told", ["NOT VALID", "VALIDATE CONSTRAINT", "RENAME TO pairs_before", "ATTACH PARTITION"])
def test_a_worker_that_is_killed_in_the_middle_leaves_a_store_for_both_releases(
    config: StoreConfig, before: BeforeDays, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    arguments = [sys.executable, "-c", _DIES, config.url, config.schema, told]
    died = subprocess.run(arguments, env=os.environ | {"PYTHONPATH": str(ROOT / "python")}, check=False)
    assert died.returncode == -signal.SIGKILL
    assert before.save([dated(TODAY + HOUR_NS, 700)]) == 1
    with pytest.raises(StoreError, match="start its worker"):
        open_store(config, read_only=True)
    with open_store(config) as store:
        assert len(list(store.iter_pairs(with_bodies=True))) == ROWS + 1
        assert store.save([dated(TODAY + HOUR_NS, 700), dated(TODAY + 3 * DAY_NS, 701)]) == 1


def test_who_reads_goes_on_reading(config: StoreConfig, before: BeforeDays, monkeypatch: pytest.MonkeyPatch) -> None:
    with as_before(monkeypatch):
        reader = open_store(config, read_only=True)
    for _ in range(8):  # its statements are prepared
        assert len(reader.scores("candidate")) == ROWS
    with open_store(config) as store:
        store.save([dated(TODAY + 3 * DAY_NS, 1)])
        assert len(reader.scores("candidate")) == ROWS + 1
        assert [row.bodies for row in reader.exchange(id_at(TODAY + 3 * DAY_NS, 1))] == [True]
    reader.close()
