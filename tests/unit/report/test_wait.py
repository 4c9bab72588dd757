"""``gate --wait``: durations, a line a change, and when it ends; with a clock that is turned by the test."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shadowlane.cli import main
from shadowlane.config import load_config
from shadowlane.report import wait
from shadowlane.report.verdicts import held_data, verdict_line


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("1.5m", 90), ("1h30m", 5400), ("2d", 172_800), ("250ms", 0.25), ("365d", 31_536_000)],
)
def test_a_duration_is_in_seconds(text: str, seconds: float) -> None:
    assert wait.duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "-1s", "s", "1w", "h1", "1h 30m", "nan", "inf", "366d", "1e3", "1m30", "٣s"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="for example 90s, 30m or 1h30m"):
        wait.duration(text)


class Looks:
    """What each look finds, and a clock that only sleeping moves."""

    def __init__(self, *found: dict[str, Any]) -> None:
        self.found = list(found)
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self, *_: object) -> dict[str, Any]:
        return self.found.pop(0) if len(self.found) > 1 else self.found[0]

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def hold(reason: str) -> dict[str, Any]:
    return held_data("default", "candidate", reason)


def decided(verdict: str) -> dict[str, Any]:
    return {**hold("candidate: every rule is met"), "verdict": verdict}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    config = tmp_path / "shadowlane.toml"
    config.write_text('[shadows.candidate]\nurl = "http://127.0.0.1:9"\n')

    def waits(looks: Looks, **options: Any) -> int:
        monkeypatch.setattr(wait, "_look", looks)
        options = {"timeout_s": None, "interval_s": 30.0, **options}
        return wait.wait_for_verdict(load_config(config), clock_s=lambda: looks.now, sleep=looks.sleep, **options)

    return waits


@pytest.mark.parametrize(("verdict", "code"), [("GRADUATE", 0), ("REJECT", 1)])
def test_it_ends_with_the_verdict_and_says_each_change_once(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], verdict: str, code: int
) -> None:
    looks = Looks(hold("a"), hold("a"), hold("a"), hold("b"), hold("b"), decided(verdict))
    assert run(looks) == code
    said = [line.split(" ", 2)[2] for line in capsys.readouterr().out.splitlines()]
    assert said == ["HOLD a", "HOLD b", f"{verdict} candidate: every rule is met"]
    assert looks.slept == [30.0] * 5


def test_time_that_is_over_ends_it_with_a_last_look(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    looks = Looks(hold("a"))
    assert run(looks, timeout_s=70.0) == 1
    assert looks.slept == [30.0, 30.0, 10.0]
    assert capsys.readouterr().out.count("\n") == 1
    assert run(Looks(hold("a"), hold("a"), hold("a"), decided("GRADUATE")), timeout_s=70.0) == 0


def test_as_json_a_line_is_a_change(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Looks(hold("a"), hold("a"), decided("GRADUATE")), as_json=True) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["verdict"], line["lane"], line["shadow"]) for line in lines] == [
        ("HOLD", "default", "candidate"),
        ("GRADUATE", "default", "candidate"),
    ]


def test_a_line_is_one_line_of_bounded_length() -> None:
    line = verdict_line(hold("one\ntwo\r three " + "ΔS " * 200))
    assert line.startswith("HOLD one two three ΔS")
    assert len(line) == 200
    assert line.endswith("…")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--timeout", "5m"], "add --wait"),
        (["--interval", "5s"], "add --wait"),
        (["--wait", "--restart"], "give one of them"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    config = tmp_path / "shadowlane.toml"
    config.write_text('[shadows.candidate]\nurl = "http://127.0.0.1:9"\n')
    assert main(["gate", "--config", str(config), *arguments]) == 2
    assert says in capsys.readouterr().err
