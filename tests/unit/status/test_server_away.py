"""A server that keeps the pairs and says nothing: how long who asks for the status waits for it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("psycopg", reason="extra postgres")

from shadowlane.config import Config
from shadowlane.errors import StoreError
from shadowlane.status.collect import collect_status
from shadowlane.store import open_store
from shadowlane.store.postgres_database import Connection


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How long each connection may take to be made."""
    asked: list[int] = []
    connect = Connection.connect

    def noted(conninfo: str = "", **options: Any) -> Any:
        asked.append(int(options["connect_timeout"]))
        return connect(conninfo, **options)

    monkeypatch.setattr(Connection, "connect", noted)
    return asked


def configured(folder: Path, port: int, more: str = "") -> Config:
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres{more}"
    lane = {"directory": str(folder / "lane"), "worker": "external"}
    shadows = {"candidate": {"url": "http://127.0.0.1:9"}}
    return Config.from_dict({"lane": lane, "store": {"url": url, "schema": "lane"}, "shadows": shadows})


def test_the_status_waits_two_seconds_for_it_and_says_so(tmp_path: Path, silent: int, waits: list[int]) -> None:
    status = collect_status(configured(tmp_path, silent))
    assert waits == [2]
    assert "cannot open" in status["store"]["error"]
    assert "check that the server runs and can be reached, and store.url" in status["store"]["error"]


def test_as_long_as_its_address_says_where_it_says_it(tmp_path: Path, silent: int, waits: list[int]) -> None:
    collect_status(configured(tmp_path, silent, "?connect_timeout=3"))
    assert waits == [3]


def test_whoever_works_with_it_waits_longer(tmp_path: Path, waits: list[int]) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(StoreError, match="cannot open"):
            open_store(configured(tmp_path, nobody.getsockname()[1]).store)
    assert waits == [10]
