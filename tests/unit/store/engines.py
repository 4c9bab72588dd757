"""The engines that keep a store, and the configuration of a store of each: the same tests run over all of them."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psycopg

from shadowlane.config import StoreConfig
from shadowlane.store import Store, open_store
from shadowlane.types import Pair

__all__ = ["Engine"]


class Engine:
    """One engine. ``port``: of a PostgreSQL server; ``None``: SQLite."""

    def __init__(self, port: int | None = None) -> None:
        self.port = port

    def config(self, path: Path, **fields: object) -> StoreConfig:
        """Of the store that ``path`` names: its file, or a schema that no other path has."""
        if self.port is None:
            return StoreConfig(url=f"sqlite:///{path}", **fields)  # type: ignore[arg-type]
        schema = f"t_{hashlib.blake2b(str(path).encode(), digest_size=12).hexdigest()}"
        url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres?connect_timeout=60"
        return StoreConfig(url=url, schema=schema, **fields)  # type: ignore[arg-type]

    @contextlib.contextmanager
    def empty(self) -> Iterator[Store]:
        """An open store with nothing in it, for each of many examples."""
        if self.port is None:
            with tempfile.TemporaryDirectory() as folder, open_store(self.config(Path(folder) / "s.db")) as store:
                yield store
            return
        config = self.config(Path("empty"))
        open_store(config).close()
        with psycopg.connect(config.url, autocommit=True) as db:
            db.execute(f"SET search_path TO {config.schema}")
            db.execute(
                "TRUNCATE pairs, bodies, counts, arms, spend, strata, exemplars, times, observed, marks, blocks, "
                "block_totals, folds, held"
            )
            db.execute("DELETE FROM meta WHERE key <> 'identity'")
        with open_store(config) as store:
            yield store

    def text(self, value: str) -> str:
        """As it is kept."""
        return value if self.port is None else value.replace("\x00", "?")

    def same(self, pair: Pair) -> object:
        """What two pairs that are stored as the same have in common: PostgreSQL keeps no NUL in a column."""
        return pair if self.port is None else msgspec.json.encode(pair).replace(b"\\u0000", b"?")
