"""Rows of a day lie in the day's partition, of which none comes twice, and go with it: on a real server."""

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
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.config import StoreConfig
from shadowlane.store import Store, open_store, postgres_days
from shadowlane.store.postgres_days import FAR, bound, day_of
from tests.e2e.conftest import ROOT

from .by_days import dated, id_at, kept_bytes, partition_rows, seen
from .engines import Engine
from .pairs import DAY_NS, HOUR_NS, make_pair

TODAY = time.time_ns() // DAY_NS * DAY_NS
NOON = 12 * HOUR_NS


@pytest.fixture
def config(postgres: Engine, tmp_path: Path) -> StoreConfig:
    return postgres.config(tmp_path / "s.db", max_age_days=7.0)


@pytest.fixture
def store(config: StoreConfig) -> Iterator[Store]:
    with open_store(config) as made:
        made.set_epoch("lane", {"candidate": 0})
        made._clock_ns = lambda: TODAY
        yield made


@pytest.fixture
def admin(config: StoreConfig, store: Store) -> Iterator[psycopg.Connection[Any]]:
    with seen(config) as db:
        yield db


def name_of(at_ns: int) -> str:
    return time.strftime("%Y%m%d", time.gmtime(at_ns / 1e9))


def fill(store: Store, days: int, rows: int = 20, **fields: Any) -> None:
    """Rows of today and the days after it, in one batch."""
    made = [
        dated(TODAY + day * DAY_NS + NOON + i, 100 * day + i, body=b"x" * (40 * i), **fields)
        for day in range(days)
        for i in range(rows)
    ]
    assert store.save(made) == days * rows


# ---- places of ids


@given(st.text(max_size=40) | st.integers(0, (1 << 48) - 1).map(lambda ms: id_at(ms * 10**6, 7)))
def test_every_text_is_an_id_of_one_day(text: str) -> None:
    day = day_of(text)
    assert -1 <= day <= FAR
    assert day < 0 or bound(day) <= text
    assert day == FAR or text < bound(day + 1)


@given(st.integers(0, 4_102_444_799_999))
def test_an_id_is_of_the_day_that_it_names(ms: int) -> None:
    assert day_of(id_at(ms * 10**6, 1)) == ms // 86_400_000


def test_rows_lie_in_their_days_with_their_bodies(store: Store, admin: psycopg.Connection[Any]) -> None:
    fill(store, 6)
    store.save([make_pair(1), make_pair(2, shadow_id="zebra"), make_pair(3, shadow_id="")])
    wanted = {name_of(TODAY + day * DAY_NS): 20 for day in range(6)} | {"before": 2, "later": 1}
    assert partition_rows(admin) == partition_rows(admin, "bodies") == wanted
    assert len(list(store.iter_pairs(with_bodies=True))) == 123
    assert all(row.bodies for row in store.iter_pairs(with_bodies=True))
    held, rows = kept_bytes(admin)
    assert held == rows > 0


def test_a_row_of_any_id_is_stored(store: Store) -> None:
    odd = ["", "\x00", "id-1", "~", "é", "\U0010ffff", "01", bound(FAR), bound(day_of(id_at(TODAY, 0)) + 400) + "x"]
    assert store.save([make_pair(n, shadow_id=text) for n, text in enumerate(odd)]) == len(odd)
    assert store.save([make_pair(n, shadow_id=text) for n, text in enumerate(odd)]) == 0


# ---- no row twice


def test_a_second_delivery_with_another_time_is_no_second_row(store: Store, admin: psycopg.Connection[Any]) -> None:
    first = dated(TODAY + NOON, 1)
    assert store.save([first]) == 1
    for at_ns in (0, TODAY - 40 * DAY_NS, TODAY + DAY_NS, TODAY + 400 * DAY_NS):
        assert store.save([dated(TODAY + NOON, 1, started_ns=at_ns), dated(TODAY + NOON, 1)]) == 0
    assert partition_rows(admin) == {name_of(TODAY): 1}
    assert store.counts()["candidate"].answered == 1


