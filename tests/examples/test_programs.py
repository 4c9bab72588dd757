"""The programs of ``examples/`` as they are, under a real server, with a real worker and a real shadow."""

from __future__ import annotations

import sys
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import ROOT, Process, World

KEY = "a key that only the lane and its shadow know"
DEPOSIT = {"question": "How high is the deposit of a new account?"}


def start(world: World, program: str, **environment: str) -> str:
    """Serve ``examples/PROGRAM.py``; its URL."""
    port = world.ports.reserve()
    arguments = [sys.executable, "-m", "uvicorn", f"examples.{program}:app", "--port", str(port)]
    process = Process([*arguments, "--log-level", "warning"], world.folder / f"{program}-{port}.log", environment)
    world.processes.append(process)
    process.listening(port)
    return f"http://127.0.0.1:{port}"


def test_the_bare_application_is_mirrored(world: World, client: httpx.Client) -> None:
    world.configure(world.shadow())
    url = start(world, "bare_asgi", SHADOWLANE_CONFIG=str(world.config))
    answer = client.get(url + "/here")
    assert answer.json() == {"answer": "You asked for /here."}
    status = world.settle(1)
    assert status["shadows"]["candidate"]["answered"] == 1


def test_the_gateway_mirrors_to_the_guarded_service_which_writes_nothing(
    world: World, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANE_KEY", KEY)
    prod = start(world, "rag_service", RAG_DATABASE=f"sqlite:///{world.folder}/prod.db")
    candidate = start(world, "rag_service", RAG_DATABASE=f"sqlite:///{world.folder}/candidate.db")
    world.configure(candidate, shadows__candidate={"sign_key_env": "LANE_KEY"})
    gateway = start(world, "fastapi_gateway", SHADOWLANE_CONFIG=str(world.config), UPSTREAM=prod)
    answer: dict[str, Any] = client.post(gateway + "/ask", json=DEPOSIT).json()
    assert answer["citations"] == [{"section": "payments/deposits"}]
    assert answer["shadow"] is False
    status = world.settle(1)
    assert status["shadows"]["candidate"]["answered"] == 1
    assert client.get(prod + "/asked").json() == {"questions": 1}
    assert client.get(candidate + "/asked").json() == {"questions": 0}
    report = world.cli("report", "--json")
    assert report.returncode == 0, report.stderr

    # A tag that nobody signed is refused; a request of its own users is written down.
    assert client.post(candidate + "/ask", json=DEPOSIT, headers={"x-shadow": "1"}).status_code == 403
    assert client.post(candidate + "/ask", json=DEPOSIT).json()["shadow"] is False
    assert client.get(candidate + "/asked").json() == {"questions": 1}


def test_the_programs_read_the_configuration_that_lies_beside_them() -> None:
    from shadowlane import load_config

    config = load_config(ROOT / "examples" / "shadowlane.toml")
    assert list(config.shadows) == ["candidate"]
    assert config.sampling.ratio < 1
