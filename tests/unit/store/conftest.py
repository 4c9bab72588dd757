"""One PostgreSQL server for the tests of a process, and the engines that tests run over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.servers import postgres_server

from .engines import Engine


@pytest.fixture(scope="session")
def postgres_port() -> Iterator[int]:
    with postgres_server() as port:
        yield port


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return Engine(request.getfixturevalue("postgres_port") if request.param == "postgres" else None)


@pytest.fixture(scope="session")
def postgres(postgres_port: int) -> Engine:
    return Engine(postgres_port)
