"""Rows of several days, and the tables of a store in PostgreSQL as somebody else sees them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from shadowlane.config import StoreConfig
from shadowlane.store import postgres_schema
from shadowlane.store.postgres import PostgresStore
from shadowlane.store.postgres_database import Address, PostgresDatabase
from shadowlane.store.postgres_dialect import POSTGRES
from shadowlane.types import Pair

from .pairs import make_pair

_ON = "bodies.pair = pairs.id"
_RELEASED = POSTGRES._replace(bodies=_ON, beside=f"LEFT JOIN bodies ON {_ON}")

__all__ = ["BeforeDays", "as_before", "dated", "id_at", "kept_bytes", "opened", "partition_rows", "seen"]


def id_at(at_ns: int, number: int) -> str:
    """A UUIDv7 (RFC 9562, section 5.7) of this moment."""
    head = f"{at_ns // 10**6:012x}"
    return f"{head[:8]}-{head[8:]}-7000-8000-{number:012x}"


def dated(at_ns: int, number: int, **fields: Any) -> Pair:
    """A pair as a gateway makes it: its time is the one that its id names."""
    return make_pair(number, shadow_id=id_at(at_ns, number), **{"started_ns": at_ns, **fields})


@contextmanager
def seen(config: StoreConfig) -> Iterator[psycopg.Connection[Any]]:
    """Somebody else's session, which sees the lane's tables."""
    with psycopg.connect(config.url, autocommit=True) as db:
        db.execute("SELECT set_config('search_path', %s, false)", (config.schema,))
        yield db


def partition_rows(db: psycopg.Connection[Any], table: str = "pairs") -> dict[str, int]:
    """Rows of each partition that has some, by its name without the table's."""
    query = f"SELECT CAST(CAST(tableoid AS regclass) AS text), count(*) FROM {table} GROUP BY 1"
    return {name.removeprefix(f"{table}_"): n for name, n in db.execute(query.encode())}


def kept_bytes(db: psycopg.Connection[Any]) -> tuple[int, int]:
    """What is counted as kept, and what rows, bodies, blocks and folds say."""
    query = (
        "SELECT coalesce(sum(bytes), 0) + (SELECT coalesce(sum(octet_length(packed)), 0) FROM bodies) "
        "+ (SELECT coalesce(sum(bytes), 0) FROM blocks) + (SELECT coalesce(sum(bytes), 0) FROM folds) FROM pairs"
    )
    (rows,) = db.execute(query.encode()).fetchone() or (0,)
    (held,) = db.execute("SELECT coalesce(sum(bytes), 0) FROM held").fetchone() or (0,)
    return int(held), int(rows)


@contextmanager
def as_before(monkeypatch: Any) -> Iterator[None]:
    """The schema is the one that the release before makes, which lays no days out."""
    with monkeypatch.context() as patch:
        patch.setattr(postgres_schema, "_OWN", postgres_schema._OWN[:2])
        patch.setattr(postgres_schema, "OWN_VERSION", 2)
        patch.setattr(postgres_schema, "_BY_DAYS", 0)
        patch.setattr(PostgresDatabase, "dialect", _RELEASED)
        yield


class BeforeDays(PostgresStore):
    """A store as a worker of the release before has it open: it knows no days, and says no ``shadow_id`` of bodies."""

    def _make_days(self, ids: Sequence[str]) -> None:
        pass

    def _put_bodies(self, kept: Sequence[tuple[int, tuple[bytes, ...]]]) -> None:
        if kept:
            packed = [(row, thick[-1]) for row, thick in kept]
            self._db.copy("bodies (pair, packed)", ("bigint", "bytea"), packed)
            self._size += sum(len(value) for _, value in packed)


def opened(config: StoreConfig) -> BeforeDays:
    """Such a store, with the configuration's ages and sizes."""
    address = Address(config.url, config.schema, config.shown)
    return BeforeDays(
        address,
        max_age_ns=int(config.max_age_days * 86_400e9),
        max_bytes=config.max_bytes,
        keep_bodies=config.keep_bodies,
        exemplars=config.exemplars,
    )
