"""The embedder behind a service: a real HTTP server on the loopback, through the worker's own transport."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from shadowlane import _core
from shadowlane.config import Config, ScoreConfig
from shadowlane.embedders import Embedder
from shadowlane.errors import ConfigError, ScoreError
from shadowlane.score import load_embedder
from shadowlane.worker.embedder import open_embedder

pytest.importorskip("aiohttp")

KEY = "SHADOWLANE_TEST_EMBEDDER_KEY"


class Service(ThreadingHTTPServer):
    """Answers with rows drawn from the texts' letters, in reverse order of ``index``; or as ``spoil`` says."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.calls: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.model = "tiny-embed-2"
        self.status = 200
        self.dim = 4
        self.drop = 0
        self.usage = 5

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Service
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet, else each reply waits for a delayed acknowledgement

    def do_POST(self) -> None:
        service = self.server
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        service.calls.append({"path": self.path, **asked})
        service.headers.append({name.lower(): value for name, value in self.headers.items()})
        rows = [[float(text.count(letter) + 1) for letter in "abcdefgh"[: service.dim]] for text in asked["input"]]
        data = [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(rows)]
        answer = {
            "object": "list",
            "data": data[::-1][service.drop :],
            "model": service.model,
            "usage": {"prompt_tokens": service.usage, "total_tokens": service.usage},
        }
        body = json.dumps(answer if service.status == 200 else {"error": {"message": "no"}}).encode()
        self.send_response(service.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def embedder(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Embedder]:
    monkeypatch.setenv(KEY, "sk-test")
    opened = open_embedder(score(service))
    yield opened
    opened.close()


def score(service: Service, **changes: Any) -> ScoreConfig:
    fields = {"embedder": "openai:tiny-embed", "embedder_url": service.url, "embedder_credential_env": KEY}
    return ScoreConfig(**fields | changes)


def test_rows_names_and_credential(service: Service, embedder: Embedder) -> None:
    rows = embedder.embed(["aaa b", "", "dd", "aaa b"])
    assert embedder.name == "openai:tiny-embed@tiny-embed-2"
    assert rows.shape == (4, 4)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(rows[2], np.array([1, 1, 1, 3]) / np.sqrt(12), atol=1e-6)
    np.testing.assert_array_equal(rows[0], rows[3])
    assert service.calls[-1]["path"] == "/v1/embeddings"
    assert service.calls[-1]["model"] == "tiny-embed"
    assert sorted(service.calls[-1]["input"]) == ["aaa b", "dd"]  # each text once, no blank one
    assert service.headers[-1]["authorization"] == "Bearer sk-test"
    assert service.headers[-1]["x-shadow"] == "1"


def test_known_texts_are_not_sent_again_and_long_ones_go_by_chunks(service: Service, embedder: Embedder) -> None:
    embedder.embed(["word " * 1000])
    assert all(len(text) <= 2000 for call in service.calls for text in call["input"])
    sent = len(service.calls)
    embedder.embed(["word " * 1000])
    assert len(service.calls) == sent


def test_a_failing_service_is_one_clear_error_and_is_then_left_alone(service: Service, embedder: Embedder) -> None:
    service.status = 503
    for number in range(30):
        with pytest.raises(ScoreError, match=r"HTTP 503; check score\.embedder_url and score\.embedder_credential_env"):
            embedder.embed([f"text {number}"])
    assert len(service.calls) < 30
    with pytest.raises(ScoreError, match="left alone for a while"):
        embedder.embed(["another text"])


def test_a_service_that_goes_on_with_unusable_answers_is_left_alone_too(service: Service, embedder: Embedder) -> None:
    service.drop = 1
    for number in range(30):
        with pytest.raises(ScoreError, match=r"got 0 of|got no vectors"):
            embedder.embed([f"text {number}"])
    assert len(service.calls) < 30


def test_wrong_rows_are_refused(service: Service, embedder: Embedder) -> None:
    service.drop = 1
    with pytest.raises(ScoreError, match="asked for 2 vectors of 4 dimensions, got 1 of 4"):
        embedder.embed(["one", "two"])
    service.drop, service.dim = 0, 8
    with pytest.raises(ScoreError, match="got 2 of 8 dimensions"):
        embedder.embed(["one", "two"])


def test_another_model_is_never_mixed_in(service: Service, embedder: Embedder) -> None:
    service.model = "tiny-embed-3"
    with pytest.raises(ScoreError, match=r"another model answers than before.*start again") as caught:
        embedder.embed(["one"])
    assert "tiny-embed-3" not in str(caught.value)  # nothing that the service says is quoted
    service.model = ""
    with pytest.raises(ScoreError, match="another model answers"):
        embedder.embed(["one"])


def test_the_daily_cap_holds(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "sk-test")
    opened = open_embedder(score(service, embedder_tokens_per_day=12.0))
    try:
        for text in ("one", "two"):
            opened.embed([text])
        with pytest.raises(ScoreError, match="embedder_tokens_per_day"):
            opened.embed(["three"])
        assert len(service.calls) == 3
    finally:
        opened.close()


def test_what_a_day_may_cost_outlives_the_process(service: Service, tmp_path: Path) -> None:
    config = score(service, embedder_credential_env="", embedder_tokens_per_day=12.0)
    with contextlib.closing(open_embedder(config, folder=tmp_path / "kept")) as first:
        for text in ("one", "two"):
            first.embed([text])
    with contextlib.closing(open_embedder(config, folder=tmp_path / "kept")) as second:
        assert second.name == first.name
        with pytest.raises(ScoreError, match="embedder_tokens_per_day"):
            second.embed(["three"])
    assert len(service.calls) == 3
    [file] = (tmp_path / "kept").iterdir()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_service_that_was_known_may_be_down_at_start(service: Service, tmp_path: Path) -> None:
    config = score(service, embedder_credential_env="")
    open_embedder(config, folder=tmp_path).close()
    service.status = 503
    with contextlib.closing(open_embedder(config, folder=tmp_path)) as embedder:
        assert (embedder.name, embedder.dim) == ("openai:tiny-embed@tiny-embed-2", 4)
        with pytest.raises(ScoreError, match="HTTP 503"):
            embedder.embed(["one"])
        service.status = 200
        assert embedder.embed(["one"]).shape == (1, 4)
        service.model = "tiny-embed-3"
        with pytest.raises(ScoreError, match="another model"):
            embedder.embed(["two"])
    service.status = 503
    other = msgspec.structs.replace(config, embedder="openai:other")
    with pytest.raises(ScoreError, match="HTTP 503"):
        open_embedder(other, folder=tmp_path)


@pytest.mark.parametrize(
    "damaged", [b"{", b'{"served": "m", "dim": 0, "budget": {}}', b'{"served": "m", "dim": 4, "budget": 1}']
)
def test_a_damaged_memory_is_said_and_begun_anew(
    service: Service, tmp_path: Path, caplog: pytest.LogCaptureFixture, damaged: bytes
) -> None:
    config = score(service, embedder_credential_env="")
    open_embedder(config, folder=tmp_path).close()
    [file] = tmp_path.iterdir()
    file.write_bytes(damaged)
    open_embedder(config, folder=tmp_path).close()
    assert f"{file}: cannot be read" in caplog.text
    assert b"tiny-embed-2" in file.read_bytes()


def test_a_service_that_does_not_answer_fails_at_start(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "sk-test")
    service.status = 401
    with pytest.raises(ScoreError, match=r"HTTP 401; check score\.embedder_url and score\.embedder_credential_env"):
        open_embedder(score(service))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"embedder": "openai:m"}, "score.embedder_url"),
        ({"embedder": "openai:", "embedder_url": "http://127.0.0.1:1"}, "the model is missing"),
        ({"embedder": "openai:m", "embedder_url": "http://127.0.0.1:1", "embedder_timeout_s": 0}, "embedder_timeout_s"),
        ({"embedder": "openai:m", "embedder_url": "http://h", "embedder_tokens_per_day": 0}, "embedder_tokens_per_day"),
        ({"embedder_url": "http://127.0.0.1:1"}, "only score.embedder = 'openai:MODEL' uses it"),
    ],
)
def test_configuration(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_dict({"shadows": {"candidate": {"url": "http://127.0.0.1:9"}}, "score": fields})
    assert says in str(caught.value)


def test_what_it_is_opened_with_is_named_by_its_field(service: Service, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"score\.embedder_credential_env = '.*': the environment variable is not set"
    ):
        open_embedder(score(service))
    bad = tmp_path / "ca.pem"
    bad.write_text("none")
    with pytest.raises(ConfigError, match=r"score\.embedder_ca_file = '.*ca\.pem': holds no PEM certificates"):
        open_embedder(score(service, embedder_credential_env="", embedder_ca_file=str(bad)))
    assert not service.calls


def test_texts_are_cleaned_before_they_leave(service: Service) -> None:
    opened = open_embedder(score(service, embedder_credential_env=""), clean=_core.Sanitizer().text)
    try:
        opened.embed(["write to ann@example.org, please"])
    finally:
        opened.close()
    [sent] = service.calls[-1]["input"]
    assert "ann@" not in sent
    assert sent.startswith("write to ")


def test_its_address_is_needed_to_open_it() -> None:
    with pytest.raises(ConfigError, match="needs its address"):
        load_embedder("openai:text-embedding-3-small")
