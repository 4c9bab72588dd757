"""The command line's own arguments: what is wrong is said in one line, with exit code 2."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from shadowlane.cli import main


@pytest.mark.parametrize("hours", ["nan", "inf", "-inf", "-1", "0", "1e9", "a day"])
def test_hours_that_no_window_can_have_are_refused(hours: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["report", f"--hours={hours}"])
    assert ended.value.code == 2
    assert f"--hours: '{hours}': use more than 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("probe", "--junit"),
        ("compare", "--html"),
        ("guard", "--log"),
        ("status", "--json"),
        ("doctor", "--json"),
        ("worker", "--log-level"),
    ],
)
def test_every_command_shows_its_options(command: str, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert f"usage: shadowlane {command} [-h]" in shown
    assert option in shown


def test_the_lanes_commands_load_neither_scorer_nor_event_loop() -> None:
    """``status`` and its kin are asked for in a hurry, and in a gateway that has the base package only."""
    code = (
        "import sys; from shadowlane.cli import build_parser; build_parser(['status']); "
        "import shadowlane.status.collect; "
        "print([m for m in ('asyncio', 'aiohttp', 'uvloop', 'wordllama', 'h11', 'shadowlane.score', "
        "'shadowlane.worker.process', 'shadowlane.transport') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_without_a_command_the_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    said = capsys.readouterr().out
    assert "usage: shadowlane" in said
    assert "doctor" in said


@pytest.mark.parametrize("key", ["sk-proj-abcDEF123", "hf_abcdefghijkl", "AKIAIOSFODNN7EXQMPLE", "sk_live_4242"])
@pytest.mark.parametrize("field", ["credential_env", "sign_key_env"])
def test_a_key_in_the_place_of_a_variable_is_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], field: str, key: str
) -> None:
    file = tmp_path / "shadowlane.toml"
    file.write_text(
        f'[shadows.a]\nurl = "http://127.0.0.1:9"\n{field} = "{key}"\n[lane]\nname = "unused-{key.lower()}"\n'
    )
    assert main(["doctor", "--config", str(file)]) in (1, 2)
    said = "".join(line for line in capsys.readouterr().out.splitlines(True) if "unused-" not in line)
    assert re.search(r"it may be (a|the) key", said)
    assert key not in said


@pytest.mark.parametrize(("url", "warned"), [("http://127.0.0.1:9/v1", True), ("http://127.0.0.1:9", False)])
def test_doctor_says_that_a_url_ends_in_the_version_that_the_requests_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str, warned: bool
) -> None:
    file = tmp_path / "shadowlane.toml"
    file.write_text(f'[shadows.a]\nurl = "{url}"\n[routes]\npresets = ["openai"]\n[lane]\nname = "unused-doctor"\n')
    main(["doctor", "--config", str(file)])
    assert ("ends in /v1" in capsys.readouterr().out) is warned
