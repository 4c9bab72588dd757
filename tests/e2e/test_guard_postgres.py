"""The database fences against a real PostgreSQL: in a shadow nothing of the corpus gets through, outside everything
does, and reads pass in both. What READ ONLY alone lets through is shown on the same server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import psycopg
import psycopg_pool
import pytest
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from shadowlane.errors import ConfigError
from shadowlane.guard import Shadow, ShadowWriteError, shadow_context
from shadowlane.guard.psycopg import (
    AsyncShadowClientCursor,
    AsyncShadowConnection,
    ShadowClientCursor,
    ShadowConnection,
)
from shadowlane.guard.sqlalchemy import fence
from tests.support.servers import postgres_server

SHADOW = Shadow(id="test")

# Each leaves a mark that `marks` sees when it is run outside a shadow.
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


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with postgres_server() as made:
        yield made


@pytest.fixture
def database(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    made = Database(port)
    try:
        yield made
    finally:
        made.close()


class Database:
    """The server's state as somebody else sees it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.dsn = f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
        self.admin = psycopg.connect(self.dsn, autocommit=True)
        self.heard = 0
        self.admin.add_notify_handler(self._hear)
        (directory,) = self.admin.execute("SHOW data_directory").fetchone() or ("",)
        self.folder = str(directory)
        self.reset()

    def _hear(self, notice: psycopg.Notify) -> None:
        self.heard += 1

    def reset(self) -> None:
        run = self.admin.execute
        for (prepared,) in run("SELECT gid FROM pg_prepared_xacts").fetchall():
            run(sql.SQL("ROLLBACK PREPARED {}").format(prepared))  # else it holds its locks for ever
        for table in ("made_by_into", "made", "item"):
            run(sql.SQL("DROP TABLE IF EXISTS {} CASCADE").format(sql.Identifier(table)))
        run("DROP VIEW IF EXISTS seen, writing, counting, telling")
        run("DROP ROLE IF EXISTS made_role")
        run("ALTER SYSTEM RESET ALL")
        run("SELECT lo_unlink(oid) FROM pg_largeobject_metadata")
        run("DROP SEQUENCE IF EXISTS counter")
        run("CREATE SEQUENCE counter")
        run("CREATE TABLE item (id serial PRIMARY KEY, name text NOT NULL)")
        run("INSERT INTO item (name) SELECT 'item ' || n FROM generate_series(1, 20) AS n")
        run(
            "CREATE OR REPLACE FUNCTION write_item(text) RETURNS int LANGUAGE sql AS "
            "$$ INSERT INTO item (name) VALUES ($1) RETURNING id $$"
        )
        run(
            "CREATE OR REPLACE FUNCTION pure_item() RETURNS bigint LANGUAGE sql STABLE AS "
            "$$ SELECT count(*) FROM item $$"
        )
        run(
            "CREATE OR REPLACE PROCEDURE write_all() LANGUAGE sql AS $$ INSERT INTO item (name) VALUES ('procedure') $$"
        )
        run(
            sql.SQL("COPY (SELECT 1) TO PROGRAM {}").format(
                f"cat > /dev/null; rm -f {self.folder}/program {self.folder}/file"
            )
        )
        run("LISTEN channel")
        self.admin.execute("SELECT 1")
        self.heard = 0

    def statement(self, text: str) -> str:
        return text.replace("{folder}", self.folder)

    def marks(self) -> dict[str, Any]:
        """Everything that the corpus could leave behind."""
        queries = {
            "items": "SELECT md5(string_agg(i::text, ',' ORDER BY id)) FROM item i",
            "item id": "SELECT last_value, is_called FROM item_id_seq",
            "counter": "SELECT last_value, is_called FROM counter",
            "relations": "SELECT count(*), sum(relnatts) FROM pg_class WHERE relnamespace <> 'pg_toast'::regnamespace",
            "comments": "SELECT count(*) FROM pg_description WHERE objoid = 'item'::regclass",
            "roles": "SELECT count(*) FROM pg_roles",
            "large objects": "SELECT count(*) FROM pg_largeobject_metadata",
            "locks": "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'",
            "settings": "SELECT count(*) FROM pg_file_settings WHERE sourcefile LIKE '%auto.conf'",
            "files": f"SELECT name, size FROM pg_ls_dir('{self.folder}') AS name, "
            f"LATERAL pg_stat_file('{self.folder}/' || name) WHERE name IN ('program', 'file') ORDER BY name",
            "prepared": "SELECT count(*) FROM pg_prepared_xacts",
        }
        found: dict[str, Any] = {name: self.admin.execute(query).fetchall() for name, query in queries.items()}
        found["heard"] = self.heard
        return found

    def close(self) -> None:
        self.admin.close()


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
    import contextvars

    runner.run(work, context=contextvars.copy_context())


