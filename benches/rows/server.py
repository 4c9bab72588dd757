"""Many rows in a schema of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from shadowlane.config import StoreConfig

__all__ = ["multiply", "own_schema"]


@contextmanager
def own_schema(config: StoreConfig) -> Iterator[None]:
    """Drop the schema first and last."""
    with psycopg.connect(config.url, autocommit=True) as db:
        drop = psycopg.sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(psycopg.sql.Identifier(config.schema))
        db.execute(drop)
        try:
            yield
        finally:
            db.execute(drop)


def multiply(config: StoreConfig, rows: int, start_ns: int, step_ns: int) -> None:
    """Copy the first rows until there are so many, each with a time of its own."""
    with psycopg.connect(config.url, autocommit=True) as db:
        db.execute("SELECT set_config('search_path', %s, false)", (config.schema,))
        query = "SELECT attname FROM pg_attribute WHERE attrelid = 'pairs'::regclass AND attnum > 0"
        names = [str(name) for (name,) in db.execute(query)]
        own = {
            "id": "id + %(n)s",
            "shadow_id": "'0190f3c2-7c1e-7d44-9f3b-' || lpad(to_hex(id + %(n)s), 12, '0')",
            "req_hash": "lpad(to_hex(id + %(n)s), 32, '0')",
            "started_ns": f"{start_ns} + (id + %(n)s) * {step_ns}",
        }
        copied = ", ".join(own.get(name, name) for name in names)
        insert = f"INSERT INTO pairs ({', '.join(names)}) SELECT {copied} FROM pairs WHERE id <= %(wanted)s"
        db.execute("UPDATE pairs SET started_ns = %s + id * %s", (start_ns, step_ns))
        (have,) = db.execute("SELECT max(id) FROM pairs").fetchone() or (0,)
        whole = int(have)
        while have < rows:
            wanted = min(whole, rows - have)
            db.execute(insert.encode(), {"n": have, "wanted": wanted})
            have += wanted
        db.execute("VACUUM ANALYZE pairs")