def test_writers_that_need_the_same_new_days_make_each_once(config: StoreConfig, store: Store) -> None:
    failed: list[BaseException] = []
    together = threading.Barrier(5)

    def write(host: int) -> None:
        try:
            with open_store(config) as own:
                together.wait(60)
                for day in range(20, 26):
                    at_ns = TODAY + day * DAY_NS
                    mine = [dated(at_ns + n, n + 1000 * host) for n in range(5)]
                    assert own.save([*mine, dated(at_ns, 999_999)]) >= 5
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(host,)) for host in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    with seen(config) as db:
        assert partition_rows(db) == {name_of(TODAY + day * DAY_NS): 26 for day in range(20, 26)}


# ---- what is too old


def test_days_go_whole_with_their_bytes_and_leave_counts_and_marks(
    store: Store, admin: psycopg.Connection[Any]
) -> None:
    fill(store, 6)
    marked = {day: id_at(TODAY + day * DAY_NS + NOON + 3, 100 * day + 3) for day in (0, 1, 4)}
    assert all(store.save_mark(shadow_id, "candidate", "wrong") for shadow_id in marked.values())
    # Of the third day all are older than seven days, of the fourth some.
    assert store.prune(TODAY + 10 * DAY_NS + NOON + 5) == 60
    assert partition_rows(admin) == {name_of(TODAY + day * DAY_NS): 20 for day in range(3, 6)}
    assert partition_rows(admin, "bodies") == partition_rows(admin)
    held, rows = kept_bytes(admin)
    assert held == rows == store.bytes_used()
    assert admin.execute("SELECT shadow_id FROM marks ORDER BY 1").fetchall() == [(marked[0],), (marked[1],)]
    assert sum(store.mark_counts("candidate")) == 3
    assert store.counts()["candidate"].answered == 120
    tables = {
        name
        for (name,) in admin.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(current_schema())"
        )
    }
    assert not {name for name in tables if name.startswith("left_")}
    assert not tables & {
        f"{table}_{name_of(TODAY + day * DAY_NS)}" for day in range(3) for table in ("pairs", "bodies")
    }


def test_no_row_of_a_day_that_goes_is_deleted_by_itself(store: Store, admin: psycopg.Connection[Any]) -> None:
    fill(store, 2)
    query = "SELECT coalesce(sum(n_tup_del), 0) FROM pg_stat_user_tables WHERE schemaname = current_schema()"
    query += " AND relname ~ '^(left_)?(pairs|bodies)_'"
    assert store.prune(TODAY + 9 * DAY_NS) == 40
    admin.execute("SELECT pg_stat_force_next_flush()")
    assert admin.execute(query).fetchone() == (0,)


def test_a_day_with_a_young_row_stays_and_its_old_rows_go_one_day_later(
    store: Store, admin: psycopg.Connection[Any]
) -> None:
    fill(store, 1)
    odd = dated(TODAY + NOON, 777, started_ns=TODAY + 30 * DAY_NS)
    store.save([odd])
    assert store.prune(TODAY + 8 * DAY_NS + HOUR_NS) == 0
    assert store.prune(TODAY + 9 * DAY_NS) == 20
    assert [row.pair.copy.shadow_id for row in store.iter_pairs()] == [odd.copy.shadow_id]
    assert len(set(kept_bytes(admin))) == 1


