"""One PostgreSQL server for the tests of a process, and the engines that tests run over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.servers import PostgresServer, running_postgres

from .engines import Engine


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    with running_postgres() as made:
        yield made


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return Engine(request.getfixturevalue("server").port if request.param == "postgres" else None)


@pytest.fixture(scope="session")
def postgres(server: PostgresServer) -> Engine:
    return Engine(server.port)
