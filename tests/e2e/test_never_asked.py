"""A shadow that is never asked rightly: its own words with the remedy in status and report, and HOLD, not REJECT."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from .conftest import World

pytestmark = pytest.mark.e2e
COPIES = 40


class _Strict(BaseHTTPRequestHandler):
    """A service that checks what inference services check: the path, the key, the model."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path != "/v1/chat/completions":
            self.answer(404, {"detail": "Not Found"})
        elif self.headers["authorization"] != "Bearer right":
            self.answer(401, {"error": {"message": "Incorrect API key provided"}})
        elif body["model"] != "small":
            self.answer(404, {"error": {"message": f"The model `{body['model']}` does not exist"}})
        else:
            self.answer(200, {"choices": [{"message": {"role": "assistant", "content": "All is well."}}]})

    def answer(self, status: int, data: object) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def strict() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Strict)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("suffix", "key", "model", "said"),
    [
        (
            "",
            "right",
            "large",
            "The model `large` does not exist (POST /v1/chat/completions); set shadows.candidate.model",
        ),
        ("/v1", "right", "small", "shadows.candidate.url ends in /v1"),
        ("", "wrong", "small", "401 Incorrect API key provided"),
        ("", "right", "small", ""),
    ],
)
def test_a_shadow_that_refuses_all_is_held(
    world: World, strict: str, monkeypatch: pytest.MonkeyPatch, suffix: str, key: str, model: str, said: str
) -> None:
    monkeypatch.setenv("STRICT_KEY", key)
    world.configure(
        strict + suffix,
        routes={"presets": ["openai"], "read": []},
        shadows__candidate={"credential_env": "STRICT_KEY", "model": model},
    )
    gateway = world.gateway()
    with httpx.Client(timeout=60, trust_env=False) as client:
        for n in range(COPIES):
            body = {"model": "any", "messages": [{"role": "user", "content": f"question {n}"}]}
            assert client.post(f"{gateway}/v1/chat/completions", json=body).status_code == 200
    status = world.settle(COPIES)
    refusals = status["shadows"]["candidate"]["refusals"]
    (route,) = status["shadows"]["candidate"]["routes"]
    assert (route["route"], route["copies"]) == ("POST /v1/chat/completions", COPIES)
    verdict = json.loads(world.cli("gate", "--json").stdout)["shadows"][0]
    asked = [rule for rule in verdict["rules"] if rule["key"] == "asked"]
    assert verdict["decision"] == "HOLD"
    if not said:
        assert (refusals, asked, route["failed"]) == ([], [], 0)
        return
    assert route["failed"] == COPIES
    (refusal,) = refusals
    assert refusal["copies"] == COPIES
    assert said in refusal["text"]
    assert said in asked[0]["evidence"]
    assert said in world.cli("report").stdout
    assert said in world.cli("status").stdout


def test_one_route_on_which_it_is_never_asked_rightly_is_held_by_name(
    world: World, strict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRICT_KEY", "right")
    world.configure(
        strict,
        routes={"presets": ["openai"], "read": []},
        shadows__candidate={"credential_env": "STRICT_KEY", "model": "small"},
    )
    gateway = world.gateway()
    with httpx.Client(timeout=60, trust_env=False) as client:
        for n in range(COPIES):
            for path, body in (
                ("chat/completions", {"messages": [{"role": "user", "content": f"question {n}"}]}),
                ("embeddings", {"input": f"question {n}"}),
            ):
                assert client.post(f"{gateway}/v1/{path}", json={"model": "any", **body}).status_code == 200
    world.settle(2 * COPIES)
    verdict = json.loads(world.cli("gate", "--json").stdout)["shadows"][0]
    [asked] = [rule for rule in verdict["rules"] if rule["key"] == "asked"]
    assert verdict["decision"] == "HOLD"
    found = re.search(r"POST /v1/embeddings \((\d+) copies\): (\d+) copies: 404 Not Found", asked["evidence"])
    assert found is not None, asked["evidence"]
    counted = int(found[1])  # all but the first answers of a cold shadow
    assert found[2] == found[1]
    assert COPIES / 2 <= counted <= COPIES
    assert "routes.exclude" in asked["evidence"]
    errors = next(rule for rule in verdict["rules"] if rule["key"] == "shadow_errors")
    assert errors["ok"] is not False, errors["evidence"]
