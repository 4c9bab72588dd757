"""No error of a configuration shows a credential, wherever it was pasted, and nobody is told to export one."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from shadowlane.cli import main
from shadowlane.config import Config, ShadowConfig
from shadowlane.config.shown import looks_like_key, names_variable, shown_url, without_keys
from shadowlane.errors import ConfigError

ROOT = Path(__file__).parents[3]

KEYS = [
    "sk-proj-abcdefGHIJKL0123456789mnop",
    "AKIAIOSFODNN7EXQMPLE",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "deadbeef" * 8,
    "hf_abcdefghijkl",
    "correct-horse-battery",
    "SECRETKEYABC",
    "hunter2",
    "pa'ss\\wo\"rd",
]
URL = "http://127.0.0.1:9"


def misplaced(key: str) -> dict[str, dict[str, Any]]:
    """Configurations that hold a key where it does not belong, by where."""
    shadow = {"url": URL}
    return {
        "credential_env": {"shadows": {"a": {**shadow, "credential_env": key}}},
        "sign_key_env": {"control": {**shadow, "sign_key_env": key}},
        "a list": {"shadows": {"a": {**shadow, "credential_env": [key]}}},
        "a table": {"shadows": {"a": {**shadow, "credential_env": {"key": key}}}},
        "prefix": {"shadows": {"a": {**shadow, "credential_prefix": f"Bearer {key}"}}},
        "header": {"shadows": {"a": {**shadow, "credential_header": f"Authorization: Bearer {key}"}}},
        "header's type": {"shadows": {"a": {**shadow, "credential_header": [f"Bearer {key}"]}}},
        "userinfo": {"shadows": {"a": {"url": f"http://user:{key}@127.0.0.1:9"}}},
        "userinfo, bad port": {"shadows": {"a": {"url": f"https://user:{key}@host:port"}}},
        "no @": {"shadows": {"a": {"url": f"http://user:{key}"}}},
        "no scheme": {"shadows": {"a": {"url": f"user:{key}@127.0.0.1:9"}}},
        "query": {"shadows": {"a": {"url": f"{URL}/v1?key={key}"}}},
        "url's type": {"shadows": {"a": {"url": [f"http://{key}@h"]}}},
        "judge": {"judge": {"url": f"http://:{key}@h/v1", "model": "m"}},
        "judge's variable": {"judge": {"url": URL, "model": "m", "credential_env": f"{key} "}},
        "embedder": {"score": {"embedder": "openai:m", "embedder_url": URL, "embedder_credential_env": f"{key} "}},
        "allowed header": {"sanitize": {"allow_headers": ["x-class", f"Authorization: Bearer {key}"]}},
        "sampling key": {"sampling": {"mode": "sticky", "key": f"header:Authorization: Bearer {key}"}},
        "store": {"store": {"url": f"postgres://user:{key}@db/x"}},
        "hash key": {"sanitize": {"hash_key_env": f"{key}="}},
    }


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("where", list(misplaced("")))
def test_a_key_in_the_wrong_place_is_not_shown(
    where: str, key: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    data = {"shadows": {"a": {"url": URL}}, **misplaced(key)[where]}
    caplog.set_level(logging.DEBUG)
    monkeypatch.delenv(key, raising=False)
    try:
        config = Config.from_dict(data)
        for name, arm in config.arms().items():
            arm.credential(where=f"shadows.{name}.")
            arm.sign_key(where=f"shadows.{name}.")
    except ConfigError as error:
        said = "".join(traceback.format_exception(error)) + caplog.text
    else:
        pytest.fail("nothing is wrong with it")
    for form in {key, repr(key)[1:-1], json.dumps(key)[1:-1]}:
        assert form not in said
    assert "export" not in said


@pytest.mark.parametrize("key", ["sk-proj-abcdefGHIJKL0123456789mnop", "hunter2", "SECRETKEYABC"])
@pytest.mark.parametrize("as_json", [False, True])
def test_nor_does_doctor_show_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, as_json: bool) -> None:
    file = tmp_path / "shadowlane.toml"
    file.write_text(
        f'[shadows.a]\nurl = "{URL}"\ncredential_env = "{key}"\nsign_key_env = "{key}"\n'
        f'[score]\nembedder = "openai:m"\nembedder_url = "{URL}"\nembedder_credential_env = "{key}"\n'
        f'[judge]\nurl = "{URL}/x"\nmodel = "m"\ncredential_env = "{key}"\n[lane]\nname = "unused-doctor"\n'
    )
    assert main(["doctor", "--config", str(file), *(["--json"] if as_json else [])]) in (1, 2)
    said = "".join(capsys.readouterr())
    assert key not in said
    assert "export" not in said


def test_nor_the_probe_nor_a_command_line_that_is_not_understood(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = "sk-proj-abcdefGHIJKL0123456789mnop"
    gold = tmp_path / "gold.jsonl"
    gold.write_text('{"question": "Why?", "paraphrases": ["Why so?", "How so?"]}\n')
    given = ["probe", str(gold), "--prod", URL, "--shadow", URL]
    assert main([*given, "--shadow-credential-env", key]) == 2
    assert main([*given, "--embedder-credential-env", "hunter2"]) == 2
    for wrong in ([*given, "--api-key", key], ["status", key], ["guard", "--listen", f"{key}:x"]):
        with pytest.raises(SystemExit):
            raise SystemExit(main(wrong))
    assert main(["guard", "--allow", "h", "--sink", f"http://u:{key}@h"]) == 2
    said = "".join(capsys.readouterr())
    assert key not in said
    assert "hunter2" not in said


def test_a_name_is_shown_and_its_export_advised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHADOW_KEY", raising=False)
    with pytest.raises(ConfigError) as error:
        ShadowConfig(url=URL, credential_env="SHADOW_KEY").credential(where="shadows.a.")
    assert "shadows.a.credential_env = 'SHADOW_KEY'" in str(error.value)
    assert "export it for the worker" in str(error.value)


@pytest.mark.parametrize("value", ["sk-abc\n", "sk-ab\tc", "sk-\u2026", "sk-\x00"])
def test_what_no_header_can_hold_is_refused_at_start_and_not_shown(value: str) -> None:
    with pytest.raises(ConfigError, match=r"^control\.credential_env: the variable holds") as error:
        ShadowConfig(url=URL, credential_env="A_KEY").credential({"A_KEY": value}, where="control.")
    assert value.strip() not in str(error.value)


@pytest.mark.parametrize(
    ("text", "name", "key"),
    [
        ("OPENAI_API_KEY", True, False),
        ("SHADOW_TOKEN_EU", True, False),
        ("NOT_SET_AT_ALL", True, False),
        ("SECRETKEYABC", False, False),
        ("ABCDE_FGH1J_KLMNO", False, False),
        ("openai_key", False, False),
        ("AKIAIOSFODNN7EXQMPLE", False, True),
        ("A1B2C3D4E5F6G7H8_KEY", False, True),
        ("text-embedding-3-small", False, False),
        ("meta-llama/Llama-3.3-70B-Instruct", False, False),
        ("gpt-4o-mini-2024-07-18", False, False),
        ("0123456789abcdef", False, False),
    ],
)
def test_names_and_keys_are_told_apart(text: str, name: bool, key: bool) -> None:
    assert (names_variable(text), looks_like_key(text)) == (name, key)


def test_urls_and_command_lines() -> None:
    assert shown_url("http://127.0.0.1:9001/v1") == "http://127.0.0.1:9001/v1"
    assert shown_url("http://[::1]:9001/v1") == "http://[::1]:9001/v1"
    assert shown_url("https://u:p@h/x?y#z") == "https://…@h/x?…"
    assert shown_url(f"https://h/{KEYS[0]}/v1") == "https://h/…/v1"
    assert without_keys("unrecognized arguments: --hours 3 --key=" + KEYS[2]).startswith(
        "unrecognized arguments: --hours 3 --key=(not"
    )


def test_a_worker_that_cannot_start_shows_none_of_it(tmp_path: Path) -> None:
    """The log, the file that it leaves for status, and status itself."""
    lane = tmp_path / "lane"
    lane.mkdir(mode=0o700)
    config = tmp_path / "shadowlane.toml"
    key = "hunter2secret"
    config.write_text(
        f'[lane]\ndirectory = "{lane}"\n[shadows.a]\nurl = "{URL}"\ncredential_env = "{key}"\n'
        '[score]\nembedder = "lexical"\ngroups = false\n'
    )
    run = [sys.executable, "-m", "shadowlane"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    worker = subprocess.run(
        [*run, "worker", "--config", str(config)], capture_output=True, text=True, timeout=60, check=False, env=environ
    )
    assert worker.returncode == 2
    status = subprocess.run(
        [*run, "status", "--config", str(config)], capture_output=True, text=True, timeout=60, check=False, env=environ
    )
    said = worker.stdout + worker.stderr + status.stdout + status.stderr + (lane / "worker.error").read_text()
    assert "shadows.a.credential_env" in " ".join(said.split())
    assert key not in said
