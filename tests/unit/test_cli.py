"""The command line's own arguments: what is wrong is said in one line, with exit code 2."""

from __future__ import annotations

import subprocess
import sys

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
        "import sys; from shadowlane.cli import _parser; _parser(['status']); import shadowlane.status.collect; "
        "print([m for m in ('asyncio', 'aiohttp', 'uvloop', 'wordllama', 'h11', 'shadowlane.score', "
        "'shadowlane.worker.process', 'shadowlane.transport') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
