"""The worker's log as JSON: one object a line, the words of an exception left out."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.cli import main
from shadowlane.errors import ConfigError
from shadowlane.worker.log import FORMAT_ENV, JsonFormatter, configure_logging, log_left_alone

SECRET = "sk-planted-0123456789abcdef"


def formatted(record: logging.LogRecord, lane: str = "default") -> dict[str, Any]:
    line = JsonFormatter(lane).format(record)
    assert "\n" not in line
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def record(message: str, *values: object, level: int = logging.INFO, **extra: object) -> logging.LogRecord:
    made = logging.getLogger("shadowlane.worker").makeRecord(
        "shadowlane.worker", level, __file__, 1, message, values, None, extra=extra
    )
    made.created = 1_764_345_600.25
    return made


def test_a_line_says_when_what_and_about_whom() -> None:
    about = {"shadow": "candidate", "shadow_id": "0190a8f0", "delta_s": 0.25}
    assert formatted(record("copy %s is stored", "x", level=logging.DEBUG, event="stored", **about)) == {
        "ts": "2025-11-28T16:00:00.250Z",
        "level": "debug",
        "event": "stored",
        "message": "copy x is stored",
        "logger": "shadowlane.worker",
        "lane": "default",
        **about,
    }
    bare = formatted(record("plain"))
    assert (bare["event"], bare["level"], "shadow" in bare, "error" in bare) == ("log", "info", False, False)


@given(text=st.text(), lane=st.text(st.characters(exclude_categories=["Cs"])), at=st.floats(0, 4e9))
def test_any_text_is_one_line_of_json_and_any_moment_rfc_3339(text: str, lane: str, at: float) -> None:
    made = record("%s", text, shadow=text)
    made.created = at
    line = formatted(made, lane)
    assert line["lane"] == lane
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["ts"])
    read = datetime.strptime(line["ts"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    assert abs(read.timestamp() - at) < 0.0011


def test_an_exception_is_told_by_its_type_and_place_without_its_words() -> None:
    try:
        raise ValueError(f"cannot read {SECRET}")
    except ValueError:
        made = record("it failed")
        made.exc_info = sys.exc_info()
    line = formatted(made)
    assert line["error"] == "ValueError"
    assert line["where"][-1].endswith("test_an_exception_is_told_by_its_type_and_place_without_its_words")
    assert SECRET not in json.dumps(line)


def test_extras_that_are_not_named_are_left_out() -> None:
    assert "body" not in formatted(record("x", body=SECRET))


def test_an_unknown_form_is_refused_with_the_remedy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="'yaml': use text or json"):
        configure_logging("info", "yaml")
    assert main(["worker", "--log-format", "xml"]) == 2
    monkeypatch.setenv(FORMAT_ENV, "toml")
    assert main(["worker"]) == 2
    assert "SHADOWLANE_LOG_FORMAT, = 'toml': use text or json" in capsys.readouterr().err


CRASH = """
import sys, threading, warnings
from shadowlane.worker.log import configure_logging
configure_logging("info", "json")
def fail(): raise ValueError("in a thread: SECRET")
warnings.warn("old name", DeprecationWarning, stacklevel=1)
thread = threading.Thread(target=fail)
thread.start()
thread.join()
raise KeyError("at last: SECRET")
"""


def test_what_ends_a_process_is_a_line_too() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", CRASH], capture_output=True, text=True, timeout=60, check=False
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 1
    assert [line["logger"] for line in lines] == ["py.warnings", "shadowlane", "shadowlane"]
    assert [line.get("error") for line in lines] == [None, "ValueError", "KeyError"]
    assert {line["event"] for line in lines[1:]} == {"crashed"}
    assert "SECRET" not in done.stderr


def test_an_error_of_the_command_is_a_line_too(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "shadowlane",
        "worker",
        "--log-format",
        "json",
        "--config",
        str(tmp_path / "no.toml"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    line = json.loads(done.stderr)
    assert (line["event"], line["level"]) == ("failed", "error")
    assert "no such file" in line["message"]


def test_a_path_that_is_no_utf8_is_a_line_too() -> None:
    line = formatted(record("%s: cannot be opened", os.fsdecode(b"/srv/\xff.db"), shadow="\udc80"))
    assert (line["message"], line["shadow"]) == ("/srv/\\udcff.db: cannot be opened", "\\udc80")


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_what_an_event_loop_finds_left_alone_is_told_without_its_words(
    new_loop: Callable[[], asyncio.AbstractEventLoop], caplog: pytest.LogCaptureFixture
) -> None:
    async def fails() -> None:
        raise ValueError(SECRET)

    def calls(_: str) -> None:
        raise ValueError(SECRET)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(log_left_alone)
        loop.call_soon(calls, SECRET)
        future = loop.create_future()
        future.set_exception(ValueError(SECRET))
        await asyncio.wait([asyncio.ensure_future(fails())])
        del future

    loop = new_loop()
    loop.run_until_complete(run())
    gc.collect()
    loop.close()
    said = [one.getMessage() for one in caplog.records]
    assert len(said) == 3
    assert sum("never retrieved: ValueError" in one for one in said) == 2
    assert sum(one.startswith("a callback failed: ValueError in calls (test_log.py:") for one in said) == 1
    assert SECRET not in caplog.text
    assert not any(one.exc_info for one in caplog.records)
