"""A PostgreSQL database with tables, functions and a procedure to write to, and everything that a write could leave."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from shadowlane.guard import Shadow

__all__ = ["SHADOW", "Database", "vouch"]

SHADOW = Shadow(id="test")


def vouch(text: str) -> bool:
    """Every statement only reads, says a user who is wrong."""
    return True


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

    def url(self, driver: str) -> str:
        """Where SQLAlchemy finds it with a driver."""
        return f"postgresql+{driver}://postgres@127.0.0.1:{self.port}/postgres"

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
        """Everything that a write could leave behind."""
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