@contextlib.contextmanager
def _sqlalchemy(database: Database, driver: str, isolation: str | None = None) -> Iterator[Run]:
    url = f"postgresql+{driver}://postgres@127.0.0.1:{database.port}/postgres"
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
    engine = create_async_engine(f"postgresql+{driver}://postgres@127.0.0.1:{database.port}/postgres")
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


def test_what_read_only_alone_lets_through(database: Database) -> None:
    """Why the statements are judged at all. If PostgreSQL closes one of these, the list in SECURITY.md gets shorter."""
    version = database.admin.info.server_version
    leaks = [
        ["SELECT pg_notify('channel', 'x')"],
        ["COPY (SELECT 1) TO PROGRAM 'cat >> {folder}/program'"],
        ["SELECT pg_advisory_lock(43)"],
        ["SET TRANSACTION READ WRITE", "INSERT INTO item (name) VALUES ('read write')"],
        ["ROLLBACK; INSERT INTO item (name) VALUES ('own transaction')"],
        *([["SELECT lo_creat(-1)"], ["SELECT lo_from_bytea(0, 'x')"]] if version < 160000 else []),
    ]
    with psycopg.connect(database.dsn) as connection:
        connection.read_only = True
        before = database.marks()
        for leak in leaks:
            for text in leak:
                connection.execute(database.statement(text))
            connection.commit()
            database.admin.execute("SELECT 1")
            after = database.marks()
            assert after != before, leak
            before = after
        for text in ("SELECT nextval('counter')", "INSERT INTO item (name) VALUES ('x')", "SELECT write_item('x')"):
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                connection.execute(text)
            connection.rollback()


def _vouch(text: str) -> bool:
    return True


def test_what_a_view_hides(database: Database) -> None:
    """Text does not show what a view calls. READ ONLY stops its writes; what READ ONLY lets through, passes."""
    database.admin.execute("CREATE VIEW writing AS SELECT write_item('view') AS id")
    database.admin.execute("CREATE VIEW counting AS SELECT nextval('counter') AS id")
    database.admin.execute("CREATE VIEW telling AS SELECT pg_notify('channel', 'x')::text")
    before = database.marks()
    with ShadowConnection.connect(database.dsn) as connection, shadow_context(SHADOW):
        for view in ("writing", "counting"):
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                connection.execute(f"SELECT * FROM {view}")
            connection.rollback()
        assert database.marks() == before
        connection.execute("SELECT * FROM telling")
        connection.commit()
        database.admin.execute("SELECT 1")
    assert database.heard == 1


