"""One PostgreSQL server for this folder, and a database that each test finds as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postgres import Database
from tests.support.servers import postgres_server


@pytest.fixture(scope="package")
def port() -> Iterator[int]:
    with postgres_server() as made:
        yield made


@pytest.fixture
def database(port: int) -> Iterator[Database]:
    made = Database(port)
    try:
        yield made
    finally:
        made.close()
