"""The psycopg fence holds on every kind of cursor, for cursors that it does not know, and in a pool."""

from __future__ import annotations

import asyncio

import psycopg
import psycopg_pool
import pytest
from psycopg import sql

from shadowlane.errors import ConfigError
from shadowlane.guard import ShadowWriteError, shadow_context
from shadowlane.guard.psycopg import (
    AsyncShadowClientCursor,
    AsyncShadowConnection,
    ShadowClientCursor,
    ShadowConnection,
)
from tests.support.postgres import SHADOW, Database, vouch


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
                connection.vouched = vouch
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
