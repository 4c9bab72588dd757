"""The whole lane with a shadow that tries to write: gateway, worker, a guarded service under uvicorn, its database.

Copies arrive signed and marked; what the service writes while it answers one does not reach the database, what it
writes for prod's requests does.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from shadowlane.config import Config
from shadowlane.errors import ConfigError
from tests.e2e.conftest import Process, World, until
from tests.support.servers import free_port, postgres_server

KEY = "a key that only the lane and its shadow know"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with postgres_server() as made:
        yield made


def test_a_shadow_that_tries_to_write_cannot(world: World, client: httpx.Client, port: int) -> None:
    dsn = f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("CREATE TABLE visit (path text, way text)")
        listen = free_port()
        log = world.folder / "said.jsonl"
        env = {"GUARDED_DSN": dsn, "GUARDED_KEY": KEY, "GUARDED_LOG": str(log)}
        arguments = [sys.executable, "-m", "uvicorn", "tests.support.guarded:app", "--port", str(listen)]
        shadow = Process([*arguments, "--log-level", "warning"], world.folder / "guarded.log", env)
        world.processes.append(shadow)

        def ready() -> bool:
            assert shadow.popen.poll() is None, shadow.log.read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", listen)) == 0

        until(ready, "the guarded service listens")
        os.environ["LANE_SIGN_KEY"] = KEY
        try:
            world.configure(
                f"http://127.0.0.1:{listen}/base",
                shadows__candidate={"timeout_s": 20.0, "sign_key_env": "LANE_SIGN_KEY"},
            )
            gateway = world.gateway()
        finally:
            del os.environ["LANE_SIGN_KEY"]
        count = 12
        for number in range(count - 1):
            assert client.post(f"{gateway}/ask?n={number}%20x", json={"q": number}).status_code == 200
        assert client.get(f"{gateway}/%C3%A4/b%2Fc?").status_code == 200
        status = world.settle(count)
        assert status["shadows"]["candidate"]["answered"] == count
        said = [json.loads(line) for line in log.read_text().splitlines()]
        assert len(said) == count
        assert all(one["signed"] and one["id"] for one in said), said
        ways = {"sqlalchemy", "psycopg", "thread", "task"}
        assert all({way for way, outcome in one["tried"].items() if outcome == "refused"} == ways for one in said), said
        assert all(one["visits"] == 0 for one in said)
        assert admin.execute("SELECT count(*) FROM visit").fetchone() == (0,)

        # The same service, asked by somebody else: a forged tag is refused, a request of prod's writes.
        url = f"http://127.0.0.1:{listen}/base/ask"
        assert client.post(url, headers={"x-shadow": "1"}).status_code == 403
        assert client.post(url, headers={"baggage": "shadow=true"}).status_code == 403
        assert admin.execute("SELECT count(*) FROM visit").fetchone() == (0,)
        answer = client.post(url).json()
        assert set(answer["tried"].values()) == {"written"}
        assert admin.execute("SELECT count(*) FROM visit").fetchone() == (4,)


@pytest.mark.parametrize(
    ("value", "text"), [(None, "is not set"), ("short", "too few for a signing key")], ids=["unset", "short"]
)
def test_a_key_that_cannot_be_used_is_an_error_at_start(value: str | None, text: str) -> None:
    config = Config.from_dict({"shadows": {"one": {"url": "http://127.0.0.1:1", "sign_key_env": "LANE_SIGN_KEY"}}})
    environ: dict[str, Any] = {} if value is None else {"LANE_SIGN_KEY": value}
    with pytest.raises(ConfigError, match=text):
        config.shadows["one"].sign_key(environ)
