"""Every command's ``--help`` has examples, and every example is a command that the parser takes."""

from __future__ import annotations

import shlex

import pytest

from shadowlane.cli import EXAMPLES, build_parser, main

COMMANDS = sorted(
    name for action in build_parser([])._actions if isinstance(action.choices, dict) for name in action.choices
)


def test_there_are_commands() -> None:
    assert {"init", "doctor", "status", "gate", "probe", "guard"} <= set(COMMANDS)
    assert sorted(EXAMPLES) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_its_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    shown = capsys.readouterr().out
    assert EXAMPLES[name]
    for example in EXAMPLES[name]:
        assert f"  shadowlane {example}\n" in shown


@pytest.mark.parametrize("example", [example for some in EXAMPLES.values() for example in some])
def test_an_example_is_a_good_command(example: str) -> None:
    words = shlex.split(example)
    assert callable(build_parser(words).parse_args(words).run)


def test_the_command_alone_says_how_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "shadowlane init" in capsys.readouterr().out
