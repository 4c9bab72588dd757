"""The SQLAlchemy fence on SQLite, which needs no server; PostgreSQL has `tests/e2e/guard_postgres`."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from shadowlane.errors import ConfigError
from shadowlane.guard import Shadow, ShadowWriteError, shadow_context
from shadowlane.guard.sqlalchemy import fence


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
