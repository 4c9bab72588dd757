"""The screen fits whatever window there is, and shows nothing that drives a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from shadowlane.render.wrap import cells
from shadowlane.status.collect import collect_status
from shadowlane.watch.arms import read_arms
from shadowlane.watch.rates import Counts, Rates
from shadowlane.watch.screen import ArmView, View, cut, screen, sparkline
from tests.support.lanes import NOW_NS, config_at, failed, make_pairs, save

SHADOWS = {"candidate": {"url": "http://127.0.0.1:9001"}, "another": {"url": "http://127.0.0.1:9002"}}


@pytest.fixture
def view(tmp_path: Path) -> View:
    config = config_at(tmp_path, shadows=SHADOWS)
    pairs = make_pairs(60)
    save(config, [*pairs[:50], *(failed(pair, "deadline") for pair in pairs[50:])])
    status = collect_status(config)
    status |= {"started": True, "enabled": True, "seen": 4321, "mirrored": 60, "dropped": {"cap": 3, "sampled_out": 70}}
    status["shadows"]["candidate"] |= {"answered": 50, "failed": {"deadline": 10}}
    rates = Rates()
    rates.add(Counts.of({**status, "seen": 4221}, 0.0))
    rates.add(Counts.of(status, 10.0))
    return View(status, rates, NOW_NS, read_arms(config), NOW_NS)


def text_of(view: View, width: int, height: int) -> str:
    return "\n".join(line for line, _ in screen(view, width, height))


def test_it_says_whose_answers_prods_are(view: View) -> None:
    assert "in prod's stead" not in text_of(view, 100, 60)
    view.status["shadows"]["candidate"]["stood_in"] = 7
    for width in (40, 100):
        assert "[control] answered in prod's stead in 7 copies" in " ".join(text_of(view, width, 60).split())


def test_it_says_rates_drops_deltas_and_verdicts(view: View) -> None:
    text = text_of(view, 100, 60)
    assert "seen" in text
    assert "4,321" in text
    assert "10.0/s" in text
    lines = text.splitlines()
    most, fewer = (next(i for i, line in enumerate(lines) if line.endswith(why)) for why in ("sampled_out", "cap"))
    assert most < fewer
    assert "deadline 10" in text
    assert "mean 0.2" in text
    assert "of the last 50" in text
    assert any(bar in text for bar in "▂▃▄▅")
    assert "verdict    HOLD: " in text
    assert "more lines" not in text


@pytest.mark.parametrize("width", [1, 2, 13, 40, 80, 200])
@pytest.mark.parametrize("height", [1, 2, 5, 14, 24, 80])
def test_it_fits_the_window(view: View, width: int, height: int) -> None:
    lines = screen(view, width, height)
    assert 0 < len(lines) <= height
    assert all(cells(line) <= width for line, _ in lines)
    whole = len(screen(view, width, 1000))
    if height < whole:
        assert lines[-1][0] == cut(f"{whole - height + 1} more lines: make the window higher", width)


def test_what_comes_from_outside_does_not_drive_the_terminal(view: View) -> None:
    view.status["alerts"].append("a\x1b[2Jb\u202ec")
    arms = {"candidate": ArmView((0.1,), "HOLD", "why\x9b2J")}
    text = text_of(View(view.status, view.rates, NOW_NS, arms, None, "x\x07y"), 120, 60)
    assert "a�[2Jb�c" in text
    assert all(character.isprintable() or character == "\n" for character in text)


def test_without_anything_read_it_says_so(view: View) -> None:
    text = text_of(View(view.status, Rates(), NOW_NS, trouble="the store is locked"), 120, 60)
    assert "not evaluated yet" in text
    assert "no pair has one yet" in text
    assert "the store is locked" in text
    assert "–/s" in text


@pytest.mark.parametrize(
    ("values", "width", "bars"),
    [
        ([], 10, ""),
        ([0.0, 0.35, 0.7], 10, "▁▅█"),
        ([0.0, 0.7] * 4, 4, "▅▅▅▅"),
        ([0.0] * 5 + [0.7] * 5, 2, "▁█"),
        ([0.3], 0, ""),
        ([9.0, -1.0], 2, "█▁"),
    ],
)
def test_a_sparkline_averages_neighbours(values: list[float], width: int, bars: str) -> None:
    assert sparkline(values, width, 0.7) == bars


@pytest.mark.parametrize(
    ("text", "width", "kept"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("漢字漢", 5, "漢字…"), ("漢字", 2, "…"), ("ab", 0, "")],
)
def test_cut(text: str, width: int, kept: str) -> None:
    assert cut(text, width) == kept
