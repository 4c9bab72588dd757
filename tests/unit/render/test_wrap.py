"""No line of text is wider than the terminal, or than 80 columns where there is none; JSON is never wrapped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowlane.cli import main
from shadowlane.render.text import print_error, print_json, print_lines
from shadowlane.render.wrap import cells, wrapped

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=400)
"""As :func:`~shadowlane.render.text.printable` leaves it."""


@given(TEXT, st.integers(40, 200))
def test_no_line_is_wider_and_nothing_is_lost(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert all(cells(line) <= width for line in lines)
    assert "".join("".join(lines).split(" ")) == "".join(text.split(" "))


def test_what_follows_goes_under_the_column_where_the_text_begins() -> None:
    text = "fail  shadow candidate  http://127.0.0.1:9001: cannot connect: Connection refused"
    assert wrapped(text, 60) == [
        "fail  shadow candidate  http://127.0.0.1:9001: cannot",
        "                        connect: Connection refused",
    ]
    assert wrapped("        under nothing but blanks goes the rest", 40)[1] == "        the rest"


def test_without_columns_two_blanks_in() -> None:
    assert wrapped("shadowlane: one line that is longer than forty letters", 40)[1] == "  forty letters"


def test_a_word_that_is_too_long_is_cut_at_a_slash() -> None:
    path = "/srv/" + "/".join(["a-folder"] * 12)
    lines = wrapped(f"page: {path}", 60)
    assert all(len(line) <= 60 for line in lines)
    assert lines[0] == "page:"
    assert lines[1].endswith("/")
    assert "".join(line.strip() for line in lines).endswith(path)


def test_wide_letters_take_two_cells() -> None:
    assert cells("東京") == 4
    assert cells("e\u0301") == 1
    assert all(cells(line) <= 40 for line in wrapped("東" * 100, 40))


@pytest.mark.parametrize(("columns", "width"), [(None, 80), ("", 80), ("no", 80), ("0", 80), ("60", 60), ("3", 40)])
def test_the_width_is_that_of_the_terminal(
    columns: str | None, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if columns is None:
        monkeypatch.delenv("COLUMNS")
    else:
        monkeypatch.setenv("COLUMNS", columns)
    print_lines([("word " * 50, "")])
    print_error("word " * 50)
    for lines in capsys.readouterr():
        assert max(map(len, lines.splitlines())) in range(width - 5, width + 1)


@pytest.mark.parametrize("command", ["status", "report", "gate", "doctor"])
def test_the_commands_keep_to_it(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    file = tmp_path / "shadowlane.toml"
    file.write_text(
        '[shadows.a]\nurl = "http://127.0.0.1:9/a/prefix/that/is/quite/long"\n[lane]\nname = "unused-wrap"\n'
    )
    main([command, "--config", str(file)])
    said = capsys.readouterr().out
    assert said
    assert max(map(cells, said.splitlines())) <= 80
    main([command, "--config", str(file), "--json"])
    assert json.loads(capsys.readouterr().out)


def test_errors_keep_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("COLUMNS")
    file = tmp_path / "shadowlane.toml"
    file.write_text('[shadows.a]\nurl = "http://127.0.0.1:9"\n[gate]\ndisable = ["overheads"]\n')
    assert main(["status", "--config", str(file)]) == 2
    with pytest.raises(SystemExit):
        main(["status", "--not-an-option-" + "of-ours-" * 20])
    assert max(map(cells, capsys.readouterr().err.splitlines())) <= 80


def test_json_is_not_wrapped(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_json({"text": "word " * 50})
    assert f'"{"word " * 50}"' in capsys.readouterr().out
