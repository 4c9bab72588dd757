"""``shadowlane doctor --try``: one request on the way of the copies, what the shadow said, and never a second one."""

from __future__ import annotations

import errno
import json
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from shadowlane import _core
from shadowlane.cli import main
from shadowlane.config import Config
from shadowlane.errors import ConfigError, LaneError
from shadowlane.status.attempt import Attempt, attempt
from shadowlane.status.sample import request_from

CALLS = {
    "choices": [
        {
            "message": {
                "role": "assistant",
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "find", "arguments": "{}"}}],
            },
            "finish_reason": "tool_calls",
        }
    ]
}
READY = {"choices": [{"message": {"role": "assistant", "content": "Ready, says mia@example.org."}}]}


class Shadow(ThreadingHTTPServer):
    """Answers what it is told to, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status, self.answer, self.headers = 200, json.dumps(READY).encode(), {"content-type": "application/json"}
        super().__init__(("127.0.0.1", 0), _Handler)

    def say(self, status: int, data: object, **headers: str) -> None:
        self.status, self.answer = status, data if isinstance(data, bytes) else json.dumps(data).encode()
        self.headers |= {name.replace("_", "-"): value for name, value in headers.items()}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Shadow
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.asked.append((self.command, self.path, dict(self.headers), body))
        self.send_response(self.server.status)
        for name, value in {**self.server.headers, "content-length": str(len(self.server.answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.answer)

    do_GET = do_POST

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def shadow() -> Iterator[Shadow]:
    server = Shadow()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def config_of(url: str, folder: Path, presets: tuple[str, ...] = ("openai",), **more: Any) -> Config:
    candidate = {"url": url, "model": "small", **more.pop("candidate", {})}
    return Config.from_dict(
        {
            "lane": {"directory": str(folder / "lane")},
            "store": {"url": f"sqlite:///{folder / 'pairs.db'}"},
            "routes": {"presets": list(presets), **more.pop("routes", {})},
            "shadows": {"candidate": candidate},
            **more,
        }
    )


def tried(config: Config, source: str = "") -> Attempt:
    return attempt(config, "candidate", request_from(config, "candidate", source))


def file_of(folder: Path, data: object) -> str:
    file = folder / "request.json"
    file.write_text(json.dumps(data))
    return str(file)


def test_asks_once_and_shows_what_the_shadow_says_redacted(shadow: Shadow, tmp_path: Path) -> None:
    found = tried(config_of(shadow.url, tmp_path))
    assert (found.good, found.status, found.words, found.remedy) == (True, 200, "Ready, says [EMAIL].", "")
    assert found.latency_ms > 0
    [(method, path, headers, body)] = shadow.asked
    assert (method, path, json.loads(body)["model"]) == ("POST", "/v1/chat/completions", "small")
    assert headers["x-shadow"] == "1"


def test_what_leaves_went_through_redaction_and_policy(shadow: Shadow, tmp_path: Path) -> None:
    data = {
        "path": "/v1/chat/completions?user=mia@example.org",
        "headers": {"Authorization": "Bearer prods-own", "x-note": "hidden"},
        "body": {
            "model": "large",
            "messages": [{"role": "user", "content": "My card is 4111 1111 1111 1111"}],
            "store": True,
        },
    }
    found = tried(config_of(shadow.url, tmp_path), file_of(tmp_path, data))
    assert found.redacted["payment_card"] == found.redacted["email"] == 1
    assert {"store: false", "model: rewritten"} <= set(found.normalised)
    [(_, path, headers, body)] = shadow.asked
    sent = f"{path} {headers} {body.decode()}"
    assert [secret for secret in ("4111 1111", "mia@", "prods-own", "hidden", "large") if secret in sent] == []
    assert "mia" not in found.request


@pytest.mark.parametrize(
    ("status", "answer", "headers"),
    [
        (200, CALLS, {}),
        (429, {"error": {"message": "slow down"}}, {"retry_after": "0"}),
        (503, b"", {}),
        (307, b"", {"location": "/v1/chat/completions"}),
        (401, {"error": {"message": "no"}}, {"www_authenticate": "Basic"}),
        (200, b"\xff\xfe not json", {}),
    ],
)
def test_whatever_it_answers_it_is_asked_once(
    status: int, answer: object, headers: dict[str, str], shadow: Shadow, tmp_path: Path
) -> None:
    shadow.say(status, answer, **headers)
    tools = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}]
    data = {"model": "small", "messages": [{"role": "user", "content": "find it"}], "tools": tools}
    config = config_of(shadow.url, tmp_path, candidate={"retry": {"attempts": 5, "base_s": 0.01}})
    found = tried(config, file_of(tmp_path, data))
    assert len(shadow.asked) == 1
    assert found.status == status
    assert found.good is (status == 200)
    assert found.remedy or found.words or not found.good


@pytest.mark.parametrize(
    ("suffix", "status", "words", "remedy"),
    [
        ("", 404, "The model `small` does not exist", "set shadows.candidate.model"),
        ("", 401, "Incorrect API key for mia@example.org", "set shadows.candidate.credential_env"),
        ("/v1", 404, "Not Found", "ends in /v1"),
        ("", 405, "Method Not Allowed", "correct shadows.candidate.url"),
    ],
)
def test_a_refusal_comes_with_its_words_and_the_remedy(
    suffix: str, status: int, words: str, remedy: str, shadow: Shadow, tmp_path: Path
) -> None:
    shadow.say(status, {"error": {"message": words}})
    found = tried(config_of(shadow.url + suffix, tmp_path))
    assert (found.good, found.status) == (False, status)
    assert found.words == words.replace("mia@example.org", "[EMAIL]")
    assert remedy in found.remedy


def test_nobody_there(tmp_path: Path) -> None:
    found = tried(config_of("http://127.0.0.1:9", tmp_path))
    assert (found.good, found.sent, found.reason) == (False, True, "connect_error")
    assert found.remedy == "start the shadow, or correct shadows.candidate.url"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"path": "/orders", "body": {"item": 1}}, "route"),
        ({"path": "/logout"}, "route"),
        ({"method": "DELETE", "path": "/v1/chat/completions"}, "method"),
        (
            {"path": "/v1/chat/completions", "body": {"model": "a", "messages": [], "background": True}},
            "write_intent",
        ),
    ],
)
def test_what_the_lane_would_not_mirror_is_not_sent(
    data: dict[str, Any], reason: str, shadow: Shadow, tmp_path: Path
) -> None:
    found = tried(config_of(shadow.url, tmp_path), file_of(tmp_path, data))
    assert (found.sent, found.good) == (False, False)
    assert found.reason == reason
    assert found.words
    assert found.remedy
    assert shadow.asked == []


@pytest.mark.parametrize(
    ("path", "hidden"),
    [
        ("/users/mia@example.org/orders", "mia"),
        ("/users/mia%40example.org/orders", "mia"),
        ("/call/+4915112345678", "4915112345678"),
        ("/login;password=hunter2", "hunter2"),
    ],
)
def test_what_is_not_sent_is_named_without_what_redaction_takes_out(
    path: str, hidden: str, shadow: Shadow, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_of(shadow.url, tmp_path)
    source = file_of(tmp_path, {"path": path, "body": {"item": 1}})
    found = tried(config, source)
    assert found.reason == "route"
    assert found.request.startswith("POST /")
    assert hidden not in found.request
    assert main(["doctor", "--config", written(config, tmp_path), "--try", source]) == 1
    assert hidden not in capsys.readouterr().out
    assert shadow.asked == []


def test_without_a_temporary_folder_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(LaneError, match="no temporary folder can be used: No such file"):
        tried(config_of("http://127.0.0.1:9", tmp_path))


def test_another_error_of_the_system_is_not_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> object:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("shadowlane.status.attempt._send", fails)
    with pytest.raises(OSError, match="Too many open files"):
        tried(config_of("http://127.0.0.1:9", tmp_path))


def test_counts_in_nothing(shadow: Shadow, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    tried(config_of(shadow.url, tmp_path))
    assert sorted(tmp_path.iterdir()) == before == []


PLAIN = {"sql", "jsonrpc"}
"""Presets whose requests nobody can guess."""


@pytest.mark.parametrize("preset", sorted(set(_core.PRESET_NAMES) - PLAIN))
def test_every_presets_usual_request_is_mirrored_and_a_read(preset: str, shadow: Shadow, tmp_path: Path) -> None:
    found = tried(config_of(shadow.url, tmp_path, (preset,)))
    assert found.sent, found.words
    [(_, _, headers, body)] = shadow.asked
    if preset not in ("search", "graphql", "mcp", "bedrock"):
        assert json.loads(body)["model"] == "small"
    assert preset != "anthropic" or headers["anthropic-version"]


@pytest.mark.parametrize("preset", ["sql:postgres", "jsonrpc"])
def test_without_a_usual_request_a_file_is_asked_for(preset: str, shadow: Shadow, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no preset of \[routes\] has a usual request; name a file"):
        tried(config_of(shadow.url, tmp_path, (preset,)))
    assert shadow.asked == []


def test_a_route_of_ones_own_gives_the_usual_request_its_path(shadow: Shadow, tmp_path: Path) -> None:
    tried(config_of(shadow.url, tmp_path, (), routes={"read": ["POST /llm/ask openai"]}))
    tried(config_of(shadow.url, tmp_path, (), routes={"read": ["GET /search"]}))
    assert [(method, path) for method, path, _, _ in shadow.asked] == [("POST", "/llm/ask"), ("GET", "/search")]


def test_without_a_model_of_its_own_the_shadow_is_asked_for_a_usual_one_and_that_is_said(
    shadow: Shadow, tmp_path: Path
) -> None:
    found = tried(config_of(shadow.url, tmp_path, candidate={"model": ""}))
    model = json.loads(shadow.asked[0][3])["model"]
    assert model
    assert f"asks for the model {model}" in found.note


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[1]", "not one JSON object"),
        ("{", "not JSON"),
        ('{"path": "ask"}', "begin with /"),
        ('{"path": "/ask", "query": "x"}', "unknown field 'query'"),
        ('{"path": "/ask", "headers": []}', "headers an object"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(content: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.json"
    file.write_text(content)
    config = config_of("http://127.0.0.1:9", tmp_path)
    with pytest.raises(ConfigError, match=says):
        request_from(config, "candidate", str(file))
    with pytest.raises(ConfigError, match="cannot be read"):
        request_from(config, "candidate", str(tmp_path / "absent.json"))


def written(config: Config, folder: Path) -> str:
    file = folder / "shadowlane.json"
    file.write_text(json.dumps(config.to_dict()))
    return str(file)


@pytest.mark.parametrize(("status", "code"), [(200, 0), (404, 1), (500, 1)])
def test_the_command_prints_it_and_its_exit_code_says_it(
    status: int, code: int, shadow: Shadow, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shadow.say(status, READY if status == 200 else {"error": {"message": "The model `small` does not exist"}})
    path = written(config_of(shadow.url, tmp_path), tmp_path)
    assert main(["doctor", "--config", path, "--try"]) == code
    shown = " ".join(capsys.readouterr().out.split())
    assert f"POST /v1/chat/completions: {status} in" in shown
    assert ("Ready, says [EMAIL]." if status == 200 else "does not exist") in shown
    assert main(["doctor", "--config", path, "--try", "--json"]) == code
    data = json.loads(capsys.readouterr().out)
    assert (data["ok"], data["try"]["status"], data["try"]["sent"]) == (code == 0, status, True)
    assert len(shadow.asked) == 2


def test_without_try_nothing_is_sent(shadow: Shadow, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(config_of(shadow.url, tmp_path), tmp_path)
    assert main(["doctor", "--config", path]) == 0
    assert shadow.asked == []
    assert main(["doctor", "--config", path, "--shadow", "candidate"]) == 2
    assert main(["doctor", "--config", path, "--try", "--shadow", "other"]) == 2
    assert "known: candidate" in " ".join(capsys.readouterr().err.split())
    assert shadow.asked == []


def test_a_key_that_is_not_set_is_said_before_anything_is_sent(shadow: Shadow, tmp_path: Path) -> None:
    config = config_of(shadow.url, tmp_path, candidate={"credential_env": "NOT_SET_ANYWHERE"})
    with pytest.raises(ConfigError, match=r"shadows\.candidate\.credential_env = .*is not set"):
        tried(config)
    assert shadow.asked == []
