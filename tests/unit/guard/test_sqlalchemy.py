"""The SQLAlchemy fence on SQLite, which needs no server; PostgreSQL has `tests/e2e/guard_postgres`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from shadowlane.errors import ConfigError
from shadowlane.guard import Shadow, ShadowWriteError, shadow_context
from shadowlane.guard.sqlalchemy import fence

SHADOW = Shadow(id="test")


def test_an_engine_is_fenced_once() -> None:
    engine = sa.create_engine("sqlite://")
    fence(engine)
    with pytest.raises(ConfigError, match="fenced already"):
        fence(engine)
    engine.dispose()


def test_sqlite_is_fenced(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/x.db")
    fence(engine, vouched=lambda text: "vouched" in text)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL)"))
    with shadow_context(Shadow(id="test")), engine.connect() as connection:
        with pytest.raises(ShadowWriteError):
            connection.execute(sa.text("INSERT INTO item (name) VALUES ('x')"))
        with pytest.raises(sa.exc.OperationalError, match="readonly"):
            connection.execute(sa.text("INSERT INTO item (name) VALUES ('vouched')"))
        assert connection.execute(sa.text("SELECT count(*) FROM item")).scalar() == 0
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO item (name) VALUES ('x')"))
    engine.dispose()


class Base(orm.DeclarativeBase):
    pass


class Owner(Base):
    __tablename__ = "owner"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str]
    pets: orm.Mapped[list[Pet]] = orm.relationship(back_populates="owner")


class Pet(Base):
    __tablename__ = "pet"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str]
    owner_id: orm.Mapped[int | None] = orm.mapped_column(sa.ForeignKey("owner.id"))
    owner: orm.Mapped[Owner | None] = orm.relationship(back_populates="pets")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    made = sa.create_engine(f"sqlite:///{tmp_path}/x.db")
    Base.metadata.create_all(made)
    with orm.Session(made) as session:
        session.add(Owner(name="Ann", pets=[Pet(name="Rex")]))
        session.add(Owner(name="Bob"))
        session.commit()
    fence(made)
    yield made
    made.dispose()


def names(engine: sa.Engine) -> list[str]:
    with orm.Session(engine) as session:
        return sorted([*session.scalars(sa.select(Owner.name)), *session.scalars(sa.select(Pet.name))])


INSIDE: dict[str, Callable[[orm.Session], object]] = {
    "a value": lambda session: setattr(session.get_one(Owner, 1), "name", "Eve"),
    "a new object": lambda session: session.add(Owner(name="Eve")),
    "a deleted one": lambda session: session.delete(session.get_one(Pet, 1)),
    "a collection": lambda session: (owner := session.get_one(Owner, 2)).pets.append(Pet(name="Eve")) or owner,
    "a removed member": lambda session: (owner := session.get_one(Owner, 1)).pets.clear() or owner,
    "a reference": lambda session: setattr(session.get_one(Pet, 1), "owner", session.get_one(Owner, 2)),
    "a flag": lambda session: orm.attributes.flag_modified(session.get_one(Owner, 1), "name"),
}


@pytest.mark.parametrize("change", INSIDE)
@pytest.mark.parametrize("loaded", ["inside", "before"])
def test_what_a_shadow_changed_is_not_flushed_after_it(engine: sa.Engine, change: str, loaded: str) -> None:
    before = names(engine)
    kept: list[object] = []  # else the session forgets what it loaded
    with orm.Session(engine) as session:
        if loaded == "before":
            kept += session.scalars(sa.select(Owner).options(orm.selectinload(Owner.pets))).all()
            kept += session.scalars(sa.select(Pet).options(orm.selectinload(Pet.owner))).all()
        with shadow_context(SHADOW), session.no_autoflush:
            kept.append(INSIDE[change](session))
        with pytest.raises(ShadowWriteError, match="a flush, after it"):
            session.commit()
        session.rollback()
        # Taken back, prod's own change of the same objects goes through.
        session.get_one(Owner, 1).name = "Ann the second"
        session.commit()
    assert names(engine) == sorted(name if name != "Ann" else "Ann the second" for name in before)


def test_prods_changes_beside_a_shadows_are_prods(engine: sa.Engine) -> None:
    with orm.Session(engine) as prod, orm.Session(engine) as other:
        mine = prod.get_one(Owner, 1)
        with shadow_context(SHADOW):
            other.get_one(Owner, 2).name = "Eve"
        mine.name = "Ann the second"
        prod.commit()
        other.rollback()
    assert names(engine) == ["Ann the second", "Bob", "Rex"]


@pytest.mark.parametrize("begun", ["connection", "transaction", "raw connection", "raw cursor"])
def test_what_was_opened_before_the_copy_says_nothing_for_it(engine: sa.Engine, begun: str) -> None:
    before = names(engine)
    insert = "INSERT INTO owner (name) VALUES ('Eve')"
    if begun.startswith("raw"):
        raw = engine.raw_connection()
        cursor = raw.cursor()
        for statement in (insert, "SELECT 1", "PRAGMA query_only = OFF"):
            with shadow_context(SHADOW), pytest.raises(ShadowWriteError):
                (cursor if begun == "raw cursor" else raw.cursor()).execute(statement)
        raw.rollback()
        raw.close()
    else:
        with engine.connect() as connection:
            if begun == "transaction":
                connection.execute(sa.text("SELECT 1"))
            for statement in (insert, "SELECT 1"):
                with shadow_context(SHADOW), pytest.raises(ShadowWriteError, match="before the copy"):
                    connection.execute(sa.text(statement))
            connection.execute(sa.text("SELECT 1"))
    assert names(engine) == before


def test_raw_cursors_of_a_copy_are_classified(engine: sa.Engine) -> None:
    before = names(engine)
    with shadow_context(SHADOW):
        raw = engine.raw_connection()
        cursor = raw.cursor()
        for attempt in (
            lambda: cursor.execute("PRAGMA query_only = OFF"),
            lambda: cursor.executemany("INSERT INTO owner (name) VALUES (?)", [("Eve",)]),
            lambda: cursor.executescript("PRAGMA query_only = OFF; INSERT INTO owner (name) VALUES ('Eve')"),
            lambda: raw.dbapi_connection.execute("PRAGMA query_only = OFF"),  # type: ignore[union-attr,attr-defined]
            lambda: raw.cursor(sqlite3.Cursor).execute("PRAGMA query_only = OFF"),
        ):
            with pytest.raises(ShadowWriteError):
                attempt()
        assert cursor.execute("SELECT count(*) FROM owner").fetchone() == (2,)
        raw.close()
    assert names(engine) == before
    raw = engine.raw_connection()
    raw.cursor().execute("INSERT INTO owner (name) VALUES ('prod')")
    raw.commit()
    raw.close()
    assert "prod" in names(engine)


def test_what_is_no_engine_is_refused() -> None:
    for other in (object(), orm.sessionmaker(), sa.create_engine):
        with pytest.raises(TypeError, match="no fence for"):
            fence(other)  # type: ignore[arg-type]