@pytest.mark.parametrize("autocommit", [False, True])
def test_the_server_is_the_second_fence(database: Database, autocommit: bool) -> None:
    """Vouched statements reach the server: its READ ONLY holds, and cannot be undone, whatever the user said."""
    before = database.marks()
    with ShadowConnection.connect(database.dsn, autocommit=autocommit) as connection:
        connection.vouched = _vouch
        with shadow_context(SHADOW):
            for text in ("SELECT write_item('x')", "INSERT INTO item (name) VALUES ('x')", "CALL write_all()"):
                with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                    connection.execute(text)
                connection.rollback()
            for text in ("SET TRANSACTION READ WRITE", "SELECT set_config('transaction_read_only', 'off', true)"):
                with pytest.raises(psycopg.errors.ActiveSqlTransaction):
                    connection.execute(text)
                connection.rollback()
            assert connection.execute("SELECT pure_item()").fetchone() == (20,)
            with connection.cursor().copy("COPY item TO STDOUT") as copy:
                assert sum(1 for _ in copy) == 20
            connection.rollback()
    assert database.marks() == before


def test_the_session_is_read_only_too_under_sqlalchemy(database: Database) -> None:
    """Raw connections and autocommit see no transaction event: the session's setting holds there."""
    engine = sa.create_engine(f"postgresql+psycopg://postgres@127.0.0.1:{database.port}/postgres", pool_size=1)
    fence(engine, vouched=_vouch)
    before = database.marks()
    with shadow_context(SHADOW):
        raw = engine.raw_connection()
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            raw.cursor().execute("INSERT INTO item (name) VALUES ('raw')")
        raw.close()
        with (
            engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
            pytest.raises(sa.exc.InternalError, match="read-only"),
        ):
            connection.execute(sa.text("INSERT INTO item (name) VALUES ('autocommit')"))
        with engine.connect() as connection, pytest.raises(sa.exc.InternalError, match="before any query"):
            connection.execute(sa.text("SET TRANSACTION READ WRITE"))
    assert database.marks() == before
    with engine.connect() as connection:  # taken outside: its transactions inside are READ ONLY all the same
        with shadow_context(SHADOW), pytest.raises(sa.exc.InternalError, match="read-only"):
            connection.execute(sa.text("INSERT INTO item (name) VALUES ('taken outside')"))
        connection.rollback()
    assert database.marks() == before
    raw = engine.raw_connection()  # the same connection, as it came
    raw.cursor().execute("INSERT INTO item (name) VALUES ('raw, prod')")
    raw.commit()
    raw.close()
    assert database.marks() != before
    engine.dispose()


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def test_a_unit_of_work_with_changes_is_refused(database: Database) -> None:
    engine = sa.create_engine(f"postgresql+psycopg://postgres@127.0.0.1:{database.port}/postgres")
    fence(engine)
    before = database.marks()

    def add(session: Session) -> None:
        session.add(Item(name="new"))

    def change(session: Session) -> None:
        session.scalars(sa.select(Item)).first().name = "changed"  # type: ignore[union-attr]

    def delete(session: Session) -> None:
        session.delete(session.scalars(sa.select(Item)).first())

    with shadow_context(SHADOW):
        for work in (add, change, delete):
            with Session(engine) as session:
                work(session)
                with pytest.raises(ShadowWriteError, match="a flush with a changed Item"):
                    session.commit()
        for statement in (
            sa.insert(Item).values(name="bulk"),
            sa.update(Item).values(name="bulk"),
            sa.delete(Item),
        ):
            with Session(engine) as session, pytest.raises(ShadowWriteError, match="bulk"):
                session.execute(statement)
        with Session(engine) as session, pytest.raises(ShadowWriteError):
            session.bulk_save_objects([Item(name="bulk")])
        with Session(engine.execution_options(logging_token="x")) as session, pytest.raises(ShadowWriteError):
            session.execute(sa.text("DELETE FROM item"))
        with Session(engine) as session, session.begin_nested():
            assert len(session.scalars(sa.select(Item).where(Item.name.like("item 1%"))).all()) == 11
            session.scalars(sa.select(Item)).first().name = session.scalars(sa.select(Item)).first().name  # type: ignore[union-attr]
    assert database.marks() == before
    with Session(engine) as session:
        add(session)
        session.commit()
    assert database.marks() != before
    engine.dispose()


