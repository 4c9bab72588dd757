"""What the server's READ ONLY adds to the judging of statements, and what it lets through."""

from __future__ import annotations

import psycopg
import pytest
import sqlalchemy as sa

from shadowlane.guard import shadow_context
from shadowlane.guard.psycopg import ShadowConnection
from shadowlane.guard.sqlalchemy import fence
from tests.support.postgres import SHADOW, Database, vouch


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
        connection.vouched = vouch
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
    engine = sa.create_engine(database.url("psycopg"), pool_size=1)
    fence(engine, vouched=vouch)
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
