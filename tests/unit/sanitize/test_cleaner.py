"""The redaction of a process is opened in one place; commands that only read need no secret of the worker's."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from shadowlane.config import Config
from shadowlane.detect import DetectingSanitizer, Found
from shadowlane.detect.cleaner import open_cleaner
from shadowlane.errors import ConfigError
from shadowlane.providers.cleaning import clean, use_rules
from shadowlane.report.command import run_gate, run_report
from tests.support.lanes import config_at, make_pairs, save

KEY = "SHADOWLANE_TEST_HASH_KEY"
MAIL = "anna.smith@mail.test"


class Names:
    """Finds Anna."""

    def detect(self, texts: Sequence[str]) -> list[list[Found]]:
        return [[Found("person", at, at + 4)] if (at := text.find("Anna")) >= 0 else [] for text in texts]


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(KEY, raising=False)
    module = ModuleType("shadowlane_test_names")
    module.names = Names  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    yield
    use_rules(None)


def stored(folder: Path, **sanitize: Any) -> Config:
    config = config_at(folder, sanitize=sanitize)
    save(config, make_pairs(40))
    return config


@pytest.mark.parametrize("more", [{}, {"action": "hash"}, {"actions": {"email": "hash"}}], ids=str)
def test_report_and_gate_need_no_key_of_the_workers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: dict[str, Any]
) -> None:
    config = stored(tmp_path, hash_key_env=KEY, **more)
    assert run_gate(config, as_json=True) in (0, 1)
    assert "shadows" in json.loads(capsys.readouterr().out)
    assert run_report(config, as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["pairs"] == 40
    # What is found anew is not shown, and no key is made for it.
    assert clean(f"Write to {MAIL}.") == "Write to [EMAIL]."
    assert not (tmp_path / "lane" / "redact.key").exists()


def test_who_writes_needs_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=KEY):
        open_cleaner(config_at(tmp_path, sanitize={"hash_key_env": KEY}))


def test_a_reader_that_has_the_key_hashes_as_the_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "5a" * 32)
    config = config_at(tmp_path, sanitize={"hash_key_env": KEY, "action": "hash"})
    by_the_worker = open_cleaner(config, tmp_path).cleaner.again(f"Write to {MAIL}.")
    open_cleaner(config, tmp_path, reading=True)
    assert clean(f"Write to {MAIL}.") == by_the_worker
    assert MAIL not in by_the_worker
    assert by_the_worker != "Write to [EMAIL]."


def test_rules_and_fields_that_hash_mask_without_the_key(tmp_path: Path) -> None:
    sanitize = {
        "hash_key_env": KEY,
        "rules": [{"kind": "order", "pattern": r"ORD-\d{6}", "action": "hash"}],
        "fields": [{"key": "owner", "action": "hash"}],
    }
    cleaner = open_cleaner(config_at(tmp_path, sanitize=sanitize), reading=True).cleaner
    assert cleaner.again("See ORD-123456 now.") == "See [ORDER] now."
    _, body, _, _ = cleaner.response(((b"content-type", b"application/json"),), b'{"owner": "somebody"}', False)
    assert body == b'{"owner": "[FIELD]"}'


def test_the_report_reads_with_the_users_detector(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = stored(tmp_path, detector="shadowlane_test_names:names")
    run_report(config, as_json=True)
    capsys.readouterr()
    assert clean("Anna asks.") == "[PERSON] asks."
    assert isinstance(open_cleaner(config).cleaner, DetectingSanitizer)
    use_rules(None)
    # The gate shows no text.
    run_gate(config, as_json=True)
    assert clean("Anna asks.") == "Anna asks."