def test_an_async_session_is_refused_too(database: Database) -> None:
    engine = create_async_engine(f"postgresql+asyncpg://postgres@127.0.0.1:{database.port}/postgres")
    fence(engine)

    async def work() -> None:
        with shadow_context(SHADOW):
            async with AsyncSession(engine) as session:
                session.add(Item(name="new"))
                with pytest.raises(ShadowWriteError):
                    await session.commit()
            async with AsyncSession(engine) as session:
                assert await session.scalar(sa.select(sa.func.count()).select_from(Item)) == 20
        async with AsyncSession(engine) as session:
            session.add(Item(name="prod"))
            await session.commit()
            assert await session.scalar(sa.select(sa.func.count()).select_from(Item)) == 21
        await engine.dispose()

    before = database.marks()
    asyncio.run(work())
    assert database.marks() != before


def test_a_flush_to_an_unfenced_engine_is_not_ours(database: Database) -> None:
    fenced = sa.create_engine(f"postgresql+psycopg://postgres@127.0.0.1:{database.port}/postgres")
    fence(fenced)
    scratch = sa.create_engine("sqlite://")
    Base.metadata.create_all(scratch)
    with shadow_context(SHADOW), Session(scratch) as session:
        session.add(Item(name="scratch"))
        session.commit()
        assert session.scalar(sa.select(sa.func.count()).select_from(Item)) == 1
    scratch.dispose()
    fenced.dispose()


def test_concurrent_copies_and_prod_requests_share_one_pool(database: Database) -> None:
    engine = create_async_engine(
        f"postgresql+asyncpg://postgres@127.0.0.1:{database.port}/postgres", pool_size=3, max_overflow=0
    )
    fence(engine)
    refused = 0

    async def request(number: int) -> None:
        nonlocal refused
        with shadow_context(SHADOW if number % 2 else None):
            async with engine.connect() as connection:
                await connection.execute(sa.text("SELECT 1"))
                try:
                    await connection.execute(sa.text("INSERT INTO item (name) VALUES (:name)"), {"name": f"n{number}"})
                    await connection.commit()
                except ShadowWriteError:
                    refused += 1

    async def all_of_them() -> None:
        await asyncio.gather(*(request(number) for number in range(60)))
        await engine.dispose()

    asyncio.run(all_of_them())
    names = {row[0] for row in database.admin.execute("SELECT name FROM item WHERE name LIKE 'n%'")}
    assert names == {f"n{number}" for number in range(0, 60, 2)}
    assert refused == 30


def test_cursors_of_every_kind(database: Database) -> None:
    query = sql.SQL("SELECT name FROM {} WHERE id < %s").format(sql.Identifier("item"))
    with ShadowConnection.connect(database.dsn) as connection, shadow_context(SHADOW):
        assert len(connection.execute(query, [4]).fetchall()) == 3
        assert len(connection.execute(b"SELECT name FROM item").fetchall()) == 20
        with connection.cursor("server side") as cursor:
            cursor.execute("SELECT name FROM item WHERE name LIKE 'item 1%%' AND id > %s", [0])
            assert len(cursor.fetchall()) == 11
        assert len(list(connection.cursor().stream("SELECT name FROM item"))) == 20
        with connection.transaction(), connection.transaction():
            assert connection.execute("SELECT 1").fetchone() == (1,)

        def server_side() -> None:
            with connection.cursor("c") as cursor:
                cursor.execute("INSERT INTO item (name) VALUES ('x')")

        for attempt in (
            server_side,
            lambda: list(connection.cursor().stream("DELETE FROM item RETURNING id")),
            lambda: connection.cursor().copy("COPY item (name) FROM STDIN").__enter__(),
            lambda: connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier("item"))),
            lambda: connection.execute(b"DELETE FROM item"),
            lambda: connection.execute(memoryview(b"DELETE FROM item")),  # type: ignore[call-overload]
        ):
            with pytest.raises(ShadowWriteError):
                attempt()


