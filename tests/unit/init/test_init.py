"""``shadowlane init``: every file loads, passes ``doctor`` and mirrors what its provider is asked for."""

from __future__ import annotations

import ast
import io
import itertools
import json
import shlex
import socket
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from shadowlane.cli import main
from shadowlane.config import load_config
from shadowlane.init.choices import GATEWAYS, PROVIDERS
from tests.support.chatserver import Got, Reply, chat, serving

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ASKED = {
    "openai": ("/v1/chat/completions", "/v1/files"),
    "anthropic": ("/v1/messages", "/v1/messages/batches"),
    "gemini": ("/v1beta/models/gemini-flash:generateContent", "/v1beta/cachedContents"),
    "mistral": ("/v1/chat/completions", "/v1/fine_tuning/jobs"),
    "cohere": ("/v2/chat", "/v1/datasets"),
    "ollama": ("/api/chat", "/api/delete"),
    "bedrock": ("/model/some/converse", "/model/some/async-invoke"),
    "rag": ("/ask", "/orders"),
    "http": ("", "/orders"),
}
"""By provider: a POST that is mirrored, and one that is not."""


@pytest.fixture
def listening() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In a folder of its own, with a runtime directory of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    return tmp_path


@pytest.mark.parametrize(("gateway", "provider"), list(itertools.product(GATEWAYS, PROVIDERS)))
def test_every_file_is_a_good_configuration(gateway: str, provider: str, inside: Path) -> None:
    assert main(["init", "--gateway", gateway, "--provider", provider, "--output", "lane.toml"]) == 0
    config = load_config("lane.toml")
    assert config.shadows["candidate"].url == "http://127.0.0.1:9001"
    assert config.store.path == inside / "shadowlane.db"
    text = Path("lane.toml").read_text()
    assert "lane.toml" in text, "the snippet names the file"
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_file_passes_doctor(provider: str, listening: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--provider", provider, "--shadow-url", listening]) == 0
    capsys.readouterr()
    assert main(["doctor", "--json"]) == 0, capsys.readouterr().out
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert [check for check in checks if check["level"] != "ok"] == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_the_provider_is_asked_for_is_mirrored_and_what_writes_is_not(provider: str, inside: Path) -> None:
    from shadowlane import Lane

    main(["init", "--provider", provider])
    text = Path("shadowlane.toml").read_text().replace("ratio = 0.05", "ratio = 1.0")
    Path("shadowlane.toml").write_text('[lane]\nworker = "external"\n' + text)
    good, bad = ASKED[provider]
    with Lane.open("shadowlane.toml") as lane:
        ticket = lane.admit("POST", good, []) if good else lane.admit("GET", "/search", [])
        assert ticket is not None
        lane.drop(ticket, "disabled")
        assert lane.admit("POST", bad, []) is None


def test_a_file_that_is_there_is_left_alone(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("shadowlane.toml").write_text("mine")
    assert main(["init"]) == 2
    assert "--force" in capsys.readouterr().err
    assert Path("shadowlane.toml").read_text() == "mine"
    assert main(["init", "--force"]) == 0
    assert load_config("shadowlane.toml").shadows


def test_a_link_that_leads_to_a_file_is_left_alone(inside: Path) -> None:
    Path("mine").write_text("mine")
    Path("shadowlane.toml").symlink_to("mine")
    assert main(["init"]) == 2
    assert Path("mine").read_text() == "mine"


@pytest.mark.parametrize("output", ["absent/lane.toml", "."])
def test_a_file_that_cannot_be_written_is_named(output: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--output", output]) == 2
    assert output in capsys.readouterr().err


@pytest.mark.parametrize("provider", PROVIDERS)
def test_prints_to_standard_output_what_it_would_write(
    provider: str, inside: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(inside.iterdir())
    monkeypatch.setenv("COLUMNS", "40")
    assert main(["init", "--provider", provider, "--output", "-"]) == 0
    printed = capsys.readouterr().out
    assert tomllib.loads(printed)["shadows"]["candidate"]["url"] == "http://127.0.0.1:9001"
    assert sorted(inside.iterdir()) == before
    assert main(["init", "--provider", provider]) == 0
    assert Path("shadowlane.toml").read_text() == printed


@pytest.mark.parametrize("model", ['a "quoted" one', "back\\slash", "tab\tand\u202e", "gpt-4o"])
def test_any_text_is_a_model(model: str) -> None:
    assert main(["init", "--model", model]) == 0
    assert load_config("shadowlane.toml").shadows["candidate"].model == model


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--shadow-url", "ftp://x"], "url"),
        (["--shadow-url", "127.0.0.1:9001"], "url"),
        (["--provider", "gemini", "--model", "x"], "--model"),
    ],
)
def test_what_the_configuration_would_refuse_is_refused_and_nothing_written(
    arguments: list[str], says: str, inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", *arguments]) == 2
    assert says in capsys.readouterr().err
    assert not Path("shadowlane.toml").exists()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_step_that_is_advised_next_sends_one_request(
    provider: str, inside: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(got: Got) -> Reply:
        return chat("ready")

    monkeypatch.delenv("COLUMNS")
    with serving(answer) as shadow:
        main(["init", "--provider", provider, "--shadow-url", shadow.url])
        [advised] = [line for line in capsys.readouterr().out.splitlines() if "doctor --try" in line]
        words = shlex.split(advised)
        if words[0] == "echo":
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(words[1].encode())))
        assert main(words[words.index("doctor") :]) == 0, capsys.readouterr().out
        assert len(shadow.requests) == 1
    shown = Path("shadowlane.toml").read_text()
    assert f"# Try it: {advised.strip()}" in shown


NAMES = ["lane.toml", "my lane.toml", "it's $HOME.toml", 'a "b" {c} `d`.toml', "back\\slash;ls.toml", "~é日.toml"]
LONG = "a-long-name" * 12 + "/shadowlane.toml"


@pytest.mark.parametrize("gateway", GATEWAYS)
@pytest.mark.parametrize("name", [*NAMES, "-x.toml", LONG])
def test_what_is_printed_can_be_copied(
    gateway: str, name: str, inside: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    Path(LONG).parent.mkdir()
    assert main(["init", "--gateway", gateway, f"--output={name}"]) == 0
    printed = capsys.readouterr().out
    code, steps = printed.split("then:\n")
    tried, started, shown = (shlex.split(step) for step in steps.splitlines())
    for words in (tried, shown):
        assert words[0] == "shadowlane"
        assert Path(words[words.index("--config") + 1]) == Path(name)
        assert load_config(words[-1]).shadows
    # The file that the gateway opens is the same: in code as a string, in an environment as a word.
    if GATEWAYS[gateway].code:
        tree = ast.parse(textwrap.dedent(code.split("in the gateway:\n")[1]))
        [opened] = [key.value for key in ast.walk(tree) if isinstance(key, ast.keyword) and key.arg == "config"]
        assert isinstance(opened, ast.Constant)
        assert Path(str(opened.value)) == Path(name)
    else:
        assert Path(started[0].partition("=")[2]) == Path(name)
    for word, step in zip(("Try", "Start"), steps.splitlines(), strict=False):
        assert f"# {word} it: {step.strip()}" in Path(name).read_text().splitlines()


@pytest.mark.parametrize("name", ["a\nb.toml", "a\x1b[2Jb.toml", "a\u202eb.toml", "a\udc80.toml"])
def test_a_name_that_cannot_be_printed_is_refused(name: str, inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--output", name]) == 2
    assert "--output" in capsys.readouterr().err
    assert sorted(path.name for path in inside.iterdir()) == ["run"]