def test_a_day_with_a_row_that_was_stored_lately_stays(store: Store) -> None:
    fill(store, 1)
    store._clock_ns = lambda: TODAY + 20 * DAY_NS
    late = dated(TODAY + NOON, 777)
    assert store.save([late]) == 1
    assert store.prune(TODAY + 20 * DAY_NS + HOUR_NS // 2) == 20, "its old rows go one by one"
    assert store.stored_keys([(late.copy.shadow_id, "candidate")]), "a redelivery must meet its key"
    assert store.save([late]) == 0
    assert store.prune(TODAY + 20 * DAY_NS + 2 * HOUR_NS) == 1


def test_a_late_row_of_a_day_that_went_is_stored_and_goes_again(
    config: StoreConfig, store: Store, admin: psycopg.Connection[Any]
) -> None:
    with open_store(config) as other:
        other._clock_ns = lambda: TODAY
        assert other.save([dated(TODAY + NOON, 1)]) == 1, "it knows the day now"
        assert store.prune(TODAY + 9 * DAY_NS) == 1
        assert other.save([dated(TODAY + NOON, 2), dated(TODAY + DAY_NS, 3)]) == 2
        assert other.bytes_used() == kept_bytes(admin)[1]
    assert store.prune(TODAY + 20 * DAY_NS) == 2
    assert kept_bytes(admin) == (0, 0)


def test_imports_with_old_times_are_rows_that_go_by_their_time(store: Store, admin: psycopg.Connection[Any]) -> None:
    old = [dated(TODAY - 3 * DAY_NS + n, n) for n in range(5)]
    renamed = [dated(TODAY + NOON, 50 + n, started_ns=TODAY - 30 * DAY_NS + n) for n in range(5)]
    assert store.save([*old, *renamed, dated(TODAY + NOON, 99)]) == 11
    assert store.prune(TODAY + 2 * HOUR_NS) == 5, "of another time than their ids name, and too old"
    assert store.prune(TODAY + 4 * DAY_NS + 3) == 3, "before the first day rows go one by one"
    assert len(set(kept_bytes(admin))) == 1


def test_days_to_come_are_made_by_who_leads_and_may_be_read(
    store: Store, admin: psycopg.Connection[Any], postgres: Engine, config: StoreConfig
) -> None:
    reader = f"reader_{config.schema}"
    admin.execute(f"CREATE ROLE {reader} LOGIN")
    try:
        admin.execute(f"GRANT USAGE ON SCHEMA {config.schema} TO {reader}")
        admin.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {config.schema} TO {reader}")
        admin.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {config.schema} GRANT SELECT ON TABLES TO {reader}")
        store._clock_ns = lambda: TODAY + 40 * DAY_NS
        store.prune(TODAY)
        made = {one.name for one in postgres_days.partitions(lambda query: admin.execute(query.encode()))}
        assert {name_of(TODAY + day * DAY_NS) for day in range(40, 44)} < made
        store.save([dated(TODAY + 41 * DAY_NS, 1)])
        with psycopg.connect(config.url.replace("postgres@", f"{reader}@")) as db:
            db.execute("SELECT set_config('search_path', %s, false)", (config.schema,))
            for table in ("pairs", "bodies", f"pairs_{name_of(TODAY + 41 * DAY_NS)}"):
                assert db.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() == (1,)
    finally:
        admin.execute(f"DROP OWNED BY {reader}")
        admin.execute(f"DROP ROLE {reader}")


def test_a_long_retention_has_partitions_of_several_days(postgres: Engine, tmp_path: Path) -> None:
    config = postgres.config(tmp_path / "long.db", max_age_days=360.0)
    with open_store(config) as store, seen(config) as db:
        assert store.save([dated(TODAY + day * DAY_NS, day) for day in range(200)]) == 200
        rows = partition_rows(db)
        assert len(rows) < 200 / 6 + 6
        assert sum(rows.values()) == 200
        assert max(rows.values()) == 6


# ---- what is too much


def test_a_day_that_must_go_whole_is_dropped_and_the_next_one_in_part(postgres: Engine, tmp_path: Path) -> None:
    config = postgres.config(tmp_path / "s.db", max_bytes=2 << 20, max_age_days=365.0 / 12)
    with open_store(config) as store, seen(config) as db:
        store._clock_ns = lambda: TODAY
        for day in range(3):
            store.save([dated(TODAY + day * DAY_NS + n, 10_000 * day + n, body=os.urandom(900)) for n in range(1500)])
        assert store.bytes_used() > 6 << 20
        deleted = store.prune(TODAY + 4 * DAY_NS)
        held, rows = kept_bytes(db)
        assert held == rows <= 2 << 20
        left = partition_rows(db)
        assert name_of(TODAY) not in left
        assert sum(left.values()) == 4500 - deleted
        assert held + 1000 * held // sum(left.values()) > 2 << 20, "no more than needs be, but for a batch"
        (dropped,) = db.execute("SELECT to_regclass(%s) IS NULL", (f"pairs_{name_of(TODAY)}",)).fetchone() or (None,)
        assert dropped


# ---- readers, and deaths in between


def test_who_reads_a_day_keeps_it_and_waits_for_nothing(
    config: StoreConfig, store: Store, admin: psycopg.Connection[Any]
) -> None:
    fill(store, 2)
    with open_store(config, read_only=True) as reader:
        rows = reader.iter_pairs(with_bodies=True)
        next(rows)
        assert store.prune(TODAY + 8 * DAY_NS + HOUR_NS) == 0
        assert len(list(rows)) == 39
    assert store.prune(TODAY + 8 * DAY_NS + HOUR_NS) == 20
    assert len(set(kept_bytes(admin))) == 1


_DIES = """
import os, signal, sys
from shadowlane.config import StoreConfig
from shadowlane.store import open_store
from shadowlane.store.postgres_database import PostgresDatabase
url, schema, now, told, after = sys.argv[1:]
real = PostgresDatabase.execute
def execute(self, query, values=()):
    if told in query and not int(after):
        os.kill(os.getpid(), signal.SIGKILL)
    found = real(self, query, values)
    if told in query:
        os.kill(os.getpid(), signal.SIGKILL)
    return found
with open_store(StoreConfig(url=url, schema=schema, max_age_days=7.0)) as store:
    store._clock_ns = lambda: int(now)
    PostgresDatabase.execute = execute
    store.prune(int(now))
"""


@pytest.mark.parametrize(
    ("told", "after"),
    [
        ("LOCK TABLE ONLY", 1),
        ("DETACH PARTITION", 1),
        ("RENAME TO left_bodies", 1),
        ("FROM left_pairs", 0),  # between both transactions
        ("sum(octet_length(packed))", 1),
        ("DELETE FROM exemplars", 1),
        ("DROP TABLE", 1),
    ],
)
def test_a_leader_that_is_killed_in_the_middle_leaves_rows_that_are_whole_or_gone(
    config: StoreConfig, store: Store, admin: psycopg.Connection[Any], told: str, after: int
) -> None:
    fill(store, 3)
    marked = id_at(TODAY + NOON + 3, 3)
    assert store.save_mark(marked, "candidate", "wrong")
    now = TODAY + 8 * DAY_NS + HOUR_NS
    arguments = [sys.executable, "-c", _DIES, config.url, config.schema, str(now), told, str(after)]
    died = subprocess.run(arguments, env=os.environ | {"PYTHONPATH": str(ROOT / "python")}, check=False)
    assert died.returncode == -signal.SIGKILL
    left = partition_rows(admin)
    assert set(left.values()) == {20}
    assert len(left) in (2, 3)
    assert sum(store.mark_counts("candidate")) == 1, "said once: of the row, or of what went"
    assert store.save([dated(TODAY + NOON, 500)]) == 1, "nobody is kept from writing"
    admin.execute("DELETE FROM meta WHERE key = 'leader:retention'")  # its lease is over
    store.prune(now + 9 * DAY_NS)
    assert kept_bytes(admin) == (0, 0)
    assert partition_rows(admin) == {}
    assert sum(store.mark_counts("candidate")) == 1
    assert admin.execute("SELECT count(*) FROM pg_class WHERE starts_with(relname, 'left_')").fetchone() == (0,)
    assert store.counts()["candidate"].answered == 61
