"""Lines for a terminal, and times as text."""

from __future__ import annotations

import pytest

from shadowlane.render.text import milliseconds, print_lines, printable


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
