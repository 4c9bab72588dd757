"""The worker's database is taken away while it runs: every copy is a row in the one that is there in the end."""

from __future__ import annotations

import httpx

from shadowlane.errors import StoreError
from shadowlane.store import SqliteStore
from tests.e2e.conftest import World, until


def rows(world: World) -> int:
    try:
        with SqliteStore(world.database, max_age_ns=1, max_bytes=1, read_only=True) as store:
            return len(store.scores())
    except StoreError:  # a worker is just making it
        return 0


def test_copies_go_into_the_database_that_is_there(world: World, client: httpx.Client) -> None:
    world.configure(world.shadow())
    gateway = world.gateway()
    for number in range(5):
        assert client.get(f"{gateway}/search?q={number}").status_code == 200
    until(lambda: rows(world) == 5, "the first copies are stored")
    world.database.unlink()
    for number in range(5, 12):
        assert client.get(f"{gateway}/search?q={number}").status_code == 200
    until(lambda: rows(world) == 7, "a new worker stores the others")
    accounting = until(
        lambda: (status := world.status())["accounting"]["holds"] and status["accounting"], "the accounting holds"
    )
    assert accounting["holds"]
