"""Two-phase transactions, which a READ ONLY transaction would not keep from being committed, are refused."""

from __future__ import annotations

import asyncio
import contextlib

import psycopg
import pytest
import sqlalchemy as sa

from shadowlane.guard import ShadowWriteError, shadow_context
from shadowlane.guard.psycopg import AsyncShadowConnection, ShadowConnection
from shadowlane.guard.sqlalchemy import fence
from tests.support.postgres import SHADOW, Database, vouch


def test_two_phase_transactions_are_refused(database: Database) -> None:
    """A prepared transaction stays on the server; and a shadow could commit one that somebody else prepared."""
    with contextlib.closing(psycopg.connect(database.dsn)) as other:
        other.tpc_begin("theirs")
        other.execute("INSERT INTO item (name) VALUES ('theirs')")
        other.tpc_prepare()
    before = database.marks()
    engine = sa.create_engine(database.url("psycopg2"))
    fence(engine, vouched=vouch)
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
