"""Lines for a terminal, and times as text."""

from __future__ import annotations

import json

import pytest

from shadowlane.render.text import milliseconds, print_json, print_lines, printable


def test_output_that_is_no_terminal_gets_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_lines([("one", "good"), ("[bold]two[/bold]", "")])
    assert capsys.readouterr().out == "one\n[bold]two[/bold]\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.00321, "3.21 ms"), (0.0453, "45 ms"), (0.9999, "1000 ms"), (1.2, "1.20 s"), (0.0, "0.00 ms")],
)
def test_times(seconds: float, text: str) -> None:
    assert milliseconds(seconds) == text


def test_honest_text_is_left_alone() -> None:
    for text in ("Größe: 5 €\n\tok", "👩‍👩‍👧", "می‌خواهم", "a\u00a0b"):
        assert printable(text) == text


DRIVERS = ["\x1b[2J", "\x9b2J", "\u202edrow", "\u2066x\u2069", "\x00", "\u200ex", "\U000e0041", "\ud800"]
"""ESC and its C1 twin, direction marks, isolates, NUL, a tag character, half a surrogate pair."""


@pytest.mark.parametrize("text", DRIVERS)
def test_json_holds_nothing_that_drives_a_terminal(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"question": f"Größe 東京 {text}", text: [1.5, None]})
    out = capsys.readouterr().out
    assert all(c.isprintable() or c == "\n" for c in out), out
    assert "Größe 東京" in out
    assert json.loads(out) == {"question": f"Größe 東京 {text}", text: [1.5, None]}


@pytest.mark.parametrize("text", DRIVERS)
def test_lines_hold_nothing_that_drives_a_terminal(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_lines([(f"asked: {text}", "")])
    out = capsys.readouterr().out
    assert out.startswith("asked: ")
    assert all(c.isprintable() or c == "\n" for c in out), out
