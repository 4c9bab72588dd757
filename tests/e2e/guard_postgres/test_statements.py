"""Over every driver: in a shadow no write of a corpus of statements gets through, every read does; outside, all do."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from shadowlane.guard import ShadowWriteError, shadow_context
from shadowlane.guard.psycopg import AsyncShadowConnection, ShadowClientCursor, ShadowConnection
from shadowlane.guard.sqlalchemy import fence
from tests.support.postgres import SHADOW, Database

# Each leaves a mark that `Database.marks` sees when it is run outside a shadow.
WRITES = [
    "INSERT INTO item (name) VALUES ('new')",
    "UPDATE item SET name = name || '!'",
    "DELETE FROM item WHERE id = (SELECT min(id) FROM item)",
    "MERGE INTO item USING (SELECT 1 AS one) AS x ON item.id = -1 "
    "WHEN NOT MATCHED THEN INSERT (name) VALUES ('merged')",
    "WITH gone AS (DELETE FROM item WHERE id = (SELECT max(id) FROM item) RETURNING *) SELECT * FROM gone",
    "WITH made AS (INSERT INTO item (name) VALUES ('cte') RETURNING id) SELECT count(*) FROM made",
    "EXPLAIN ANALYZE INSERT INTO item (name) VALUES ('explained')",
    "SELECT nextval('counter')",
    "SELECT setval('counter', 500)",
    "SELECT pg_catalog.\"nextval\"('counter')",
    "SELECT * FROM generate_series(1, 2) AS x WHERE nextval('counter') > 0",
    "SELECT write_item('function')",
    "DO $$ BEGIN INSERT INTO item (name) VALUES ('do'); END $$",
    "CALL write_all()",
    "SELECT 1 INTO made_by_into",
    "CREATE TABLE made AS SELECT 1 AS one",
    "CREATE VIEW seen AS SELECT 1 AS one",
    "ALTER TABLE item ADD COLUMN more int",
    "CREATE ROLE made_role",
    "COMMENT ON TABLE item IS 'commented'",
    "ALTER SYSTEM SET work_mem = '5MB'",
    "SELECT lo_creat(-1)",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT pg_notify('channel', 'by function')",
    "NOTIFY channel, 'by statement'",
    "COPY (SELECT 1) TO PROGRAM 'cat >> {folder}/program'",
    "COPY (SELECT 1) TO '{folder}/file'",
    "COPY item (name) FROM PROGRAM 'echo copied'",
    "SELECT pg_advisory_lock(42)",
    "CREATE TEMPORARY TABLE IF NOT EXISTS scratch (a int)",
    "/* read */ INSERT -- only\n INTO item (name) VALUES ('commented')",
    "SELECT 1; INSERT INTO item (name) VALUES ('second')",
    "COMMIT; INSERT INTO item (name) VALUES ('after commit')",
    "ROLLBACK; BEGIN READ WRITE; INSERT INTO item (name) VALUES ('own transaction'); COMMIT",
    "TRUNCATE item",
]
# They change no data by themselves, but hold others up or open the way.
FORBIDDEN = [
    "SELECT * FROM item FOR UPDATE",
    "SELECT * FROM item FOR KEY SHARE",
    "LOCK TABLE item IN SHARE MODE",
    "SET TRANSACTION READ WRITE",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "SET default_transaction_read_only = off",
    "SELECT set_config('transaction_read_only', 'off', true)",
    "RESET ALL",
    "SELECT pg_terminate_backend(pg_backend_pid())",
    "SELECT pg_reload_conf()",
    "PREPARE p AS INSERT INTO item (name) VALUES ('prepared')",
    "EXECUTE p",
    "DECLARE c CURSOR FOR SELECT 1",
    "LISTEN channel",
    "VACUUM item",
    "COMMIT",
]
READS = [
    "SELECT 1",
    "SELECT count(*) FROM item",
    "SELECT lower(name) AS \"update\" FROM item WHERE name <> 'DELETE FROM item' ORDER BY id LIMIT 3",
    "WITH x AS (SELECT id FROM item) SELECT max(id) FROM x",
    "SELECT i.name FROM item i LEFT JOIN item j ON i.id = j.id WHERE i.id IN (SELECT id FROM item)",
    "TABLE item",
    "VALUES (1), (2)",
    "SHOW server_version",
    "EXPLAIN SELECT * FROM item",
]

Run = Callable[[str], None]


@contextlib.contextmanager
def _psycopg(
    database: Database, work: Callable[[ShadowConnection, str], object], autocommit: bool = False
) -> Iterator[Run]:
    with ShadowConnection.connect(database.dsn, autocommit=autocommit) as connection:

        def run(text: str) -> None:
            try:
                work(connection, text)
                connection.commit()
            except BaseException:
                connection.rollback()
                raise

        yield run


def _execute(connection: ShadowConnection, text: str) -> None:
    connection.execute(text)


def _in_pipeline(connection: ShadowConnection, text: str) -> None:
    with connection.pipeline():
        connection.execute(text)


@contextlib.contextmanager
def _psycopg_async(database: Database, autocommit: bool) -> Iterator[Run]:
    with asyncio.Runner() as runner:
        connection = runner.run(AsyncShadowConnection.connect(database.dsn, autocommit=autocommit))

        async def one(text: str) -> None:
            try:
                await connection.execute(text)
                await connection.commit()
            except BaseException:
                await connection.rollback()
                raise

        yield lambda text: _run_here(runner, one(text))
        runner.run(connection.close())


def _run_here(runner: asyncio.Runner, work: Coroutine[Any, Any, None]) -> None:
    runner.run(work, context=contextvars.copy_context())


@contextlib.contextmanager
def _sqlalchemy(database: Database, driver: str, isolation: str | None = None) -> Iterator[Run]:
    url = database.url(driver)
    engine = sa.create_engine(url, isolation_level=isolation) if isolation else sa.create_engine(url)
    fence(engine)

    def run(text: str) -> None:
        with engine.connect() as connection:
            connection.exec_driver_sql(text.replace("%", "%%"))
            connection.commit()

    try:
        yield run
    finally:
        engine.dispose()


@contextlib.contextmanager
def _sqlalchemy_async(database: Database, driver: str) -> Iterator[Run]:
    engine = create_async_engine(database.url(driver))
    fence(engine)

    async def one(text: str) -> None:
        async with engine.connect() as connection:
            await connection.exec_driver_sql(text if driver == "asyncpg" else text.replace("%", "%%"))
            await connection.commit()

    with asyncio.Runner() as runner:
        yield lambda text: _run_here(runner, one(text))
        runner.run(engine.dispose())


FENCED: dict[str, Callable[[Database], contextlib.AbstractContextManager[Run]]] = {
    "psycopg": lambda database: _psycopg(database, _execute),
    "psycopg autocommit": lambda database: _psycopg(database, _execute, True),
    "psycopg client cursor": lambda database: _psycopg(
        database, lambda connection, text: ShadowClientCursor(connection).execute(text, [])
    ),
    "psycopg executemany": lambda database: _psycopg(
        database, lambda connection, text: connection.cursor().executemany(text, [()])
    ),
    "psycopg pipeline": lambda database: _psycopg(database, _in_pipeline),
    "psycopg async": lambda database: _psycopg_async(database, False),
    "psycopg async autocommit": lambda database: _psycopg_async(database, True),
    "sqlalchemy psycopg": lambda database: _sqlalchemy(database, "psycopg"),
    "sqlalchemy psycopg2": lambda database: _sqlalchemy(database, "psycopg2"),
    "sqlalchemy autocommit": lambda database: _sqlalchemy(database, "psycopg", "AUTOCOMMIT"),
    "sqlalchemy asyncpg": lambda database: _sqlalchemy_async(database, "asyncpg"),
    "sqlalchemy psycopg async": lambda database: _sqlalchemy_async(database, "psycopg"),
}


@pytest.mark.parametrize("way", FENCED)
def test_nothing_gets_through_in_a_shadow(database: Database, way: str) -> None:
    before = database.marks()
    with FENCED[way](database) as run, shadow_context(SHADOW):
        for text in WRITES + FORBIDDEN:
            with pytest.raises(ShadowWriteError):
                run(database.statement(text))
        assert database.marks() == before, text
        for text in READS:
            run(text)
    assert database.marks() == before


def test_every_write_of_the_corpus_is_one(database: Database) -> None:
    with _psycopg(database, _execute, True) as run:
        before = database.marks()
        for text in WRITES:
            run(database.statement(text))
            database.admin.execute("SELECT 1")
            after = database.marks()
            assert after != before, text
            before = after


@pytest.mark.parametrize("way", FENCED)
def test_writes_pass_outside_a_shadow_on_the_connection_that_a_shadow_used(database: Database, way: str) -> None:
    with FENCED[way](database) as run:
        with shadow_context(SHADOW):
            run("SELECT 1")
        before = database.marks()
        run("INSERT INTO item (name) VALUES ('prod')")
        assert database.marks() != before