def test_async_cursors_of_every_kind(database: Database) -> None:
    async def work() -> None:
        async with await AsyncShadowConnection.connect(database.dsn) as connection:
            with shadow_context(SHADOW):
                assert len(await (await connection.execute("SELECT name FROM item")).fetchall()) == 20
                async with connection.cursor("server side") as cursor:
                    await cursor.execute("SELECT name FROM item")
                    assert len(await cursor.fetchall()) == 20
                assert len([row async for row in connection.cursor().stream("SELECT name FROM item")]) == 20
                cursor = AsyncShadowClientCursor(connection)
                with pytest.raises(ShadowWriteError):
                    await cursor.execute("DELETE FROM item WHERE id = %s", [1])
                with pytest.raises(ShadowWriteError):
                    await connection.cursor().executemany("INSERT INTO item (name) VALUES (%s)", [["a"]])
                with pytest.raises(ShadowWriteError):
                    async with connection.cursor().copy("COPY item (name) FROM STDIN"):
                        pass
                with pytest.raises(ShadowWriteError):
                    async for _ in connection.cursor().stream("DELETE FROM item RETURNING id"):
                        pass
                connection.vouched = _vouch
                async with connection.cursor().copy("COPY item TO STDOUT") as copy:
                    assert len([row async for row in copy]) == 20

    before = database.marks()
    asyncio.run(work())
    assert database.marks() == before


def test_cursor_factories_without_a_fence_are_refused(database: Database) -> None:
    with ShadowConnection.connect(database.dsn, cursor_factory=psycopg.ClientCursor) as connection:
        with pytest.raises(ConfigError, match="cursor_factory = ClientCursor"):
            connection.execute("SELECT 1")
        connection.cursor_factory = ShadowClientCursor
        assert connection.execute("SELECT %s", [1]).fetchone() == (1,)
        connection.server_cursor_factory = psycopg.ServerCursor
        with pytest.raises(ConfigError, match="cursor_factory = ServerCursor"):
            connection.cursor("named")

    async def work() -> None:
        async with await AsyncShadowConnection.connect(database.dsn) as connection:
            connection.cursor_factory = psycopg.AsyncClientCursor
            with pytest.raises(ConfigError, match="cursor_factory = AsyncClientCursor"):
                await connection.execute("SELECT 1")

    asyncio.run(work())


def test_a_pool_of_fenced_connections(database: Database) -> None:
    before = database.marks()
    with psycopg_pool.ConnectionPool(database.dsn, connection_class=ShadowConnection, min_size=1, max_size=1) as pool:
        for _ in range(3):
            with shadow_context(SHADOW), pool.connection() as connection:
                assert connection.execute("SELECT count(*) FROM item").fetchone() == (20,)
                with pytest.raises(ShadowWriteError):
                    connection.execute("DELETE FROM item")
        assert database.marks() == before
        with pool.connection() as connection:
            connection.execute("INSERT INTO item (name) VALUES ('prod')")
    assert database.marks() != before


