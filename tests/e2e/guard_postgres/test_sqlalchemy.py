"""The SQLAlchemy fence above the statement: units of work, sequences, DDL, a pool that prod shares with its copies."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from shadowlane.guard import ShadowWriteError, shadow_context
from shadowlane.guard.sqlalchemy import fence
from tests.support.postgres import SHADOW, Database


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def test_a_unit_of_work_with_changes_is_refused(database: Database) -> None:
    engine = sa.create_engine(database.url("psycopg"))
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
    engine = create_async_engine(database.url("asyncpg"))
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
    fenced = sa.create_engine(database.url("psycopg"))
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
    engine = create_async_engine(database.url("asyncpg"), pool_size=3, max_overflow=0)
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


def test_sequences_and_ddl_of_sqlalchemy_are_refused(database: Database) -> None:
    engine = sa.create_engine(database.url("psycopg"))
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