def test_two_phase_transactions_are_refused(database: Database) -> None:
    """A prepared transaction stays on the server; and a shadow could commit one that somebody else prepared."""
    with contextlib.closing(psycopg.connect(database.dsn)) as other:
        other.tpc_begin("theirs")
        other.execute("INSERT INTO item (name) VALUES ('theirs')")
        other.tpc_prepare()
    before = database.marks()
    engine = sa.create_engine(f"postgresql+psycopg2://postgres@127.0.0.1:{database.port}/postgres")
    fence(engine, vouched=_vouch)
    with shadow_context(SHADOW), engine.connect() as connection:
        for attempt in (
            lambda: connection.begin_twophase(),
            lambda: connection.commit_prepared("theirs", recover=True),
            lambda: connection.rollback_prepared("theirs", recover=True),
        ):
            with pytest.raises(ShadowWriteError, match="two-phase"):
                attempt()
            connection.rollback()
    with ShadowConnection.connect(database.dsn) as direct, shadow_context(SHADOW):
        for attempt in (
            lambda: direct.tpc_begin("mine"),
            lambda: direct.tpc_commit("theirs"),
            lambda: direct.tpc_rollback("theirs"),
        ):
            with pytest.raises(ShadowWriteError, match="two-phase"):
                attempt()

    async def work() -> None:
        async with await AsyncShadowConnection.connect(database.dsn) as connection:
            with shadow_context(SHADOW):
                for call in (connection.tpc_begin, connection.tpc_commit, connection.tpc_rollback):
                    with pytest.raises(ShadowWriteError, match="two-phase"):
                        await call("theirs")
                with pytest.raises(ShadowWriteError, match="two-phase"):
                    await connection.tpc_prepare()

    asyncio.run(work())
    assert database.marks() == before
    with contextlib.closing(ShadowConnection.connect(database.dsn)) as direct:
        direct.tpc_rollback("theirs")
        direct.tpc_begin("mine")
        direct.execute("INSERT INTO item (name) VALUES ('mine')")
        direct.tpc_prepare()
        direct.tpc_commit()
    after = database.marks()
    assert after != before
    with engine.connect() as connection:
        for end in ("commit", "rollback"):
            transaction = connection.begin_twophase()
            connection.execute(sa.text("INSERT INTO item (name) VALUES ('two phases')"))
            transaction.prepare()
            getattr(transaction, end)()
    assert database.admin.execute("SELECT count(*) FROM item WHERE name = 'two phases'").fetchone() == (1,)
    engine.dispose()


def test_sequences_and_ddl_of_sqlalchemy_are_refused(database: Database) -> None:
    engine = sa.create_engine(f"postgresql+psycopg://postgres@127.0.0.1:{database.port}/postgres")
    fence(engine)
    before = database.marks()
    sequence = sa.Sequence("counter")
    table = sa.Table("made", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))
    numbered = sa.Table("item", sa.MetaData(), sa.Column("id", sa.Integer, sequence, primary_key=True))
    with shadow_context(SHADOW), engine.connect() as connection:
        for attempt in (
            lambda: connection.scalar(sequence),
            lambda: connection.execute(sa.select(sequence.next_value())),
            lambda: connection.execute(sa.insert(numbered)),
            lambda: connection.execute(sa.insert(numbered), [{"id": 100}, {"id": 101}]),
            lambda: table.create(connection),
            lambda: connection.execute(sa.schema.CreateSequence(sa.Sequence("other"))),
        ):
            with pytest.raises(ShadowWriteError):
                attempt()
        assert "item" in sa.inspect(connection).get_table_names()
        assert {column["name"] for column in sa.inspect(connection).get_columns("item")} == {"id", "name"}
    assert database.marks() == before
    engine.dispose()


def test_engines_that_cannot_be_fenced_are_named(tmp_path: Any) -> None:
    engine = sa.create_engine("sqlite://")
    fence(engine)
    with pytest.raises(ConfigError, match="fenced already"):
        fence(engine)
    engine.dispose()


def test_sqlite_is_fenced(tmp_path: Any) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/x.db")
    fence(engine, vouched=lambda text: "vouched" in text)
    Base.metadata.create_all(engine)
    with shadow_context(SHADOW), engine.connect() as connection:
        with pytest.raises(ShadowWriteError):
            connection.execute(sa.text("INSERT INTO item (name) VALUES ('x')"))
        with pytest.raises(sa.exc.OperationalError, match="readonly"):
            connection.execute(sa.text("INSERT INTO item (name) VALUES ('vouched')"))
        assert connection.execute(sa.text("SELECT count(*) FROM item")).scalar() == 0
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO item (name) VALUES ('x')"))
    engine.dispose()
